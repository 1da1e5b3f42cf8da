// SPDX-License-Identifier: BSL-1.0
//
// What goes out with what: transactions that begin with their first statement, calls that are one
// statement, claims and marks of several shards, and values that are sent once for many rows.
#include "support/test.hpp"

#include "postgres/parts.hpp"
#include "postgres/proxy.hpp"

#include <sinew/adapters/postgres.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace postgres = sinew::postgres;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::place;
using sinew::test::postgres_server;
using sinew::test::session_of;

static_assert(multi_shard_outbox<postgres::outbox>);

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr outbox_options one_shard{.shards = 1};

std::string setting(postgres::store& db, const char* name) {
    return std::get<0>(*db.connection().query_one<std::string>("SELECT current_setting($1)", name));
}

/// What that session was asked last.
std::string last_statement(postgres::store& watcher, int pid) {
    return std::get<0>(*watcher.connection().query_one<std::string>(
        "SELECT query FROM pg_stat_activity WHERE pid = $1", pid));
}

void call_often(postgres::outbox& box) {
    for (int i = 0; i < 12; ++i) {
        static_cast<void>(box.holder(0));
    }
}

std::vector<shard_lease> take_all(postgres::outbox& box) {
    std::vector<shard_lease> out;
    for (shard_id shard = 0; shard < box.shards(); ++shard) {
        out.push_back(box.take(box.holder(shard), "relay").value());
    }
    return out;
}

void add_many(postgres::store& db, postgres::outbox& box, std::span<const event> events) {
    std::vector<event_view> views;
    for (const auto& e : events) {
        views.push_back(e.view());
    }
    auto tx = db.begin();
    box.add(tx, std::span<const event_view>(views), day);
    REQUIRE(tx.commit() == commit_result::committed);
}

std::vector<event> events_of_keys(int count, int keys) {
    std::vector<event> out;
    for (int i = 0; i < count; ++i) {
        out.push_back(make_event(std::to_string(i), "k" + std::to_string(i % keys)));
    }
    return out;
}

}  // namespace

TEST_CASE("postgres: a server that went away before the first statement is asked anew") {
    const place here;
    auto db = here.open();
    const int pid = session_of(db);
    auto tx = db.begin();
    end_session(here, pid);
    CHECK(tx.remember("c", {"/s", "1"}, day));
    CHECK(tx.commit() == commit_result::committed);
    CHECK(db.remembers("c", {"/s", "1"}));
    const int next = session_of(db);
    CHECK(next != pid);

    auto nothing = db.begin();
    end_session(here, next);
    CHECK(nothing.commit() == commit_result::aborted);
    auto undone = db.begin();
    undone.rollback();
    CHECK_THROWS_AS(undone.remember("c", {"/s", "2"}, day), usage_error);
}

TEST_CASE("postgres: a server that goes away behind the first statement loses the transaction") {
    const place here;
    auto db = here.open();
    const int pid = session_of(db);
    auto tx = db.begin();
    CHECK(tx.remember("c", {"/s", "1"}, day));
    end_session(here, pid);
    CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, day), unavailable_error);
    CHECK_THROWS_AS(tx.remember("c", {"/s", "2"}, day), postgres::transaction_lost_error);
    CHECK(tx.commit() == commit_result::aborted);
    CHECK_FALSE(db.remembers("c", {"/s", "1"}));
}

TEST_CASE("postgres: what runs on the connection of a store is part of its open transaction") {
    const place here;
    auto db = here.open();
    db.connection().execute_script("CREATE TABLE " + here.schema + ".effects(id bigint)");
    const std::string insert = "INSERT INTO " + here.schema + ".effects VALUES ($1)";
    const std::string count = "SELECT count(*) FROM " + here.schema + ".effects";
    {
        auto tx = db.begin();
        CHECK(db.connection().is_in_transaction());
        db.connection().execute(insert, 1);
        CHECK(tx.remember("c", {"/s", "1"}, day));
    }
    CHECK_FALSE(db.connection().is_in_transaction());
    CHECK(std::get<0>(*db.connection().query_one<int>(count)) == 0);
    CHECK_FALSE(db.remembers("c", {"/s", "1"}));
    auto tx = db.begin();
    tx.nest();
    tx.execute(insert, 2);
    tx.undo_nested();
    tx.execute(insert, 3);
    CHECK(tx.commit() == commit_result::committed);
    CHECK(std::get<0>(*db.connection().query_one<int>(count)) == 1);
}

TEST_CASE("postgres: many calls in a row leave the service's own settings as they were") {
    const place here;
    auto db = here.open();
    auto watcher = here.open();
    const int pid = session_of(db);
    auto box = db.outbox("orders", one_shard);
    db.connection().execute_script(
        "SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only "
        "= "
        "on; SET enable_seqscan = on; SET plan_cache_mode = force_custom_plan; SET "
        "statement_timeout = '4s'");
    for (int round = 0; round < 3; ++round) {
        static_cast<void>(box.holder(0));
        CHECK(last_statement(watcher, pid) == "COMMIT");
        call_often(box);
        CHECK(last_statement(watcher, pid).starts_with("SELECT epoch"));
        CHECK(setting(db, "default_transaction_isolation") == "repeatable read");
        CHECK(setting(db, "default_transaction_read_only") == "on");
        CHECK(setting(db, "enable_seqscan") == "on");
        CHECK(setting(db, "plan_cache_mode") == "force_custom_plan");
        CHECK(setting(db, "statement_timeout") == "4s");
        call_often(box);
        auto tx = db.begin();
        CHECK(std::get<0>(*tx.query_one<std::string>("SELECT current_setting($1)",
                                                     "plan_cache_mode")) == "force_custom_plan");
        CHECK(tx.commit() == commit_result::committed);
    }
    call_often(box);
    CHECK(db.connection().native() != nullptr);
    CHECK(setting(db, "enable_seqscan") == "on");
    call_often(box);
    CHECK(last_statement(watcher, pid) == "COMMIT");
}

TEST_CASE(
    "postgres: a single statement whose answer was lost is unknown, one refused is not done") {
    const place here;
    auto& server = postgres_server::shared();
    sinew::test::proxy between(server.folder());
    postgres::store db(between.through(here.conninfo, server.folder()), here.options());
    auto box = db.outbox("orders", one_shard);
    auto lease = box.take(box.holder(0), "relay").value();
    for (int i = 0; i < 12; ++i) {
        CHECK(box.renew(lease) == fenced_result::done);
    }
    between.lose_reply_to("_UPDATE");
    CHECK(box.renew(lease) == fenced_result::unknown);
    CHECK(box.renew(lease) == fenced_result::done);
    CHECK(box.holder(0).beat == 14);

    auto other = here.open();
    other.connection().execute_script("ALTER TABLE " + here.schema +
                                      ".outbox_leases ADD CHECK (beat < 20)");
    for (int i = 0; i < 5; ++i) {
        CHECK(box.renew(lease) == fenced_result::done);
    }
    CHECK_THROWS_AS(box.renew(lease), error);
    CHECK_THROWS_AS(box.renew(lease), error);
    CHECK(box.holder(0).beat == 19);
    auto tx = db.begin();
    CHECK(tx.remember("c", {"/s", "1"}, day));
    CHECK(tx.commit() == commit_result::committed);
}

TEST_CASE("postgres: claims of a relay that is behind show the same as others") {
    const place here;
    auto db = here.open();
    auto relay = here.open();
    auto box = db.outbox("orders", {.shards = 4});
    auto from = relay.outbox("orders", {.shards = 4});
    const auto leases = take_all(from);
    const auto events = events_of_keys(60, 20);
    add_many(db, box, events);
    const claim_limits few{.entries = 3, .bytes = std::size_t{1} << 20U};
    for (int i = 0; i < 4; ++i) {
        for (std::size_t at = 0; at < leases.size(); ++at) {
            const auto all = from.claim(leases[at], day, {.entries = 1'000, .bytes = 1'000'000});
            const auto shown = from.claim(std::span(leases).subspan(at), day, few);
            std::vector<outbox_entry> flat;
            for (const auto& one : shown) {
                REQUIRE(one);
                flat.insert(flat.end(), one->begin(), one->end());
            }
            REQUIRE(all);
            REQUIRE(flat.size() <= 3);
            for (std::size_t j = 0; j < flat.size() && j < all->size(); ++j) {
                CHECK(flat[j] == (*all)[j]);
            }
        }
        // Something that is held back, and a large one.
        const auto first = from.claim(leases[0], day, few)->at(0);
        const failure_note note{.at = day, .kind = failure_class::transient, .reason = "busy"};
        if (i == 0) {
            CHECK(from.put_off(leases[0], first.number, note, 1h) == fenced_result::done);
        } else if (i == 1) {
            CHECK(from.park(leases[0], first.number, note, following::pass) == fenced_result::done);
        } else {
            add_many(db, box,
                     std::vector<event>{make_event("large", "k1", std::string(20'000, 'x'))});
        }
    }
    auto ended = leases;
    ended[1] = from.take(leases[1], "other").value();
    for (int i = 0; i < 4; ++i) {
        const auto shown =
            from.claim(leases, day, {.entries = 100, .bytes = std::size_t{1} << 20U});
        REQUIRE(shown.size() == 4);
        CHECK(shown[0]);
        CHECK_FALSE(shown[1]);
        CHECK(shown[2]);
    }
}

TEST_CASE(
    "postgres: marks of several shards are one transaction, whether they lie close or apart") {
    const place here;
    for (const bool keeps : {false, true}) {
        auto db = here.open();
        const outbox_options options{.shards = 4, .keep_published = keeps};
        const std::string name = keeps ? "kept" : "orders";
        auto box = db.outbox(name, options);
        const auto leases = take_all(box);
        add_many(db, box, events_of_keys(40, 20));
        for (int round = 0; round < 2; ++round) {
            const auto shown =
                box.claim(leases, day, {.entries = 60, .bytes = std::size_t{1} << 20U});
            REQUIRE(shown.size() == 4);
            std::vector<std::vector<std::int64_t>> numbers(4);
            std::size_t count = 0;
            for (std::size_t i = 0; i < 4; ++i) {
                REQUIRE(shown[i]);
                for (std::size_t j = 0; j < shown[i]->size(); ++j) {
                    numbers[i].push_back((*shown[i])[j].number);
                    ++count;
                }
            }
            CHECK(count == (round == 0 ? 40U : 41U));
            // Of the second shard the wrong epoch, of the third the entries of the fourth.
            auto stale = leases[1];
            ++stale.epoch;
            if (round == 1) {
                numbers[0].push_back(1'000'000'000);  // far apart
            }
            const shard_marks marks[] = {
                {leases[0], numbers[0]}, {stale, numbers[1]}, {leases[2], numbers[3]}};
            CHECK(box.mark_published(marks, day) ==
                  std::vector{fenced_result::done, fenced_result::stale, fenced_result::done});
            CHECK(box.claim(leases[0], day, {100, 1'000'000})->empty());
            CHECK(box.claim(leases[1], day, {100, 1'000'000})->size() == numbers[1].size());
            CHECK(box.claim(leases[3], day, {100, 1'000'000})->size() == numbers[3].size());
            const shard_marks rest[] = {
                {leases[1], numbers[1]}, {leases[2], numbers[2]}, {leases[3], numbers[3]}};
            CHECK(box.mark_published(rest, day) == std::vector(3, fenced_result::done));
            CHECK(box.lag().waiting == 0);
            add_many(db, box, events_of_keys(41, 20));
        }
        CHECK(box.purge(day + 1h, 1'000) == (keeps ? 81U : 0U));
    }
}

TEST_CASE("postgres: events that are equal in all are as many as were added") {
    const place here;
    auto db = here.open();
    auto box = db.outbox("orders", one_shard);
    const auto lease = box.take(box.holder(0), "relay").value();
    const auto same = make_event("same");
    add_many(db, box, std::vector<event>(20, same));
    auto tx = db.begin();
    for (int i = 0; i < 9; ++i) {
        box.add(tx, same.view(), day);
    }
    tx.nest();
    box.add(tx, make_event("other", {}, "more").view(), day);
    tx.undo_nested();
    tx.nest();
    box.add(tx, same.view(), day);
    tx.keep_nested();
    CHECK(tx.commit() == commit_result::committed);
    const auto all = box.claim(lease, day, {.entries = 100, .bytes = std::size_t{1} << 20U});
    REQUIRE(all);
    CHECK(all->size() == 30);
    for (const auto& one : *all) {
        CHECK(one.what == same);
    }
}
