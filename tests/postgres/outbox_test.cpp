// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/core/random.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace postgres = sinew::postgres;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::own_connection;
using sinew::test::place;

static_assert(sinew::outbox<postgres::outbox, postgres::store>);
static_assert(sinew::waking_outbox<postgres::outbox>);
static_assert(std::copyable<postgres::outbox>);

namespace {

using texts = std::vector<std::string>;

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr claim_limits everything{.entries = 1'000, .bytes = 1'000'000};
constexpr outbox_options one_shard{.shards = 1};

failure_note note_at(wall_time at, std::string reason = "refused") {
    return {at, failure_class::transient, 1, std::move(reason), "detail"};
}

/// A service with its store, and a relay with the lease of the only shard.
struct fixture {
    place here{};
    postgres::store store = here.open();
    postgres::outbox box = store.outbox("orders", one_shard);
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
    std::int64_t count(const std::string& sql) {
        return std::get<0>(*store.connection().query_one<std::int64_t>(sql));
    }
};

}  // namespace

TEST_CASE("postgres: outbox_writer 1: a transaction of another store is refused") {
    fixture f;
    postgres::store other = f.here.open();
    CHECK(f.box.shares(f.store));
    CHECK_FALSE(f.box.shares(other));
    auto tx = other.begin();
    CHECK_THROWS_AS(f.box.add(tx, make_event("1").view(), day), usage_error);
    auto mine = f.store.begin();
    CHECK(mine.commit() == commit_result::committed);
    CHECK_THROWS_AS(f.box.add(mine, make_event("1").view(), day), usage_error);
}

TEST_CASE("postgres: outbox_writer 2: effects and their events are committed together or not") {
    fixture f;
    f.store.connection().execute_script("CREATE TABLE orders(id text PRIMARY KEY)");
    {
        auto tx = f.store.begin();
        tx.execute("INSERT INTO orders VALUES ('1')");
        CHECK(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    }
    CHECK(f.ids().empty());
    CHECK(f.count("SELECT count(*) FROM orders") == 0);
    {
        auto tx = f.store.begin();
        tx.execute("INSERT INTO orders VALUES ('2')");
        CHECK(f.box.add(tx, make_event("2", "k").view(), day) == 1);
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK(f.ids() == texts{"2"});
    CHECK(f.count("SELECT count(*) FROM orders") == 1);
}

TEST_CASE("postgres: outbox_writer 2: a part that is undone takes its events along") {
    fixture f;
    auto tx = f.store.begin();
    CHECK(f.box.add(tx, make_event("1", "k").view(), day) == 1);
    tx.nest();
    CHECK(f.box.add(tx, make_event("gone", "k").view(), day) == 2);
    CHECK(f.box.add(tx, make_event("gone too", "new").view(), day) == 1);
    CHECK_THROWS_AS(tx.execute("SELECT 1/0"), postgres::data_error);
    tx.undo_nested();
    tx.nest();
    CHECK(f.box.add(tx, make_event("2", "k").view(), day) == 2);
    CHECK(f.box.add(tx, make_event("3", "new").view(), day) == 1);
    CHECK(f.box.add(tx, make_event("4").view(), day) == 0);
    tx.keep_nested();
    tx.nest();
    CHECK(f.box.add(tx, make_event("gone again", "k").view(), day) == 3);
    tx.undo_nested();
    CHECK(f.box.add(tx, make_event("5", "k").view(), day) == 3);
    CHECK(tx.commit() == commit_result::committed);
    CHECK(f.ids() == texts{"1", "2", "3", "4", "5"});
    CHECK(f.claim()[4].what.sequence == "3");
    // The first events of all are undone: nothing is left of them.
    auto none = f.store.begin();
    none.nest();
    CHECK(f.box.add(none, make_event("gone", "other").view(), day) == 1);
    none.undo_nested();
    CHECK(none.commit() == commit_result::committed);
    CHECK(f.add("6", "other") == 1);
}

TEST_CASE("postgres: outbox_writer 3: writers of a key wait, and the later one begins again") {
    fixture f;
    postgres::store other = f.here.open();
    auto theirs = other.outbox("orders", one_shard);
    auto first = f.store.begin();
    CHECK(f.box.add(first, make_event("1", "k").view(), day) == 1);
    {
        auto second = other.begin();
        CHECK_THROWS_AS(theirs.add(second, make_event("2", "k").view(), day), postgres::busy_error);
    }
    auto elsewhere = other.begin();
    CHECK(theirs.add(elsewhere, make_event("3", "l").view(), day) == 1);
    CHECK(elsewhere.commit() == commit_result::committed);
    auto late = other.begin();
    late.execute("SELECT 1");  // it sees what was there before the first committed
    CHECK(first.commit() == commit_result::committed);
    CHECK_THROWS_AS(theirs.add(late, make_event("2", "k").view(), day),
                    postgres::serialization_error);
    late.rollback();
    auto again = other.begin();
    CHECK(theirs.add(again, make_event("2", "k").view(), day) == 2);
    CHECK(again.commit() == commit_result::committed);
    CHECK(f.ids() == texts{"3", "1", "2"});
}

TEST_CASE("postgres: outbox_writer 3: of many writers at once none leaves a hole or a double") {
    fixture f;
    std::vector<std::thread> all;
    std::atomic<int> committed{0};
    for (int writer = 0; writer < 4; ++writer) {
        all.emplace_back([&, writer] {
            auto options = f.here.options();
            options.lock_timeout = 10s;
            options.call_timeout = 20s;
            postgres::store db(f.here.conninfo, options);
            auto box = db.outbox("orders", one_shard);
            for (int i = 0; i < 25; ++i) {
                try {
                    auto tx = db.begin();
                    const std::string id = std::to_string(writer) + "/" + std::to_string(i);
                    box.add(tx, make_event(id, "k" + std::to_string(i % 2)).view(), day);
                    committed += tx.commit() == commit_result::committed ? 1 : 0;
                } catch (const transient_error&) {
                }
            }
        });
    }
    for (auto& one : all) {
        one.join();
    }
    CHECK(committed > 10);
    std::uint64_t next[2] = {1, 1};
    for (const auto& one : f.claim()) {
        auto& expected = next[one.what.partitionkey == "k1"];
        CHECK(one.what.sequence == std::to_string(expected++));
    }
    CHECK(next[0] + next[1] == static_cast<std::uint64_t>(committed) + 2);
}

TEST_CASE("postgres: an outbox takes several events at once, and all or none of them") {
    fixture f;
    f.add("0", "b");
    const std::vector<event> events{make_event("1", "b"),
                                    make_event("2", "a"),
                                    make_event("3"),
                                    make_event("4", "b"),
                                    make_event("5", std::string(1'000, 'k')),
                                    make_event("6", std::string(1'000, 'k') + "!")};
    std::vector<event_view> views;
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    auto tx = f.store.begin();
    CHECK(f.box.add(tx, make_event("first", "a").view(), day) == 1);
    auto wrong = views;
    wrong.back().type = {};
    CHECK_THROWS_AS(f.box.add(tx, wrong, day), permanent_error);
    CHECK(f.box.add(tx, views, day) == std::vector<std::uint64_t>{2, 2, 0, 3, 1, 1});
    CHECK(f.box.add(tx, make_event("last", "b").view(), day) == 4);
    CHECK(f.box.add(tx, std::span<const event_view>(), day).empty());
    CHECK(tx.commit() == commit_result::committed);
    CHECK(f.ids() == texts{"0", "first", "1", "2", "3", "4", "5", "6", "last"});
    CHECK(f.add("next", "b") == 5);
    CHECK(f.add("next", "a") == 3);
}

TEST_CASE("postgres: a transaction that adds many events sends them in between") {
    fixture f;
    auto tx = f.store.begin();
    for (int i = 0; i < 2'500; ++i) {
        const auto e = make_event(std::to_string(i), "k" + std::to_string(i % 3));
        CHECK(f.box.add(tx, e.view(), day) == static_cast<std::uint64_t>(i / 3 + 1));
    }
    tx.nest();
    for (int i = 0; i < 1'500; ++i) {
        f.box.add(tx, make_event("gone").view(), day);
    }
    tx.undo_nested();
    std::vector<event_view> many(1'200, {.id = "m", .source = "/s", .type = "t"});
    f.box.add(tx, many, day);
    f.box.add(tx, make_event("last", "k0").view(), day);
    CHECK(tx.commit() == commit_result::committed);
    const auto all = f.box.claim(f.lease, day, {.entries = 10'000, .bytes = 100'000'000}).value();
    REQUIRE(all.size() == 2'500 + 1'200 + 1);
    for (std::size_t i = 0; i < 2'500; ++i) {
        CHECK(all[i].what.id == std::to_string(i));
    }
    CHECK(all.back().what.sequence == "835");
    CHECK(f.add("next", "k0") == 836);
}

TEST_CASE("postgres: outbox_writer 6: an event over the limit is refused with its size") {
    fixture f;
    auto box = f.store.outbox("small", {.shards = 1, .event_bytes_max = 200});
    auto tx = f.store.begin();
    event large = make_event("1", "k");
    large.data.resize(300);
    CHECK_THROWS_WITH(box.add(tx, large.view(), day),
                      Catch::Contains("takes 200 at most") && Catch::Contains("event_bytes_max"));
    CHECK_THROWS_WITH(box.add(tx, make_event("", "k").view(), day), Catch::Contains("no id"));
    CHECK(box.add(tx, make_event("2", "k").view(), day) == 1);
    CHECK(tx.commit() == commit_result::committed);
    CHECK_THROWS_AS(f.store.outbox("more", {.event_bytes_max = 0}), usage_error);
}

TEST_CASE("postgres: outbox_queue 1: an entry that commits late is not skipped") {
    fixture f;
    postgres::store other = f.here.open();
    auto theirs = other.outbox("orders", one_shard);
    auto late = other.begin();
    theirs.add(late, make_event("late", "k").view(), day);
    f.add("early", "l");
    f.publish("early");
    CHECK(f.ids().empty());
    CHECK(late.commit() == commit_result::committed);
    CHECK(f.ids() == texts{"late"});
}

TEST_CASE("postgres: outbox_queue 4: a claim ends at its limits, and skips what is held back") {
    fixture f;
    for (int i = 0; i < 5; ++i) {
        f.add(std::to_string(i), "k");
    }
    f.add("other", "l");
    CHECK(f.box.claim(f.lease, day, {.entries = 2, .bytes = 1000})->size() == 2);
    CHECK(f.box.claim(f.lease, day, {.entries = 10, .bytes = 1})->size() == 1);
    CHECK(f.box.claim(f.lease, day, {.entries = 0, .bytes = 1})->empty());
    CHECK(f.box.claim(f.lease, day, {.entries = 1, .bytes = 0})->empty());
    static_cast<void>(f.box.put_off(f.lease, f.number_of("0"), note_at(day), 10s));
    CHECK(f.box.claim(f.lease, day, {.entries = 2, .bytes = 1000})->at(0).what.id == "other");
    CHECK(f.ids(day + 10s) == texts{"0", "1", "2", "3", "4", "other"});
    CHECK(f.ids(day - 1s).size() == 6);
}

TEST_CASE("postgres: outbox_queue 2: what stands before the one that is held back is shown") {
    fixture f;
    for (const auto* id : {"1", "2", "3", "4"}) {
        f.add(id, "k");
    }
    f.add("5", std::string(1'000, 'k'));
    f.add("6", std::string(1'000, 'k') + "!");
    f.add("7");
    // A relay puts the second off before it marks the first, and dies in between.
    static_cast<void>(f.box.put_off(f.lease, f.number_of("2"), note_at(day), 10s));
    CHECK(f.ids() == texts{"1", "5", "6", "7"});
    const auto five = f.number_of("5");
    static_cast<void>(f.box.park(f.lease, five, note_at(day), following::park));
    CHECK(f.ids() == texts{"1", "6", "7"});
    CHECK(f.ids(day + 10s) == texts{"1", "2", "3", "4", "6", "7"});
    f.publish("1");
    CHECK(f.ids() == texts{"6", "7"});
}

namespace {

/// A relay that claims little, and is behind most of the time, beside one that claims everything.
struct two_relays {
    static constexpr outbox_options three_shards{.shards = 3};

    two_relays() {
        for (shard_id shard = 0; shard < 3; ++shard) {
            leases.push_back(behind.take(behind.holder(shard), "relay").value());
        }
    }

    void add(std::size_t count, wall_time now) {
        std::vector<event> events(count);
        std::vector<event_view> views;
        for (auto& one : events) {
            one = make_event(std::to_string(random()), "k" + std::to_string(random() % 7));
            views.push_back(one.view());
        }
        auto tx = service.begin();
        added.add(tx, views, now);
        REQUIRE(tx.commit() == commit_result::committed);
    }

    /// Somebody else takes a shard; or the relay itself, again.
    void take_one(bool itself) {
        auto& lease = leases[random() % 3];
        const auto taken = alone.take(alone.holder(lease.shard), "other").value();
        lease = itself ? taken : lease;
    }

    /// Some of the leases, each in front at times.
    std::vector<shard_lease> some_leases() {
        std::vector<shard_lease> out(leases);
        std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(random() % 3),
                    out.end());
        out.resize(1 + random() % 3);
        return out;
    }

    /// Claims up to so many, and compares with what is there.
    std::vector<std::optional<std::vector<outbox_entry>>> claim(
        const std::vector<shard_lease>& asked, std::size_t most, wall_time now) {
        auto shown = behind.claim(asked, now, {.entries = most, .bytes = 1'000'000});
        std::size_t count = 0;
        for (std::size_t at = 0; at < shown.size(); ++at) {
            auto all = alone.claim(asked[at], now, everything);
            REQUIRE(shown[at].has_value() == all.has_value());
            if (!all) {
                ++ended;
                continue;
            }
            count += shown[at]->size();
            REQUIRE(shown[at]->size() <= all->size());
            // It ends at the limit, or in front of a bundle that goes beyond it.
            REQUIRE((shown[at]->size() == all->size() || (at + 1 == shown.size() && count != 0)));
            all->resize(shown[at]->size());
            REQUIRE(*shown[at] == *all);
        }
        REQUIRE(count <= most);
        REQUIRE((shown.size() == asked.size() || count != 0));
        full += count == most ? 1 : 0;
        return shown;
    }

    void settle(const shard_lease& lease, const outbox_entry& one, wall_time now) {
        const std::int64_t numbers[] = {one.number};
        const auto fate = random() % 24;
        CHECK((fate == 0   ? behind.put_off(lease, one.number, note_at(now), 10s)
               : fate == 1 ? behind.park(lease, one.number, note_at(now), following::pass)
                           : behind.mark_published(lease, numbers, now)) == fenced_result::done);
    }

    void discard_parked(wall_time now) {
        for (const auto& one : alone.parked(0, 100)) {
            CHECK(alone.discard(one.number, one.version, note_at(now)));
        }
    }

    /// Shards that it lost, at times.
    void take_back(wall_time now) {
        for (auto& lease : leases) {
            if (random() % 8 == 0 && !alone.claim(lease, now, everything)) {
                lease = behind.take(behind.holder(lease.shard), "relay").value();
            }
        }
    }

    place here{};
    postgres::store service = here.open();
    postgres::outbox added = service.outbox("orders", three_shards);
    postgres::store relay = here.open();
    postgres::outbox behind = relay.outbox("orders", three_shards);
    postgres::store other = here.open();
    postgres::outbox alone = other.outbox("orders", three_shards);
    std::vector<shard_lease> leases{};
    splitmix64 random{3};
    int full = 0;
    int ended = 0;
};

}  // namespace

TEST_CASE("postgres: a relay that is behind is shown what is there, in its order") {
    two_relays all;
    for (int i = 0; i < 400; ++i) {
        INFO("step " << i);
        const wall_time now = day + std::chrono::seconds(i);
        const auto which = all.random() % 16;
        if (which < 7) {
            all.add(1 + all.random() % 2, now);
        } else if (which == 7) {
            all.take_one(all.random() % 2 == 0);
        } else if (which == 8) {
            all.discard_parked(now);
        }
        const auto asked = all.some_leases();
        const auto shown = all.claim(asked, 1 + all.random() % 3 / 2, now);
        for (std::size_t at = 0; at < shown.size(); ++at) {
            if (shown[at] && !shown[at]->empty()) {
                all.settle(asked[at], shown[at]->front(), now);
            }
        }
        all.take_back(now);
    }
    CHECK(all.full > 100);
    CHECK(all.ended > 10);
}

TEST_CASE("postgres: outbox_queue 4: bytes are counted where an entry that waits is large") {
    fixture f;
    const auto add = [&](const char* id, std::size_t bytes) {
        event e = make_event(id, "k");
        e.data.resize(bytes);
        auto tx = f.store.begin();
        f.box.add(tx, e.view(), day);
        REQUIRE(tx.commit() == commit_result::committed);
    };
    const auto claimed = [&](claim_limits limits) {
        texts out;
        const auto some = f.box.claim(f.lease, day, limits).value();
        for (const auto& one : some) {
            out.push_back(one.what.id);
        }
        return out;
    };
    add("1", 100);
    add("2", 20'000);
    add("3", 20'000);
    add("4", 100);
    const claim_limits few{.entries = 4, .bytes = 40'000};
    CHECK(claimed(few) == texts{"1", "2", "3"});
    CHECK(claimed({.entries = 2, .bytes = 40'000}) == texts{"1", "2"});
    CHECK(claimed({.entries = 4, .bytes = 50'000}) == texts{"1", "2", "3", "4"});
    CHECK(claimed({.entries = 4, .bytes = 15'000}) == texts{"1", "2"});
    f.publish("2");
    CHECK(claimed(few) == texts{"1", "3", "4"});
    f.publish("3");
    CHECK(claimed(few) == texts{"1", "4"});
    CHECK(f.box.claim({0, f.lease.epoch + 1, 0, "relay"}, day, few) == std::nullopt);
}

TEST_CASE(
    "postgres: outbox_queue 5: numbers that lie close or far apart are marked, and no others") {
    for (const bool keeps : {true, false}) {
        fixture f;
        auto box = f.store.outbox("orders", {.shards = 1, .keep_published = keeps});
        for (int i = 0; i < 200; ++i) {
            f.add(std::to_string(i));
        }
        std::vector<std::int64_t> all;
        for (const auto& one : f.claim()) {
            all.push_back(one.number);
        }
        REQUIRE(all.size() == 200);
        const std::int64_t far[] = {all[199], all[0], all[0]};
        CHECK(box.mark_published(f.lease, far, day) == fenced_result::done);
        const std::int64_t near[] = {all[3], all[1], 0, all[1]};
        CHECK(box.mark_published(f.lease, near, day) == fenced_result::done);
        CHECK(box.mark_published(f.lease, {}, day) == fenced_result::done);
        const auto left = f.ids();
        CHECK(left.size() == 196);
        CHECK(texts(left.begin(), left.begin() + 3) == texts{"2", "4", "5"});
        CHECK(f.count("SELECT count(*) FROM outbox_rows WHERE version = 2") == (keeps ? 4 : 0));
        CHECK(box.mark_published({0, f.lease.epoch + 1, 0, "relay"}, all, day) ==
              fenced_result::stale);
        CHECK(f.ids().size() == 196);
    }
}

TEST_CASE("postgres: outbox_queue 8: whoever takes a shard waits until a mark is committed") {
    fixture f;
    f.add("1", "k");
    const std::int64_t numbers[] = {f.number_of("1")};
    // A mark that was carried out and is not committed yet, as if its relay stood still right
    // there.
    const own_connection zombie(f.here.conninfo);
    zombie.ask("BEGIN");
    zombie.ask("SELECT 1 FROM outbox_leases WHERE shard = 0 FOR SHARE");
    CHECK_THROWS_AS(f.box.take(f.lease, "other"), postgres::busy_error);
    zombie.ask("UPDATE outbox_rows SET state = 2, settled = 0");
    zombie.ask("COMMIT");
    const auto next = f.box.take(f.lease, "other");
    REQUIRE(next);
    CHECK(f.box.claim(*next, day, everything)->empty());
    CHECK(f.box.mark_published(f.lease, numbers, day) == fenced_result::stale);
}

TEST_CASE("postgres: outbox_queue 8: a mark that comes while the shard is taken is stale") {
    fixture f;
    f.add("1", "k");
    const std::int64_t numbers[] = {f.number_of("1")};
    const own_connection taker(f.here.conninfo);
    taker.ask("BEGIN");
    taker.ask("UPDATE outbox_leases SET epoch = epoch + 1, beat = 0, owner = 'other'");
    CHECK_THROWS_AS(f.box.mark_published(f.lease, numbers, day), postgres::busy_error);
    std::optional<fenced_result> answer;
    std::thread zombie([&] {
        auto options = f.here.options();
        options.lock_timeout = 10s;
        postgres::store db(f.here.conninfo, options);
        answer = db.outbox("orders", one_shard).mark_published(f.lease, numbers, day);
    });
    // Once it waits for the lease, the lease goes to the other one.
    const auto end = in(20s);
    while (taker.ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0" &&
           machine_clock::now().steady < end) {
        std::this_thread::sleep_for(1ms);
    }
    taker.ask("COMMIT");
    zombie.join();
    CHECK(answer == fenced_result::stale);
    CHECK(f.count("SELECT count(*) FROM outbox_rows WHERE state = 0") == 1);
}

TEST_CASE("postgres: two relays that fight for a shard never mark under each other's lease") {
    fixture f;
    for (int i = 0; i < 60; ++i) {
        f.add(std::to_string(i), "k");
    }
    std::vector<std::thread> relays;
    std::mutex guard;
    std::set<std::pair<std::int64_t, std::uint64_t>> done;  // entry, and the epoch that marked it
    for (int which = 0; which < 2; ++which) {
        relays.emplace_back([&, which] {
            auto options = f.here.options();
            options.lock_timeout = 10s;
            options.call_timeout = 20s;
            postgres::store db(f.here.conninfo, options);
            auto box = db.outbox("orders", one_shard);
            const auto end = in(60s);
            while (box.lag().waiting != 0 && machine_clock::now().steady < end) {
                const auto mine = box.take(box.holder(0), "relay " + std::to_string(which));
                const auto some =
                    mine ? box.claim(*mine, day, {.entries = 3, .bytes = 1'000'000}) : std::nullopt;
                if (!some) {
                    continue;
                }
                std::vector<std::int64_t> numbers;
                for (const auto& one : *some) {
                    numbers.push_back(one.number);
                }
                if (box.mark_published(*mine, numbers, day) == fenced_result::done) {
                    const std::lock_guard lock(guard);
                    for (const auto number : numbers) {
                        done.emplace(number, mine->epoch);
                    }
                }
            }
        });
    }
    for (auto& one : relays) {
        one.join();
    }
    CHECK(done.size() == 60);  // each was marked once, and under one lease
    CHECK(f.count("SELECT count(*) FROM outbox_rows WHERE state = 2 AND version = 2") == 60);
}

TEST_CASE("postgres: outbox_queue 11: purge forgets what is settled and old, in bites") {
    fixture f;
    for (const auto* id : {"1", "2", "3", "4", "5"}) {
        f.add(id, id);
    }
    f.publish("1");
    f.publish("2");
    static_cast<void>(f.box.park(f.lease, f.number_of("3"), note_at(day), following::pass));
    static_cast<void>(f.box.park(f.lease, f.number_of("4"), note_at(day), following::pass));
    const auto parked = f.box.parked(0, 10);
    CHECK(f.box.discard(parked[0].number, parked[0].version, note_at(day)));
    CHECK(f.box.purge(day, 10) == 0);
    CHECK(f.box.purge(day + 1s, 2) == 2);
    CHECK(f.box.purge(day + 1s, 2) == 1);
    CHECK(f.box.purge(day + 1s, 2) == 0);
    CHECK(f.ids() == texts{"5"});
    CHECK(f.box.parked(0, 10).size() == 1);
    CHECK(f.box.lag() == outbox_lag{.waiting = 1, .parked = 1, .oldest = day});
}

TEST_CASE("postgres: an outbox that keeps nothing of what is published forgets it when marked") {
    fixture f;
    auto box = f.store.outbox("orders", {.shards = 1, .keep_published = false});
    f.add("1", "k");
    f.add("2", "k");
    const std::int64_t numbers[] = {f.number_of("1"), 4711};
    CHECK(box.mark_published(f.lease, numbers, day) == fenced_result::done);
    CHECK(f.ids() == texts{"2"});
    CHECK(f.count("SELECT count(*) FROM outbox_rows") == 1);
    CHECK(f.add("3", "k") == 3);
}

TEST_CASE("postgres: an outbox keeps the number of shards that it was made with") {
    const place here;
    auto db = here.open();
    CHECK(db.outbox("orders", {.shards = 4}).shards() == 4);
    CHECK_NOTHROW(db.outbox("orders", {.shards = 4}));
    CHECK_NOTHROW(db.outbox("others", {.shards = 5}));
    CHECK_THROWS_WITH(db.outbox("orders", {.shards = 5}),
                      Catch::Contains("made with 4 shards") && Catch::Contains("opened with 5") &&
                          Catch::Contains("open it with .shards = 4"));
    CHECK_THROWS_WITH(db.outbox("", {.shards = 4}), Catch::Contains("needs a name"));
    CHECK_THROWS_AS(here.open().outbox("orders", {.shards = 5}), usage_error);
    CHECK_THROWS_AS(db.outbox("third", {.shards = 0}), usage_error);
    CHECK_THROWS_AS(db.outbox("orders", {.shards = 4}).holder(4), usage_error);
}

TEST_CASE("postgres: outboxes in one schema have numbers, leases and entries of their own") {
    fixture f;
    for (const std::string& name : {std::string("others"), std::string("a\0b", 3),
                                    std::string("a\0c", 3), std::string(3'000, 'n')}) {
        auto other = f.store.outbox(name, one_shard);
        auto tx = f.store.begin();
        CHECK(other.add(tx, make_event("2", "k").view(), day) == 1);
        f.box.add(tx, make_event("1").view(), day);
        CHECK(tx.commit() == commit_result::committed);
        CHECK(other.holder(0).owner.empty());
        const auto lease = other.take(other.holder(0), "relay").value();
        CHECK(other.claim(lease, day, everything)->size() == 1);
        CHECK(other.lag().waiting == 1);
    }
    CHECK(f.ids() == texts{"1", "1", "1", "1"});
}

TEST_CASE("postgres: what relays and people do waits for the store's open transaction") {
    fixture f;
    auto tx = f.store.begin();
    CHECK_THROWS_AS(f.box.lag(), unavailable_error);
    CHECK_THROWS_AS(f.box.renew(f.lease), unavailable_error);
    CHECK_THROWS_AS(f.box.wait_for_added(in(1ms)), unavailable_error);
    CHECK(f.box.add(tx, make_event("1").view(), day) == 0);
    CHECK(tx.commit() == commit_result::committed);
    CHECK(f.ids() == texts{"1"});
}
