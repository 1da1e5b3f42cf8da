// SPDX-License-Identifier: BSL-1.0
// Histories in which several things happen to one event at a time: a partition that comes back
// while a handler still runs, a letter that is replayed and delivered again, a port that fails
// late.
#include "consume/consumer_parts.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

/// A bench whose handler keeps its tickets in the order in which they were given out.
struct ticket_bench : bench {
    using bench::bench;
    texts begun{};
    std::vector<ticket> tickets{};

    /// The handler, for `handle`.
    [[nodiscard]] auto keep_ticket() {
        return [this](const event_view& e, ticket t) {
            begun.emplace_back(e.id);
            tickets.push_back(t);
        };
    }
    /// The group's only member loses its partition, and gets it back under a new epoch.
    template <class C>
    void lose_partition(C& consumer) {
        log.kick(log.owner("orders", "shop", 0));
        step_some(consumer);
    }
    template <class C>
    void step_some(C& consumer) {
        for (int i = 0; i < 6; ++i) {
            consumer.step(now);
        }
    }
};

/// A transaction that refuses to write offsets down, as one does that has ended unseen.
class refusing_transaction : public memory::transaction {
public:
    refusing_transaction(memory::transaction inner, int& refusals)
        : memory::transaction(std::move(inner)), refusals_(&refusals) {}

    void set_offsets(std::string_view consumer, std::string_view topic, partition_id partition,
                     const applied_offsets& offsets) {
        if (*refusals_ > 0) {
            --*refusals_;
            throw permanent_error("transaction_ended", "nothing more can be written");
        }
        memory::transaction::set_offsets(consumer, topic, partition, offsets);
    }

private:
    int* refusals_;
};

struct refusing_store {
    using transaction_type = refusing_transaction;

    memory::store inner;
    int refusals = 0;

    [[nodiscard]] refusing_transaction begin(steady_time until) {
        return {inner.begin(until), refusals};
    }
    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time until) const {
        return inner.progress(consumer, key, until);
    }
};

/// A place that can be down, and counts how often it is asked.
struct counting_place {
    bool is_down = true;
    int calls = 0;
    std::size_t stored = 0;

    put_result put(const dead_letter_record&, steady_time) {
        ++calls;
        stored += is_down ? 0U : 1U;
        return is_down ? put_result::unknown : put_result::stored;
    }
};

/// A source that takes no commits while it is sealed.
class sealed_source {
public:
    using message = memory::message;

    explicit sealed_source(memory::member inner) : inner_(std::move(inner)) {}

    template <class Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        inner_.poll(limits, until, listener);
    }
    commit_result commit(partition_id partition, epoch_number epoch, log_offset through,
                         steady_time until) {
        if (is_sealed) {
            throw unavailable_error("sealed", "no commit is taken now");
        }
        return inner_.commit(partition, epoch, through, until);
    }
    void release(partition_id partition, epoch_number epoch) { inner_.release(partition, epoch); }
    void pause(partition_id partition) { inner_.pause(partition); }
    void resume(partition_id partition) { inner_.resume(partition); }

    bool is_sealed = true;

private:
    memory::member inner_;
};

/// Remembers how old the events were that were applied.
struct ages : null_observer {
    std::vector<duration> all{};

    void on_applied(const event_note& n) { all.push_back(n.event_age.value_or(duration::zero())); }
};

/// A clock that goes on only when a handler says that it took time.
struct virtual_clock {
    static inline steady_time now{};
    static steady_time read() { return now; }
};

[[nodiscard]] event oversized(std::string id, std::string key, std::uint64_t sequence) {
    auto e = order(std::move(id), std::move(key), sequence);
    e.data.assign(2000, 'x');
    return e;
}

[[nodiscard]] event stamped(std::string id, std::string time) {
    auto e = order(std::move(id));
    e.time = std::move(time);
    return e;
}

[[nodiscard]] dead_letter_record letter_of(const event& original, moment now) {
    dead_letter_record letter{
        .consumer = "shop", .topic = "orders", .where = {0, 0}, .original = original};
    letter.add({now.wall, failure_class::transient, 1, "busy", {}});
    return letter;
}

}  // namespace

TEST_CASE("what comes again while its old run is open is no duplicate, if that run then fails") {
    ticket_bench b;
    b.put(order("k1", "k", 1));
    auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle(b.keep_ticket());
    b.work(c);
    REQUIRE(b.begun == texts{"k1"});

    SECTION("after a loss") {
        b.lose_partition(c);
        CHECK(c.complete(b.tickets[0], outcome::retry("busy")) == completion::stale);
    }
    SECTION("after a revocation") {
        b.log.rebalance("orders", "shop");
        c.step(b.now);
        CHECK(c.complete(b.tickets[0], outcome::retry("busy")) == completion::taken);
        b.step_some(c);
    }
    b.work_for(2s, c);
    REQUIRE(b.begun == texts{"k1", "k1"});
    CHECK(b.committed() == -1);
    CHECK(c.complete(b.tickets[1], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 1);
    CHECK(c.counts().duplicates == 0);
    CHECK(c.counts().given_back == 1);
    CHECK(b.committed() == 0);
}

TEST_CASE("an old run that does not end holds up its own key in sequence, and no other") {
    ticket_bench b(2);
    b.put(order("k1", "k", 1), 0);
    auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle(b.keep_ticket());
    b.work(c);
    b.lose_partition(c);
    b.put(order("l1", "l", 1), 0);
    b.put(order("k2", "k", 2), 0);
    b.put(order("m1", "m", 1), 1);
    b.work_for(1min, c);
    CHECK(b.begun.size() == 3);
    CHECK(std::count(b.begun.begin(), b.begun.end(), "k1") == 1);
    CHECK(std::count(b.begun.begin(), b.begun.end(), "l1") == 1);
    CHECK(std::count(b.begun.begin(), b.begun.end(), "m1") == 1);
    // Once it has ended, its key goes on in order.
    CHECK(c.complete(b.tickets[0], outcome::retry("slow")) == completion::stale);
    b.work(c);
    REQUIRE(b.begun.back() == "k1");
    for (std::size_t i = 1; i < b.tickets.size(); ++i) {
        CHECK(c.complete(b.tickets[i], outcome::done()) == completion::taken);
        b.work(c);
    }
    REQUIRE(b.drain(c));
    CHECK(b.begun.back() == "k2");
    CHECK(c.counts().applied == 4);
}

TEST_CASE("what comes again while it is in an open batch is no duplicate, if the batch aborts") {
    bench b;
    memory::store other(b.data);
    b.put_all({order("k1", "k", 1), order("k2", "k", 2)});
    int runs = 0;
    auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() |
             once(b.db, {.batch_time = 1s}) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 ++runs;
                 static_cast<void>(tx.get("settings", "colour"));
                 tx.put("effects", e.id, tx.get("effects", e.id).value_or("") + "x");
             });
    b.work(c);
    REQUIRE(runs == 2);
    auto tx = other.begin();
    tx.put("settings", "colour", "red");
    REQUIRE(tx.commit() == commit_result::committed);
    b.log.kick(b.log.owner("orders", "shop", 0));
    for (int i = 0; i < 6; ++i) {
        c.step(b.now);
    }
    REQUIRE(b.drain(c));
    CHECK(b.db.get("effects", "k1") == "x");
    CHECK(b.db.get("effects", "k2") == "x");
    CHECK(c.counts().applied == 2);
    CHECK(c.counts().duplicates == 0);
    CHECK(b.committed() == 1);
}

TEST_CASE("by offset, with letters in a place of their own: redelivery and replay apply it once") {
    bench b;
    memory::database elsewhere;
    memory::dead_letters place{elsewhere};
    const auto a = order("a", "k");
    // An earlier life wrote the letter, and died before it could write down that the event ended.
    REQUIRE(place.put(letter_of(a, b.now), never) == put_result::stored);
    int runs = 0;
    auto c = b.from() | dead_letter(place) | retry({.max_attempts = 1}) |
             once(b.db, {.duplicates = duplicates::by_offset}) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 ++runs;
                 tx.put(e.id, tx.get(e.id).value_or("") + "x");
             });
    STATIC_REQUIRE(decltype(c)::guarantee() == guarantee::effectively_once);

    SECTION("redelivered, then replayed") {
        b.put(a);
        b.work(c);
        CHECK(b.db.get("a") == "x");
        REQUIRE(triage::replay(place, 1) == triage::change::done);
        b.work_for(5s, c);
    }
    SECTION("replayed, then redelivered") {
        REQUIRE(triage::replay(place, 1) == triage::change::done);
        b.work_for(5s, c);
        CHECK(b.db.get("a") == "x");
        b.put(a);
        b.work_for(5s, c);
        CHECK(c.counts().duplicates == 1);
    }
    CHECK(b.db.get("a") == "x");
    CHECK(runs == 1);
    CHECK(triage::look_at(place, 1)->state == dead_letter_state::resolved);
    CHECK(b.committed() == 0);
    CHECK(c.is_idle());
}

TEST_CASE("a store that refuses to write offsets down ends no step, and its events run again") {
    bench b;
    refusing_store store{memory::store(b.data), 3};
    std::size_t batch_max = 1;
    SECTION("for an event alone") {}
    SECTION("for a batch") { batch_max = 100; }
    b.put_all({order("1", "a"), order("2", "b"), order("3", "a")});
    auto c = b.from() | discard() | retry() |
             once(store, {.batch_max = batch_max, .duplicates = duplicates::by_offset}) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 tx.put(e.id, tx.get(e.id).value_or("") + "x");
             });
    CHECK_NOTHROW(c.step(b.now));
    CHECK(store.refusals < 3);
    CHECK(store.inner.size() == 0);
    REQUIRE(b.drain(c));
    CHECK(store.refusals == 0);
    CHECK(store.inner.items() ==
          std::vector<std::pair<std::string, std::string>>{{"1", "x"}, {"2", "x"}, {"3", "x"}});
    CHECK(c.counts().applied == 3);
    CHECK(c.counts().discarded == 0);
    CHECK(b.committed() == 2);
}

TEST_CASE("a store that refuses to write offsets down does not keep a consumer from leaving") {
    bench b;
    refusing_store store{memory::store(b.data), 1000};
    b.put(order("1", "a"));
    auto c = b.from() | discard() | retry() |
             once(store, {.batch_time = 1s, .duplicates = duplicates::by_offset}) |
             handle([](const event_view& e, memory::transaction& tx) { tx.put(e.id, "x"); });
    b.work(c);
    bool left = false;
    CHECK_NOTHROW(left = c.shut_down(b.now, b.now.steady + 1s));
    CHECK(left);
    CHECK(store.inner.size() == 0);
    CHECK(b.committed() == -1);
    CHECK(c.counts().given_back == 1);
}

TEST_CASE("at most once: an end in good order loses nothing that was not handled") {
    bench b;
    texts handled;
    texts expected;
    for (int i = 0; i < 10; ++i) {
        expected.push_back(std::to_string(i));
        b.put(order(expected.back(), i % 2 == 0 ? "k" : "l"));
    }
    const auto life = [&](std::size_t step_events_max) {
        return b.from({.step_events_max = step_events_max}) | discard() | at_most_once() |
               handle([&](const event_view& e) { handled.emplace_back(e.id); });
    };
    {
        auto c = life(3);
        c.step(b.now);
        CHECK(handled == texts{"0", "1", "2"});
        REQUIRE(leave(b, c));
        CHECK(b.committed() == 2);
        CHECK(c.counts().given_back == 7);
    }
    auto c = life(100);
    REQUIRE(b.drain(c));
    CHECK(handled == expected);
    CHECK(b.committed() == 9);
}

TEST_CASE("at most once: what could not be committed did not run, and is not lost") {
    bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b")});
    texts handled;
    {
        sealed_source source(b.log.join("orders", "shop"));
        auto c = subscribe(source, bench::options()) | discard() | at_most_once() |
                 handle([&](const event_view& e) { handled.emplace_back(e.id); });
        for (int i = 0; i < 20; ++i) {
            c.step(b.now);
            b.pass(10ms);
        }
        CHECK(handled.empty());
        source.is_sealed = false;
        REQUIRE(leave(b, c));
        CHECK(c.counts().given_back == 3);
    }
    auto c = b.from() | discard() | at_most_once() |
             handle([&](const event_view& e) { handled.emplace_back(e.id); });
    REQUIRE(b.drain(c));
    CHECK(handled == texts{"1", "2", "3"});
    CHECK(b.committed() == 2);
}

TEST_CASE("at most once: no handler runs again, whatever it throws or answers") {
    bench b;
    b.put_all({order("1", "k"), order("2", "k")});
    std::function<outcome()> failing;
    SECTION("unknown") {
        failing = []() -> outcome { throw error(failure_class::unknown, "lost", "no answer"); };
    }
    SECTION("unavailable") {
        failing = []() -> outcome { throw unavailable_error("down", "no connection"); };
    }
    SECTION("transient") {
        failing = []() -> outcome { throw error(failure_class::transient, "busy", "later"); };
    }
    SECTION("permanent") {
        failing = []() -> outcome { throw permanent_error("bad", "no"); };
    }
    SECTION("what is no exception of the library") {
        failing = []() -> outcome { throw std::runtime_error("broken"); };
    }
    SECTION("an answer that asks for a retry") {
        failing = [] { return outcome::retry("busy"); };
    }
    texts handled;
    auto c = b.from() | dead_letter(b.letters, {.following = following::pass}) | at_most_once() |
             handle([&](const event_view& e) {
                 handled.emplace_back(e.id);
                 return e.id == "1" ? failing() : outcome::done();
             });
    REQUIRE(b.drain(c));
    b.work_for(10min, c);
    CHECK(handled == texts{"1", "2"});
    CHECK(c.counts().applied == 1);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(c.counts().retries == 0);
    CHECK(c.counts().waits == 0);
    CHECK(b.committed() == 1);
}

TEST_CASE("at most once: what comes before its turn in a sequence holds up nothing for ever") {
    bench b;
    b.put_all({order("k2", "k", 2), order("l1", "l", 1), order("k1", "k", 1)});
    texts handled;
    auto c = b.from() | in_sequence({.gap_timeout = 30s}) | discard() | at_most_once() |
             handle([&](const event_view& e) { handled.emplace_back(e.id); });
    // Bounded, as a consumer that asks again and again would never come to an end here.
    for (int i = 0; i < 1000; ++i) {
        c.step(b.now);
        b.pass(100ms);
    }
    CHECK(c.is_idle());
    CHECK(c.counts().applied == 3);
    CHECK(c.counts().gaps == 0);
    const auto at = [&](const char* id) { return std::find(handled.begin(), handled.end(), id); };
    CHECK(at("k1") < at("k2"));
    CHECK(b.committed() == 2);
}

TEST_CASE("a run that outlived its partition is not waited for when the consumer leaves") {
    ticket_bench b;
    b.put(order("k1", "k"));
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle(b.keep_ticket());
    b.work(c);
    b.lose_partition(c);
    CHECK(c.complete(b.tickets[0], outcome::done()) == completion::stale);
    b.work(c);
    REQUIRE(b.begun == texts{"k1", "k1"});
    CHECK(c.complete(b.tickets[1], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.shut_down(b.now, b.now.steady + 10s));
}

TEST_CASE("an event from the year 1, or from the year 9999, has an age like any other") {
    bench b;
    b.put_all({stamped("old", "0001-01-01T00:00:00Z"), stamped("new", "9999-12-31T23:59:59Z")});
    ages seen;
    auto c =
        b.from() | observed_by(seen) | discard() | deduplicate() | handle([](const event_view&) {});
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 2);
    CHECK(seen.all == std::vector<duration>{duration::max(), duration::min()});
}

TEST_CASE("the time between two stamps stops at the ends of the scale") {
    using microseconds = std::chrono::microseconds;
    constexpr auto at = [](std::int64_t count) { return wall_time(microseconds(count)); };
    STATIC_REQUIRE(wall_between(at(1), at(4)) == microseconds(3));
    STATIC_REQUIRE(wall_between(at(4), at(1)) == microseconds(-3));
    STATIC_REQUIRE(wall_between(at(INT64_MIN), at(INT64_MAX)) == duration::max());
    STATIC_REQUIRE(wall_between(at(INT64_MAX), at(INT64_MIN)) == duration::min());
    STATIC_REQUIRE(wall_between(at(INT64_MIN), at(INT64_MIN)) == duration::zero());
    STATIC_REQUIRE(wall_between(at(INT64_MAX), at(INT64_MAX)) == duration::zero());
    constexpr std::int64_t most = duration::max().count() / 1000;
    STATIC_REQUIRE(wall_between(at(0), at(most)) == microseconds(most));
    STATIC_REQUIRE(wall_between(at(0), at(most + 1)) == duration::max());
    STATIC_REQUIRE(wall_between(at(0), at(-most)) == microseconds(-most));
    STATIC_REQUIRE(wall_between(at(0), at(-most - 1)) == duration::min());
}

TEST_CASE("a place for letters that is down is asked once a pause, not once an event") {
    bench b;
    counting_place place;
    for (int i = 0; i < 300; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i)));
    }
    auto c = b.from() | dead_letter(place) | once(b.db) |
             handle([](const event_view&, memory::transaction&) { return outcome::reject("bad"); });
    b.work(c);
    CHECK(place.calls == 1);
    for (int pauses = 2; pauses <= 20; ++pauses) {
        const auto due = c.next_deadline();
        REQUIRE(due > b.now.steady);
        b.pass(due - b.now.steady);
        const int before = place.calls;
        b.work(c);
        CHECK(place.calls - before <= 1);
    }
    CHECK(place.calls > 3);
    place.is_down = false;
    REQUIRE(b.drain(c));
    CHECK(place.stored == 300);
    CHECK(c.counts().dead_lettered == 300);
    CHECK(b.committed() == 299);
}

TEST_CASE("what stands in around may answer for a handler with a ticket, and the event ends") {
    ticket_bench b;
    b.put_all({order("k1", "k"), order("k2", "k"), order("k3", "k")});
    auto c = b.from() | discard() | idempotent_by_nature() |
             around([](const event_view& e, auto next) -> outcome {
                 return e.id == "k1"   ? outcome::done()
                        : e.id == "k2" ? outcome::skip("not today")
                                       : next();
             }) |
             handle(b.keep_ticket());
    b.work(c);
    REQUIRE(b.begun == texts{"k3"});
    CHECK(c.counts().applied == 1);
    CHECK(c.counts().skipped == 1);
    CHECK(c.complete(b.tickets[0], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 2);
    CHECK(b.committed() == 2);
}

TEST_CASE("one group on two topics: a key's order in one is nothing to the other") {
    bench b;
    b.log.create_topic("payments", {.partitions = 1});
    memory::store second(b.data);
    b.put_all({order("o1", "k", 1), order("o2", "k", 2)});
    b.log.append("payments", 0, order("p1", "k", 1).view());
    b.log.append("payments", 0, order("p2", "k", 2).view());
    bool failing = true;
    texts orders;
    texts payments;
    auto c1 = b.from() | in_sequence() | dead_letter(b.letters, {.following = following::pass}) |
              once(b.db) | handle([&](const event_view& e, memory::transaction&) {
                  orders.emplace_back(e.id);
                  return failing && e.id == "o1" ? outcome::reject("bad") : outcome::done();
              });
    auto c2 =
        subscribe(b.log, {.topic = "payments", .group = "shop", .seed = 7}) | in_sequence() |
        dead_letter(second.dead_letters(), {.following = following::pass}) | once(second) |
        handle([&](const event_view& e, memory::transaction&) { payments.emplace_back(e.id); });
    REQUIRE(b.drain_within(5s, c1, c2));
    CHECK(orders == texts{"o1", "o2"});
    CHECK(payments == texts{"p1", "p2"});
    CHECK(c1.counts().duplicates + c2.counts().duplicates == 0);
    REQUIRE(reasons(b.all_letters()) == texts{"o1: bad"});

    // The letter goes back to where it came from, though the other one looks for replays first.
    failing = false;
    REQUIRE(triage::replay(b.letters, 1) == triage::change::done);
    b.work_for(1min, c2);
    CHECK(payments == texts{"p1", "p2"});
    b.work_for(1min, c1);
    CHECK(orders == texts{"o1", "o2", "o1"});
    CHECK(triage::look_at(b.letters, 1)->state == dead_letter_state::resolved);
}

TEST_CASE("an event that is too large is part of its key's order, and does not stop it") {
    bench b;
    b.put_all({oversized("k1", "k", 1), order("k2", "k", 2)});
    texts handled;
    auto c = b.from({.event_bytes_max = 1000}) | in_sequence() |
             dead_letter(b.letters, {.following = following::pass}) | retry() | once(b.db) |
             handle([&](const event_view& e, memory::transaction&) { handled.emplace_back(e.id); });
    b.work(c);
    CHECK(handled == texts{"k2"});
    CHECK(c.counts().gaps == 0);
    CHECK(c.counts().held == 0);
    CHECK(reasons(b.all_letters()) == texts{"k1: payload_too_large"});
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 1);
}

TEST_CASE("a slow handler whose partition is lost again and again is no crash loop") {
    ticket_bench b;
    b.put(order("k1", "k"));
    auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db) | handle(b.keep_ticket());
    b.work(c);
    for (std::size_t round = 1; round <= 8; ++round) {
        REQUIRE(b.tickets.size() == round);
        b.lose_partition(c);
        CHECK(c.complete(b.tickets.back(), outcome::retry("slow")) == completion::stale);
        b.work_for(1s, c);
    }
    CHECK(b.all_letters().empty());
    REQUIRE(b.tickets.size() == 9);
    CHECK(c.complete(b.tickets.back(), outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 1);
    CHECK(b.all_letters().empty());
}

TEST_CASE("what waits for room among the keys keeps its order before one that is too large") {
    bench b;
    texts handled;
    auto c = b.from({.event_bytes_max = 1000}) | in_sequence({.keys_max = 1}) |
             dead_letter(b.letters, {.following = following::park}) | retry() | once(b.db) |
             handle([&](const event_view& e, memory::transaction&) {
                 handled.emplace_back(e.id);
                 return e.id == "a1" ? outcome::retry("later") : outcome::done();
             });
    b.put_all({order("a1", "a", 1), order("k1", "k", 1), oversized("k2", "k", 2)});
    b.work(c);
    CHECK(b.all_letters().empty());  // k1 still waits for a1's key
    REQUIRE(b.drain(c));
    CHECK(handled.back() == "k1");
    CHECK(reasons(b.all_letters()) == texts{"a1: later", "k2: payload_too_large"});
    CHECK(c.counts().applied == 1);
    CHECK(b.committed() == 2);
}

TEST_CASE("what a ticket says was done is not done again, though its partition was lost") {
    ticket_bench b;
    b.put(order("k1", "k"));
    auto c = b.from() | dead_letter(b.letters) | retry() | deduplicate() | handle(b.keep_ticket());
    b.work(c);
    b.lose_partition(c);
    outcome answer = outcome::done();
    SECTION("done") {}
    SECTION("skipped") { answer = outcome::skip("seen elsewhere"); }
    CHECK(c.complete(b.tickets[0], std::move(answer)) == completion::stale);
    REQUIRE(b.drain(c));
    CHECK(b.begun == texts{"k1"});
    CHECK(c.counts().duplicates == 1);
    CHECK(b.committed() == 0);
}

TEST_CASE("ordered by partition, a replay does not run beside an event of its partition") {
    ticket_bench b;
    auto c = b.from({.ordering = ordering::by_partition}) | dead_letter(b.letters) |
             idempotent_by_nature() | handle(b.keep_ticket());
    b.put(order("k1", "k"));
    b.work(c);
    CHECK(c.complete(b.tickets[0], outcome::reject("bad")) == completion::taken);
    b.work(c);
    REQUIRE(b.letters.size() == 1);
    REQUIRE(triage::replay(b.letters, 1) == triage::change::done);
    b.put(order("l1", "l"));
    b.work_for(1min, c);
    // Whichever came first: the other one begins only when it has ended.
    REQUIRE(b.begun.size() == 2);
    CHECK(c.complete(b.tickets[1], outcome::done()) == completion::taken);
    b.work_for(1min, c);
    REQUIRE(b.begun.size() == 3);
    CHECK(c.complete(b.tickets[2], outcome::done()) == completion::taken);
    REQUIRE(b.drain(c));
    CHECK(c.counts().replayed == 1);
    CHECK(c.counts().applied == 1);
    CHECK(b.committed() == 1);
}

TEST_CASE("a step ends when its time is over, though more is ready") {
    bench b;
    int handled = 0;
    for (int i = 0; i < 10; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i)));
    }
    auto c = b.from({.step_time_max = 200ms}) | discard() | idempotent_by_nature() |
             handle([&](const event_view&) {
                 ++handled;
                 virtual_clock::now += 50ms;
             });
    virtual_clock::now = b.now.steady;
    const auto step = [&] {
        b.pass(virtual_clock::now - b.now.steady);
        return c.step(b.now);
    };
    SECTION("with a clock") {
        c.measure_with(&virtual_clock::read);
        CHECK(step());
        CHECK(handled == 4);
        CHECK(c.next_deadline() <= virtual_clock::now);
        CHECK(step());
        CHECK(handled == 8);
        CHECK(step());
        CHECK(handled == 10);
    }
    SECTION("without one it cannot tell") {
        CHECK(step());
        CHECK(handled == 10);
    }
}
