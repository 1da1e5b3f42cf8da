// SPDX-License-Identifier: BSL-1.0
//
// What a pipeline costs per event: from the in-memory log to a handler that only counts, beside a
// loop that is written by hand over the same member of the same log, and gives the same guarantees
// as long as nothing fails.
//
//   ./dev bench overhead [-- --long]       (--long: ten times as many)
//
// | case | the pipeline | by hand |
// | --- | --- | --- |
// | handle | handle, behind `discard` | polls, checks what is required of an event, handles it, drops what fails; commits offsets after each poll |
// | retry | dead_letter, retry, handle | the same; a failing event and its key's next ones wait in a map, and hold the offset back; after five attempts a dead letter |
// | once | in_sequence, once, dead_letter, retry, handle | what came too early of each key in a hash map; batches of 100 in one transaction of the store, in which each key's number is read and written; a batch that fails is done again, event by event; offsets only after its commit |
//
// A case's name ends in how many events a round reads. They are appended in chunks of 10,000, which
// is not counted, and only the last ones are kept: so a long round shows what grows with the events
// that went by, and not what memory costs that lies outside of the caches.

#include "ratio.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <benchmark/benchmark.h>

#if defined(SINEW_BENCH_HAS_BOOST)
#include <boost/unordered/unordered_flat_map.hpp>
#endif

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

std::atomic<std::size_t> allocated{0};

}  // namespace

// Counted, for the figure of allocations; not inlined, so that no compiler sees through the pairs.
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocated.fetch_add(1, std::memory_order_relaxed);
    if (void* got = std::malloc(size == 0 ? 1 : size)) {
        return got;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* at) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { std::free(at); }

namespace {

using namespace sinew;

constexpr std::size_t chunk = 10'000;
constexpr std::size_t keys = 1'000;
constexpr int attempts_max = 5;

struct text_hash : std::hash<std::string_view> {
    using is_transparent = void;
};
#if defined(SINEW_BENCH_HAS_BOOST)
template <class T>
using by_key = boost::unordered_flat_map<std::string, T, text_hash, std::equal_to<>>;
#else
template <class T>
using by_key = std::unordered_map<std::string, T, text_hash, std::equal_to<>>;
#endif

struct tally {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;

    void add(const event_view& e) {
        bytes += e.data.size();
        ++count;
    }
};

/// A log to which chunks of events are appended, and which keeps the last of them.
class growing_log {
public:
    growing_log() { log_.create_topic("events", {.partitions = 4, .records_max = chunk}); }

    /// Appends up to `chunk` more, and answers how many there are now.
    std::size_t grow(std::size_t until) {
        auto to = log_.producer("events");
        for (const std::size_t end = std::min(until, size_ + chunk); size_ < end; ++size_) {
            const event e{.id = std::to_string(size_),
                          .source = "/bench",
                          .type = "bench.event.v1",
                          .data = "some forty bytes of payload, or about it",
                          .partitionkey = "key-" + std::to_string(size_ % keys),
                          .sequence = std::to_string(size_ / keys + 1)};
            static_cast<void>(to.publish(e.view(), never));
        }
        return size_;
    }

    [[nodiscard]] memory::log& log() noexcept { return log_; }

private:
    memory::log log_;
    std::size_t size_ = 0;
};

moment at(std::int64_t step) { return {steady_time(std::chrono::milliseconds(step)), {}}; }

using message = memory::log::member::message;

/// What is finished of each partition, by hand: all that was read, unless something is held back.
class finished_offsets {
public:
    void assigned(assignment a) { ours_.push_back({a, -1}); }
    void revoked(partition_id p) {
        std::erase_if(ours_, [p](const entry& one) { return one.where.partition == p; });
    }
    void read(position where) { of(where.partition).through = where.offset; }
    /// Whether a message is of an assignment that still stands.
    [[nodiscard]] bool has(const message& m) {
        const auto where = m.where();
        for (const auto& one : ours_) {
            if (one.where.partition == where.partition) {
                return one.where.epoch == m.epoch();
            }
        }
        return false;
    }
    /// Commits all but what lies behind the first unfinished one, if there is any.
    template <class FirstOpen>
    void commit(memory::member& to, FirstOpen first_open) {
        for (const auto& one : ours_) {
            log_offset through = one.through;
            if (const auto open = first_open(one.where.partition); open && *open <= through) {
                through = *open - 1;
            }
            if (through >= 0) {
                static_cast<void>(to.commit(one.where.partition, one.where.epoch, through, never));
            }
        }
    }

private:
    struct entry {
        assignment where;
        log_offset through;
    };

    entry& of(partition_id p) {
        for (auto& one : ours_) {
            if (one.where.partition == p) {
                return one;
            }
        }
        return ours_.front();
    }

    std::vector<entry> ours_;
};

/// handle, by hand.
struct plain_loop {
    tally& sum;
    memory::member from;
    finished_offsets offsets{};
    std::uint64_t dropped = 0;

    plain_loop(growing_log& to, tally& all) : sum(all), from(to.log().join("events", "by hand")) {}

    void assigned(assignment a) { offsets.assigned(a); }
    void revoked(revocation r) { offsets.revoked(r.partition); }
    void lost(assignment a) { offsets.revoked(a.partition); }
    void message(::message&& m) {
        if (!offsets.has(m)) {
            return;
        }
        const event_view& e = m.view();
        try {
            if (m.broken() || find_defect(e)) {
                ++dropped;
            } else {
                sum.add(e);
            }
        } catch (...) {
            ++dropped;
        }
        offsets.read(m.where());
    }

    void step(moment now) {
        from.poll({1024, std::size_t{64} << 20U}, now.steady, *this);
        offsets.commit(from, [](partition_id) { return std::optional<log_offset>(); });
    }
};

/// dead_letter, retry, handle, by hand.
struct retrying_loop {
    struct waiting_key {
        std::vector<::message> events{};  ///< the first one failed
        int attempts = 0;
        steady_time due{};
    };

    tally& sum;
    memory::member from;
    memory::dead_letters& letters;
    moment now{};
    finished_offsets offsets{};
    by_key<waiting_key> waiting{};

    retrying_loop(growing_log& to, tally& all, memory::dead_letters& place)
        : sum(all), from(to.log().join("events", "by hand")), letters(place) {}

    void assigned(assignment a) { offsets.assigned(a); }
    void revoked(revocation r) { forget(r.partition); }
    void lost(assignment a) { forget(a.partition); }
    void message(::message&& m) {
        if (!offsets.has(m)) {
            return;
        }
        const event_view& e = m.view();
        offsets.read(m.where());
        if (!waiting.empty()) {
            if (const auto found = waiting.find(e.partitionkey); found != waiting.end()) {
                found->second.events.push_back(std::move(m));
                return;
            }
        }
        if (m.broken() || find_defect(e)) {
            bury(m, "defect");
        } else if (!handled(e)) {
            auto& key = waiting[std::string(e.partitionkey)];
            key.attempts = 1;
            key.due = later(now.steady, std::chrono::milliseconds(200));
            key.events.push_back(std::move(m));
        }
    }

    void step(moment at_time) {
        now = at_time;
        if (!waiting.empty()) {
            try_again();
        }
        from.poll({1024, std::size_t{64} << 20U}, now.steady, *this);
        offsets.commit(from, [this](partition_id p) { return first_open(p); });
    }

private:
    bool handled(const event_view& e) {
        try {
            sum.add(e);
            return true;
        } catch (...) {
            return false;
        }
    }
    void bury(const ::message& m, const char* reason) {
        static_cast<void>(letters.put({.consumer = "by hand",
                                       .topic = "events",
                                       .where = m.where(),
                                       .original = to_event(m.view()),
                                       .reason = reason},
                                      never));
    }
    void try_again() {
        for (auto& entry : waiting) {
            auto& key = entry.second;
            std::size_t done = 0;
            while (done < key.events.size() && key.due <= now.steady) {
                if (!handled(key.events[done].view())) {
                    if (++key.attempts < attempts_max) {
                        key.due = later(now.steady, std::chrono::seconds(1));
                        break;
                    }
                    bury(key.events[done], "failed");
                }
                key.attempts = 0;
                ++done;
            }
            key.events.erase(key.events.begin(),
                             key.events.begin() + static_cast<std::ptrdiff_t>(done));
        }
        erase_if(waiting, [](const auto& entry) { return entry.second.events.empty(); });
    }
    void forget(partition_id p) {
        offsets.revoked(p);
        erase_if(waiting, [p](const auto& entry) {
            return entry.second.events.front().where().partition == p;
        });
    }
    std::optional<log_offset> first_open(partition_id p) const {
        std::optional<log_offset> first;
        for (const auto& [key, one] : waiting) {
            const auto where = one.events.front().where();
            if (where.partition == p && (!first || where.offset < *first)) {
                first = where.offset;
            }
        }
        return first;
    }
};

/// in_sequence, dead_letter, retry, once, handle, by hand.
struct exact_loop {
    static constexpr std::size_t batch_max = 100;

    struct key_state {
        std::string key{};
        std::uint64_t next = 0;  ///< as the batch's transaction knows it
        std::size_t batch = 0;   ///< the last one that it is in
        std::map<std::uint64_t, ::message> early{};
    };

    tally& sum;
    memory::member from;
    memory::store& db;
    memory::dead_letters letters;
    finished_offsets offsets{};
    by_key<std::size_t> index{};
    std::vector<key_state> all{};
    std::vector<::message> batch{};
    std::size_t batches = 0;
    std::size_t early = 0;

    exact_loop(growing_log& to, tally& sums, memory::store& in)
        : sum(sums), from(to.log().join("events", "by hand")), db(in), letters(in.dead_letters()) {
        batch.reserve(batch_max);
    }

    void assigned(assignment a) { offsets.assigned(a); }
    void revoked(revocation r) { forget(r.partition); }
    void lost(assignment a) { forget(a.partition); }
    void message(::message&& m) {
        if (!offsets.has(m)) {
            return;
        }
        offsets.read(m.where());
        batch.push_back(std::move(m));
        if (batch.size() == batch_max) {
            work();
        }
    }

    void step(moment now) {
        from.poll({1024, std::size_t{64} << 20U}, now.steady, *this);
        work();
        offsets.commit(from, [this](partition_id p) { return first_early(p); });
    }

private:
    /// The batch in one transaction; if that fails, each event in its own.
    void work() {
        if (batch.empty()) {
            return;
        }
        if (!commit(0, batch.size())) {
            for (std::size_t i = 0; i < batch.size(); ++i) {
                for (int attempt = 1; !commit(i, i + 1); ++attempt) {
                    if (attempt == attempts_max) {
                        bury(batch[i]);
                        break;
                    }
                }
            }
        }
        batch.clear();
    }

    bool commit(std::size_t first, std::size_t end) {
        ++batches;
        auto tx = db.begin();
        try {
            for (std::size_t i = first; i < end; ++i) {
                apply(batch[i], tx);
            }
            return tx.commit() == commit_result::committed;
        } catch (...) {
            return false;
        }
    }

    void apply(::message& m, memory::transaction& tx) {
        const event_view& e = m.view();
        const auto number = parse_sequence(e.sequence);
        if (m.broken() || find_defect(e) || !number) {
            throw permanent_error("defect", "");
        }
        auto found = index.find(e.partitionkey);
        if (found == index.end()) {
            found = index.try_emplace(std::string(e.partitionkey), all.size()).first;
            all.push_back({.key = found->first});
        }
        auto& state = all[found->second];
        if (state.batch != batches) {
            // Read in each transaction: somebody else may have had the partition meanwhile.
            state.batch = batches;
            const auto known = tx.progress("by hand/events", state.key);
            state.next = known.is_known() ? known.next() : 1;
        }
        if (*number < state.next) {
            return;
        }
        if (*number > state.next) {
            early += state.early.try_emplace(*number, m).second ? 1U : 0U;
            return;
        }
        sum.add(e);
        ++state.next;
        while (!state.early.empty() && state.early.begin()->first <= state.next) {
            if (state.early.begin()->first == state.next) {
                sum.add(state.early.begin()->second.view());
                ++state.next;
            }
            state.early.erase(state.early.begin());
            --early;
        }
        tx.set_progress("by hand/events", state.key, key_progress(state.next));
    }

    void bury(const ::message& m) {
        static_cast<void>(letters.put({.consumer = "by hand",
                                       .topic = "events",
                                       .where = m.where(),
                                       .original = to_event(m.view()),
                                       .reason = "failed"},
                                      never));
    }
    void forget(partition_id p) {
        offsets.revoked(p);
        std::erase_if(batch, [p](const ::message& m) { return m.where().partition == p; });
        index.clear();
        all.clear();
        early = 0;
    }
    std::optional<log_offset> first_early(partition_id p) const {
        std::optional<log_offset> first;
        if (early == 0) {
            return first;
        }
        for (const auto& state : all) {
            for (const auto& [number, m] : state.early) {
                if (m.where().partition == p && (!first || m.where().offset < *first)) {
                    first = m.where().offset;
                }
            }
        }
        return first;
    }
};

/// Reads so many events, chunk by chunk.
template <class Consumer>
void read_all(bench::laps* laps, growing_log& log, Consumer& consumer, const tally& sum,
              std::size_t events) {
    std::int64_t step = 0;
    for (std::size_t there = 0; there < events;) {
        there = log.grow(events);
        const auto read = [&] {
            while (sum.count < there) {
                consumer.step(at(++step));
            }
        };
        laps != nullptr ? laps->time("read", read) : read();
    }
    benchmark::DoNotOptimize(sum.bytes);
}

subscription_options options() { return {.topic = "events", .group = "sinew", .seed = 1}; }

/// Makes the consumer of a case and calls `f(log, consumer, sum)`.
struct handle_case {
    static void ours(auto f) {
        growing_log log;
        tally sum;
        auto consumer = subscribe(log.log(), options()) | discard() | idempotent_by_nature() |
                        handle([&sum](const event_view& e) { sum.add(e); });
        f(log, consumer, sum);
    }
    static void by_hand(auto f) {
        growing_log log;
        tally sum;
        plain_loop consumer(log, sum);
        f(log, consumer, sum);
    }
};

struct retry_case {
    static void ours(auto f) {
        growing_log log;
        memory::dead_letters place;
        tally sum;
        auto consumer = subscribe(log.log(), options()) | dead_letter(place) | retry() |
                        idempotent_by_nature() |
                        handle([&sum](const event_view& e) { sum.add(e); });
        f(log, consumer, sum);
    }
    static void by_hand(auto f) {
        growing_log log;
        memory::dead_letters place;
        tally sum;
        retrying_loop consumer(log, sum, place);
        f(log, consumer, sum);
    }
};

struct once_case {
    static void ours(auto f) {
        growing_log log;
        memory::store db;
        tally sum;
        auto consumer = subscribe(log.log(), options()) | in_sequence() |
                        dead_letter(db.dead_letters()) | retry() | once(db) |
                        handle([&sum](const event_view& e, memory::transaction&) { sum.add(e); });
        f(log, consumer, sum);
    }
    static void by_hand(auto f) {
        growing_log log;
        memory::store db;
        tally sum;
        exact_loop consumer(log, sum, db);
        f(log, consumer, sum);
    }
};

/// What is allocated for an event, once the consumer has read three chunks.
template <class Case>
double allocations_per_event() {
    double result = 0;
    Case::ours([&result](auto& log, auto& consumer, tally& sum) {
        read_all(nullptr, log, consumer, sum, 3 * chunk);
        log.grow(4 * chunk);
        const std::size_t before = allocated.load();
        for (std::int64_t step = 1'000'000; sum.count < 4 * chunk; ++step) {
            consumer.step(at(step));
        }
        result = static_cast<double>(allocated.load() - before) / static_cast<double>(chunk);
    });
    return result;
}

template <class Case>
void add(bench::suite& all, const std::string& name, double times_max, std::size_t events_max) {
    for (std::size_t events = 1'000, digits = 3; events <= events_max; events *= 10, ++digits) {
        all.pair({.name = name + "/1e" + std::to_string(digits),
                  .items = events,
                  .goal = 1 / times_max,
                  .series = "overhead/" + name,
                  .x = static_cast<double>(events)},
                 [events] {
                     return bench::sides{[events](bench::laps& laps) {
                                             Case::by_hand([&](auto& log, auto& loop, tally& sum) {
                                                 read_all(&laps, log, loop, sum, events);
                                             });
                                         },
                                         [events](bench::laps& laps) {
                                             Case::ours([&](auto& log, auto& consumer, tally& sum) {
                                                 read_all(&laps, log, consumer, sum, events);
                                             });
                                         }};
                 });
    }
    all.figure({.name = name + "/allocations", .unit = "allocations an event", .at_most = 0.001},
               [] { return allocations_per_event<Case>(); });
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t events_max = 1'000'000;  // and a tenth of it where each takes microseconds
    std::vector<char*> rest;
    for (int i = 0; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--long") {
            events_max = 10'000'000;
        } else {
            rest.push_back(argv[i]);
        }
    }
    bench::suite all("overhead", static_cast<int>(rest.size()), rest.data());
    add<handle_case>(all, "handle", 1.1, events_max);
    add<retry_case>(all, "retry", 1.2, events_max);
    add<once_case>(all, "once", 1.3, events_max / 10);
    return all.run();
}
