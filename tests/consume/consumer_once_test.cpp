// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <algorithm>
#include <deque>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

/// Adds the event to what its key has in the store.
void apply(const event_view& e, memory::transaction& tx) {
    const auto before = tx.get("by_key", e.partitionkey);
    tx.put("by_key", e.partitionkey,
           before ? *before + " " + std::string(e.id) : std::string(e.id));
    tx.add("times", e.id, 1);
}

[[nodiscard]] std::string of_key(const memory::store& db, std::string_view key) {
    return db.get("by_key", key).value_or("");
}

/// Whether each event's effects are there exactly once.
[[nodiscard]] bool all_once(const memory::store& db, std::size_t events) {
    for (const auto& [id, times] : db.items("times")) {
        if (times != "1") {
            return false;
        }
    }
    return db.size("times") == events;
}

/// How a commit is made to end.
enum class turn { as_it_is, committed_unanswered, lost_unanswered, aborted };

/// A store whose commits end as they are told to.
class turned_store {
public:
    class transaction_type : public memory::transaction {
    public:
        transaction_type(memory::transaction tx, turned_store& owner)
            : memory::transaction(std::move(tx)), owner_(&owner) {}

        commit_result commit() noexcept {
            const turn now = owner_->turns.empty() ? turn::as_it_is : owner_->turns.front();
            if (!owner_->turns.empty()) {
                owner_->turns.pop_front();
            }
            switch (now) {
                case turn::as_it_is: break;
                case turn::committed_unanswered:
                    static_cast<void>(memory::transaction::commit());
                    return commit_result::unknown;
                case turn::lost_unanswered: rollback(); return commit_result::unknown;
                case turn::aborted: rollback(); return commit_result::aborted;
            }
            return memory::transaction::commit();
        }

    private:
        turned_store* owner_;
    };

    explicit turned_store(memory::store& inner) : inner_(&inner) {}

    [[nodiscard]] transaction_type begin(steady_time until) {
        if (down) {
            throw unavailable_error("store_down", "the store is down");
        }
        return {inner_->begin(until), *this};
    }
    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time until) {
        if (down) {
            throw unavailable_error("store_down", "the store is down");
        }
        return inner_->progress(consumer, key, until);
    }

    std::deque<turn> turns{};
    bool down = false;

private:
    memory::store* inner_;
};

struct once_bench : bench {
    using bench::bench;
    diary told{};

    /// The consumer of most of these tests.
    auto consume(memory::store& store, once_options o = {}, subscription_options s = {}) {
        return from(s) | observed_by(told) | dead_letter(letters) | retry() | once(store, o) |
               handle(apply);
    }
    auto consume_in_sequence(memory::store& store) {
        return from() | observed_by(told) | in_sequence() | dead_letter(letters) | retry() |
               once(store) | handle(apply);
    }
};

/// Offsets stay uncommitted, so that everything is delivered again.
const subscription_options slow_commits{.commit_interval = std::chrono::hours(1)};

}  // namespace

TEST_CASE("what the broker delivers again is applied once, recognised by id") {
    once_bench b;
    auto c = b.consume(b.db, {}, slow_commits);
    b.work(c);
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b"), order("4")});
    b.work(c);
    b.log.kick(b.log.owner("orders", "shop", 0));
    b.work(c);
    CHECK(c.counts().received == 8);
    CHECK(c.counts().applied == 4);
    CHECK(c.counts().duplicates == 4);
    CHECK(all_once(b.db, 4));
    CHECK(of_key(b.db, "a") == "1 2");
    CHECK(b.db.inbox_size() == 4);
}

TEST_CASE("what the broker delivers again is applied once, recognised by offset") {
    once_bench b(2);
    auto c = b.consume(b.db, {.duplicates = duplicates::by_offset}, slow_commits);
    b.work(c);
    for (int i = 0; i < 60; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i % 5)), i % 2 == 0 ? 0 : 1);
    }
    b.work(c);
    b.log.kick(b.log.owner("orders", "shop", 0));
    b.work(c);
    CHECK(c.counts().applied == 60);
    CHECK(c.counts().duplicates == 60);
    CHECK(all_once(b.db, 60));
    // In constant space: no row for an event.
    CHECK(b.db.inbox_size() == 0);
}

TEST_CASE("what the broker delivers again is applied once, recognised by sequence") {
    once_bench b;
    b.put_all({order("1", "a", 1), order("2", "a", 2), order("3", "b", 1)});
    {
        auto c = b.consume_in_sequence(b.db);
        c.step(b.now);
        CHECK(c.counts().applied == 3);
    }  // dies before its offsets are committed
    auto c = b.consume_in_sequence(b.db);
    b.put(order("4", "a", 3));
    b.work(c);
    CHECK(c.counts().duplicates + c.counts().applied == c.counts().received);
    CHECK(all_once(b.db, 4));
    CHECK(of_key(b.db, "a") == "1 2 4");
    CHECK(b.db.inbox_size() == 0);
}

TEST_CASE("an event that its producer wrote twice is applied once by id") {
    once_bench b;
    auto twin = order("1", "a");
    auto elsewhere = order("1", "a");
    elsewhere.source = "/another-shop";
    b.put_all({order("1", "a"), twin, order("2", "b"), twin});
    auto c = b.consume(b.db);
    REQUIRE(b.drain(c));
    CHECK(all_once(b.db, 2));
    CHECK(c.counts().duplicates == 2);

    // The identity is source and id: the same id from elsewhere is another event.
    b.put(elsewhere);
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 3);
}

TEST_CASE("two groups of one store do not take each other's events for duplicates") {
    once_bench b;
    b.put(order("1", "a"));
    auto c = b.consume(b.db);
    auto other = subscribe(b.log, {.topic = "orders", .group = "mail", .seed = 7}) |
                 dead_letter(b.letters) | retry() | once(b.db) | handle(apply);
    b.work(c, other);
    CHECK(c.counts().applied == 1);
    CHECK(other.counts().applied == 1);
    CHECK(b.db.get("times", "1") == "2");
}

TEST_CASE("an event that failed is not a duplicate when it is tried again") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "b")});
    int failures = 3;
    auto c = b.from() | dead_letter(b.letters) | retry({.max_attempts = 9}) | once(b.db) |
             handle([&](const event_view& e, memory::transaction& tx) -> outcome {
                 apply(e, tx);
                 if (e.id == "1" && failures-- > 0) {
                     return outcome::retry("busy");
                 }
                 return outcome::done();
             });
    REQUIRE(b.drain(c));
    CHECK(c.counts().duplicates == 0);
    CHECK(c.counts().applied == 2);
    CHECK(all_once(b.db, 2));
}

TEST_CASE("a failing event of a batch is undone alone, and one commit serves its neighbours") {
    once_bench b;
    for (int i = 0; i < 10; ++i) {
        b.put(order(std::to_string(i), i % 2 == 0 ? "even" : "odd"));
    }
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) | retry() | once(b.db) |
             handle([](const event_view& e, memory::transaction& tx) {
                 apply(e, tx);
                 if (e.id == "5") {
                     throw permanent_error("bad_data", "five");
                 }
             });
    const auto before = b.data.commits();
    c.step(b.now);
    CHECK(c.counts().commits == 1);
    CHECK(b.data.commits() == before + 1);
    CHECK(c.counts().applied == 9);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(of_key(b.db, "odd") == "1 3 7 9");
    CHECK(of_key(b.db, "even") == "0 2 4 6 8");
    CHECK(reasons(b.all_letters()) == texts{"5: bad_data"});
    CHECK_FALSE(b.db.get("times", "5"));
}

namespace {

/// The runs of each event, where the sixth of ten can never be processed.
template <class Store>
std::map<std::string, int> runs_beside_a_failure(once_bench& b, Store& db, once_options o) {
    std::map<std::string, int> runs;
    for (int i = 0; i < 10; ++i) {
        b.put(order(std::to_string(i), i % 2 == 0 ? "even" : "odd"));
    }
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) | retry() | once(db, o) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 apply(e, tx);
                 if (++runs[std::string(e.id)]; e.id == "5") {
                     throw permanent_error("bad_data", "five");
                 }
             });
    c.step(b.now);
    CHECK(c.counts().commits == 1);
    CHECK(c.counts().applied == 9);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(c.counts().retries == 0);
    CHECK(b.told.count["applied"] == 9);
    CHECK(b.told.count["retry"] == 0);
    CHECK(of_key(b.db, "odd") == "1 3 7 9");
    CHECK(of_key(b.db, "even") == "0 2 4 6 8");
    REQUIRE(b.all_letters().size() == 1);
    CHECK(b.all_letters().front().letter.attempts == 1);
    return runs;
}

}  // namespace

TEST_CASE("who shares a savepoint with an event that fails runs again once, and nobody is told") {
    for (const auto by : {duplicates::by_id, duplicates::by_offset}) {
        once_bench b;
        const auto runs = runs_beside_a_failure(b, b.db, {.part_max = 4, .duplicates = by});
        for (const auto& [id, times] : runs) {
            CHECK(times == (id == "4" ? 2 : 1));
        }
    }
}

TEST_CASE("with a savepoint for each event nobody runs again because another one failed") {
    once_bench b;
    for (const auto& [id, times] : runs_beside_a_failure(b, b.db, {.part_max = 1})) {
        CHECK(times == 1);
    }
    CHECK_THROWS_AS(once(b.db, {.part_max = 0}), usage_error);
}

TEST_CASE("a handler that acts outside of the transaction does not run again for others") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c")});
    texts runs;
    auto c =
        b.from() | dead_letter(b.letters) | retry() | once(b.db) | handle([&](const event_view& e) {
            runs.emplace_back(e.id);
            if (e.id == "3" && runs.size() == 3) {
                throw transient_error("not_yet", "");
            }
        });
    REQUIRE(b.drain(c));
    CHECK(runs == texts{"1", "2", "3", "3"});
}

TEST_CASE("the commit of what went straight into a transaction fails, and all of it runs again") {
    for (const turn how : {turn::aborted, turn::lost_unanswered, turn::committed_unanswered}) {
        once_bench b;
        turned_store store(b.db);
        store.turns = {how};
        b.put_all({order("1", "a", 1), order("2", "b", 1), order("3", "a", 2), order("4", "b", 2)});
        texts runs;
        auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() | once(store) |
                 handle([&](const event_view& e, turned_store::transaction_type& tx) {
                     runs.emplace_back(e.id);
                     apply(e, tx);
                 });
        c.step(b.now);
        CHECK(store.turns.empty());
        b.put(order("5", "a", 3));
        REQUIRE(b.drain(c));
        CHECK(c.counts().applied == 5);
        CHECK(of_key(b.db, "a") == "1 3 5");
        CHECK(of_key(b.db, "b") == "2 4");
        CHECK(all_once(b.db, 5));
        CHECK(runs.size() == (how == turn::committed_unanswered ? 5 : 9));
    }
}

TEST_CASE("a transaction takes batch_max events at most") {
    once_bench b;
    for (int i = 0; i < 50; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i)));
    }
    auto c = b.consume(b.db, {.batch_max = 7});
    REQUIRE(b.drain(c));
    CHECK(c.counts().commits == 8);
    CHECK(all_once(b.db, 50));

    once_bench single;
    single.put_all({order("1", "a"), order("2", "a"), order("3", "b")});
    auto d = single.consume(single.db, {.batch_max = 1});
    REQUIRE(single.drain(d));
    CHECK(d.counts().commits == 3);
    CHECK(of_key(single.db, "a") == "1 2");
}

TEST_CASE("a transaction waits for further events for batch_time, and no longer") {
    once_bench b;
    b.put(order("1", "a"));
    auto c = b.consume(b.db, {.batch_time = 50ms});
    b.work(c);
    CHECK(b.db.size("times") == 0);
    CHECK(c.counts().applied == 0);
    CHECK(c.next_deadline() == b.now.steady + 50ms);
    b.pass(30ms);
    b.put_all({order("2", "a"), order("3", "b")});
    b.work(c);
    CHECK(b.db.size("times") == 0);
    CHECK(c.next_deadline() == b.now.steady + 20ms);
    b.pass(20ms);
    b.work(c);
    CHECK(c.counts().commits == 1);
    CHECK(c.counts().applied == 3);
    CHECK(of_key(b.db, "a") == "1 2");
}

TEST_CASE("an open transaction is committed before its partition is given back") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "b")});
    auto c = b.consume(b.db, {.batch_time = 1h});
    b.work(c);
    CHECK(c.counts().applied == 0);

    SECTION("at a revocation") {
        b.log.rebalance("orders", "shop");
        b.work(c);
    }
    SECTION("at a shut-down") { REQUIRE(leave(b, c)); }
    CHECK(c.counts().applied == 2);
    CHECK(b.committed() == 1);
    CHECK(all_once(b.db, 2));
}

TEST_CASE("a commit without an answer is resolved by looking") {
    once_bench b;
    turned_store store(b.db);
    const auto how = GENERATE(turn::committed_unanswered, turn::lost_unanswered);
    const bool in_sequence_too = GENERATE(false, true);
    store.turns = {how, turn::as_it_is, how, how};
    for (std::uint64_t i = 1; i <= 12; ++i) {
        b.put(order(std::to_string(i), i % 3 == 0 ? "a" : "b",
                    (i % 3 == 0 ? i : i - i / 3) / (i % 3 == 0 ? 3U : 1U)));
    }
    const auto check = [&](auto consumer) {
        REQUIRE(b.drain(consumer));
        CHECK(store.turns.empty());
        CHECK(consumer.counts().applied == 12);
        CHECK(consumer.counts().duplicates == 0);
        CHECK(consumer.counts().dead_lettered == 0);
        CHECK(consumer.counts().retries == 0);
    };
    const auto handler = [](const event_view& e, memory::transaction& tx) { apply(e, tx); };
    if (in_sequence_too) {
        check(b.from() | in_sequence() | dead_letter(b.letters) | retry({.max_attempts = 1}) |
              once(store) | handle(handler));
    } else {
        check(b.from() | dead_letter(b.letters) | retry({.max_attempts = 1}) | once(store) |
              handle(handler));
    }
    CHECK(all_once(b.db, 12));
    CHECK(of_key(b.db, "a") == "3 6 9 12");
    CHECK(of_key(b.db, "b") == "1 2 4 5 7 8 10 11");
    CHECK(b.committed() == 11);
}

TEST_CASE("a commit that aborted applied nothing, and its events run again") {
    once_bench b;
    turned_store store(b.db);
    store.turns = {turn::aborted, turn::aborted, turn::aborted};
    for (int i = 0; i < 9; ++i) {
        b.put(order(std::to_string(i), i % 2 == 0 ? "even" : "odd"));
    }
    auto c = b.from() | dead_letter(b.letters) | retry({.max_attempts = 1}) | once(store) |
             handle([](const event_view& e, memory::transaction& tx) { apply(e, tx); });
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 9);
    // Nobody's attempt: the events are not to blame.
    CHECK(c.counts().dead_lettered == 0);
    CHECK(all_once(b.db, 9));
    CHECK(of_key(b.db, "odd") == "1 3 5 7");
    CHECK(of_key(b.db, "even") == "0 2 4 6 8");
}

TEST_CASE("while the store is down nothing counts, and nothing new is read") {
    once_bench b;
    turned_store store(b.db);
    store.down = true;
    b.put_all({order("1", "a"), order("2", "b")});
    int calls = 0;
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) | retry({.max_attempts = 1}) |
             once(store) | handle([&](const event_view& e, memory::transaction& tx) {
                 ++calls;
                 apply(e, tx);
             });
    b.work_for(1h, c);
    b.put(order("3", "c"));
    b.work_for(1s, c);
    CHECK(calls == 0);
    CHECK(c.counts().received == 2);
    CHECK(c.counts().dead_lettered == 0);
    CHECK(b.told.told("paused unavailable"));
    store.down = false;
    REQUIRE(b.drain(c));
    CHECK(calls == 3);
    CHECK(all_once(b.db, 3));
    CHECK(c.counts().retries == 0);
}

TEST_CASE("a transaction of a consumer that was taken for dead does not commit") {
    once_bench b;
    memory::store second(b.data);
    b.put_all({order("1", "a"), order("2", "a"), order("3", "b")});
    auto member = b.log.join("orders", "shop");
    const auto id = member.id();
    diary of_zombie;
    auto zombie = subscribe(std::move(member), bench::options()) | observed_by(of_zombie) |
                  dead_letter(b.letters) | retry() |
                  once(b.db, {.batch_time = std::chrono::hours(1)}) | handle(apply);
    b.work(zombie);
    REQUIRE(zombie.counts().applied == 0);  // all three are in its open transaction
    auto heir = b.consume(second);
    b.log.kick(id);
    b.work(heir);
    CHECK(heir.counts().applied == 3);

    SECTION("when it goes on") { b.work_for(2h, zombie, heir); }
    SECTION("when it shuts down") {
        static_cast<void>(leave(b, zombie));
        b.drain(heir);
    }
    CHECK(zombie.counts().applied == 0);
    CHECK(zombie.counts().commits == 0);
    CHECK(zombie.counts().balances());
    CHECK(all_once(b.db, 3));
    CHECK(of_key(b.db, "a") == "1 2");
    CHECK(b.committed() == 2);
}

TEST_CASE("two consumers that hand a partition to and fro apply each event once") {
    once_bench b(3);
    memory::store second(b.data);
    auto left = b.consume(b.db, {.batch_max = 4});
    auto right = b.consume(second, {.batch_max = 5}, slow_commits);
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 300; ++i) {
        const auto key = "k" + std::to_string(i % 11);
        b.put(order(std::to_string(i), key), static_cast<partition_id>(i % 11 % 3));
        expected[key] += (expected[key].empty() ? "" : " ") + std::to_string(i);
        if (i % 7 == 0) {
            left.step(b.now);
        }
        if (i % 5 == 0) {
            right.step(b.now);
        }
        if (i % 13 == 0) {
            b.log.rebalance("orders", "shop");
        }
        if (i % 31 == 0) {
            b.log.kick(b.log.owner("orders", "shop", 0));
        }
        b.pass(3ms);
        REQUIRE(left.counts().balances());
        REQUIRE(right.counts().balances());
    }
    REQUIRE(b.drain(left, right));
    CHECK(all_once(b.db, 300));
    for (const auto& [key, ids] : expected) {
        CHECK(of_key(b.db, key) == ids);
    }
    CHECK(left.counts().applied + right.counts().applied == 300);
}

TEST_CASE("a consumer that dies between two events goes on where its store stands") {
    once_bench b;
    for (int i = 0; i < 40; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i % 3)));
    }
    const auto by = GENERATE(duplicates::by_id, duplicates::by_offset);
    std::uint64_t applied = 0;
    int lives = 0;
    while (b.committed() != 39 && ++lives < 100) {
        auto c = b.consume(b.db, {.batch_max = 2, .duplicates = by},
                           {.step_events_max = 3, .commit_interval = duration::zero()});
        c.step(b.now);
        if (lives % 2 == 0) {
            c.step(b.now);
        }
        applied += c.counts().applied;
        b.pass(1s);
    }
    CHECK(lives < 40);
    CHECK(applied == 40);
    CHECK(all_once(b.db, 40));
}

TEST_CASE("what dies with an open transaction is not applied, and is applied after a restart") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "a")});
    {
        auto c = b.consume(b.db, {.batch_time = 1h});
        b.work(c);
    }
    CHECK(b.db.size("times") == 0);
    CHECK(b.data.open_transactions() == 0);
    auto c = b.consume(b.db);
    REQUIRE(b.drain(c));
    CHECK(all_once(b.db, 2));
    CHECK(of_key(b.db, "a") == "1 2");
}

TEST_CASE("a handler that throws out of its transaction's calls harms no neighbour") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "b"), order("3", "c")});
    int calls = 0;
    auto c = b.from() | dead_letter(b.letters) | retry({.max_attempts = 2}) | once(b.db) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 ++calls;
                 apply(e, tx);
                 if (e.id == "2") {
                     tx.put("sum", "no number");
                     tx.add("sum", 1);
                 }
             });
    REQUIRE(b.drain(c));
    CHECK(reasons(b.all_letters()) == texts{"2: not_a_number"});
    CHECK(all_once(b.db, 2));
    CHECK_FALSE(b.db.get("sum"));
}

TEST_CASE("at most once: the offset is committed before the handler runs") {
    once_bench b;
    b.put_all({order("1", "a"), order("2", "a"), order("3", "a")});
    std::vector<log_offset> committed_at_call;
    auto c = b.from() | observed_by(b.told) | discard() | at_most_once() |
             handle([&](const event_view& e) -> outcome {
                 committed_at_call.push_back(b.committed());
                 return e.id == "2" ? outcome::retry("busy") : outcome::done();
             });
    REQUIRE(b.drain(c));
    REQUIRE(committed_at_call.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(committed_at_call[i] >= static_cast<log_offset>(i));
    }
    CHECK(c.counts().discarded == 1);
    CHECK(c.counts().applied == 2);
}

TEST_CASE("deduplicate suppresses what was done, never what only began") {
    once_bench b;
    int failures = 2;
    texts done;
    b.put_all({order("1", "a"), order("1", "b"), order("1", "a"), order("2", "a")});
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) | retry() | deduplicate() |
             handle([&](const event_view& e) {
                 if (e.id == "1" && failures-- > 0) {
                     throw transient_error("busy", "busy");
                 }
                 done.emplace_back(e.id);
             });
    REQUIRE(b.drain(c));
    std::sort(done.begin(), done.end());
    CHECK(done == texts{"1", "2"});
    CHECK(c.counts().duplicates == 2);
    CHECK(c.counts().applied == 2);
}
