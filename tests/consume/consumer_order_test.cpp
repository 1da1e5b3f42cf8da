// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <algorithm>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

void apply(const event_view& e, memory::transaction& tx) {
    const auto before = tx.get("by_key", e.partitionkey);
    tx.put("by_key", e.partitionkey,
           before ? *before + " " + std::string(e.id) : std::string(e.id));
}

struct order_bench : bench {
    using bench::bench;
    diary told{};
    memory::store second{data};

    auto consume(memory::store& store, diary& watcher, resequencer_options o = {},
                 subscription_options s = {}) {
        return from(s) | observed_by(watcher) | in_sequence(o) | dead_letter(store.dead_letters()) |
               retry() | once(store) | handle(apply);
    }
    auto consume(resequencer_options o = {}) { return consume(db, told, o); }

    [[nodiscard]] std::string of_key(std::string_view key) const {
        return db.get("by_key", key).value_or("");
    }
};

/// The events of one key with these numbers; the id is the number.
std::vector<event> numbered(const std::string& key, const std::vector<std::uint64_t>& numbers) {
    std::vector<event> out;
    for (const auto n : numbers) {
        out.push_back(order(key + std::to_string(n), key, n));
    }
    return out;
}

}  // namespace

TEST_CASE("law: order: shuffled events are applied in the order of their numbers") {
    test::prop("of each key, whatever the order in which they arrive", [] {
        const auto keys = *rc::gen::inRange<std::size_t>(1, 5);
        std::vector<event> events;
        std::map<std::string, std::string> expected;
        for (std::size_t k = 0; k < keys; ++k) {
            const auto key = std::string(1, static_cast<char>('a' + k));
            const auto count = *rc::gen::inRange<std::uint64_t>(1, 20);
            for (std::uint64_t n = 1; n <= count; ++n) {
                events.push_back(order(key + std::to_string(n), key, n));
                expected[key] += (n == 1 ? "" : " ") + key + std::to_string(n);
            }
        }
        for (std::size_t i = events.size(); i > 1; --i) {
            std::swap(events[i - 1], events[*rc::gen::inRange<std::size_t>(0, i)]);
        }
        order_bench b;
        b.put_all(events);
        const auto room = *rc::gen::inRange<std::size_t>(60, 200);
        auto c = b.consume(
            b.db, b.told, {},
            {.in_flight_max = std::max(room, events.size()), .step_events_max = 1 + room % 7});
        RC_ASSERT(b.drain(c));
        RC_ASSERT(c.counts().applied == events.size());
        RC_ASSERT(c.counts().gaps == 0U);
        for (const auto& [key, ids] : expected) {
            RC_ASSERT(b.of_key(key) == ids);
        }
    });
}

TEST_CASE("a gap holds its key until it closes, and no other key") {
    order_bench b;
    auto c = b.consume();
    b.put_all(numbered("k", {1, 3, 4}));
    b.put_all(numbered("m", {1, 2}));
    b.put(order("free"));
    b.work_for(29s, c);
    CHECK(b.of_key("k") == "k1");
    CHECK(b.of_key("m") == "m1 m2");
    CHECK(b.of_key("") == "free");
    CHECK(b.committed() == 0);
    CHECK(c.counts().held == 2);
    b.put(order("k2", "k", 2));
    b.work(c);
    CHECK(b.of_key("k") == "k1 k2 k3 k4");
    CHECK(c.counts().gaps == 0);
}

TEST_CASE("a late event goes to the dead letters, never silently away, and its replay applies it") {
    order_bench b;
    auto c = b.consume();
    b.put_all(numbered("k", {1, 4}));
    b.work_for(29'999ms, c);
    CHECK(b.of_key("k") == "k1");
    b.work_for(1ms, c);
    CHECK(b.of_key("k") == "k1 k4");
    CHECK(b.told.told("gap 2-3: time"));

    b.put_all(numbered("k", {3, 5}));
    b.work(c);
    CHECK(b.of_key("k") == "k1 k4 k5");
    CHECK(c.counts().late == 1);
    CHECK(b.told.told("late k3"));
    REQUIRE(reasons(b.all_letters()) == texts{"k3: late"});
    CHECK(b.all_letters()[0].letter.kind == failure_class::permanent);

    CHECK(triage::replay(b.letters, 1) == triage::change::done);
    b.work_for(2s, c);
    CHECK(b.of_key("k") == "k1 k4 k5 k3");
    CHECK(c.counts().replayed == 1);
    CHECK(b.all_letters()[0].state == dead_letter_state::resolved);

    // The same event once more, from the source, has no effect.
    b.put_all(numbered("k", {3}));
    REQUIRE(b.drain(c));
    CHECK(b.of_key("k") == "k1 k4 k5 k3");
    CHECK(c.counts().balances());
}

TEST_CASE("too many waiting events of a key make its gap due at once") {
    order_bench b;
    auto c = b.consume({.held_per_key_max = 3});
    b.put_all(numbered("k", {1, 3, 4, 5, 6}));
    b.work(c);
    CHECK(b.of_key("k") == "k1 k3 k4 k5 k6");
    CHECK(b.told.told("gap 2-2: count"));
}

TEST_CASE("a second event with a number that was applied is a duplicate") {
    order_bench b;
    auto c = b.consume();
    b.put_all(numbered("k", {1, 2, 1, 2, 3}));
    b.put(order("another", "k", 2));
    REQUIRE(b.drain(c));
    CHECK(b.of_key("k") == "k1 k2 k3");
    CHECK(c.counts().duplicates == 3);
    CHECK(b.all_letters().empty());
}

TEST_CASE("one key on two partitions, held by two consumers, is applied in order and once") {
    order_bench b(2);
    diary of_left;
    diary of_right;
    auto left = b.consume(b.db, of_left);
    auto right = b.consume(b.second, of_right);
    b.work(left, right);  // one partition each
    REQUIRE(b.log.owner("orders", "shop", 0) != b.log.owner("orders", "shop", 1));

    SECTION("the first one of the key has what comes first") {
        b.put(order("k1", "k", 1), 0);
        b.put(order("k3", "k", 3), 0);
        b.work(left);
        b.work(right);
        CHECK(b.of_key("k") == "k1");
        b.put(order("k2", "k", 2), 1);
        b.put(order("k4", "k", 4), 1);
    }
    SECTION("the second one meets its events first") {
        b.put(order("k2", "k", 2), 1);
        b.put(order("k4", "k", 4), 1);
        b.work(right);
        b.work(left);
        CHECK(b.of_key("k").empty());
        b.put(order("k1", "k", 1), 0);
        b.put(order("k3", "k", 3), 0);
    }
    SECTION("a copy of each is in the other partition") {
        for (std::uint64_t n = 1; n <= 4; ++n) {
            b.put(order("k" + std::to_string(n), "k", n), 0);
            b.put(order("k" + std::to_string(5 - n), "k", 5 - n), 1);
        }
    }
    REQUIRE(b.drain_within(29s, left, right));
    CHECK(b.of_key("k") == "k1 k2 k3 k4");
    CHECK(left.counts().applied + right.counts().applied == 4);
    CHECK(left.counts().gaps + right.counts().gaps == 0);
    CHECK(b.all_letters().empty());
}

TEST_CASE("a restart knows where each key stands") {
    order_bench b;
    {
        auto c = b.consume();
        b.put_all(numbered("k", {1, 2, 3, 6}));
        REQUIRE(b.drain(c));
        CHECK(c.counts().gaps == 1);
    }
    auto c = b.consume();
    b.put_all(numbered("k", {7, 2, 5}));
    b.work(c);
    CHECK(b.of_key("k") == "k1 k2 k3 k6 k7");
    CHECK(c.counts().duplicates == 1);
    CHECK(reasons(b.all_letters()) == texts{"k5: late"});
}

TEST_CASE("without a store a restart waits once for what may be missing") {
    bench b;
    texts seen;
    const auto make = [&] {
        return b.from() | in_sequence({.gap_timeout = 10s}) | dead_letter(b.letters) |
               idempotent_by_nature() |
               handle([&](const event_view& e) { seen.emplace_back(e.id); });
    };
    b.put_all(numbered("k", {1, 2}));
    {
        auto c = make();
        REQUIRE(b.drain(c));
    }
    auto c = make();
    b.put_all(numbered("k", {3, 4}));
    b.work_for(9s, c);
    CHECK(seen == texts{"k1", "k2"});
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"k1", "k2", "k3", "k4"});
    b.put_all(numbered("k", {6, 5}));
    b.work(c);
    CHECK(seen == texts{"k1", "k2", "k3", "k4", "k5", "k6"});
}

TEST_CASE("a sequence that cannot be true is a permanent failure, and its key goes on") {
    struct row {
        std::string sequence;
        std::string reason;
    };
    const auto bad = GENERATE(values<row>({{"0", "sequence_malformed"},
                                           {"", "sequence_missing"},
                                           {"x", "sequence_malformed"},
                                           {" 2", "sequence_malformed"},
                                           {"-2", "sequence_malformed"},
                                           {"2.0", "sequence_malformed"},
                                           {"0x2", "sequence_malformed"},
                                           {"18446744073709551615", "sequence_malformed"},
                                           {"99999999999999999999", "sequence_malformed"},
                                           {std::string(41, '1'), "sequence_malformed"},
                                           {"9223372036854775809", "sequence_jump"},
                                           {"18446744073709551614", "sequence_jump"},
                                           {"1000003", "sequence_jump"}}));
    CAPTURE(bad.sequence);
    order_bench b;
    auto c = b.consume();
    b.put_all(numbered("k", {1}));
    b.put(order("bad", "k", bad.sequence));
    b.put_all(numbered("k", {2, 3}));
    b.work(c);
    CHECK(b.of_key("k") == "k1 k2 k3");
    REQUIRE(b.all_letters().size() == 1);
    CHECK(b.all_letters()[0].letter.reason == bad.reason);
    CHECK(b.all_letters()[0].letter.original.sequence == bad.sequence);
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 3);
}

TEST_CASE("padded numbers are numbers") {
    order_bench b;
    auto c = b.consume();
    b.put_all({order("k1", "k", std::string("000001")), order("k3", "k", std::string("000003")),
               order("k2", "k", std::string("2"))});
    b.work(c);
    CHECK(b.of_key("k") == "k1 k2 k3");
}

TEST_CASE("an event that fails for good leaves its number behind, and the key goes on past it") {
    order_bench b;
    auto c = b.from() | observed_by(b.told) | in_sequence() | dead_letter(b.db.dead_letters()) |
             retry({.max_attempts = 2}) | once(b.db) |
             handle([](const event_view& e, memory::transaction& tx) {
                 apply(e, tx);
                 if (e.id == "k2") {
                     throw transient_error("busy", "busy");
                 }
             });
    b.put_all(numbered("k", {3, 2, 1, 4}));
    REQUIRE(b.drain_within(20s, c));
    CHECK(b.of_key("k") == "k1 k3 k4");
    CHECK(reasons(b.all_letters()) == texts{"k2: busy"});
    CHECK(c.counts().gaps == 0);

    SECTION("delivered again it is no new event") {
        b.put_all(numbered("k", {2}));
        REQUIRE(b.drain(c));
        CHECK(c.counts().duplicates == 1);
        CHECK(b.all_letters().size() == 1);
    }
}

TEST_CASE("a retry holds what follows in its key's sequence") {
    bench b;
    texts seen;
    int failures = 2;
    auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() | once(b.db) |
             handle([&](const event_view& e, memory::transaction&) {
                 seen.emplace_back(e.id);
                 if (e.id == "k2" && failures-- > 0) {
                     throw transient_error("busy", "busy");
                 }
             });
    b.put_all(numbered("k", {2, 1, 3}));
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"k1", "k2", "k2", "k2", "k3"});
}

TEST_CASE(
    "while the store cannot be looked into, no gap is given up and nothing is asked in a loop") {
    order_bench b;
    struct looked_store {
        using transaction_type = memory::transaction;
        memory::store* inner;
        bool down = false;
        int looks = 0;

        [[nodiscard]] transaction_type begin(steady_time until) {
            refuse();
            return inner->begin(until);
        }
        [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                            steady_time until) {
            ++looks;
            refuse();
            return inner->progress(consumer, key, until);
        }
        void refuse() const {
            if (down) {
                throw unavailable_error("store_down", "the store is down");
            }
        }
    } store{&b.db};
    auto c = b.from() | observed_by(b.told) | in_sequence({.gap_timeout = 5s}) |
             dead_letter(b.letters) | retry() | once(store) | handle(apply);
    for (int k = 0; k < 20; ++k) {
        b.put_all(numbered("k" + std::to_string(k), {1, 3}));
    }
    b.work(c);
    CHECK(c.counts().applied == 20);
    store.down = true;
    store.looks = 0;
    b.work_for(60s, c);
    CHECK(c.counts().gaps == 0);
    CHECK(store.looks < 60 * 20);
    store.down = false;
    REQUIRE(b.drain(c));
    CHECK(c.counts().gaps == 20);
    CHECK(b.of_key("k7") == "k71 k73");
}

TEST_CASE("ordering by partition: the events of a partition wait for each other") {
    bench b(2);
    texts seen;
    bool first = true;
    auto c = b.from({.ordering = ordering::by_partition}) | dead_letter(b.letters) | retry() |
             idempotent_by_nature() | handle([&](const event_view& e) {
                 seen.emplace_back(e.id);
                 if (e.id == "a1" && std::exchange(first, false)) {
                     throw transient_error("busy", "busy");
                 }
             });
    b.put(order("a1", "a"), 0);
    b.put(order("b1", "b"), 0);
    b.put(order("no key"), 0);
    b.put(order("c1", "a"), 1);
    b.work(c);
    CHECK(seen == texts{"a1", "c1"});
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"a1", "c1", "a1", "b1", "no key"});
}

TEST_CASE("ordering none: nothing waits for anything") {
    bench b;
    texts seen;
    bool first = true;
    auto c = b.from({.ordering = ordering::none}) | dead_letter(b.letters) | retry() |
             idempotent_by_nature() | handle([&](const event_view& e) {
                 seen.emplace_back(e.id);
                 if (e.id == "a1" && std::exchange(first, false)) {
                     throw transient_error("busy", "busy");
                 }
             });
    b.put_all({order("a1", "a"), order("a2", "a")});
    b.work(c);
    CHECK(seen == texts{"a1", "a2"});
    CHECK(b.committed() == -1);
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"a1", "a2", "a1"});
}
