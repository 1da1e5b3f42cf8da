// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"
#include "postgres/proxy.hpp"

#include <sinew/adapters/postgres.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace postgres = sinew::postgres;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::own_connection;
using sinew::test::place;
using sinew::test::postgres_server;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr claim_limits everything{.entries = 1'000, .bytes = 1'000'000};
constexpr outbox_options one_shard{.shards = 1};

void add(postgres::store& db, postgres::outbox& box, const char* id) {
    auto tx = db.begin(in(10s));
    box.add(tx, make_event(id, "k").view(), day);
    REQUIRE(tx.commit() == commit_result::committed);
}

/// What an error says, or nothing if there is none.
template <class Error, class F>
std::string text_of(F f) {
    try {
        f();
    } catch (const Error& e) {
        return e.what();
    }
    return {};
}

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

/// A service that adds to an outbox, and a relay that waits on a connection of its own.
struct two_sides {
    explicit two_sides(const place& here)
        : service(here.open()),
          added(service.outbox("orders", one_shard)),
          relay(here.open()),
          box(relay.outbox("orders", one_shard)) {}

    postgres::store service;
    postgres::outbox added;
    postgres::store relay;
    postgres::outbox box;
};

}  // namespace

TEST_CASE(
    "postgres: a relay is woken by a commit that adds to its outbox, and "
    "by nothing else") {
    const place here;
    two_sides both(here);
    auto& [service, added, relay, box] = both;
    auto others = service.outbox("others", one_shard);
    CHECK(box.wait_for_added(in(10s)));  // something may have been added before
    CHECK_FALSE(box.wait_for_added(in(1ms)));
    CHECK_FALSE(box.wait_for_added(steady_time::min()));
    {
        auto tx = service.begin();
        added.add(tx, make_event("gone", "k").view(), day);
        tx.rollback();
    }
    add(service, others, "1");
    CHECK_FALSE(box.wait_for_added(in(20ms)));
    add(service, added, "2");
    add(service, added, "3");
    CHECK(box.wait_for_added(in(10s)));
    while (box.wait_for_added(in(100ms))) {  // the second call may come later
    }
    // A call that came while the relay did something else is not forgotten.
    add(service, added, "4");
    CHECK(box.lag().waiting == 3);
    CHECK(box.wait_for_added(steady_time::min()));
    // Both outboxes of one store are told apart.
    auto more = relay.outbox("others", one_shard);
    CHECK(more.wait_for_added(in(10s)));
    add(service, added, "5");
    CHECK_FALSE(more.wait_for_added(in(20ms)));
    CHECK(box.wait_for_added(in(10s)));
}

TEST_CASE(
    "postgres: nobody calls a relay that has enough to do, and its next wait makes up for it") {
    const place here;
    two_sides both(here);
    auto& [service, added, relay, box] = both;
    const own_connection other(here.conninfo);
    const auto lock =
        postgres::detail::lock_of_listeners(postgres::detail::channel_of(here.schema, "orders"));
    const auto waiting = [&] {
        return other.ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32 "
            "| objid::bigint) = " +
            std::to_string(lock));
    };
    CHECK(box.wait_for_added(in(10s)));
    CHECK_FALSE(box.wait_for_added(in(1ms)));
    for (int round = 0; round < 2; ++round) {
        INFO("round " << round);
        CHECK(waiting() == "1");
        // Whoever waits after each of a few calls is called.
        for (int i = 0; i < 12; ++i) {
            static_cast<void>(box.lag());
        }
        CHECK_FALSE(box.wait_for_added(in(1ms)));
        CHECK(waiting() == "1");
        for (int i = 0; i < 100; ++i) {
            static_cast<void>(box.lag());
        }
        CHECK(waiting() == "0");
        add(service, added, "not called for");
        CHECK(box.wait_for_added(in(10s)));
        CHECK_FALSE(box.wait_for_added(in(20ms)));
        add(service, added, "called for");
        CHECK(box.wait_for_added(in(10s)));
        CHECK_FALSE(box.wait_for_added(in(1ms)));
    }
}

TEST_CASE("postgres: a store that adds and looks by turns need not wait to go on") {
    const place here;
    auto db = here.open();
    db.connection().execute_script("SET default_transaction_isolation = 'serializable'");
    auto box = db.outbox("orders", one_shard);
    CHECK(box.wait_for_added(in(10s)));
    for (std::size_t i = 1; i <= 40; ++i) {
        add(db, box, "1");
        CHECK(box.lag().waiting == i);
    }
    CHECK(box.wait_for_added(in(10s)));
    while (box.wait_for_added(in(20ms))) {
    }
    add(db, box, "2");
    CHECK(box.wait_for_added(in(10s)));
}

TEST_CASE("postgres: a relay that waits wakes while it waits") {
    const place here;
    auto relay = here.open();
    auto box = relay.outbox("orders", one_shard);
    CHECK(box.wait_for_added(in(10s)));
    std::thread service([&] {
        auto db = here.open();
        auto added = db.outbox("orders", one_shard);
        add(db, added, "1");
    });
    CHECK(box.wait_for_added(in(20s)));
    service.join();
    CHECK(box.lag().waiting == 1);
}

TEST_CASE(
    "postgres: a store that does not notify leaves relays to look by "
    "themselves") {
    const place here;
    auto options = here.options();
    options.notify = false;
    auto service = here.open(options);
    auto added = service.outbox("orders", one_shard);
    auto relay = here.open();
    auto box = relay.outbox("orders", one_shard);
    CHECK(box.wait_for_added(in(10s)));
    add(service, added, "1");
    CHECK_FALSE(box.wait_for_added(in(20ms)));
    CHECK(box.lag().waiting == 1);
}

TEST_CASE("postgres: a relay on the service's own connection listens beside it") {
    const place here;
    own_connection handle(here.conninfo);
    postgres::store relay(handle.handle, here.options());
    auto box = relay.outbox("orders", one_shard);
    CHECK(box.wait_for_added(in(10s)));
    CHECK_FALSE(box.wait_for_added(in(1ms)));
    add(relay, box, "1");
    CHECK(box.wait_for_added(in(10s)));
    auto tx = relay.begin();  // also while a transaction is open
    CHECK_FALSE(box.wait_for_added(in(1ms)));
    tx.rollback();
    const auto lease = box.take(box.holder(0), "relay").value();
    CHECK(box.claim(lease, day, everything)->size() == 1);
    CHECK(handle.ask("SELECT count(*) FROM pg_listening_channels()") == "0");
}

TEST_CASE(
    "postgres: a wait on a connection that is lost says so, and the next "
    "one makes up for it") {
    const place here;
    two_sides both(here);
    auto& [service, added, relay, box] = both;
    CHECK(box.wait_for_added(in(10s)));
    const int session = test::session_of(relay);
    std::thread killer([&] { end_session(here, session); });
    CHECK_THROWS_AS(box.wait_for_added(in(20s)), postgres::connection_lost_error);
    killer.join();
    add(service, added, "missed");
    CHECK(box.wait_for_added(in(10s)));
    CHECK_FALSE(box.wait_for_added(in(1ms)));
    add(service, added, "2");
    CHECK(box.wait_for_added(in(10s)));
}

TEST_CASE(
    "postgres: names of outboxes that cannot be names of channels wake "
    "as well") {
    const place here;
    auto db = here.open();
    for (const std::string& name :
         {std::string("a\0\"b", 4), std::string(60, 'n'), std::string("\xff")}) {
        auto box = db.outbox(name, one_shard);
        CHECK(box.wait_for_added(in(10s)));
        CHECK_FALSE(box.wait_for_added(in(1ms)));
        add(db, box, "1");
        CHECK(box.wait_for_added(in(10s)));
    }
}

TEST_CASE(
    "postgres: through a restart of the server an outbox is unavailable, "
    "and goes on") {
    postgres_server server;
    const place here(server);
    two_sides both(here);
    auto& [service, added, relay, box] = both;
    const auto lease = box.take(box.holder(0), "relay").value();
    CHECK(box.wait_for_added(in(10s)));
    add(service, added, "1");
    auto tx = service.begin();
    added.add(tx, make_event("in the middle", "k").view(), day);
    const std::int64_t numbers[] = {box.claim(lease, day, everything)->at(0).number};
    server.stop();
    CHECK(tx.commit() == commit_result::aborted);
    CHECK_THROWS_AS(box.wait_for_added(in(2s)), unavailable_error);
    CHECK_THROWS_AS(box.claim(lease, day, everything, in(2s)), unavailable_error);
    CHECK_THROWS_AS(box.mark_published(lease, numbers, day, in(2s)), unavailable_error);
    CHECK_THROWS_AS(box.renew(lease, in(2s)), unavailable_error);
    CHECK_THROWS_AS(box.lag(in(2s)), unavailable_error);
    server.start();
    CHECK(box.renew(lease) == fenced_result::done);
    CHECK(box.mark_published(lease, numbers, day) == fenced_result::done);
    CHECK(box.claim(lease, day, everything)->empty());
    add(service, added, "2");
    CHECK(box.wait_for_added(in(10s)));
    CHECK(box.claim(lease, day, everything)->at(0).what.sequence == "2");
}

TEST_CASE(
    "postgres: of a server that stands still an outbox's calls end at "
    "their deadlines") {
    postgres_server server;
    const place here(server);
    postgres::store_options options = here.options();
    options.call_timeout = 300ms;
    auto db = here.open(options);
    auto box = db.outbox("orders", one_shard);
    const auto lease = box.take(box.holder(0), "relay").value();
    add(db, box, "1");
    const std::int64_t numbers[] = {box.claim(lease, day, everything)->at(0).number};
    CHECK(box.wait_for_added(in(10s)));
    static_cast<void>(box.wait_for_added(in(1ms)));
    const auto before = machine_clock::now().steady;
    server.freeze();
    CHECK_FALSE(box.wait_for_added(in(50ms)));
    CHECK(box.mark_published(lease, numbers, day, in(200ms)) == fenced_result::unknown);
    CHECK_THROWS_AS(box.claim(lease, day, everything, in(200ms)), postgres::deadline_error);
    CHECK_THROWS_AS(box.take(lease, "relay", in(200ms)), postgres::deadline_error);
    CHECK_THROWS_AS(box.purge(day, 1, in(200ms)), postgres::deadline_error);
    CHECK(machine_clock::now().steady - before < 20s);
    server.thaw();
    CHECK(box.mark_published(lease, numbers, day, in(10s)) == fenced_result::done);
    CHECK(box.claim(lease, day, everything)->empty());
    CHECK_THROWS_AS(box.claim(lease, day, everything, steady_time::min()),
                    postgres::deadline_error);
}

TEST_CASE(
    "postgres: a commit whose answer was lost is unknown, and its events "
    "are there or not") {
    const place here;
    auto& server = postgres_server::shared();
    sinew::test::proxy between(server.folder());
    postgres::store db(between.through(here.conninfo, server.folder()), here.options());
    auto box = db.outbox("orders", one_shard);
    const auto lease = box.take(box.holder(0), "relay").value();
    {
        auto tx = db.begin();
        CHECK(box.add(tx, make_event("1", "k").view(), day) == 1);
        between.lose_reply_to("COMMIT");
        CHECK(tx.commit() == commit_result::unknown);
    }
    CHECK(box.claim(lease, day, everything)->size() == 1);
    auto tx = db.begin();
    CHECK(box.add(tx, make_event("2", "k").view(), day) == 2);
    CHECK(tx.commit() == commit_result::committed);
    between.lose_reply_to("COMMIT");
    CHECK(box.renew(lease) == fenced_result::unknown);
    CHECK(box.renew(lease) == fenced_result::done);
    between.lose_reply_to("COMMIT");
    CHECK_THROWS_AS(box.take(box.holder(0), "other"), unavailable_error);
}

TEST_CASE("postgres: the tables of an outbox are made when one is first asked for") {
    const place here;
    auto db = here.open();
    const own_connection other(here.conninfo);
    const auto parts = [&] { return other.ask("SELECT count(*) FROM meta"); };
    CHECK(parts() == "1");
    static_cast<void>(db.outbox("orders", one_shard));
    CHECK(parts() == "2");
    static_cast<void>(here.open().outbox("orders", one_shard));
    CHECK(parts() == "2");
}

TEST_CASE(
    "postgres: without create, an outbox whose tables are not there is "
    "told, and not made") {
    const place here;
    static_cast<void>(here.open());
    auto options = here.options();
    options.create = false;
    auto db = here.open(options);
    const auto text = text_of<usage_error>([&] { static_cast<void>(db.outbox("orders")); });
    CHECK(holds(text, "'outbox'"));
    CHECK(holds(text, "schema_script"));
    CHECK(own_connection(here.conninfo).ask("SELECT count(*) FROM meta") == "1");
    static_cast<void>(here.open().outbox("orders"));
    CHECK(db.outbox("orders").shards() == 8);
}

TEST_CASE(
    "postgres: an outbox's tables of a newer version are refused with "
    "both versions") {
    const place here;
    static_cast<void>(here.open().outbox("orders", one_shard));
    const own_connection other(here.conninfo);
    other.ask("UPDATE meta SET version = 9 WHERE name = 'outbox'");
    auto db = here.open();  // the rest goes on
    CHECK(db.begin().commit() == commit_result::committed);
    const auto text =
        text_of<postgres::schema_error>([&] { static_cast<void>(db.outbox("orders", one_shard)); });
    CHECK(holds(text, "'outbox'"));
    CHECK(holds(text, "version 9"));
    CHECK(holds(text, "version 2"));
    CHECK(other.ask("SELECT version FROM meta WHERE name = 'outbox'") == "9");
}

TEST_CASE(
    "postgres: who may not make an outbox's tables is given the SQL for "
    "somebody who may") {
    auto& server = postgres_server::shared();
    const own_connection owner(server.conninfo());
    owner.ask("CREATE ROLE writer LOGIN");
    const std::string conninfo = "host=" + server.folder() + " dbname=postgres user=writer";
    postgres::store_options options;
    options.schema = "half_mine";
    owner.ask(postgres::schema_script("half_mine", "writer"));
    {
        postgres::store db(conninfo, options);
        auto box = db.outbox("orders", one_shard);
        add(db, box, "1");
        const auto lease = box.take(box.holder(0), "relay").value();
        const std::int64_t numbers[] = {box.claim(lease, day, everything)->at(0).number};
        CHECK(box.wait_for_added(in(10s)));
        CHECK(box.mark_published(lease, numbers, day) == fenced_result::done);
        CHECK(box.purge(day + 1s, 10) == 1);
    }
    owner.ask(
        "DROP TABLE half_mine.outboxes, half_mine.outbox_rows, "
        "half_mine.outbox_keys, "
        "half_mine.outbox_leases; DELETE FROM half_mine.meta WHERE name = "
        "'outbox'");
    {
        postgres::store db(conninfo, options);
        const auto text = text_of<postgres::rights_error>(
            [&] { static_cast<void>(db.outbox("orders", one_shard)); });
        CHECK(holds(text, "permission denied"));
        const auto from = text.find("BEGIN;");
        REQUIRE(from != std::string::npos);
        CHECK(owner.ask(text.substr(from)) == "");
        CHECK(db.outbox("orders", one_shard).shards() == 1);
    }
    owner.ask("REVOKE ALL ON half_mine.outbox_rows FROM writer");
    postgres::store db(conninfo, options);
    auto box = db.outbox("orders", one_shard);
    auto tx = db.begin();
    CHECK(box.add(tx, make_event("2", "k").view(), day) == 1);
    CHECK(tx.commit() == commit_result::aborted);
    REQUIRE(db.last_commit_failure());
    CHECK(db.last_commit_failure()->reason == "no_rights");
    CHECK(holds(db.last_commit_failure()->detail, "outbox_rows"));
    CHECK_THROWS_AS(box.lag(), postgres::rights_error);
}

TEST_CASE(
    "postgres: an outbox of the older version is opened, and nothing in "
    "it is lost") {
    const place here;
    const own_connection other(here.conninfo);
    const auto make_old = [&] {
        static_cast<void>(here.open().outbox("orders", one_shard));
        // As it was made before there were bundles.
        other.ask(
            "ALTER TABLE outbox_rows DROP COLUMN bundled, DROP COLUMN "
            "events, RESET "
            "(toast_tuple_target), ALTER COLUMN number SET INCREMENT BY 1, "
            "ALTER COLUMN number "
            "RESTART WITH 62");
        other.ask("ALTER TABLE outbox_rows RENAME TO outbox_entries");
        other.ask("DROP FUNCTION outbox_unpacked");
        other.ask("UPDATE meta SET version = 1 WHERE name = 'outbox'");
        for (int i = 1; i <= 5; ++i) {
            const std::string n = std::to_string(i);
            other.ask(
                "INSERT INTO outbox_entries(added, box, shard, size, id, "
                "source, type, subject, "
                "time, datacontenttype, dataschema, data, partitionkey, "
                "sequence, correlationid, "
                "causationid, traceparent, headers) VALUES (0, 1, 0, 9, '" +
                n + "', '/s', 't', '', '', '', '', 'd', 'k', '" + n + "', '', '', '', '')");
        }
        other.ask("INSERT INTO outbox_keys VALUES (1, 'k', 5)");
        other.ask("UPDATE outbox_entries SET state = 1, version = 2 WHERE id = '5'");
    };
    make_old();
    {
        auto options = here.options();
        options.create = false;
        auto db = here.open(options);
        const auto text =
            text_of<usage_error>([&] { static_cast<void>(db.outbox("orders", one_shard)); });
        CHECK(holds(text, "older version"));
        CHECK(holds(text, "RENAME TO outbox_rows"));
    }
    auto db = here.open();
    auto box = db.outbox("orders", one_shard);
    CHECK(other.ask("SELECT version FROM meta WHERE name = 'outbox'") == "2");
    const auto lease = box.take(box.holder(0), "relay").value();
    {
        const std::vector<event> events{make_event("6", "k"), make_event("7", "k"),
                                        make_event("8", "l")};
        std::vector<event_view> views;
        for (const auto& one : events) {
            views.push_back(one.view());
        }
        auto tx = db.begin();
        CHECK(box.add(tx, views, day) == std::vector<std::uint64_t>{6, 7, 1});
        CHECK(tx.commit() == commit_result::committed);
    }
    std::string ids;
    std::vector<std::int64_t> numbers;
    const auto shown = box.claim(lease, day, everything).value();
    for (const auto& one : shown) {
        ids += one.what.id;
        numbers.push_back(one.number);
    }
    CHECK(ids == "1234678");
    CHECK(box.lag().waiting == 7);
    CHECK(box.mark_published(lease, numbers, day) == fenced_result::done);
    CHECK(box.lag().waiting == 0);
    REQUIRE(box.parked(0, 10).size() == 1);
    CHECK(box.parked(0, 10).front().what.id == "5");
    // A program of the older version finds no table any more, rather than half of
    // the events.
    CHECK(holds(other.ask("SELECT 1 FROM outbox_entries"), "does not exist"));
}

TEST_CASE(
    "postgres: entries that were added together are told apart when "
    "something befalls one") {
    const place here;
    auto db = here.open();
    const auto ids = [](const std::vector<outbox_entry>& shown) {
        std::string out;
        for (const auto& one : shown) {
            out += one.what.id;
        }
        return out;
    };
    for (const bool keeps : {true, false}) {
        const std::string name = keeps ? "kept" : "forgotten";
        auto box = db.outbox(name, {.shards = 1, .keep_published = keeps});
        const own_connection other(here.conninfo);
        const auto rows = [&] {
            return other.ask(
                "SELECT count(*) FROM outbox_rows r JOIN outboxes b "
                "USING (box) WHERE state = 0 "
                "AND name = '" +
                name + "'");
        };
        const auto add = [&](std::vector<event> events) {
            std::vector<event_view> views;
            for (const auto& one : events) {
                views.push_back(one.view());
            }
            auto tx = db.begin();
            box.add(tx, views, day);
            REQUIRE(tx.commit() == commit_result::committed);
        };
        auto lease = box.take(box.holder(0), "relay").value();
        event with_headers = make_event("2", "b", std::string("x\0y", 3));
        with_headers.headers = {{"h", std::string("\xff\0", 2)}, {"i", ""}};
        add({make_event("1", "a"), with_headers, make_event("3", "a"), make_event("4", "", "")});
        CHECK(rows() == "1");
        const auto before = box.claim(lease, day, everything).value();
        REQUIRE(ids(before) == "1234");
        CHECK(ids(box.claim(lease, day, {.entries = 3, .bytes = 100'000}).value()) == "123");
        CHECK(box.lag() == outbox_lag{4, 0, day});
        // Under a lease that has ended nothing is told apart.
        const failure_note note{day, failure_class::transient, 1, "r", "d"};
        CHECK(box.put_off({0, lease.epoch + 1, 0, "x"}, before[0].number, note,
                          std::chrono::seconds(10)) == fenced_result::stale);
        CHECK(rows() == "1");
        CHECK(box.put_off(lease, before[0].number, note, std::chrono::seconds(10)) ==
              fenced_result::done);
        CHECK(rows() == "4");
        const auto after = box.claim(lease, day, everything).value();
        CHECK(ids(after) == "24");
        CHECK(after.front() == before[1]);
        CHECK(after.back() == before[3]);
        // What was added behind it stays behind it.
        add({make_event("5", "c"), make_event("6", "a"), make_event("7", "b")});
        CHECK(ids(box.claim(lease, day, everything).value()) == "2457");
        CHECK(rows() == "7");
        CHECK(ids(box.claim(lease, day + std::chrono::seconds(10), everything).value()) ==
              "1234567");
        // Some of a bundle are marked, others not.
        add({make_event("8", "c"), make_event("9", "c"), make_event("A", "c")});
        const auto all = box.claim(lease, day + std::chrono::seconds(10), everything).value();
        REQUIRE(ids(all) == "123456789A");
        std::vector<std::int64_t> some;
        for (std::size_t i = 0; i < 9; ++i) {
            some.push_back(all[i].number);
        }
        CHECK(box.mark_published(lease, some, day) == fenced_result::done);
        CHECK(ids(box.claim(lease, day, everything).value()) == "A");
        CHECK(box.mark_published(lease, some, day) == fenced_result::done);
        const std::int64_t last[] = {all[9].number};
        CHECK(box.mark_published(lease, last, day) == fenced_result::done);
        CHECK(box.claim(lease, day, everything)->empty());
        // One in the middle of a bundle.
        add({make_event("B", "c"), make_event("C", "c"), make_event("D", "c")});
        const auto more = box.claim(lease, day, everything).value();
        const std::int64_t middle[] = {more.at(1).number};
        CHECK(box.mark_published(lease, middle, day) == fenced_result::done);
        CHECK(ids(box.claim(lease, day, everything).value()) == "BD");
        // What is kept goes in bites, also out of a bundle.
        CHECK(box.purge(day + std::chrono::seconds(1), 1'000) == (keeps ? 11 : 0));
        add({make_event("E", "e"), make_event("F", "e"), make_event("G", "e")});
        std::vector<std::int64_t> rest;
        const auto left = box.claim(lease, day, everything).value();
        for (const auto& one : left) {
            rest.push_back(one.number);
        }
        CHECK(rest.size() == 5);
        CHECK(box.mark_published(lease, std::span(rest).last(3), day) == fenced_result::done);
        CHECK(box.purge(day + std::chrono::seconds(1), 2) == (keeps ? 2 : 0));
        CHECK(box.purge(day + std::chrono::seconds(1), 2) == (keeps ? 1 : 0));
        CHECK(box.mark_published(lease, rest, day) == fenced_result::done);
        CHECK(rows() == "0");
    }
}

TEST_CASE("postgres: small and large events of one key are shown in their order") {
    const place here;
    auto db = here.open();
    auto box = db.outbox("orders", one_shard);
    const auto lease = box.take(box.holder(0), "relay").value();
    std::vector<event> events;
    for (int i = 0; i < 300; ++i) {
        events.push_back(make_event(std::to_string(i), "k",
                                    std::string(i % 7 == 0   ? 9'000
                                                : i % 5 == 0 ? 3'000
                                                             : 20,
                                                'd')));
    }
    std::vector<event_view> views;
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    auto tx = db.begin();
    box.add(tx, views, day);
    CHECK(tx.commit() == commit_result::committed);
    std::size_t next = 0;
    while (next < events.size()) {
        const auto shown = box.claim(lease, day, {.entries = 50, .bytes = 60'000}).value();
        REQUIRE_FALSE(shown.empty());
        std::vector<std::int64_t> numbers;
        for (const auto& one : shown) {
            REQUIRE(one.what.id == std::to_string(next));
            CHECK(one.what.data == events[next].data);
            CHECK(one.what.sequence == std::to_string(++next));
            numbers.push_back(one.number);
        }
        CHECK(box.mark_published(lease, numbers, day) == fenced_result::done);
    }
    CHECK(box.claim(lease, day, everything)->empty());
}
