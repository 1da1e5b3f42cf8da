// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"
#include "support/impatient_source.hpp"

#include <algorithm>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

static_assert(patient_source<memory::member>);
static_assert(source<test::impatient_source<memory::member>>);
static_assert(!patient_source<test::impatient_source<memory::member>>);

/// How the attempts at an event end, before one does well.
struct script {
    event what{};
    int failures = 0;
    enum class kind { fails, throws, is_down, rejects, skips } how = kind::fails;
};

/// What is left behind by a consumer that has read everything.
struct trail {
    std::map<std::string, texts> by_key{};
    consumer_counts counts{};
    texts letters{};
    std::vector<log_offset> committed{};
};

/// What a script's failing attempt comes to.
outcome fail(const script& as) {
    switch (as.how) {
        case script::kind::throws: throw transient_error("thrown", "by the handler");
        case script::kind::is_down: throw unavailable_error("down", "for a while");
        case script::kind::rejects: return outcome::reject("hopeless");
        default: return outcome::retry("not_yet");
    }
}

const script& script_of(const std::vector<script>& scripts, const std::string& id) {
    return *std::find_if(scripts.begin(), scripts.end(),
                         [&](const script& s) { return s.what.id == id; });
}

/// Acts as the scripts say.
struct actor {
    const std::vector<script>& scripts;
    trail& left;
    std::map<std::string, int> attempts{};

    outcome operator()(const event_view& e) {
        const std::string id(e.id);
        const script& mine = script_of(scripts, id);
        if (mine.how == script::kind::skips) {
            return outcome::skip("nothing_to_do");
        }
        if (++attempts[id] <= mine.failures) {
            return fail(mine);
        }
        left.by_key[std::string(e.partitionkey)].push_back(id);
        return outcome::done();
    }
};

/// Stores the events, those of one key in one partition, which are read in turn.
void put(bench& b, const std::vector<script>& scripts) {
    for (const auto& one : scripts) {
        b.put(one.what, b.log.partition_of("orders", one.what.partitionkey));
    }
}

std::vector<log_offset> all_committed(const bench& b) {
    std::vector<log_offset> out;
    for (partition_id p = 0; p < b.log.partitions("orders"); ++p) {
        out.push_back(b.committed(p));
    }
    return out;
}

/// The dead letters, in an order that does not depend on how they came there.
texts letters_in(const bench& b) {
    texts out;
    for (const auto& one : b.all_letters()) {
        out.push_back(one.letter.original.id + " " + one.letter.reason + " " +
                      std::to_string(one.letter.attempts));
    }
    std::sort(out.begin(), out.end());
    return out;
}

template <bool InSequence, class From>
trail run_through(bench& b, From from, const std::vector<script>& scripts) {
    trail left;
    put(b, scripts);
    const auto read = [&](auto&& until_handler) {
        auto c = std::move(until_handler) | handle(actor{scripts, left});
        RC_ASSERT(b.drain(c));
        left.counts = c.counts();
    };
    if constexpr (InSequence) {
        read(std::move(from) | in_sequence() | dead_letter(b.letters) | retry() |
             idempotent_by_nature());
    } else {
        read(std::move(from) | dead_letter(b.letters) | retry() | idempotent_by_nature());
    }
    left.letters = letters_in(b);
    auto& keyless = left.by_key[""];  // they have no order
    std::sort(keyless.begin(), keyless.end());
    left.committed = all_committed(b);
    return left;
}

void check_equal(const trail& straight, const trail& lanes) {
    RC_ASSERT(straight.by_key == lanes.by_key);
    RC_ASSERT(straight.letters == lanes.letters);
    RC_ASSERT(straight.committed == lanes.committed);
    RC_ASSERT(straight.counts.balances());
    RC_ASSERT(straight.counts.received == lanes.counts.received);
    RC_ASSERT(straight.counts.applied == lanes.counts.applied);
    RC_ASSERT(straight.counts.skipped == lanes.counts.skipped);
    RC_ASSERT(straight.counts.duplicates == lanes.counts.duplicates);
    RC_ASSERT(straight.counts.dead_lettered == lanes.counts.dead_lettered);
    RC_ASSERT(straight.counts.retries == lanes.counts.retries);
    RC_ASSERT(straight.counts.gaps == lanes.counts.gaps);
    RC_ASSERT(straight.counts.late == lanes.counts.late);
}

std::vector<script> some_scripts() {
    std::vector<script> out;
    std::map<std::string, std::uint64_t> last;
    const auto count = *rc::gen::inRange<std::size_t>(1, 30);
    for (std::size_t i = 0; i < count; ++i) {
        const auto key = *rc::gen::element<std::string>("", "a", "b", "c");
        // Now and then a number is left out, or comes a second time, or is none.
        const auto number = last[key] += *rc::gen::element<std::uint64_t>(1, 1, 1, 1, 1, 2, 0);
        script one{
            order(std::to_string(i), key,
                  *rc::gen::inRange(0, 20) == 0 ? std::string("x") : std::to_string(number))};
        one.failures = *rc::gen::element(0, 0, 0, 0, 1, 2, 9);
        one.how =
            *rc::gen::element(script::kind::fails, script::kind::fails, script::kind::throws,
                              script::kind::is_down, script::kind::rejects, script::kind::skips);
        if (*rc::gen::inRange(0, 10) == 0) {
            one.what.type.clear();
        }
        out.push_back(one);
    }
    // A little disorder.
    for (std::size_t i = 1; i < out.size(); ++i) {
        if (*rc::gen::inRange(0, 5) == 0) {
            std::swap(out[i - 1], out[i]);
        }
    }
    return out;
}

template <bool InSequence>
void compare_ways() {
    const auto scripts = some_scripts();
    const subscription_options o{
        .in_flight_max = 64,
        .step_events_max = *rc::gen::inRange<std::size_t>(1, 9),
    };
    const auto partitions = *rc::gen::element<std::uint32_t>(1, 3);
    bench one(partitions);
    bench other(partitions);
    const trail straight = run_through<InSequence>(one, one.from(o), scripts);
    const trail lanes = run_through<InSequence>(
        other,
        subscribe(test::impatient_source{other.log.join("orders", "shop")}, bench::options(o)),
        scripts);
    check_equal(straight, lanes);
}

/// Acts as the scripts say, in a transaction, which has to undo what a failing attempt wrote.
struct writer {
    const std::vector<script>& scripts;
    std::map<std::string, int> failed{};

    outcome operator()(const event_view& e, memory::transaction& tx) {
        const std::string id(e.id);
        const script& mine = script_of(scripts, id);
        if (mine.how == script::kind::skips) {
            return outcome::skip("nothing_to_do");
        }
        const auto before = tx.get("by_key", e.partitionkey).value_or("");
        tx.put("by_key", e.partitionkey, before + " " + id);
        tx.add("times", id, 1);
        if (failed[id] < mine.failures) {
            ++failed[id];
            return fail(mine);
        }
        return outcome::done();
    }
};

template <bool InSequence, class From>
trail write_through(bench& b, From from, const std::vector<script>& scripts, once_options how) {
    trail left;
    put(b, scripts);
    const auto read = [&](auto&& until_once) {
        auto c = std::move(until_once) | handle(writer{scripts});
        RC_ASSERT(b.drain(c));
        left.counts = c.counts();
    };
    if constexpr (InSequence) {
        read(std::move(from) | in_sequence() | dead_letter(b.letters) | retry() | once(b.db, how));
    } else {
        read(std::move(from) | dead_letter(b.letters) | retry() | once(b.db, how));
    }
    for (const auto& [key, ids] : b.db.items("by_key")) {
        if (!key.empty()) {  // without a key there is no order
            left.by_key[key].push_back(ids);
        }
    }
    for (const auto& [id, times] : b.db.items("times")) {
        left.by_key["times"].push_back(id + " " + times);
    }
    left.letters = letters_in(b);
    left.committed = all_committed(b);
    return left;
}

template <bool InSequence>
void compare_transactions() {
    const auto scripts = some_scripts();
    const subscription_options o{
        .in_flight_max = 64,
        .step_events_max = *rc::gen::inRange<std::size_t>(1, 9),
    };
    once_options shared{.batch_max = *rc::gen::inRange<std::size_t>(1, 12),
                        .part_max = *rc::gen::inRange<std::size_t>(1, 12),
                        .duplicates = *rc::gen::element(duplicates::automatic, duplicates::by_id,
                                                        duplicates::by_offset)};
    once_options apart = shared;
    apart.part_max = 1;
    const auto partitions = *rc::gen::element<std::uint32_t>(1, 3);
    bench one(partitions);
    bench other(partitions);
    const trail straight = write_through<InSequence>(one, one.from(o), scripts, shared);
    const trail lanes = write_through<InSequence>(
        other,
        subscribe(test::impatient_source{other.log.join("orders", "shop")}, bench::options(o)),
        scripts, apart);
    check_equal(straight, lanes);
}

}  // namespace

TEST_CASE("what goes straight to the handler ends as what goes through the lanes") {
    test::prop("without an order in the key", [] { compare_ways<false>(); });
    test::prop("with one", [] { compare_ways<true>(); });
}

TEST_CASE("what goes straight into a transaction ends as what goes there through the lanes") {
    test::prop("without an order in the key", [] { compare_transactions<false>(); });
    test::prop("with one", [] { compare_transactions<true>(); });
}

TEST_CASE("an event that goes straight is in flight while its handler runs, and counted") {
    bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3")});
    consumer_counts seen[3];
    std::size_t handled = 0;
    const consumer_counts* counts = nullptr;
    auto c = b.from() | halt() | idempotent_by_nature() |
             handle([&](const event_view&) { seen[handled++] = *counts; });
    counts = &c.counts();
    b.work(c);
    REQUIRE(handled == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(seen[i].received == i + 1);
        CHECK(seen[i].applied == i);
        CHECK(seen[i].in_flight == 1);
        CHECK(seen[i].balances());
    }
    CHECK(b.committed() == 2);
}

TEST_CASE("one step hands no more to the handler, straight or not, than it may") {
    bench b;
    for (int i = 0; i < 10; ++i) {
        b.put(order(std::to_string(i), "k"));
    }
    texts handled;
    auto c = b.from({.step_events_max = 3}) | halt() | retry() | idempotent_by_nature() |
             handle([&](const event_view& e) {
                 handled.emplace_back(e.id);
                 return handled.size() == 2 ? outcome::retry("not_yet") : outcome::done();
             });
    c.step(b.now);
    CHECK(handled.size() <= 3);
    CHECK(c.counts().applied == 1);
    REQUIRE(b.drain(c));
    CHECK(handled == texts{"0", "1", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
    CHECK(b.committed() == 9);
}

TEST_CASE(
    "a handler may write to the log that it is called from, and lose its partition meanwhile") {
    bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "a")});
    texts handled;
    bool kicked = false;
    auto c = b.from() | halt() | idempotent_by_nature() | handle([&](const event_view& e) {
                 handled.emplace_back(e.id);
                 if (e.id == "1" && handled.size() == 1) {
                     b.put(order("4", "a"));
                 }
                 if (e.id == "2" && !kicked) {
                     kicked = true;
                     b.log.kick(1);
                 }
             });
    REQUIRE(b.drain(c));
    CHECK(handled == texts{"1", "2", "1", "2", "3", "4"});
    CHECK(c.counts().balances());
    CHECK(b.committed() == 3);
}

TEST_CASE("what is delivered a second time is not handled again, nor what an old epoch brings") {
    bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "a")});
    auto member = b.log.join("orders", "shop");
    texts handled;
    auto c = subscribe(member, bench::options()) | halt() | idempotent_by_nature() |
             handle([&](const event_view& e) {
                 handled.emplace_back(e.id);
                 if (e.id == "2") {
                     member.seek(0, 0);
                 }
             });
    REQUIRE(b.drain(c));
    CHECK(handled == texts{"1", "2", "3"});
    CHECK(c.counts().ignored == 2);
    CHECK(c.counts().balances());
    CHECK(b.committed() == 2);
}

TEST_CASE("a success on the straight way pays into the budget of retries") {
    bench b;
    std::map<std::string, int> attempts;
    auto c = b.from() | halt() |
             retry({.budget_ratio = 0.5, .budget_floor = 0.001, .budget_max = 1}) |
             idempotent_by_nature() | handle([&](const event_view& e) {
                 const bool fails = e.type == "fails" && ++attempts[std::string(e.id)] == 1;
                 return fails ? outcome::retry("not_yet") : outcome::done();
             });
    const auto read = [&](std::string id, std::string type) {
        auto one = order(std::move(id), "a");
        one.type = std::move(type);
        b.put(one);
        const auto begin = b.now.steady;
        REQUIRE(b.drain(c));
        return b.now.steady - begin;
    };
    CHECK(read("1", "fails") < 1min);  // takes the one token, and its success pays half of it
    CHECK(read("2", "works") < 1min);  // the other half
    CHECK(read("3", "fails") < 1min);
    CHECK(read("4", "fails") > 100s);  // half a token, and time pays in slowly
    CHECK(c.counts().applied == 4);
}

TEST_CASE("a step whose time is up lets the rest wait in their lanes") {
    static steady_time clock;
    static duration takes;
    takes = GENERATE(150ms, 250ms);
    const int each = takes < 200ms ? 2 : 1;
    bench b;
    clock = b.now.steady;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c"), order("4", "d")});
    int handled = 0;
    auto c = b.from({.step_time_max = 200ms}) | halt() | idempotent_by_nature() |
             handle([&](const event_view&) {
                 ++handled;
                 clock += takes;
             });
    c.measure_with([] { return clock; });
    for (int steps = 1; steps <= 4 / each; ++steps) {
        c.step({clock, b.now.wall});
        CHECK(handled == steps * each);
        CHECK(c.counts().in_flight == static_cast<std::size_t>(4 - handled));
    }
}
