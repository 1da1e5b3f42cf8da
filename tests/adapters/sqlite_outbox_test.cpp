// SPDX-License-Identifier: BSL-1.0
#include "sqlite_faulty_vfs.hpp"
#include "sqlite_support.hpp"

#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sqlite = sinew::sqlite;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::no_waiting;
using sinew::test::temp_folder;

static_assert(sinew::outbox<sqlite::outbox, sqlite::store>);
static_assert(sinew::waking_outbox<sqlite::outbox>);
static_assert(std::copyable<sqlite::outbox>);

namespace {

using texts = std::vector<std::string>;

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr claim_limits everything{.entries = 1'000, .bytes = 1'000'000};
constexpr outbox_options one_shard{.shards = 1};
const sqlite::store_options quick{.synchronous = sqlite::synchronous::normal};

failure_note note_at(wall_time at, std::string reason = "refused") {
    return {at, failure_class::transient, 1, std::move(reason), "detail"};
}

texts ids_of(const std::vector<outbox_entry>& entries) {
    texts out;
    for (const auto& one : entries) {
        out.push_back(one.what.id);
    }
    return out;
}

/// A service with its store, and a relay with the lease of the only shard.
struct fixture {
    temp_folder folder{};
    sqlite::store store{folder.file(), quick};
    sqlite::outbox box = store.outbox("orders", one_shard);
    shard_lease lease = box.take(box.holder(0), "relay").value();

    [[nodiscard]] sqlite::store open_other() const { return sqlite::store(folder.file(), quick); }
    std::uint64_t add(std::string id, std::string key = {}, wall_time now = day) {
        auto tx = store.begin();
        const auto sequence = box.add(tx, make_event(std::move(id), std::move(key)).view(), now);
        REQUIRE(tx.commit() == commit_result::committed);
        return sequence;
    }
    std::vector<outbox_entry> claim(wall_time now = day) {
        return box.claim(lease, now, everything).value();
    }
    texts ids(wall_time now = day) { return ids_of(claim(now)); }
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

/// What `f` throws.
template <class F>
std::string reason_of(F f) {
    try {
        f();
    } catch (const error& e) {
        return std::string(e.reason());
    }
    return "nothing";
}

}  // namespace

TEST_CASE("sqlite: outbox_writer 1: a transaction of another store is refused") {
    fixture f;
    auto other = f.open_other();
    REQUIRE(f.box.shares(f.store));
    REQUIRE_FALSE(f.box.shares(other));
    auto tx = other.begin();
    REQUIRE_THROWS_AS(f.box.add(tx, make_event("1").view(), day), usage_error);
}

TEST_CASE("sqlite: outbox_writer 2: an event is seen after its commit, also by its own store") {
    fixture f;
    auto tx = f.store.begin();
    REQUIRE(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    REQUIRE(f.ids().empty());
    REQUIRE(f.box.lag() == outbox_lag{});
    REQUIRE(f.box.parked(0, 10).empty());
    REQUIRE(f.box.holder(0) == f.lease);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"1"});
}

TEST_CASE("sqlite: writes to an outbox wait until the store's open transaction has ended") {
    fixture f;
    f.add("1", "k");
    const auto number = f.number_of("1");
    auto tx = f.store.begin();
    const auto reason = [&](auto write) { return reason_of([&] { static_cast<void>(write()); }); };
    REQUIRE(reason([&] { return f.box.mark_published(f.lease, {&number, 1}, day); }) ==
            "transaction_open");
    REQUIRE(reason([&] { return f.box.renew(f.lease); }) == "transaction_open");
    REQUIRE(reason([&] { return f.box.take(f.lease, "other"); }) == "transaction_open");
    REQUIRE(reason([&] { return f.box.purge(day, 1); }) == "transaction_open");
    REQUIRE(reason([&] { return f.box.unpark(number, 1); }) == "transaction_open");
    REQUIRE(reason([&] { return f.store.outbox("another"); }) == "transaction_open");
    REQUIRE(reason([&] { return f.box.wait_for_added(no_waiting); }) == "transaction_open");
    tx.rollback();
    f.publish("1");
}

TEST_CASE("sqlite: outbox_writer 3: two writers of one key are numbered as they commit") {
    fixture f;
    auto other = f.open_other();
    auto their_box = other.outbox("orders", one_shard);
    for (int i = 0; i < 6; ++i) {
        auto& store = i % 2 == 0 ? f.store : other;
        auto& box = i % 2 == 0 ? f.box : their_box;
        auto tx = store.begin();
        REQUIRE(box.add(tx, make_event(std::to_string(i), "k").view(), day) ==
                static_cast<std::uint64_t>(i + 1));
        auto& locked = i % 2 == 0 ? other : f.store;
        REQUIRE_THROWS_AS(locked.begin(no_waiting), sqlite::busy_error);
        REQUIRE(tx.commit() == commit_result::committed);
    }
    REQUIRE(f.ids() == texts{"0", "1", "2", "3", "4", "5"});
}

TEST_CASE("sqlite: numbers of entries rise with the commits, and are never drawn twice") {
    fixture f;
    f.box = f.store.outbox("orders", {.shards = 1, .keep_published = false});
    auto other = f.open_other();
    auto their_box = other.outbox("orders", one_shard);
    std::int64_t last = 0;
    int id = 0;
    const auto add = [&](sqlite::store& store, sqlite::outbox& box, bool commits, int events) {
        auto tx = store.begin();
        for (int i = 0; i < events; ++i) {
            box.add(tx, make_event(std::to_string(++id)).view(), day);
        }
        if (!commits) {
            return;
        }
        REQUIRE(tx.commit() == commit_result::committed);
        const auto entries = f.claim();
        REQUIRE(entries.size() == static_cast<std::size_t>(events));
        std::vector<std::int64_t> numbers;
        for (const auto& one : entries) {
            REQUIRE(one.number > last);
            last = one.number;
            numbers.push_back(last);
        }
        REQUIRE(f.box.mark_published(f.lease, numbers, day) == fenced_result::done);
    };
    for (int round = 0; round < 5; ++round) {
        add(f.store, f.box, true, 1);
        add(f.store, f.box, false, 600);
        add(other, their_box, true, 300);
        add(other, their_box, false, 1);
        add(f.store, f.box, true, 700);
        add(f.store, f.box, true, 1);
    }
}

TEST_CASE(
    "sqlite: a savepoint of the service's own takes events along, and the numbers stay good") {
    fixture f;
    auto tx = f.store.begin();
    tx.execute("SAVEPOINT mine");
    for (int i = 0; i < 300; ++i) {
        f.box.add(tx, make_event("gone", "k").view(), day);
    }
    tx.execute("ROLLBACK TO mine");
    REQUIRE(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    auto other = f.open_other();
    auto their_box = other.outbox("orders", one_shard);
    for (int i = 2; i < 700; ++i) {
        auto theirs = other.begin();
        REQUIRE(their_box.add(theirs, make_event(std::to_string(i), "k").view(), day) ==
                static_cast<std::uint64_t>(i));
        REQUIRE(theirs.commit() == commit_result::committed);
    }
    REQUIRE(f.add("last", "k") == 700);
    REQUIRE(f.claim().back().what.id == "last");
}

TEST_CASE("sqlite: effects and their events are committed together or not at all") {
    fixture f;
    f.store.connection().execute_script("CREATE TABLE stock(n INTEGER CHECK (n >= 0)) STRICT");
    {
        auto tx = f.store.begin();
        tx.execute("INSERT INTO stock VALUES (1)");
        f.box.add(tx, make_event("1", "k").view(), day);
        REQUIRE_THROWS_AS(tx.execute("INSERT INTO stock VALUES (-1)"), sqlite::constraint_error);
    }
    REQUIRE(f.ids().empty());
    REQUIRE(f.add("2", "k") == 1);
}

TEST_CASE("sqlite: an outbox survives that its file is opened again") {
    temp_folder folder;
    shard_lease lease;
    {
        sqlite::store store(folder.file(), quick);
        auto box = store.outbox("orders", one_shard);
        auto tx = store.begin();
        for (const auto* id : {"1", "2", "3", "4"}) {
            box.add(tx, make_event(id, id == std::string("4") ? "l" : "k").view(), day);
        }
        REQUIRE(tx.commit() == commit_result::committed);
        lease = box.take(box.holder(0), "relay").value();
        const auto entries = box.claim(lease, day, everything).value();
        REQUIRE(box.mark_published(lease, {&entries[0].number, 1}, day) == fenced_result::done);
        REQUIRE(box.put_off(lease, entries[1].number, note_at(day), 10s) == fenced_result::done);
        REQUIRE(box.park(lease, entries[3].number, note_at(day), following::park) ==
                fenced_result::done);
    }
    sqlite::store store(folder.file(), quick);
    auto box = store.outbox("orders", one_shard);
    REQUIRE(box.holder(0) == lease);
    REQUIRE(box.claim(lease, day, everything)->empty());
    const auto due = box.claim(lease, day + 10s, everything).value();
    REQUIRE(ids_of(due) == texts{"2", "3"});
    REQUIRE(due[0].attempts == 1);
    REQUIRE(due[0].last_failure == note_at(day));
    REQUIRE(due[0].waits == put_off_until{day, day + 10s});
    REQUIRE(box.parked(0, 10).at(0).what.id == "4");
    REQUIRE(box.lag() == outbox_lag{.waiting = 2, .parked = 1, .oldest = day});
    auto tx = store.begin();
    REQUIRE(box.add(tx, make_event("5", "k").view(), day) == 4);
}

TEST_CASE("sqlite: a service that is killed leaves the events of its commits, and no others") {
    temp_folder folder;
    {
        sinew::test::process service([&](sinew::test::process& me) {
            sqlite::store store(folder.file(), quick);
            auto box = store.outbox("orders", one_shard);
            for (int i = 1; i <= 300; ++i) {
                auto tx = store.begin();
                box.add(tx, make_event(std::to_string(i), "k").view(), day);
                if (tx.commit() != commit_result::committed) {
                    return false;
                }
            }
            auto tx = store.begin();
            box.add(tx, make_event("never", "k").view(), day);
            me.tell_parent();
            me.wait_for_parent();
            return true;
        });
        REQUIRE(service.wait_for_child() == '!');
        service.kill();
    }
    sqlite::store store(folder.file(), quick);
    auto box = store.outbox("orders", one_shard);
    auto lease = box.take(box.holder(0), "relay").value();
    const auto entries = box.claim(lease, day, everything).value();
    REQUIRE(entries.size() == 300);
    REQUIRE(entries.back().what.sequence == "300");
    auto tx = store.begin();
    REQUIRE(box.add(tx, make_event("next", "k").view(), day) == 301);
}

TEST_CASE("sqlite: a clock that is set back ends a wait, and shows nothing twice") {
    fixture f;
    f.add("1", "k");
    REQUIRE(f.box.put_off(f.lease, f.number_of("1"), note_at(day), 1h) == fenced_result::done);
    REQUIRE(f.ids(day + 1s).empty());
    REQUIRE(f.ids(day - 1h) == texts{"1"});
    f.add("2", "k", day - 1h);
    REQUIRE(f.ids(day - 1h) == texts{"1", "2"});
    REQUIRE(f.box.lag().oldest == day - 1h);
    const auto number = f.claim(day - 1h).at(0).number;
    REQUIRE(f.box.mark_published(f.lease, {&number, 1}, day - 1h) == fenced_result::done);
    REQUIRE(f.ids(day - 2h) == texts{"2"});
}

TEST_CASE("sqlite: events of any bytes come out of an outbox as they were added") {
    sinew::test::prop("bit for bit, but for the sequence", [] {
        fixture f;
        event e = *sinew::test::any_event();
        e.id = "1";
        e.source = "/s";
        e.type = "t";
        auto tx = f.store.begin();
        const auto sequence = f.box.add(tx, e.view(), day);
        RC_ASSERT(tx.commit() == commit_result::committed);
        if (!e.partitionkey.empty()) {
            e.sequence = std::to_string(sequence);
        }
        const auto entries = f.claim();
        RC_ASSERT(entries.size() == 1U);
        RC_ASSERT(entries[0].what == e);
    });
}

TEST_CASE("sqlite: an outbox keeps the number of shards that it was made with") {
    fixture f;
    auto other = f.open_other();
    REQUIRE_NOTHROW(other.outbox("orders", one_shard));
    REQUIRE_NOTHROW(other.outbox("others", {.shards = 5}));
    REQUIRE_THROWS_AS(other.outbox("orders", {.shards = 5}), usage_error);
    REQUIRE_THROWS_AS(f.store.outbox("orders", {.shards = 5}), usage_error);
    REQUIRE_THROWS_WITH(other.outbox("orders", {.shards = 5}),
                        Catch::Contains("open it with .shards = 1"));
    REQUIRE_THROWS_WITH(other.outbox("", {.shards = 1}), Catch::Contains("needs a name"));
    REQUIRE_THROWS_AS(f.store.outbox("third", {.shards = 0}), usage_error);
    REQUIRE_THROWS_AS(f.store.outbox("third", {.shards = shards_max + 1}), usage_error);
    auto largest = f.store.outbox("third", {.shards = shards_max});
    REQUIRE(largest.holder(shards_max - 1).epoch == 0);
    REQUIRE_THROWS_AS(largest.holder(shards_max), usage_error);
}

TEST_CASE("sqlite: names and prefixes with SQL in them do no harm") {
    fixture f;
    const std::string name = "x'); DROP TABLE sinew_outboxes; --";
    auto box = f.store.outbox(name, one_shard);
    REQUIRE(box.take(box.holder(0), "'; DELETE FROM sinew_outbox_shards; --")->epoch == 1);
    REQUIRE(f.open_other().outbox(name, one_shard).holder(0).owner ==
            "'; DELETE FROM sinew_outbox_shards; --");
    REQUIRE(f.add("1", "k'; --") == 1);
    REQUIRE_THROWS_AS(sqlite::store(f.folder.file(), {.prefix = "x; DROP TABLE y"}), usage_error);
    sqlite::store own(f.folder.file(), {.prefix = "mine_", .synchronous = quick.synchronous});
    REQUIRE(own.outbox("orders", {.shards = 3}).shards() == 3);
}

TEST_CASE("sqlite: a store without an outbox has no tables of outboxes") {
    temp_folder folder;
    sqlite::store store(folder.file(), quick);
    const auto tables = [&] {
        return std::get<0>(*store.connection().query_one<int>(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sinew_outbox%'"));
    };
    REQUIRE(tables() == 0);
    static_cast<void>(store.outbox("orders"));
    REQUIRE(tables() > 0);
}

TEST_CASE("sqlite: outboxes of a newer version are refused, and the rest of the store works") {
    fixture f;
    f.store.connection().execute("UPDATE sinew_meta SET version = 99 WHERE name = 'outbox'");
    auto other = f.open_other();
    REQUIRE(reason_of([&] { static_cast<void>(other.outbox("orders", one_shard)); }) ==
            "schema_too_new");
    REQUIRE(other.begin().commit() == commit_result::committed);
}

TEST_CASE("sqlite: an outbox in a file that is locked answers by its deadline") {
    fixture f;
    f.add("1", "k");
    auto other = f.open_other();
    auto tx = other.begin();
    const auto number = f.number_of("1");
    REQUIRE_THROWS_AS(f.box.mark_published(f.lease, {&number, 1}, day, no_waiting),
                      sqlite::busy_error);
    REQUIRE_THROWS_AS(f.box.renew(f.lease, no_waiting), sqlite::busy_error);
    REQUIRE(f.ids() == texts{"1"});  // reading waits for nobody
    tx.rollback();
    REQUIRE(f.box.renew(f.lease, no_waiting) == fenced_result::done);
}

TEST_CASE("sqlite: on a full disk an event is not added, and nothing of its transaction is") {
    temp_folder folder;
    sqlite::store store(folder.file(), quick);
    auto box = store.outbox("orders", one_shard);
    store.connection().execute_script("PRAGMA max_page_count = 40");
    const auto lease = box.take(box.holder(0), "relay").value();
    int added = 0;
    for (bool full = false; !full; added += full ? 0 : 1) {
        auto tx = store.begin();
        auto e = make_event(std::to_string(added + 1), "k", std::string(3000, 'x'));
        try {
            const auto sequence = box.add(tx, e.view(), day);
            REQUIRE(sequence == static_cast<std::uint64_t>(added + 1));
        } catch (const sqlite::disk_full_error&) {
            full = true;
            REQUIRE(reason_of([&] { box.add(tx, e.view(), day); }) == "transaction_lost");
        }
        REQUIRE(tx.commit() == (full ? commit_result::aborted : commit_result::committed));
    }
    REQUIRE(added > 3);
    const auto entries = box.claim(lease, day, everything).value();
    REQUIRE(entries.size() == static_cast<std::size_t>(added));
    store.connection().execute_script("PRAGMA max_page_count = 4000");
    auto tx = store.begin();
    REQUIRE(box.add(tx, make_event("next", "k").view(), day) ==
            static_cast<std::uint64_t>(added + 1));
}

TEST_CASE("sqlite: a claim takes no longer for what was published before") {
    fixture f;
    auto tx = f.store.begin();
    for (int i = 0; i < 2'000; ++i) {
        f.box.add(tx, make_event(std::to_string(i), "k").view(), day);
    }
    REQUIRE(tx.commit() == commit_result::committed);
    for (int round = 0; round < 2; ++round) {
        std::vector<std::int64_t> numbers;
        for (const auto& one : f.claim()) {
            numbers.push_back(one.number);
        }
        REQUIRE(numbers.size() == 1'000);
        REQUIRE(f.box.mark_published(f.lease, numbers, day) == fenced_result::done);
    }
    f.add("next", "k");
    // Counted in steps of SQLite's machine.
    int steps = 0;
    sqlite3_progress_handler(
        f.store.connection().handle(), 1,
        [](void* count) { return ++*static_cast<int*>(count) < 0 ? 1 : 0; }, &steps);
    REQUIRE(f.ids() == texts{"next"});
    sqlite3_progress_handler(f.store.connection().handle(), 0, nullptr, nullptr);
    REQUIRE(steps < 200);
}

TEST_CASE("sqlite: who waits is told of a commit in the same process, and not of a rollback") {
    fixture f;
    auto other = f.open_other();
    auto their_box = other.outbox("orders", one_shard);
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
    {
        auto tx = other.begin();
        their_box.add(tx, make_event("1").view(), day);
    }
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
    auto tx = other.begin();
    their_box.add(tx, make_event("2").view(), day);
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.box.wait_for_added(never));
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
    f.add("3");
    REQUIRE(f.box.wait_for_added(never));
    auto others = other.outbox("others", one_shard);
    auto second = other.begin();
    others.add(second, make_event("4").view(), day);
    REQUIRE(second.commit() == commit_result::committed);
    REQUIRE(others.wait_for_added(never));
}

TEST_CASE("sqlite: who waits is told of what another process added") {
    fixture f;
    sinew::test::process service([&](sinew::test::process& me) {
        me.wait_for_parent();
        sqlite::store store(f.folder.file(), quick);
        auto box = store.outbox("orders", one_shard);
        auto tx = store.begin();
        box.add(tx, make_event("1").view(), day);
        return tx.commit() == commit_result::committed;
    });
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
    service.tell_child();
    REQUIRE(f.box.wait_for_added(in(60s)));
    REQUIRE(f.ids() == texts{"1"});
    REQUIRE(service.wait());
    f.publish("1");
    // Of changes that leave nothing to publish nobody is told.
    f.open_other().connection().execute_script("CREATE TABLE mine(n INTEGER)");
    REQUIRE_FALSE(f.box.wait_for_added(no_waiting));
}

TEST_CASE("sqlite: a mark whose commit the disk reported an error for is unknown") {
    using sinew::test::faulty_vfs;
    temp_folder folder;
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2(folder.file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            faulty_vfs::name()) == SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> closed(db, &sqlite3_close_v2);
    REQUIRE(sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite::store store(db);
    auto box = store.outbox("orders", one_shard);
    auto tx = store.begin();
    box.add(tx, make_event("1", "k").view(), day);
    REQUIRE(tx.commit() == commit_result::committed);
    const auto lease = box.take(box.holder(0), "relay").value();
    const auto number = box.claim(lease, day, everything)->at(0).number;
    faulty_vfs::fault() = {.after = 1};
    REQUIRE(box.mark_published(lease, {&number, 1}, day) == fenced_result::unknown);
    REQUIRE(faulty_vfs::fault().happened == 1);
    faulty_vfs::fault() = {};
    REQUIRE(box.mark_published(lease, {&number, 1}, day) == fenced_result::done);
    REQUIRE(box.claim(lease, day, everything)->empty());
}

TEST_CASE("sqlite: outbox_writer 2: rolled back, whole or in part, an event leaves no trace") {
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

TEST_CASE("sqlite: outbox_writer 3: numbers go on after what had them is forgotten") {
    fixture f;
    REQUIRE(f.add("1", "k") == 1);
    f.publish("1");
    REQUIRE(f.box.purge(day + 1s, 10) == 1);
    REQUIRE(f.add("2", "k") == 2);
}

TEST_CASE("sqlite: outbox_writer 4: the number replaces a sequence; without a key it stays") {
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
    "sqlite: outbox_writer 6: an event with a defect is refused, and the transaction goes on") {
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

TEST_CASE("sqlite: outbox_queue 1: every event is in one shard, and claimed there alone") {
    fixture f;
    auto box = f.store.outbox("three", {.shards = 3});
    auto tx = f.store.begin();
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
    "sqlite: outbox_queue 2 and 6: an entry that was put off holds its key back until it is due") {
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
    "sqlite: outbox_queue 2 and 7: what follows a parked entry passes it or stays behind it") {
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

TEST_CASE("sqlite: outbox_queue 3: an entry without a key holds back nothing") {
    fixture f;
    f.add("1");
    f.add("2");
    f.add("3");
    static_cast<void>(f.box.put_off(f.lease, f.number_of("1"), note_at(day), 10s));
    static_cast<void>(f.box.park(f.lease, f.number_of("2"), note_at(day), following::park));
    REQUIRE(f.ids() == texts{"3"});
}

TEST_CASE(
    "sqlite: outbox_queue 4: a claim ends at its limits, and a flood holds nobody up for ever") {
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

TEST_CASE("sqlite: outbox_queue 8: a relay that lost its lease reads and changes nothing") {
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

TEST_CASE("sqlite: outbox_queue 9: what does not wait, or is of another shard, is not changed") {
    fixture f;
    auto box = f.store.outbox("two", {.shards = 2});
    const auto zero = box.take(box.holder(0), "relay").value();
    const auto one = box.take(box.holder(1), "relay").value();
    std::string key = "k";
    while (shard_of(key, 2) != 0) {
        key += "k";
    }
    auto tx = f.store.begin();
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
    "sqlite: outbox_queue 10: the lag is the count of what waits, and the age of the oldest") {
    fixture f;
    f.add("1", "k", day + 5s);
    f.add("2", "l", day + 2s);
    f.add("3", "m", day + 9s);
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 3, .parked = 0, .oldest = day + 2s});
    f.publish("2");
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 2, .parked = 0, .oldest = day + 5s});
    REQUIRE(f.store.outbox("others", one_shard).lag() == outbox_lag{});
}

TEST_CASE("sqlite: outbox_queue 11: purge forgets what is settled and old, in bites") {
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

TEST_CASE("sqlite: lease_keeper: a shard is given to who saw its lease as it stands") {
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

TEST_CASE("sqlite: lease_keeper: epochs rise also when nobody holds the shard in between") {
    fixture f;
    REQUIRE(f.box.release(f.lease) == fenced_result::done);
    REQUIRE(f.box.holder(0).owner.empty());
    const auto again = f.box.take(f.box.holder(0), "relay");
    REQUIRE(again);
    REQUIRE(again->epoch > f.lease.epoch);
    REQUIRE(f.box.claim(*again, day, everything));
    REQUIRE_FALSE(f.box.claim(f.lease, day, everything));
}

TEST_CASE("sqlite: outbox_desk: an unparked entry goes on with its number, attempts and reason") {
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

TEST_CASE("sqlite: outbox_desk: a discarded entry is never published, and its key goes on") {
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

TEST_CASE("sqlite: outbox_desk: parked entries are listed in pages") {
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

TEST_CASE("sqlite: outboxes on one database have numbers, leases and entries of their own") {
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

TEST_CASE("sqlite: an event over the limit is refused with its size, and the transaction goes on") {
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
    "sqlite: an outbox that keeps nothing of what is published forgets it when it is marked") {
    fixture f;
    f.box = f.store.outbox("orders", {.shards = 1, .keep_published = false});
    f.add("1", "k");
    f.add("2", "k");
    f.publish("1");
    REQUIRE(f.ids() == texts{"2"});
    REQUIRE(f.box.purge(day + 1h, 10) == 0);
    REQUIRE(f.add("3", "k") == 3);
}

namespace {

/// What SQLite does while this lives, in steps of its virtual machine.
class counted_steps {
public:
    explicit counted_steps(sqlite3* db) : db_(db) { reset(); }

    [[nodiscard]] int count() const {
        int steps = 0;
        for (auto* one = sqlite3_next_stmt(db_, nullptr); one != nullptr;
             one = sqlite3_next_stmt(db_, one)) {
            steps += sqlite3_stmt_status(one, SQLITE_STMTSTATUS_VM_STEP, 0);
        }
        return steps;
    }
    void reset() {
        for (auto* one = sqlite3_next_stmt(db_, nullptr); one != nullptr;
             one = sqlite3_next_stmt(db_, one)) {
            static_cast<void>(sqlite3_stmt_status(one, SQLITE_STMTSTATUS_VM_STEP, 1));
        }
    }

private:
    sqlite3* db_;
};

void add_many(fixture& f, int first, int last, const std::string& key) {
    auto tx = f.store.begin();
    for (int i = first; i <= last; ++i) {
        f.box.add(tx, make_event(std::to_string(i), key).view(), day);
    }
    REQUIRE(tx.commit() == commit_result::committed);
}

/// Publishes all that is shown, and what is shown then.
texts publish_all(fixture& f) {
    texts out;
    for (auto entries = f.claim(); !entries.empty(); entries = f.claim()) {
        std::vector<std::int64_t> numbers;
        for (const auto& one : entries) {
            out.push_back(one.what.id);
            numbers.push_back(one.number);
        }
        REQUIRE(f.box.mark_published(f.lease, numbers, day) == fenced_result::done);
    }
    return out;
}

texts ids_between(int first, int last) {
    texts out;
    for (int i = first; i <= last; ++i) {
        out.push_back(std::to_string(i));
    }
    return out;
}

}  // namespace

TEST_CASE("sqlite: a claim looks at nothing of what waits behind a parked entry") {
    fixture f;
    add_many(f, 1, 1, "k");
    REQUIRE(f.box.park(f.lease, f.number_of("1"), note_at(day), following::park) ==
            fenced_result::done);
    add_many(f, 2, 20'000, "k");
    f.add("other", "l");
    counted_steps steps(f.store.connection().handle());
    REQUIRE(f.ids() == texts{"other"});
    REQUIRE(steps.count() < 200);
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 20'000, .parked = 1, .oldest = day});
    const auto parked = f.box.parked(0, 10).at(0);
    f.publish("other");
    SECTION("once it is unparked its key goes on in bites, in order") {
        steps.reset();
        REQUIRE(f.box.unpark(parked.number, parked.version));
        REQUIRE(steps.count() < 100'000);
        add_many(f, 20'001, 20'010, "k");
        REQUIRE(publish_all(f) == ids_between(1, 20'010));
        add_many(f, 20'011, 20'020, "k");
        REQUIRE(f.ids() == ids_between(20'011, 20'020));
    }
    SECTION("once it is discarded its key goes on without it") {
        REQUIRE(f.box.discard(parked.number, parked.version, note_at(day)));
        REQUIRE(publish_all(f) == ids_between(2, 20'000));
        REQUIRE(f.box.lag() == outbox_lag{});
    }
    SECTION("a key that is parked again while it goes on stays behind") {
        REQUIRE(f.box.unpark(parked.number, parked.version));
        REQUIRE(f.box.park(f.lease, f.number_of("100"), note_at(day), following::park) ==
                fenced_result::done);
        REQUIRE(publish_all(f) == ids_between(1, 99));
        const auto again = f.box.parked(0, 10).at(0);
        REQUIRE(f.box.unpark(again.number, again.version));
        REQUIRE(publish_all(f) == ids_between(100, 20'000));
    }
}

TEST_CASE("sqlite: claims move what waited before an entry was parked out of their way") {
    fixture f;
    add_many(f, 1, 5'000, "k");
    f.add("other", "l");
    REQUIRE(f.box.park(f.lease, f.number_of("1"), note_at(day), following::park) ==
            fenced_result::done);
    for (int i = 0; i < 12; ++i) {
        REQUIRE(f.ids() == texts{"other"});
    }
    counted_steps steps(f.store.connection().handle());
    REQUIRE(f.ids() == texts{"other"});
    REQUIRE(steps.count() < 20'000);
    add_many(f, 5'001, 5'003, "k");
    const auto parked = f.box.parked(0, 10).at(0);
    REQUIRE(f.box.unpark(parked.number, parked.version));
    f.publish("other");
    REQUIRE(publish_all(f) == ids_between(1, 5'003));
}

TEST_CASE("sqlite: a claim goes by without moving anything while somebody else writes") {
    fixture f;
    add_many(f, 1, 1'000, "k");
    REQUIRE(f.box.park(f.lease, f.number_of("1"), note_at(day), following::park) ==
            fenced_result::done);
    auto other = f.open_other();
    auto tx = other.begin();
    REQUIRE(f.ids().empty());
    tx.rollback();
    auto mine = f.store.begin();
    REQUIRE(f.ids().empty());
    mine.rollback();
    REQUIRE(f.ids().empty());
    REQUIRE(f.box.lag().waiting == 999);
}

TEST_CASE("sqlite: of a key, what comes before the parked entry is shown") {
    fixture f;
    for (const auto* id : {"1", "2", "3", "4"}) {
        f.add(id, "k");
    }
    const auto entries = f.claim();
    const auto park = [&](std::size_t at) {
        REQUIRE(f.box.park(f.lease, entries[at].number, note_at(day), following::park) ==
                fenced_result::done);
    };
    const auto unpark = [&](std::size_t at) {
        REQUIRE(f.box.unpark(entries[at].number, entries[at].version + 1));
    };
    park(2);
    REQUIRE(f.ids() == texts{"1", "2"});
    park(0);
    REQUIRE(f.ids().empty());
    f.add("5", "k");
    unpark(0);
    REQUIRE(f.ids() == texts{"1", "2"});
    unpark(2);
    REQUIRE(f.ids() == texts{"1", "2", "3", "4", "5"});
}

TEST_CASE("sqlite: an outbox with thousands behind parked entries shows what one in memory shows") {
    sinew::test::prop("whatever is parked, marked and decided", [](std::vector<std::uint8_t> tape) {
        fixture f;
        memory::database data;
        memory::store reference(data);
        auto expected = reference.outbox("orders", one_shard);
        const auto their_lease = expected.take(expected.holder(0), "relay").value();
        const claim_limits all{.entries = 1'000'000, .bytes = 1'000'000'000};
        int id = 0;
        std::vector<std::int64_t> ours{0};  // by id
        std::vector<std::int64_t> theirs{0};
        const auto add = [&](int events) {
            auto tx = f.store.begin();
            auto their_tx = reference.begin();
            for (int i = 0; i < events; ++i) {
                ++id;
                const event e = make_event(std::to_string(id), id % 5 == 0 ? "l" : "k");
                RC_ASSERT(f.box.add(tx, e.view(), day) == expected.add(their_tx, e.view(), day));
            }
            RC_ASSERT(tx.commit() == commit_result::committed);
            RC_ASSERT(their_tx.commit() == commit_result::committed);
        };
        // Numbers of entries are each outbox's own.
        const auto learn = [&](const std::vector<outbox_entry>& from,
                               std::vector<std::int64_t>& to) {
            for (const auto& one : from) {
                const auto at = static_cast<std::size_t>(std::stoi(one.what.id));
                to.resize(std::max(to.size(), at + 1));
                to[at] = one.number;
            }
        };
        const auto look = [&] {
            const auto shown = f.box.claim(f.lease, day, all).value();
            const auto should = expected.claim(their_lease, day, all).value();
            learn(shown, ours);
            learn(should, theirs);
            // Of each key the first ones, and something if there is something.
            for (const std::string key : {"k", "l"}) {
                const auto of_key = [&](const std::vector<outbox_entry>& from) {
                    texts out;
                    for (const auto& one : from) {
                        if (one.what.partitionkey == key) {
                            out.push_back(one.what.id);
                        }
                    }
                    return out;
                };
                const texts mine = of_key(shown);
                texts other = of_key(should);
                RC_ASSERT(mine.size() <= other.size());
                RC_ASSERT(mine.empty() == other.empty());
                other.resize(mine.size());
                RC_ASSERT(mine == other);
            }
            return shown;
        };
        const auto both = [&](std::size_t at, auto f_ours, auto f_theirs) {
            if (at < ours.size() && at < theirs.size() && ours[at] != 0 && theirs[at] != 0) {
                RC_ASSERT(f_ours(ours[at]) == fenced_result::done);
                RC_ASSERT(f_theirs(theirs[at]) == fenced_result::done);
            }
        };
        const auto mark = [&](std::size_t at) {
            both(
                at, [&](auto n) { return f.box.mark_published(f.lease, {&n, 1}, day); },
                [&](auto n) { return expected.mark_published(their_lease, {&n, 1}, day); });
        };
        const auto decide = [&](bool unparks, std::size_t which) {
            const auto mine = f.box.parked(0, 1'000);
            const auto other = expected.parked(0, 1'000);
            RC_ASSERT(ids_of(mine) == ids_of(other));
            if (!mine.empty()) {
                const auto& a = mine[which % mine.size()];
                const auto& b = other[which % mine.size()];
                RC_ASSERT((unparks ? f.box.unpark(a.number, a.version)
                                   : f.box.discard(a.number, a.version, note_at(day))));
                RC_ASSERT((unparks ? expected.unpark(b.number, b.version)
                                   : expected.discard(b.number, b.version, note_at(day))));
            }
        };
        add(800);
        tape.resize(std::min<std::size_t>(tape.size(), 20));  // each step costs milliseconds
        look();
        for (std::size_t i = 0; i + 1 < tape.size(); i += 2) {
            const std::size_t what = tape[i + 1];
            switch (tape[i] % 8) {
                case 0: add(static_cast<int>(what) * 3); break;
                case 1:
                case 2: {
                    const auto shown = look();
                    for (std::size_t j = 0; j < what * 2 && j < shown.size(); ++j) {
                        mark(static_cast<std::size_t>(std::stoi(shown[j].what.id)));
                    }
                    break;
                }
                case 3: mark(what * 6); break;
                case 4:
                case 5: {
                    // Near the front, or anywhere.
                    const auto shown = look();
                    const std::size_t at = what % 2 == 0 || shown.empty()
                                               ? what * 6
                                               : static_cast<std::size_t>(std::stoi(
                                                     shown[what % 16 % shown.size()].what.id));
                    const auto follows = what % 5 == 0 ? following::pass : following::park;
                    both(
                        at, [&](auto n) { return f.box.park(f.lease, n, note_at(day), follows); },
                        [&](auto n) {
                            return expected.park(their_lease, n, note_at(day), follows);
                        });
                    break;
                }
                case 6: decide(true, what); break;
                default: decide(what % 3 != 0, what); break;
            }
            look();
            RC_ASSERT(f.box.lag() == expected.lag());
        }
        while (!f.box.parked(0, 1).empty()) {
            decide(true, 0);
        }
        texts published;
        for (auto shown = look(); !shown.empty(); shown = look()) {
            std::vector<std::int64_t> mine;
            std::vector<std::int64_t> other;
            for (const auto& one : shown) {
                mine.push_back(one.number);
                other.push_back(theirs[static_cast<std::size_t>(std::stoi(one.what.id))]);
            }
            RC_ASSERT(f.box.mark_published(f.lease, mine, day) == fenced_result::done);
            RC_ASSERT(expected.mark_published(their_lease, other, day) == fenced_result::done);
        }
        RC_ASSERT(f.box.lag() == outbox_lag{});
        RC_ASSERT(expected.lag() == outbox_lag{});
        RC_ASSERT(std::get<0>(*f.store.connection().query_one<int>(
                      "SELECT count(*) FROM sinew_outbox_keys WHERE behind")) == 0);
    });
}

TEST_CASE("sqlite: events that are added together are numbered as if they came one by one") {
    fixture f;
    REQUIRE(f.add("0", "k") == 1);
    const std::vector<event> events{make_event("1", "k"), make_event("2"), make_event("3", "l"),
                                    make_event("4", "k"), make_event("5", "k")};
    std::vector<event_view> views;
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    const std::span<const event_view> all(views);
    auto tx = f.store.begin();
    using sequences = std::vector<std::uint64_t>;
    REQUIRE(f.box.add(tx, all, day) == sequences{2, 0, 1, 3, 4});
    REQUIRE(f.box.add(tx, all.first(1), day) == sequences{5});
    REQUIRE(f.box.add(tx, all.first(0), day).empty());
    REQUIRE(tx.commit() == commit_result::committed);
    const auto entries = f.claim();
    REQUIRE(ids_of(entries) == texts{"0", "1", "2", "3", "4", "5", "1"});
    texts shown;
    for (const auto& one : entries) {
        shown.push_back(one.what.sequence);
    }
    REQUIRE(shown == texts{"1", "2", events[1].sequence, "1", "3", "4", "5"});
    REQUIRE(f.add("6", "k") == 6);
}

TEST_CASE("sqlite: of events that are added together none is added if one is refused") {
    fixture f;
    const std::vector<event> events{make_event("1", "k"), make_event("", "k")};
    const event_view views[] = {events[0].view(), events[1].view()};
    auto tx = f.store.begin();
    REQUIRE_THROWS_AS(f.box.add(tx, std::span<const event_view>(views), day), permanent_error);
    REQUIRE(f.box.add(tx, events[0].view(), day) == 1);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.ids() == texts{"1"});
}

TEST_CASE("sqlite: events that are added together in many shards come out in order of their keys") {
    fixture f;
    auto box = f.store.outbox("many", {.shards = 5});
    std::vector<event> events;
    for (int i = 0; i < 1'000; ++i) {
        events.push_back(make_event(std::to_string(i), "k" + std::to_string(i % 7)));
    }
    std::vector<event_view> views;
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    for (int i = 0; i < 2; ++i) {
        auto tx = f.store.begin();
        box.add(tx, std::span<const event_view>(views), day);
        REQUIRE(tx.commit() == commit_result::committed);
    }
    std::map<std::string, std::uint64_t> last;
    std::size_t seen = 0;
    for (shard_id shard = 0; shard < 5; ++shard) {
        const auto lease = box.take(box.holder(shard), "relay").value();
        const auto entries = box.claim(lease, day, {.entries = 5'000, .bytes = 10'000'000}).value();
        for (const auto& one : entries) {
            REQUIRE(one.what.sequence == std::to_string(++last[one.what.partitionkey]));
            ++seen;
        }
    }
    REQUIRE(seen == 2'000);
}
