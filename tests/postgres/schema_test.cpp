// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace postgres = sinew::postgres;
using sinew::test::at;
using sinew::test::in;
using sinew::test::own_connection;
using sinew::test::place;
using sinew::test::postgres_server;
using namespace std::chrono_literals;

namespace {

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

}  // namespace

TEST_CASE("postgres: processes that start at once make the tables once") {
    const place here;
    std::atomic<int> good{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 6; ++i) {
        all.emplace_back([&] {
            try {
                auto options = here.options();
                options.lock_timeout = 10s;
                options.call_timeout = 20s;
                postgres::store db(here.conninfo, options);
                auto tx = db.begin();
                good += tx.commit() == sinew::commit_result::committed ? 1 : 0;
            } catch (const sinew::error&) {
            }
        });
    }
    for (auto& one : all) {
        one.join();
    }
    CHECK(good == 6);
    CHECK(here.open().connection().query_one<std::int64_t>("SELECT count(*) FROM meta") ==
          std::tuple(1));
}

TEST_CASE("postgres: tables of a newer version are refused with both versions, and not touched") {
    const place here;
    here.open().connection().execute_script("UPDATE meta SET version = 7");
    const auto text = text_of<postgres::schema_error>([&] { static_cast<void>(here.open()); });
    CHECK(holds(text, "version 7"));
    CHECK(holds(text, "version 1"));
    CHECK(own_connection(here.conninfo).ask("SELECT version FROM meta") == "7");
}

TEST_CASE("postgres: a schema that is no plain name is refused, whatever SQL is in it") {
    for (const auto* name :
         {"", "a b", "a\"; DROP SCHEMA public; --", "a'b", "1a", "a.b", "pg_mine", "\xc3\xa4",
          "a123456789012345678901234567890123456789012345678901234567890123"}) {
        CAPTURE(name);
        postgres::store_options options;
        options.schema = name;
        CHECK_THROWS_AS(postgres::store(postgres_server::shared().conninfo(), options),
                        sinew::usage_error);
        CHECK_THROWS_AS(postgres::schema_script(name, "me"), sinew::usage_error);
    }
    place here;
    here.schema = "Select";  // a word of SQL, and a capital letter
    CHECK(here.open().begin().commit() == sinew::commit_result::committed);
}

TEST_CASE("postgres: who may not make the tables is given the SQL for somebody who may") {
    auto& server = postgres_server::shared();
    const own_connection owner(server.conninfo());
    owner.ask("CREATE ROLE \"o\"\"brien\" LOGIN");
    const std::string conninfo = "host=" + server.folder() + " dbname=postgres user='o\"brien'";
    postgres::store_options options;
    options.schema = "not_mine";
    const auto text = text_of<postgres::rights_error>([&] { postgres::store(conninfo, options); });
    const auto script = postgres::schema_script("not_mine", "o\"brien");
    CHECK(holds(text, "permission denied"));
    REQUIRE(holds(text, script));
    CHECK(owner.ask(script) == "");
    {
        postgres::store db(conninfo, options);
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        CHECK(tx.commit() == sinew::commit_result::committed);
        sinew::dead_letter_record letter{.consumer = "c", .original = sinew::test::make_event("1")};
        CHECK(db.dead_letters().put(letter) == sinew::put_result::stored);
        CHECK(db.attempts().begun("c", "t", {0, 1}, at(1)) == 1);
        CHECK(db.purge_inbox(at(5), 5) == 1);
    }
    owner.ask("REVOKE ALL ON not_mine.inbox FROM \"o\"\"brien\"");
    postgres::store db(conninfo, options);
    auto tx = db.begin();
    CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, at(1)), postgres::rights_error);
    tx.rollback();
    owner.ask("REVOKE USAGE ON SCHEMA not_mine FROM \"o\"\"brien\"");
    // What is there already is not made again.
    const auto rest = text_of<postgres::rights_error>([&] { postgres::store(conninfo, options); });
    REQUIRE(holds(rest, "BEGIN;"));
    CHECK(owner.ask(rest.substr(rest.find("BEGIN;"))) == "");
    postgres::store after(conninfo, options);
    CHECK(after.purge_inbox(at(5), 5) == 0);
}

TEST_CASE("postgres: without create, a schema that is not there is told, and not made") {
    const place here;
    auto options = here.options();
    options.create = false;
    CHECK_THROWS_AS(here.open(options), sinew::usage_error);
    CHECK(own_connection(here.conninfo)
              .ask("SELECT count(*) FROM pg_namespace WHERE nspname = '" + here.schema + "'") ==
          "0");
    static_cast<void>(here.open());
    CHECK(here.open(options).begin().commit() == sinew::commit_result::committed);
}

TEST_CASE("postgres: errors say what, where and what to do, and never a password or a value") {
    const auto broken =
        text_of<sinew::usage_error>([] { postgres::store("host=x password 'hunter2"); });
    CHECK(holds(broken, "connection string"));
    CHECK_FALSE(holds(broken, "hunter2"));

    const auto nowhere = text_of<postgres::cannot_connect_error>(
        [] { postgres::store("host=/nowhere dbname=shop user=u password=hunter2"); });
    CHECK(holds(nowhere, "shop at /nowhere"));
    CHECK(holds(nowhere, "Is the server running"));
    CHECK_FALSE(holds(nowhere, "hunter2"));

    const auto no_database = text_of<postgres::cannot_connect_error>([] {
        postgres::store("host=" + postgres_server::shared().folder() + " dbname=none user=sinew");
    });
    CHECK(holds(no_database, "none"));

    const place here;
    auto db = here.open();
    db.connection().execute_script("CREATE TABLE x(n int PRIMARY KEY CHECK (n < 100), t text)");
    db.connection().execute("INSERT INTO x VALUES (1, 'secret')");
    const auto twice = text_of<postgres::constraint_error>(
        [&] { db.connection().execute("INSERT INTO x VALUES ($1, $2)", 1, "secret"); });
    CHECK(holds(twice, "x_pkey"));
    CHECK(holds(twice, "INSERT INTO x"));
    CHECK(holds(twice, "23505"));
    CHECK_FALSE(holds(twice, "secret"));
    const auto check = text_of<postgres::constraint_error>(
        [&] { db.connection().execute("INSERT INTO x VALUES ($1, $2)", 777, "secret"); });
    CHECK_FALSE(holds(check, "secret"));
    CHECK_FALSE(holds(check, "777"));
    const auto no_number =
        text_of<postgres::data_error>([&] { db.connection().execute("SELECT $1::int", "secret"); });
    CHECK_FALSE(holds(no_number, "secret"));
    CHECK(holds(no_number, "22P02"));
    const auto nul = text_of<postgres::data_error>(
        [&] { db.connection().execute("SELECT $1", std::string("a\0b", 3)); });
    CHECK(holds(nul, "22021"));
    CHECK_THROWS_AS(db.connection().execute("SELECT 1/$1", 0), postgres::data_error);
    CHECK_THROWS_AS(db.connection().execute("SELEC 1"), postgres::sql_error);
    CHECK_THROWS_AS(db.connection().execute("SELECT 1; SELECT 2"), postgres::sql_error);
    CHECK_THROWS_AS(db.connection().execute("SELECT $1::int, $2::int", 1), postgres::sql_error);
    CHECK_THROWS_AS(db.connection().execute_script("COPY x FROM STDIN"),
                    postgres::connection_lost_error);
    CHECK(db.begin().commit() == sinew::commit_result::committed);
    db.connection().execute_script("CREATE UNIQUE INDEX ON x(t)");
    std::string noise;
    std::uint64_t state = 1;
    while (noise.size() < 9'000) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        noise.push_back(static_cast<char>('!' + (state >> 57U) % 90));
    }
    CHECK_THROWS_AS(db.connection().execute("INSERT INTO x VALUES (2, $1)", noise),
                    postgres::too_big_error);
}

TEST_CASE("postgres: a server that takes no writes is told") {
    const place here;
    static_cast<void>(here.open());
    auto with = here.conninfo;
    with.insert(with.rfind('\''), " -c default_transaction_read_only=on");
    postgres::store db(with, here.options());
    CHECK_THROWS_AS(db.connection().execute("INSERT INTO meta VALUES ('x', 1)"),
                    postgres::read_only_error);
    // The store's own transactions say that they write.
    CHECK(db.begin().remember("c", {"/s", "1"}, at(1)));
}

TEST_CASE("postgres: options that make no sense are refused") {
    const auto with = [](auto set) {
        postgres::store_options options;
        set(options);
        return [options] { postgres::store("host=/nowhere", options); };
    };
    CHECK_THROWS_AS(with([](auto& o) { o.call_timeout = 0s; })(), sinew::usage_error);
    CHECK_THROWS_AS(with([](auto& o) { o.lock_timeout = -1s; })(), sinew::usage_error);
    CHECK_THROWS_AS(with([](auto& o) { o.idle_timeout = 0s; })(), sinew::usage_error);
}
