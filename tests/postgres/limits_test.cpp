// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>

#include <string>
#include <tuple>

namespace postgres = sinew::postgres;
using sinew::commit_result;
using sinew::key_progress;
using sinew::machine_clock;
using sinew::test::at;
using sinew::test::in;
using sinew::test::own_connection;
using sinew::test::place;
using sinew::test::postgres_server;
using namespace std::chrono_literals;

namespace {

/// How long a call took that has to end by its deadline; generous, as the machine may be busy.
template <class F>
void check_ends_within(sinew::duration span, F f) {
    const auto before = machine_clock::now().steady;
    f();
    CHECK(machine_clock::now().steady - before < span);
}

}  // namespace

TEST_CASE("postgres: a lock that another connection holds is waited for, but not for ever") {
    const place here;
    auto db = here.open();
    db.connection().execute_script("CREATE TABLE x(n int); INSERT INTO x VALUES (0)");
    const own_connection other(here.conninfo);
    other.ask("BEGIN");
    other.ask("UPDATE x SET n = 1");
    auto tx = db.begin();
    check_ends_within(
        20s, [&] { CHECK_THROWS_AS(tx.execute("UPDATE x SET n = 2"), postgres::busy_error); });
    CHECK(tx.commit() == commit_result::aborted);
    CHECK(db.last_commit_failure()->kind == sinew::failure_class::unavailable);
    CHECK(db.last_commit_failure()->reason == "postgres_busy");
    other.ask("ROLLBACK");
    auto again = db.begin();
    CHECK(again.execute("UPDATE x SET n = 2") == 1);
    CHECK(again.commit() == commit_result::committed);
}

TEST_CASE(
    "postgres: a statement that takes too long is ended by the server, and the connection stays") {
    const place here;
    postgres::store_options options = here.options();
    options.call_timeout = 300ms;
    auto db = here.open(options);
    const int pid = PQbackendPID(db.connection().native());
    auto tx = db.begin();
    check_ends_within(
        20s, [&] { CHECK_THROWS_AS(tx.execute("SELECT pg_sleep(60)"), postgres::busy_error); });
    tx.rollback();
    CHECK_THROWS_AS(db.connection().execute("SELECT pg_sleep(60)"), postgres::busy_error);
    CHECK(db.begin().commit() == commit_result::committed);
    CHECK(PQbackendPID(db.connection().native()) == pid);
}

TEST_CASE("postgres: begin comes back at its deadline, also at one that has passed") {
    const place here;
    auto db = here.open();
    CHECK_THROWS_AS(db.begin(sinew::steady_time::min()), postgres::deadline_error);
    CHECK_THROWS_AS(db.begin(in(-1s)), postgres::deadline_error);
    CHECK_THROWS_AS(db.progress("c", "k", sinew::steady_time::min()), postgres::deadline_error);
    CHECK(db.begin(in(10s)).commit() == commit_result::committed);
}

TEST_CASE("postgres: a server that stands still costs each call its deadline, no more") {
    postgres_server server;
    const place here(server);
    postgres::store_options options = here.options();
    options.call_timeout = 300ms;
    auto db = here.open(options);
    own_connection service(here.conninfo);
    postgres::store borrowed(service.handle, options);
    auto tx = db.begin();
    CHECK(tx.remember("c", {"/s", "1"}, at(1)));
    server.freeze();
    check_ends_within(20s, [&] {
        CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, at(1)), postgres::deadline_error);
    });
    CHECK(tx.commit() == commit_result::aborted);
    check_ends_within(20s, [&] { CHECK_THROWS_AS(db.begin(in(200ms)), postgres::deadline_error); });
    CHECK_THROWS_AS(db.progress("c", "k", in(200ms)), postgres::deadline_error);
    CHECK_THROWS_AS(db.attempts().opened("c", "t", 0), postgres::deadline_error);
    CHECK_THROWS_AS(borrowed.begin(in(200ms)), postgres::deadline_error);
    server.thaw();
    // The service's own connection still owes an answer.
    CHECK_THROWS_AS(borrowed.begin(in(10s)), postgres::connection_lost_error);
    PQreset(service.handle);
    CHECK(borrowed.begin(in(10s)).commit() == commit_result::committed);
    auto again = db.begin(in(10s));
    CHECK(again.remember("c", {"/s", "1"}, at(1)));
    CHECK(again.commit() == commit_result::committed);
}

TEST_CASE(
    "postgres: a commit that the server does not answer is unknown, and decided before the next") {
    postgres_server server;
    const place here(server);
    postgres::store_options options = here.options();
    options.call_timeout = 300ms;
    auto db = here.open(options);
    bool is_there = false;
    {
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        tx.set_progress("c", "k", key_progress(2));
        server.freeze();
        CHECK(tx.commit() == commit_result::unknown);
        REQUIRE(db.last_commit_failure());
        CHECK(db.last_commit_failure()->reason == "deadline");
        server.thaw();
    }
    {
        auto tx = db.begin(in(10s));
        is_there = !tx.remember("c", {"/s", "1"}, at(1));
        CHECK(tx.progress("c", "k").is_known() == is_there);
    }
    // What was found does not change any more.
    CHECK(db.remembers("c", {"/s", "1"}) == is_there);
}

TEST_CASE("postgres: after the server was restarted the next transaction finds it") {
    postgres_server server;
    const place here(server);
    auto db = here.open();
    auto letters = db.dead_letters();
    own_connection service(here.conninfo);
    postgres::store borrowed(service.handle, here.options());
    auto tx = db.begin();
    CHECK(tx.remember("c", {"/s", "1"}, at(1)));
    server.stop();
    CHECK_THROWS_AS(tx.execute("SELECT 1"), postgres::connection_lost_error);
    CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, at(1)), postgres::transaction_lost_error);
    CHECK(tx.commit() == commit_result::aborted);
    CHECK_THROWS_AS(db.begin(in(2s)), postgres::cannot_connect_error);
    CHECK_THROWS_AS(letters.size(), postgres::cannot_connect_error);
    server.start();
    auto again = db.begin(in(10s));
    CHECK(again.remember("c", {"/s", "1"}, at(1)));
    CHECK(again.commit() == commit_result::committed);
    CHECK(letters.size() == 0);

    server.stop();
    server.start();
    CHECK(db.attempts().begun("c", "t", {0, 1}, at(1)) == 1);

    CHECK_THROWS_AS(borrowed.begin(in(2s)), postgres::connection_lost_error);
    PQreset(service.handle);
    auto mine = borrowed.begin(in(10s));
    CHECK_FALSE(mine.remember("c", {"/s", "1"}, at(1)));
    CHECK(mine.commit() == commit_result::committed);
}

TEST_CASE("postgres: a session that the server ends in the middle loses its transaction alone") {
    const place here;
    auto db = here.open();
    const auto lose_session = [&] { end_session(here, PQbackendPID(db.connection().native())); };
    {
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        lose_session();
        CHECK(tx.commit() != commit_result::committed);
    }
    CHECK_FALSE(db.remembers("c", {"/s", "1"}));
    lose_session();
    CHECK(db.begin().commit() == commit_result::committed);
    {
        auto tx = db.begin();
        tx.nest();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        lose_session();
        CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, at(1)), postgres::connection_lost_error);
        tx.undo_nested();
        tx.rollback();
        CHECK(tx.commit() == commit_result::aborted);
    }
    CHECK(db.inbox_size() == 0);
}

TEST_CASE("postgres: a consumer that stops in the middle of a transaction loses its locks") {
    const place here;
    postgres::store_options options = here.options();
    options.idle_timeout = 100ms;
    auto zombie = here.open(options);
    options = here.options();
    options.lock_timeout = 10s;
    options.call_timeout = 20s;
    auto db = here.open(options);
    auto stopped = zombie.begin();
    CHECK(stopped.remember("c", {"/s", "1"}, at(1)));
    auto tx = db.begin();
    CHECK(tx.remember("c", {"/s", "1"}, at(1)));
    CHECK(tx.commit() == commit_result::committed);
    CHECK(stopped.commit() == commit_result::aborted);
}

TEST_CASE("postgres: the service's own connection keeps its settings and stays open") {
    const place here;
    own_connection service(here.conninfo);
    service.ask("SET statement_timeout = '7s'");
    {
        postgres::store db(service.handle, here.options());
        auto tx = db.begin();
        CHECK(tx.remember("c", {"/s", "1"}, at(1)));
        // A second connection reads beside it.
        CHECK(db.progress("c", "k") == key_progress());
        CHECK(tx.commit() == commit_result::committed);
        CHECK(PQisnonblocking(service.handle) == 0);
        CHECK(PQpipelineStatus(service.handle) == PQ_PIPELINE_OFF);
        service.ask("BEGIN");
        CHECK_THROWS_AS(db.begin(), sinew::usage_error);
        service.ask("ROLLBACK");
        PQenterPipelineMode(service.handle);
        CHECK_THROWS_AS(db.begin(), sinew::usage_error);
        PQexitPipelineMode(service.handle);
    }
    CHECK(service.ask("SHOW statement_timeout") == "7s");
    CHECK(service.ask("SELECT count(*) FROM inbox") == "1");
    CHECK_THROWS_AS(postgres::store(static_cast<PGconn*>(nullptr)), sinew::usage_error);
}

TEST_CASE("postgres: a commit is durable though the server's default is not to wait") {
    const place here;
    auto with = here.conninfo;
    with.insert(with.rfind('\''), " -c synchronous_commit=off");
    postgres::store db(with, here.options());
    auto tx = db.begin();
    CHECK(tx.query_one<std::string>("SELECT current_setting('synchronous_commit')") ==
          std::tuple(std::string("on")));
}
