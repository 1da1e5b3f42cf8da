// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace postgres = sinew::postgres;
using sinew::applied_offsets;
using sinew::commit_result;
using sinew::key_progress;
using sinew::test::at;
using sinew::test::place;
using namespace std::chrono_literals;

namespace {

void make_effects(postgres::store& db) {
    db.connection().execute_script("CREATE TABLE effects(key text PRIMARY KEY, n bigint NOT NULL)");
}

void add_effect(postgres::transaction& tx, std::string_view key) {
    tx.execute(
        "INSERT INTO effects VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET n = effects.n + 1",
        key);
}

std::optional<std::int64_t> effect(postgres::store& db, std::string_view key) {
    const auto row =
        db.connection().query_one<std::int64_t>("SELECT n FROM effects WHERE key = $1", key);
    return row ? std::optional(std::get<0>(*row)) : std::nullopt;
}

}  // namespace

TEST_CASE("postgres: effects and the memory of the event commit together") {
    const place here;
    auto db = here.open();
    make_effects(db);
    {
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        CHECK_FALSE(tx.remember("c", {"/s", "1"}, at(1)));
        CHECK(tx.remember("d", {"/s", "1"}, at(1)));
        add_effect(tx, "a");
        tx.set_progress("c", "k", key_progress(7));
        tx.set_offsets("c", "t", 3, applied_offsets(5, {{9, 9}}));
        CHECK(tx.progress("c", "k") == key_progress(7));
        CHECK(db.progress("c", "k") == key_progress());
        REQUIRE(tx.commit() == commit_result::committed);
        CHECK(tx.commit() == commit_result::committed);
        tx.rollback();
    }
    auto again = here.open();
    CHECK(again.remembers("c", {"/s", "1"}));
    CHECK_FALSE(again.remembers("c", {"/s", "2"}));
    CHECK(again.inbox_size() == 2);
    CHECK(effect(again, "a") == 1);
    CHECK(again.progress("c", "k") == key_progress(7));
    auto tx = again.begin();
    CHECK(tx.offsets("c", "t", 3) == applied_offsets(5, {{9, 9}}));
    CHECK(tx.offsets("c", "t", 2) == applied_offsets());
    CHECK_FALSE(tx.remember("c", {"/s", "1"}, at(1)));
}

TEST_CASE("postgres: what was rolled back or dropped was never there") {
    const place here;
    auto db = here.open();
    make_effects(db);
    for (const bool dropped : {false, true}) {
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        add_effect(tx, "a");
        tx.set_progress("c", "k", key_progress(7));
        if (!dropped) {
            tx.rollback();
            CHECK(tx.commit() == commit_result::aborted);
        }
    }
    CHECK(db.inbox_size() == 0);
    CHECK_FALSE(effect(db, "a"));
    CHECK(db.progress("c", "k") == key_progress());
}

TEST_CASE("postgres: a nested part is undone alone, with its progress and offsets") {
    const place here;
    auto db = here.open();
    make_effects(db);
    auto tx = db.begin();
    tx.set_progress("c", "k", key_progress(2));
    tx.set_offsets("c", "t", 0, applied_offsets(1, {}));
    CHECK(tx.remember("c", {"/s", "before"}, at(1)));
    for (const auto* id : {"undone", "kept", "undone again"}) {
        tx.nest();
        CHECK_THROWS_AS(tx.nest(), sinew::usage_error);
        CHECK(tx.remember("c", {"/s", id}, at(1)));
        add_effect(tx, id);
        tx.set_progress("c", "k", key_progress(tx.progress("c", "k").next() + 1));
        tx.set_progress("c", id, key_progress(9));
        tx.set_offsets("c", "t", 0, applied_offsets(50, {}));
        CHECK(tx.progress("c", id) == key_progress(9));
        if (std::string_view(id) == "kept") {
            tx.keep_nested();
        } else {
            tx.undo_nested();
            CHECK(tx.progress("c", id) == key_progress());
        }
        CHECK_THROWS_AS(tx.keep_nested(), sinew::usage_error);
    }
    // A part in which nothing happened, and one that is open at the commit.
    tx.nest();
    tx.undo_nested();
    tx.nest();
    tx.keep_nested();
    tx.nest();
    CHECK(tx.remember("c", {"/s", "open"}, at(1)));
    tx.set_progress("c", "open", key_progress(4));
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(db.inbox_size() == 3);
    CHECK(effect(db, "kept") == 1);
    CHECK_FALSE(effect(db, "undone"));
    CHECK_FALSE(effect(db, "undone again"));
    CHECK(db.progress("c", "k") == key_progress(3));
    CHECK(db.progress("c", "kept") == key_progress(9));
    CHECK(db.progress("c", "open") == key_progress(4));
    CHECK(db.begin().offsets("c", "t", 0) == applied_offsets(50, {}));
}

TEST_CASE("postgres: what fails within a nested part costs that part alone") {
    const place here;
    auto db = here.open();
    make_effects(db);
    auto tx = db.begin();
    add_effect(tx, "before");
    tx.nest();
    CHECK(tx.remember("c", {"/s", "1"}, at(1)));
    CHECK_THROWS_AS(tx.execute("INSERT INTO effects VALUES ('before', 1)"),
                    postgres::constraint_error);
    CHECK_THROWS_AS(tx.execute("SELECT 1"), postgres::transaction_lost_error);
    CHECK_THROWS_AS(tx.set_progress("c", "k", key_progress(1)), postgres::transaction_lost_error);
    tx.undo_nested();
    // The savepoint of this part goes out with the statement that fails.
    tx.nest();
    CHECK_THROWS_AS(tx.execute("INSERT INTO effects VALUES ('before', 1)"),
                    postgres::constraint_error);
    tx.undo_nested();
    tx.nest();
    add_effect(tx, "after");
    tx.keep_nested();
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(effect(db, "before") == 1);
    CHECK(effect(db, "after") == 1);
    CHECK(db.inbox_size() == 0);
}

TEST_CASE("postgres: a handler that swallows an error commits nothing, and the commit says why") {
    const place here;
    auto db = here.open();
    make_effects(db);
    for (const bool nested : {false, true}) {
        auto tx = db.begin();
        add_effect(tx, "a");
        if (nested) {
            tx.nest();
        }
        CHECK_THROWS_AS(tx.execute("INSERT INTO effects VALUES ('a', 1)"),
                        postgres::constraint_error);
        if (nested) {
            tx.keep_nested();
        }
        CHECK_THROWS_AS(tx.remember("c", {"/s", "1"}, at(1)), postgres::transaction_lost_error);
        REQUIRE(tx.commit() == commit_result::aborted);
        REQUIRE(db.last_commit_failure());
        CHECK(db.last_commit_failure()->reason == "constraint");
        CHECK(db.last_commit_failure()->kind == sinew::failure_class::permanent);
        CHECK_FALSE(effect(db, "a"));
    }
}

TEST_CASE("postgres: a deferred constraint aborts the commit, and it says why") {
    const place here;
    auto db = here.open();
    db.connection().execute_script(
        "CREATE TABLE d(n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO d VALUES (1)");
    auto tx = db.begin();
    tx.execute("INSERT INTO d VALUES (1)");
    tx.set_progress("c", "k", key_progress(2));
    REQUIRE(tx.commit() == commit_result::aborted);
    CHECK(db.last_commit_failure()->reason == "constraint");
    CHECK(db.progress("c", "k") == key_progress());
    CHECK(db.begin().commit() == commit_result::committed);
}

TEST_CASE("postgres: of two transactions that meet over an event or a key, one commits") {
    const place here;
    auto ours = here.open();
    auto theirs = here.open();
    SECTION("a key's progress") {
        auto one = ours.begin();
        auto two = theirs.begin();
        one.execute("SELECT 1");  // the snapshot is taken here
        one.set_progress("c", "k", key_progress(2));
        two.set_progress("c", "k", key_progress(2));
        CHECK(two.commit() == commit_result::committed);
        CHECK(one.commit() == commit_result::aborted);
        CHECK(ours.last_commit_failure()->reason == "serialization_failure");
        CHECK(ours.last_commit_failure()->kind == sinew::failure_class::transient);
    }
    SECTION(
        "a key's progress that the other has taken is waited for, no longer than lock_timeout") {
        auto one = ours.begin();
        auto two = theirs.begin();
        CHECK(one.progress("c", "k") == key_progress());
        CHECK_THROWS_AS(two.progress("c", "k"), postgres::busy_error);
        CHECK(theirs.progress("c", "k") == key_progress());
        one.set_progress("c", "k", key_progress(2));
        CHECK(one.commit() == commit_result::committed);
    }
    SECTION("a key's progress, read from a snapshot") {
        auto options = here.options();
        options.isolation = postgres::isolation::repeatable_read;
        auto a = here.open(options);
        auto b = here.open(options);
        auto one = a.begin();
        auto two = b.begin();
        CHECK(one.progress("c", "k") == key_progress());
        CHECK(two.progress("c", "k") == key_progress());
        one.set_progress("c", "k", key_progress(2));
        two.set_progress("c", "k", key_progress(2));
        CHECK(two.commit() == commit_result::committed);
        CHECK(one.commit() == commit_result::aborted);
        CHECK(a.last_commit_failure()->reason == "serialization_failure");
    }
    SECTION("a partition's offsets") {
        auto one = ours.begin();
        auto two = theirs.begin();
        one.execute("SELECT 1");
        one.set_offsets("c", "t", 0, applied_offsets(2, {}));
        two.set_offsets("c", "t", 0, applied_offsets(3, {}));
        CHECK(two.commit() == commit_result::committed);
        CHECK(one.commit() == commit_result::aborted);
    }
    SECTION("an event that the other has committed since") {
        auto one = ours.begin();
        CHECK(one.remember("c", {"/s", "another"}, at(1)));
        auto two = theirs.begin();
        CHECK(two.remember("c", {"/s", "1"}, at(1)));
        CHECK(two.commit() == commit_result::committed);
        CHECK_THROWS_AS(one.remember("c", {"/s", "1"}, at(1)), postgres::serialization_error);
        CHECK(one.commit() == commit_result::aborted);
    }
    SECTION("an event that the other holds is waited for, no longer than lock_timeout") {
        auto one = ours.begin();
        CHECK(one.remember("c", {"/s", "1"}, at(1)));
        auto two = theirs.begin();
        CHECK_THROWS_AS(two.remember("c", {"/s", "1"}, at(1)), postgres::busy_error);
        two.rollback();
        CHECK(one.commit() == commit_result::committed);
    }
}

TEST_CASE("postgres: other keys and events are no conflict") {
    const place here;
    auto ours = here.open();
    auto theirs = here.open();
    for (const auto isolation :
         {postgres::isolation::serializable, postgres::isolation::repeatable_read}) {
        auto options = here.options();
        options.isolation = isolation;
        auto a = here.open(options);
        auto b = here.open(options);
        for (auto* db : {&a, &b}) {
            auto tx = db->begin();
            tx.set_progress("c", db == &a ? "ka" : "kb", key_progress(1));
            tx.set_offsets("c", "t", db == &a ? 0 : 1, applied_offsets(1, {}));
            REQUIRE(tx.commit() == commit_result::committed);
        }
        b.connection().execute_script("ANALYZE");  // now the planner knows how small the tables are
        auto one = a.begin();
        auto two = b.begin();
        CHECK(one.remember("c", {"/s", "a" + std::to_string(static_cast<int>(isolation))}, at(1)));
        CHECK(two.remember("c", {"/s", "b" + std::to_string(static_cast<int>(isolation))}, at(1)));
        CHECK(one.progress("c", "ka") == key_progress(1));
        CHECK(two.progress("c", "kb") == key_progress(1));
        CHECK(one.offsets("c", "t", 0).through() == 1);
        CHECK(two.offsets("c", "t", 1).through() == 1);
        one.set_progress("c", "ka", key_progress(2));
        two.set_progress("c", "kb", key_progress(2));
        one.set_offsets("c", "t", 0, applied_offsets(2, {}));
        two.set_offsets("c", "t", 1, applied_offsets(2, {}));
        CHECK(one.commit() == commit_result::committed);
        CHECK(two.commit() == commit_result::committed);
        auto back = a.begin();
        back.set_progress("c", "ka", key_progress(1));
        back.set_progress("c", "kb", key_progress(1));
        back.set_offsets("c", "t", 0, applied_offsets(1, {}));
        back.set_offsets("c", "t", 1, applied_offsets(1, {}));
        CHECK(back.commit() == commit_result::committed);
    }
}

TEST_CASE("postgres: serializable transactions do not both act on what the other writes") {
    const place here;
    auto ours = here.open();
    auto theirs = here.open();
    ours.connection().execute_script(
        "CREATE TABLE duty(who text PRIMARY KEY, on_call bool NOT NULL);"
        "INSERT INTO duty VALUES ('a', true), ('b', true)");
    const auto leave = [](postgres::transaction& tx, const char* who) {
        const auto others = tx.query_one<std::int64_t>(
            "SELECT count(*) FROM duty WHERE on_call AND who <> $1", who);
        CHECK(others == std::tuple(1));
        tx.execute("UPDATE duty SET on_call = false WHERE who = $1", who);
    };
    auto one = ours.begin();
    auto two = theirs.begin();
    leave(one, "a");
    leave(two, "b");
    CHECK(one.commit() == commit_result::committed);
    CHECK(two.commit() == commit_result::aborted);
    CHECK(theirs.last_commit_failure()->reason == "serialization_failure");
}

TEST_CASE("postgres: two that wait for each other: one is chosen to give way") {
    const place here;
    postgres::store_options options = here.options();
    options.lock_timeout = 10s;
    options.call_timeout = 20s;
    auto ours = here.open(options);
    auto theirs = here.open(options);
    ours.connection().execute_script(
        "CREATE TABLE x(k int PRIMARY KEY, n int);"
        "INSERT INTO x VALUES (1, 0), (2, 0)");
    auto one = ours.begin();
    auto two = theirs.begin();
    one.execute("UPDATE x SET n = n + 1 WHERE k = 1");
    two.execute("UPDATE x SET n = n + 1 WHERE k = 2");
    // The second half of the embrace is sent from the same thread: without waiting for its result.
    PGconn* raw = two.native();
    REQUIRE(PQsendQuery(raw, "UPDATE x SET n = n + 1 WHERE k = 1") == 1);
    while (PQflush(raw) == 1) {
    }
    std::string reason;
    try {
        one.execute("UPDATE x SET n = n + 1 WHERE k = 2");
    } catch (const sinew::error& e) {
        reason = e.reason();
        CHECK(e.kind() == sinew::failure_class::transient);
    }
    one.rollback();
    std::string other;
    while (PGresult* got = PQgetResult(raw)) {
        other = PQresultErrorField(got, PG_DIAG_SQLSTATE) == nullptr
                    ? ""
                    : PQresultErrorField(got, PG_DIAG_SQLSTATE);
        PQclear(got);
    }
    CHECK((reason == "deadlock" || other == "40P01"));
}

TEST_CASE("postgres: a store has one transaction at a time, and misuse is told") {
    const place here;
    auto db = here.open();
    auto tx = db.begin();
    CHECK_THROWS_AS(db.begin(), sinew::usage_error);
    CHECK_THROWS_AS(db.purge_inbox(at(9), 9), sinew::unavailable_error);
    CHECK_THROWS_AS(db.attempts().opened("c", "t", 0), sinew::unavailable_error);
    CHECK_THROWS_AS(tx.undo_nested(), sinew::usage_error);
    auto moved = std::move(tx);
    CHECK(moved.remember("c", {"/s", "1"}, at(1)));
    CHECK(moved.commit() == commit_result::committed);
    CHECK_THROWS_AS(moved.remember("c", {"/s", "1"}, at(1)), sinew::usage_error);
    auto next = db.begin();
    next = db.inbox_size() == 1 ? std::move(next) : std::move(next);
    next.rollback();
    CHECK(db.begin().commit() == commit_result::committed);
}

TEST_CASE("postgres: a transaction that writes many keys sends them in between") {
    const place here;
    auto db = here.open();
    auto tx = db.begin();
    const std::size_t many = 2 * postgres::transaction::gathered_max + 500;
    for (std::size_t i = 0; i < many; ++i) {
        tx.set_progress("c", std::to_string(i), key_progress(i + 1));
        tx.set_offsets("c", "t", static_cast<sinew::partition_id>(i),
                       applied_offsets(static_cast<std::int64_t>(i), {}));
    }
    CHECK(tx.progress("c", "0") == key_progress(1));
    CHECK(tx.progress("c", std::to_string(many - 1)) == key_progress(many));
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(db.progress("c", "17") == key_progress(18));
    CHECK(db.begin().offsets("c", "t", 1'700) == applied_offsets(1'700, {}));
}

TEST_CASE("postgres: old ids leave the inbox in bites") {
    const place here;
    auto db = here.open();
    {
        auto tx = db.begin();
        for (int i = 0; i < 250; ++i) {
            CHECK(tx.remember("c", {"/s", std::to_string(i)}, at(i)));
        }
        REQUIRE(tx.commit() == commit_result::committed);
    }
    CHECK(db.purge_inbox(at(0), 100) == 0);
    CHECK(db.purge_inbox(at(150), 100) == 100);
    CHECK(db.purge_inbox(at(150), 100) == 50);
    CHECK(db.purge_inbox(at(150), 100) == 0);
    CHECK(db.inbox_size() == 100);
    CHECK(db.remembers("c", {"/s", "150"}));
    CHECK_FALSE(db.remembers("c", {"/s", "149"}));
    CHECK(db.purge_inbox(sinew::wall_time::max(), SIZE_MAX) == 100);
}

TEST_CASE("postgres: keys and ids are told apart byte by byte, however long") {
    const place here;
    auto db = here.open();
    std::string noise;  // what compression cannot make fit into an index
    std::uint64_t state = 42;
    for (int i = 0; i < 100'000; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        noise.push_back(static_cast<char>(state >> 56U));
    }
    const std::string cut = noise.substr(0, 800);
    const std::vector<std::string> names = {
        "a",        "A",        std::string("a\0b", 3),  std::string("\0", 1),
        "\xff\xfe", noise,      noise.substr(0, 99'999), noise.substr(0, 801),
        cut,        noise + "!"};
    auto tx = db.begin();
    for (std::size_t i = 0; i < names.size(); ++i) {
        CAPTURE(i);
        CHECK(tx.remember("c", {"/s", names[i]}, at(1)));
        CHECK(tx.remember("c", {names[i], "1"}, at(1)));
        tx.set_progress("c", names[i], key_progress(i + 1));
    }
    REQUIRE(tx.commit() == commit_result::committed);
    for (std::size_t i = 0; i < names.size(); ++i) {
        CAPTURE(i);
        CHECK(db.remembers("c", {"/s", names[i]}));
        CHECK(db.remembers("c", {names[i], "1"}));
        CHECK(db.progress("c", names[i]) == key_progress(i + 1));
    }
    CHECK_FALSE(db.remembers("c", {"/s", noise.substr(0, 50'000)}));
    CHECK_FALSE(db.remembers("C", {"/s", "a"}));
}

TEST_CASE("postgres: values go in and come out as they are") {
    const place here;
    auto db = here.open();
    db.connection().execute_script(
        "CREATE TABLE v(i int, b bigint, s smallint, t text, y bytea, f float8, r real, o bool, "
        "z timestamptz, n numeric, j jsonb)");
    auto tx = db.begin();
    const std::string bytes("\0\xff\x01", 3);
    const auto when = at(1'700'000'000) + std::chrono::microseconds(123'456);
    tx.execute("INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb)", 7,
               std::int64_t{1} << 40, 3, "te'xt\"", postgres::bytea{bytes}, 1.5, 0.25F, true, when,
               -12'345'678, std::string("{\"a\": 1}"));
    tx.execute("INSERT INTO v(i, t) VALUES ($1, $2)", std::optional<int>(), nullptr);
    const auto row = tx.query_one<int, std::int64_t, short, std::string, std::string, double, float,
                                  bool, sinew::wall_time, std::int64_t, std::string>(
        "SELECT i, b, s, t, y, f, r, o, z, n, j::text FROM v WHERE i = $1", 7);
    REQUIRE(row);
    CHECK(*row == std::tuple(7, std::int64_t{1} << 40, short{3}, std::string("te'xt\""), bytes, 1.5,
                             0.25F, true, when, std::int64_t{-12'345'678},
                             std::string("{\"a\": 1}")));
    CHECK(tx.query_one<std::optional<int>, std::optional<std::string>>(
              "SELECT i, t FROM v WHERE i IS NULL") ==
          std::tuple(std::optional<int>(), std::optional<std::string>()));
    CHECK(std::get<0>(*tx.query_one<std::int64_t>("SELECT sum(b) FROM v")) == std::int64_t{1}
                                                                                  << 40);
    CHECK(std::get<0>(*tx.query_one<double>("SELECT 1234567.125::numeric")) == 1234567.125);
    CHECK(std::get<0>(*tx.query_one<double>("SELECT -0.0004::numeric")) == -0.0004);
    CHECK(std::get<0>(*tx.query_one<std::int64_t>("SELECT -9223372036854775808::numeric")) ==
          INT64_MIN);
    CHECK(std::get<0>(*tx.query_one<std::int64_t>("SELECT 120000000::numeric")) == 120'000'000);
    CHECK(std::get<0>(*tx.query_one<std::uint64_t>("SELECT $1::bigint", UINT64_MAX)) == UINT64_MAX);
    CHECK(tx.query<int>("SELECT n FROM generate_series(1, 3) n").size() == 3);
    int sum = 0;
    tx.for_each<int, std::string_view>("SELECT n, n::text FROM generate_series(1, 3) n",
                                       [&](int n, std::string_view text) {
                                           sum += n;
                                           CHECK(text == std::to_string(n));
                                       });
    CHECK(sum == 6);
    for (const auto* wrong :
         {"SELECT 9223372036854775808::numeric", "SELECT 1.5::numeric", "SELECT 'NaN'::numeric",
          "SELECT 'Infinity'::numeric", "SELECT true", "SELECT NULL::int"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(tx.query_one<std::int64_t>(wrong), postgres::sql_error);
    }
    CHECK_THROWS_AS(tx.query_one<std::int16_t>("SELECT 40000"), postgres::sql_error);
    CHECK_THROWS_AS((tx.query_one<int, int>("SELECT 1")), postgres::sql_error);
    CHECK_THROWS_AS(tx.query_one<sinew::wall_time>("SELECT 'infinity'::timestamptz"),
                    postgres::sql_error);
    CHECK(tx.commit() == commit_result::committed);
}

TEST_CASE("postgres: more statements than are kept run as well, and without preparing too") {
    const place here;
    for (const bool prepare : {true, false}) {
        postgres::store_options options = here.options();
        options.prepare = prepare;
        auto db = here.open(options);
        auto tx = db.begin();
        for (int i = 0; i < 150; ++i) {
            const auto row = tx.query_one<int>("SELECT $1::int + " + std::to_string(i % 100), 1);
            CHECK(row == std::tuple(1 + i % 100));
        }
        CHECK(tx.remember("c", {"/s", prepare ? "1" : "2"}, at(1)));
        CHECK(tx.commit() == commit_result::committed);
    }
}

TEST_CASE("postgres: a statement whose table has changed is prepared anew") {
    const place here;
    auto db = here.open();
    db.connection().execute_script("CREATE TABLE w(a int)");
    const auto* sql = "SELECT * FROM w";
    CHECK(db.connection().query<int>(sql).empty());
    db.connection().execute_script("ALTER TABLE w ADD COLUMN b int; INSERT INTO w VALUES (1, 2)");
    CHECK_THROWS_AS((db.connection().query<int, int>(sql)), postgres::sql_error);
    CHECK(db.connection().query<int, int>(sql) == std::vector<std::tuple<int, int>>{{1, 2}});
}

TEST_CASE("postgres: a handler can use libpq's own handle") {
    const place here;
    auto db = here.open();
    make_effects(db);
    auto tx = db.begin();
    tx.nest();
    PGresult* got = PQexec(tx.native(), "INSERT INTO effects VALUES ('native', 1)");
    CHECK(PQresultStatus(got) == PGRES_COMMAND_OK);
    PQclear(got);
    tx.undo_nested();
    tx.nest();
    PQclear(PQexec(tx.native(), "INSERT INTO effects VALUES ('kept', 1)"));
    tx.keep_nested();
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK_FALSE(effect(db, "native"));
    CHECK(effect(db, "kept") == 1);
    auto other = db.begin();
    PQclear(PQexec(other.native(), "COMMIT"));
    CHECK_THROWS_AS(other.execute("SELECT 1"), postgres::transaction_lost_error);
    CHECK(other.commit() == commit_result::aborted);
}
