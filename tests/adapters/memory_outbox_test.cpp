// SPDX-License-Identifier: BSL-1.0
#include "memory_test_parts.hpp"

#include "support/test.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in_memory::make_event;
using sinew::test::in_memory::texts;

static_assert(sinew::outbox<memory::outbox, memory::store>);
static_assert(std::copyable<memory::outbox>);

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr claim_limits everything{.entries = 1'000, .bytes = 1'000'000};
constexpr memory::outbox_options one_shard{.shards = 1};

failure_note note_at(wall_time at, std::string reason = "refused") {
    return {at, failure_class::transient, 1, std::move(reason), "detail"};
}

/// A service with its store, and a relay with the lease of the only shard.
struct fixture {
    memory::database data{};
    memory::store store{data};
    memory::outbox box = store.outbox("orders", one_shard);
    shard_lease lease = box.take(box.holder(0), "relay").value();

    std::uint64_t add(std::string id, std::string key = {}, wall_time now = day) {
        auto tx = store.begin();
        const auto sequence = box.add(tx, make_event(std::move(id), std::move(key)).view(), now);
        REQUIRE(tx.commit() == commit_result::committed);
        return sequence;
    }
    std::vector<outbox_entry> claim(wall_time now = day) {
        return box.claim(lease, now, everything).value();
    }
    texts ids(wall_time now = day) {
        texts out;
        for (const auto& one : claim(now)) {
            out.push_back(one.what.id);
        }
        return out;
    }
    std::int64_t number_of(const std::string& id) {
        for (const auto& one : claim()) {
            if (one.what.id == id) {
                return one.number;
            }
        }
        return 0;
    }
    void publish(const std::string& id) {
        const std::int64_t numbers[] = {number_of(id)};
        REQUIRE(box.mark_published(lease, numbers, day) == fenced_result::done);
    }
};

}  // namespace

TEST_CASE("memory: outbox_writer 1: a transaction of another database is refused") {
    fixture f;
    memory::store other;
    REQUIRE(f.box.shares(f.store));
    REQUIRE(f.box.shares(memory::store(f.data)));
    REQUIRE_FALSE(f.box.shares(other));
    auto tx = other.begin();
    REQUIRE_THROWS_AS(f.box.add(tx, make_event("1").view(), day), usage_error);
}

TEST_CASE("memory: outbox_writer 2: an event is seen after its commit, and not before") {
    fixture f;
    auto tx = f.store.begin();
    REQUIRE(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    REQUIRE(f.ids().empty());
    REQUIRE(f.box.lag() == outbox_lag{});
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"1"});
}

TEST_CASE("memory: outbox_writer 2: rolled back, whole or in part, an event leaves no trace") {
    fixture f;
    {
        auto tx = f.store.begin();
        REQUIRE(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    }
    auto tx = f.store.begin();
    REQUIRE(f.box.add(tx, make_event("2", "k").view(), day) == 1);
    tx.nest();
    REQUIRE(f.box.add(tx, make_event("3", "k").view(), day) == 2);
    tx.undo_nested();
    REQUIRE(f.box.add(tx, make_event("4", "k").view(), day) == 2);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"2", "4"});
    REQUIRE(f.claim()[1].what.sequence == "2");
}

TEST_CASE("memory: outbox_writer 3: numbers of a key follow the order of the commits") {
    fixture f;
    memory::store other(f.data);
    auto first = f.store.begin();
    auto second = other.begin();
    REQUIRE(f.box.add(first, make_event("1", "k").view(), day) == 1);
    REQUIRE(f.box.add(second, make_event("2", "k").view(), day) == 1);
    REQUIRE(second.commit() == commit_result::committed);
    REQUIRE(first.commit() == commit_result::aborted);
    REQUIRE(f.add("1", "k") == 2);
    REQUIRE(f.ids() == texts{"2", "1"});
}

TEST_CASE("memory: outbox_writer 3: writers of different keys don't meet") {
    fixture f;
    memory::store other(f.data);
    auto first = f.store.begin();
    auto second = other.begin();
    REQUIRE(f.box.add(first, make_event("1", "k").view(), day) == 1);
    REQUIRE(f.box.add(second, make_event("2", "l").view(), day) == 1);
    REQUIRE(second.commit() == commit_result::committed);
    REQUIRE(first.commit() == commit_result::committed);
    REQUIRE(f.ids().size() == 2);
}

TEST_CASE("memory: outbox_writer 3: numbers go on after what had them is forgotten") {
    fixture f;
    REQUIRE(f.add("1", "k") == 1);
    f.publish("1");
    REQUIRE(f.box.purge(day + 1s, 10) == 1);
    REQUIRE(f.add("2", "k") == 2);
}

TEST_CASE("memory: outbox_writer 4: the number replaces a sequence; without a key it stays") {
    fixture f;
    auto tx = f.store.begin();
    auto e = make_event("1", "k");
    e.sequence = "17";
    REQUIRE(f.box.add(tx, e.view(), day) == 1);
    e.id = "2";
    e.partitionkey.clear();
    REQUIRE(f.box.add(tx, e.view(), day) == 0);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.claim()[0].what.sequence == "1");
    REQUIRE(f.claim()[1].what == e);
}

TEST_CASE(
    "memory: outbox_writer 6: an event with a defect is refused, and the transaction goes on") {
    fixture f;
    auto tx = f.store.begin();
    try {
        f.box.add(tx, make_event("", "k").view(), day);
        FAIL("it was taken");
    } catch (const permanent_error& e) {
        REQUIRE(e.reason() == "id_missing");
    }
    REQUIRE(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"1"});
    REQUIRE_THROWS_AS(f.box.add(tx, make_event("2").view(), day), usage_error);
}

TEST_CASE("memory: outbox_queue 1: an entry that commits late is not skipped") {
    fixture f;
    memory::store other(f.data);
    auto late = other.begin();
    f.box.add(late, make_event("late", "k").view(), day);
    f.add("early", "l");
    f.publish("early");
    REQUIRE(f.ids().empty());
    REQUIRE(late.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"late"});
}

TEST_CASE("memory: outbox_queue 1: every event is in one shard, and claimed there alone") {
    memory::store store;
    auto box = store.outbox("orders", {.shards = 3});
    auto tx = store.begin();
    for (int i = 0; i < 30; ++i) {
        box.add(tx, make_event(std::to_string(i), i % 2 == 0 ? "k" + std::to_string(i) : "").view(),
                day);
    }
    REQUIRE(tx.commit() == commit_result::committed);
    std::size_t found = 0;
    for (shard_id shard = 0; shard < 3; ++shard) {
        const auto lease = box.take(box.holder(shard), "relay").value();
        const auto entries = box.claim(lease, day, everything).value();
        REQUIRE_FALSE(entries.empty());
        for (const auto& one : entries) {
            REQUIRE(shard_of(one.what.view(), 3) == shard);
        }
        found += entries.size();
    }
    REQUIRE(found == 30);
}

TEST_CASE(
    "memory: outbox_queue 2 and 6: an entry that was put off holds its key back until it is due") {
    fixture f;
    f.add("1", "k");
    f.add("2", "k");
    f.add("3", "l");
    REQUIRE(f.box.put_off(f.lease, f.number_of("1"), note_at(day), 10s) == fenced_result::done);
    REQUIRE(f.ids() == texts{"3"});
    REQUIRE(f.ids(day + 9s) == texts{"3"});
    REQUIRE(f.ids(day + 10s) == texts{"1", "2", "3"});
    REQUIRE(f.ids(day - 1s) == texts{"1", "2", "3"});
    const auto entry = f.claim(day + 10s)[0];
    REQUIRE(entry.attempts == 1);
    REQUIRE(entry.last_failure == note_at(day));
    REQUIRE(f.box.lag().waiting == 3);
}

TEST_CASE(
    "memory: outbox_queue 2 and 7: what follows a parked entry passes it or stays behind it") {
    fixture f;
    f.add("1", "k");
    f.add("2", "k");
    f.add("3", "l");
    f.add("4", "l");
    REQUIRE(f.box.park(f.lease, f.number_of("1"), note_at(day), following::pass) ==
            fenced_result::done);
    REQUIRE(f.box.park(f.lease, f.number_of("3"), note_at(day), following::park) ==
            fenced_result::done);
    REQUIRE(f.ids() == texts{"2"});
    f.add("5", "l");
    REQUIRE(f.ids() == texts{"2"});
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 3, .parked = 2, .oldest = day});
}

TEST_CASE("memory: outbox_queue 3: an entry without a key holds back nothing") {
    fixture f;
    f.add("1");
    f.add("2");
    f.add("3");
    static_cast<void>(f.box.put_off(f.lease, f.number_of("1"), note_at(day), 10s));
    static_cast<void>(f.box.park(f.lease, f.number_of("2"), note_at(day), following::park));
    REQUIRE(f.ids() == texts{"3"});
}

TEST_CASE(
    "memory: outbox_queue 4: a claim ends at its limits, and a flood holds nobody up for ever") {
    fixture f;
    for (int i = 0; i < 5; ++i) {
        f.add(std::to_string(i), "k");
    }
    f.add("other", "l");
    REQUIRE(f.box.claim(f.lease, day, {.entries = 2, .bytes = 1000})->size() == 2);
    REQUIRE(f.box.claim(f.lease, day, {.entries = 10, .bytes = 1})->size() == 1);
    REQUIRE(f.box.claim(f.lease, day, {.entries = 0, .bytes = 1})->empty());
    REQUIRE(f.box.claim(f.lease, day, {.entries = 1, .bytes = 0})->empty());
    static_cast<void>(f.box.put_off(f.lease, f.number_of("0"), note_at(day), 10s));
    REQUIRE(f.box.claim(f.lease, day, {.entries = 2, .bytes = 1000})->at(0).what.id == "other");
}

TEST_CASE("memory: outbox_queue 8: a relay that lost its lease reads and changes nothing") {
    fixture f;
    f.add("1", "k");
    const auto number = f.number_of("1");
    const std::int64_t numbers[] = {number};
    const auto old = f.lease;
    const auto stale = fenced_result::stale;
    const auto all_stale = [&](const shard_lease& lease) {
        REQUIRE_FALSE(f.box.claim(lease, day, everything));
        REQUIRE(f.box.mark_published(lease, numbers, day) == stale);
        REQUIRE(f.box.put_off(lease, number, note_at(day), 1s) == stale);
        REQUIRE(f.box.park(lease, number, note_at(day), following::pass) == stale);
        REQUIRE(f.box.renew(lease) == stale);
        REQUIRE(f.box.release(lease) == stale);
    };
    f.lease = f.box.take(f.box.holder(0), "other").value();
    all_stale(old);
    REQUIRE(f.ids() == texts{"1"});
    REQUIRE(f.claim()[0].version == 1);
    REQUIRE(f.box.release(f.lease) == fenced_result::done);
    all_stale(f.lease);
    all_stale({.shard = 0});
}

TEST_CASE("memory: outbox_queue 9: what does not wait, or is of another shard, is not changed") {
    memory::store store;
    auto box = store.outbox("orders", {.shards = 2});
    const auto zero = box.take(box.holder(0), "relay").value();
    const auto one = box.take(box.holder(1), "relay").value();
    std::string key = "k";
    while (shard_of(key, 2) != 0) {
        key += "k";
    }
    auto tx = store.begin();
    box.add(tx, make_event("1", key).view(), day);
    REQUIRE(tx.commit() == commit_result::committed);
    const std::int64_t numbers[] = {box.claim(zero, day, everything)->at(0).number, 4711};
    REQUIRE(box.mark_published(one, numbers, day) == fenced_result::done);
    REQUIRE(box.park(one, numbers[0], note_at(day), following::pass) == fenced_result::done);
    REQUIRE(box.claim(zero, day, everything)->size() == 1);
    REQUIRE(box.park(zero, numbers[0], note_at(day), following::pass) == fenced_result::done);
    REQUIRE(box.mark_published(zero, numbers, day) == fenced_result::done);
    REQUIRE(box.put_off(zero, numbers[0], note_at(day), 1s) == fenced_result::done);
    REQUIRE(box.parked(0, 10).at(0).attempts == 1);
    REQUIRE(box.parked(0, 10).at(0).version == 2);
}

TEST_CASE(
    "memory: outbox_queue 10: the lag is the count of what waits, and the age of the oldest") {
    fixture f;
    f.add("1", "k", day + 5s);
    f.add("2", "l", day + 2s);
    f.add("3", "m", day + 9s);
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 3, .parked = 0, .oldest = day + 2s});
    f.publish("2");
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 2, .parked = 0, .oldest = day + 5s});
    REQUIRE(f.store.outbox("others", one_shard).lag() == outbox_lag{});
}

TEST_CASE("memory: outbox_queue 11: purge forgets what is settled and old, in bites") {
    fixture f;
    for (const auto* id : {"1", "2", "3", "4", "5"}) {
        f.add(id, id);
    }
    f.publish("1");
    f.publish("2");
    static_cast<void>(f.box.park(f.lease, f.number_of("3"), note_at(day), following::pass));
    static_cast<void>(f.box.park(f.lease, f.number_of("4"), note_at(day), following::pass));
    const auto parked = f.box.parked(0, 10);
    REQUIRE(f.box.discard(parked[0].number, parked[0].version, note_at(day)));
    REQUIRE(f.box.purge(day, 10) == 0);
    REQUIRE(f.box.purge(day + 1s, 2) == 2);
    REQUIRE(f.box.purge(day + 1s, 2) == 1);
    REQUIRE(f.box.purge(day + 1s, 2) == 0);
    REQUIRE(f.ids() == texts{"5"});
    REQUIRE(f.box.parked(0, 10).size() == 1);
}

TEST_CASE("memory: lease_keeper: a shard is given to who saw its lease as it stands") {
    fixture f;
    const auto seen = f.box.holder(0);
    REQUIRE(seen == f.lease);
    REQUIRE(f.box.renew(f.lease) == fenced_result::done);
    REQUIRE_FALSE(f.box.take(seen, "other"));
    const auto next = f.box.take(f.box.holder(0), "other");
    REQUIRE(next);
    REQUIRE(next->epoch > f.lease.epoch);
    REQUIRE(next->owner == "other");
    REQUIRE_FALSE(f.box.take(f.box.holder(0), "third")->epoch <= next->epoch);
    REQUIRE_THROWS_AS(f.box.take(f.box.holder(0), ""), usage_error);
    REQUIRE_THROWS_AS(f.box.holder(1), usage_error);
}

TEST_CASE("memory: lease_keeper: epochs rise also when nobody holds the shard in between") {
    fixture f;
    REQUIRE(f.box.release(f.lease) == fenced_result::done);
    REQUIRE(f.box.holder(0).owner.empty());
    const auto again = f.box.take(f.box.holder(0), "relay");
    REQUIRE(again);
    REQUIRE(again->epoch > f.lease.epoch);
    REQUIRE(f.box.claim(*again, day, everything));
    REQUIRE_FALSE(f.box.claim(f.lease, day, everything));
}

TEST_CASE("memory: outbox_desk: an unparked entry goes on with its number, attempts and reason") {
    fixture f;
    f.add("1", "k");
    f.add("2", "k");
    static_cast<void>(f.box.park(f.lease, f.number_of("1"), note_at(day), following::park));
    const auto parked = f.box.parked(0, 10);
    REQUIRE(parked.size() == 1);
    REQUIRE_FALSE(f.box.unpark(parked[0].number, parked[0].version - 1));
    REQUIRE(f.box.unpark(parked[0].number, parked[0].version));
    REQUIRE_FALSE(f.box.unpark(parked[0].number, parked[0].version));
    REQUIRE(f.box.parked(0, 10).empty());
    REQUIRE(f.ids() == texts{"1", "2"});
    REQUIRE(f.claim()[0].what.sequence == "1");
    REQUIRE(f.claim()[0].attempts == 1);
    REQUIRE(f.claim()[0].last_failure == note_at(day));
}

TEST_CASE("memory: outbox_desk: a discarded entry is never published, and its key goes on") {
    fixture f;
    f.add("1", "k");
    f.add("2", "k");
    static_cast<void>(f.box.park(f.lease, f.number_of("1"), note_at(day), following::park));
    const auto parked = f.box.parked(0, 10);
    REQUIRE_FALSE(f.box.discard(parked[0].number, parked[0].version + 1, note_at(day)));
    REQUIRE(f.box.discard(parked[0].number, parked[0].version, note_at(day, "wrong customer")));
    REQUIRE_FALSE(f.box.unpark(parked[0].number, parked[0].version + 1));
    REQUIRE(f.ids() == texts{"2"});
}

TEST_CASE("memory: outbox_desk: parked entries are listed in pages") {
    fixture f;
    for (const auto* id : {"1", "2", "3"}) {
        f.add(id, id);
        static_cast<void>(f.box.park(f.lease, f.number_of(id), note_at(day), following::pass));
    }
    const auto first = f.box.parked(0, 2);
    REQUIRE(first.size() == 2);
    const auto rest = f.box.parked(first[1].number, 2);
    REQUIRE(rest.size() == 1);
    REQUIRE(rest[0].what.id == "3");
    REQUIRE(f.box.parked(0, 0).empty());
}

TEST_CASE("memory: an outbox keeps the number of shards that it was made with") {
    memory::database data;
    const memory::outbox box(data, "orders", {.shards = 4});
    REQUIRE_NOTHROW(memory::outbox(data, "orders", {.shards = 4}));
    REQUIRE_NOTHROW(memory::outbox(data, "others", {.shards = 5}));
    REQUIRE_THROWS_AS(memory::outbox(data, "orders", {.shards = 5}), usage_error);
    REQUIRE_THROWS_AS(memory::outbox(data, "third", {.shards = 0}), usage_error);
    REQUIRE_THROWS_AS(memory::outbox(data, "third", {.shards = shards_max + 1}), usage_error);
    REQUIRE_THROWS_WITH(memory::outbox(data, "orders", {.shards = 5}),
                        Catch::Contains("open it with .shards = 4"));
    REQUIRE_THROWS_WITH(memory::outbox(data, "", {.shards = 4}), Catch::Contains("needs a name"));
}

TEST_CASE("memory: outboxes on one database have numbers, leases and entries of their own") {
    fixture f;
    auto other = f.store.outbox("others", one_shard);
    f.add("1", "k");
    auto tx = f.store.begin();
    REQUIRE(other.add(tx, make_event("2", "k").view(), day) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(other.holder(0).owner.empty());
    const auto lease = other.take(other.holder(0), "relay").value();
    REQUIRE(other.claim(lease, day, everything)->size() == 1);
    REQUIRE(f.ids() == texts{"1"});
}

TEST_CASE("memory: effects and their events are committed together or not at all") {
    fixture f;
    memory::store other(f.data);
    auto tx = f.store.begin();
    tx.add("stock", -1);
    f.box.add(tx, make_event("1", "k").view(), day);
    auto theirs = other.begin();
    theirs.add("stock", -1);
    REQUIRE(theirs.commit() == commit_result::committed);
    REQUIRE(tx.commit() == commit_result::aborted);
    REQUIRE(f.ids().empty());
    REQUIRE(f.add("2", "k") == 1);
}

TEST_CASE("memory: an event over the limit is refused with its size, and the transaction goes on") {
    fixture f;
    auto box = f.store.outbox("orders", {.shards = 1, .event_bytes_max = 200});
    auto tx = f.store.begin();
    event large = make_event("1", "k");
    large.data.resize(300);
    REQUIRE_THROWS_WITH(box.add(tx, large.view(), day),
                        Catch::Contains("takes 200 at most") && Catch::Contains("event_bytes_max"));
    REQUIRE(box.add(tx, make_event("2", "k").view(), day) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"2"});
    REQUIRE_THROWS_AS(f.store.outbox("more", {.event_bytes_max = 0}), usage_error);
}

TEST_CASE(
    "memory: an outbox that keeps nothing of what is published forgets it when it is marked") {
    fixture f;
    f.box = f.store.outbox("orders", {.shards = 1, .keep_published = false});
    f.add("1", "k");
    f.add("2", "k");
    f.publish("1");
    REQUIRE(f.ids() == texts{"2"});
    REQUIRE(f.box.purge(day + 1h, 10) == 0);
    REQUIRE(f.add("3", "k") == 3);
}
