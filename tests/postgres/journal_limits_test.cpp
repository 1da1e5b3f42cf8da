// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace postgres = sinew::postgres;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::own_connection;
using sinew::test::place;
using sinew::test::postgres_server;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr std::string_view order = "order";
constexpr journal_options few_seats{.seats = 4};

failure_note note_at(wall_time at, std::string reason = "why") {
    return {at, failure_class::transient, 1, std::move(reason), "a detail"};
}

/// A service with its store, and a runner with a seat of the same journal.
struct desk {
    explicit desk(const place& here, shard_id seat = 0, const std::string& name = "orders")
        : db(here.open()), book(db.journal(name, few_seats)) {
        lease = book.take(book.holder(seat), "runner " + std::to_string(seat)).value();
    }

    start_result start(std::string_view id, wall_time now = day) {
        auto tx = db.begin();
        const auto how = add(tx, id, now);
        REQUIRE(tx.commit() == commit_result::committed);
        return how;
    }
    start_result add(postgres::transaction& tx, std::string_view id, wall_time now = day) {
        static const std::vector<step_entry> steps{{"reserve", step_kind::compensable},
                                                   {"charge", step_kind::retriable}};
        return book.start(tx, {.type = order, .id = id, .steps = steps, .input = "input"}, now);
    }
    std::vector<journal_entry> claim(std::size_t limit = 1'000, wall_time now = day) {
        return book.claim(lease, {&order, 1}, now, limit).value();
    }
    journal_entry claim_one() {
        auto all = claim(1);
        REQUIRE(all.size() == 1);
        return std::move(all.front());
    }
    journal_entry look(std::string_view id) { return book.find(order, id).value(); }
    write_result write(const journal_write& one, wall_time now = day) {
        return book.write({&one, 1}, now).front();
    }
    reply_result reply(postgres::transaction& tx, std::string_view id, std::string step,
                       wall_time now = day) {
        return book.reply(
            tx, {.type = order, .id = id, .to = {std::move(step), {}}, .data = "reply"}, now);
    }
    std::int64_t count(const std::string& sql) {
        return std::get<0>(*db.connection().query_one<std::int64_t>(sql));
    }

    postgres::store db;
    postgres::journal book;
    shard_lease lease{};
};

journal_write plain(const journal_entry& of, claim_end end = claim_end::none) {
    journal_write out;
    out.claim = claim_of(of.what);
    out.known = of.history.size();
    out.end = end;
    return out;
}
journal_write with_record(const journal_entry& of, std::string step,
                          claim_end end = claim_end::none) {
    auto out = plain(of, end);
    out.records.push_back({.where = {std::move(step), step_phase::act},
                           .begun = day,
                           .at = day,
                           .result = "a result"});
    return out;
}
journal_write waiting_for(const journal_entry& of, std::string step) {
    auto out = plain(of, claim_end::released);
    out.wait = instance_wait{put_off_by(day, 1h), step_address{std::move(step), step_phase::act}};
    return out;
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

}  // namespace

TEST_CASE("postgres: of runners who claim at the same time each gets instances of its own") {
    const place here;
    desk service(here);
    constexpr int instances = 300;
    for (int i = 0; i < instances; ++i) {
        static_cast<void>(service.start(std::to_string(i)));
    }
    std::mutex guard;
    std::map<std::int64_t, int> given;
    std::vector<std::thread> runners;
    for (shard_id seat = 0; seat < 4; ++seat) {
        runners.emplace_back([&, seat] {
            auto db = here.open();
            auto book = db.journal("orders", few_seats);
            const auto lease = book.take(book.holder(seat), "racer").value();
            for (int empty = 0; empty < 3;) {
                const auto some = book.claim(lease, {&order, 1}, day, 7).value();
                empty = some.empty() ? empty + 1 : 0;
                const std::lock_guard lock(guard);
                for (const auto& one : some) {
                    ++given[one.what.number];
                }
            }
        });
    }
    for (auto& one : runners) {
        one.join();
    }
    CHECK(given.size() == instances);
    for (const auto& [number, times] : given) {
        CHECK(times == 1);
    }
}

TEST_CASE("postgres: a claim does not wait for an instance that a transaction holds") {
    const place here;
    desk ours(here, 0);
    desk theirs(here, 1);
    static_cast<void>(ours.start("1"));
    static_cast<void>(ours.start("2"));
    auto tx = ours.db.begin();
    CHECK(ours.book.cancel(tx, order, "1", note_at(day)));
    const auto some = theirs.claim();
    REQUIRE(some.size() == 1);
    CHECK(some[0].what.id == "2");
    CHECK(tx.commit() == commit_result::committed);
    CHECK(theirs.claim_one().what.id == "1");
}

TEST_CASE(
    "postgres: who takes an instance over waits for an effect that is under way, and sees it") {
    const place here;
    desk ours(here, 0);
    desk theirs(here, 1);
    static_cast<void>(ours.start("1"));
    const auto entry = ours.claim_one();
    auto tx = ours.db.begin();
    CHECK(ours.book.write(tx, with_record(entry, "reserve"), day).how == fenced_result::done);
    // The runner is taken for dead: its seat is taken, and released.
    const auto swept = theirs.book.take(theirs.book.holder(0), "sweeper").value();
    CHECK(theirs.book.release(swept) == fenced_result::done);
    CHECK(theirs.claim().empty());
    CHECK_THROWS_AS(theirs.book.decide(entry.what.number, entry.what.epoch, {}, day),
                    postgres::busy_error);
    CHECK(tx.commit() == commit_result::committed);
    const auto next = theirs.claim_one();
    CHECK(next.history.size() == 1);
    CHECK(next.unsettled == 1);
    CHECK(ours.write(with_record(entry, "charge")).how == fenced_result::stale);
}

TEST_CASE("postgres: a record of a claim whose runner is dead makes its instance due at once") {
    const place here;
    desk ours(here, 0);
    desk theirs(here, 1);
    static_cast<void>(ours.start("1"));
    auto wait = plain(ours.claim_one(), claim_end::released);
    wait.wait = instance_wait{put_off_by(day, 1h), std::nullopt};
    CHECK(ours.write(wait).how == fenced_result::done);
    const auto entry = ours.claim(1, day + 2h).at(0);
    const auto swept = theirs.book.take(theirs.book.holder(0), "sweeper").value();
    CHECK(theirs.book.release(swept) == fenced_result::done);
    const std::string_view other = "other";  // a claim sets free what is of any type
    CHECK(theirs.book.claim(theirs.lease, {&other, 1}, day, 1).value().empty());
    CHECK(ours.write(with_record(entry, "reserve"), day).how == fenced_result::done);
    const auto next = theirs.claim_one();
    CHECK(next.history.size() == 1);
    CHECK_FALSE(next.what.wait);
    CHECK(next.unsettled == 1);
}

TEST_CASE("postgres: a reply and the wait for it meet, whichever commits first") {
    const place here;
    desk runner(here);
    for (int i = 0; i < 40; ++i) {
        const std::string id = std::to_string(i);
        static_cast<void>(runner.start(id));
        const auto wait = waiting_for(runner.claim_one(), "charge");
        std::atomic<bool> go{false};
        std::thread service([&] {
            auto db = here.open();
            auto book = db.journal("orders", few_seats);
            go = true;
            for (bool done = false; !done;) {
                try {
                    auto tx = db.begin();
                    static_cast<void>(book.reply(
                        tx, {.type = order, .id = id, .to = {"charge", {}}, .data = "here"}, day));
                    done = tx.commit() == commit_result::committed;
                } catch (const error& e) {
                    static_cast<void>(e);  // the other came in between: again
                }
            }
        });
        while (!go) {
            std::this_thread::yield();
        }
        if (i % 2 == 0) {
            CHECK(runner.write(wait).how == fenced_result::done);
        } else {
            for (bool done = false; !done;) {
                try {
                    auto tx = runner.db.begin();
                    static_cast<void>(runner.book.write(tx, wait, day));
                    done = tx.commit() == commit_result::committed;
                } catch (const error& e) {
                    static_cast<void>(e);
                }
            }
        }
        service.join();
        const auto next = runner.claim_one();
        CHECK(next.what.id == id);
        CHECK(next.reply == std::optional<std::string>("here"));
        CHECK(runner.write(plain(next, claim_end::completed)).how == fenced_result::done);
    }
    CHECK(runner.count("SELECT count(*) FROM journal_replies") == 0);
}

TEST_CASE("postgres: a transaction that began before an instance changed is told to begin again") {
    const place here;
    desk ours(here, 0);
    desk theirs(here, 1);
    static_cast<void>(ours.start("1"));
    const auto entry = ours.claim_one();
    auto late = theirs.db.begin();
    late.execute("SELECT 1");  // it sees what was there before the runner writes
    CHECK(ours.write(waiting_for(entry, "charge")).how == fenced_result::done);
    CHECK_THROWS_AS(theirs.reply(late, "1", "charge"), postgres::serialization_error);
    late.rollback();
    auto again = theirs.db.begin();
    CHECK(theirs.reply(again, "1", "charge") == reply_result::awaited);
    CHECK(again.commit() == commit_result::committed);
    auto waits = theirs.db.begin();
    CHECK(theirs.book.cancel(waits, order, "1", note_at(day)));
    auto meets = ours.db.begin();
    CHECK_THROWS_AS(ours.book.cancel(meets, order, "1", note_at(day)), postgres::busy_error);
}

TEST_CASE("postgres: transactions of different instances do not get in each other's way") {
    const place here;
    desk service(here);
    constexpr int each = 25;
    for (int i = 0; i < 4 * each; ++i) {
        static_cast<void>(service.start(std::to_string(i)));
    }
    std::map<std::string, journal_entry> all;
    for (auto& one : service.claim()) {
        all.emplace(one.what.id, std::move(one));
    }
    std::atomic<int> gave_way{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            auto db = here.open();
            auto book = db.journal("orders", few_seats);
            for (int i = 0; i < each; ++i) {
                const auto& entry = all.at(std::to_string(i * 4 + t));
                for (bool done = false; !done;) {
                    try {
                        auto tx = db.begin();
                        auto one = i % 2 == 0 ? with_record(entry, "reserve")
                                              : with_record(entry, "charge", claim_end::completed);
                        static_cast<void>(book.write(tx, one, day));
                        done = tx.commit() == commit_result::committed;
                    } catch (const transient_error&) {
                    }
                    gave_way += done ? 0 : 1;
                }
            }
        });
    }
    for (auto& one : threads) {
        one.join();
    }
    CHECK(gave_way == 0);
    CHECK(service.count("SELECT count(*) FROM journal_records") == 4 * each);
}

TEST_CASE("postgres: a write of an instance that is not there leaves nothing") {
    const place here;
    desk runner(here);
    static_cast<void>(runner.start("1"));
    auto one = with_record(runner.claim_one(), "reserve", claim_end::completed);
    one.claim.number += 1'000;
    CHECK(runner.write(one).how == fenced_result::stale);
    auto tx = runner.db.begin();
    CHECK(runner.book.write(tx, one, day).how == fenced_result::stale);
    CHECK(tx.query_one<std::int64_t>("SELECT count(*) FROM journal_states") == std::tuple(1));
    CHECK(tx.query_one<std::int64_t>("SELECT count(*) FROM journal_records") == std::tuple(0));
}

TEST_CASE("postgres: a write that knows more records than there are is refused") {
    const place here;
    desk runner(here);
    static_cast<void>(runner.start("1"));
    const auto entry = runner.claim_one();
    auto one = with_record(entry, "reserve");
    one.known = 1;
    const auto refused = [&] {
        CHECK_THROWS_WITH(runner.write(one), Catch::Contains("more records than there are"));
    };
    refused();
    one.end = claim_end::completed;
    refused();
    auto tx = runner.db.begin();
    CHECK_THROWS_AS(runner.book.write(tx, one, day), usage_error);
    tx.rollback();
    CHECK(runner.look("1").history.empty());
    CHECK(runner.write(with_record(entry, "reserve")).how == fenced_result::done);
    CHECK(runner.write(one).how == fenced_result::done);
}

TEST_CASE("postgres: a record is not written twice, whichever way its write is made again") {
    const place here;
    desk runner(here);
    static_cast<void>(runner.start("1"));
    const auto one = with_record(runner.claim_one(), "reserve");
    CHECK(runner.write(one).how == fenced_result::done);
    CHECK(runner.write(one).how == fenced_result::done);
    auto tx = runner.db.begin();
    CHECK(runner.book.write(tx, one, day).how == fenced_result::done);
    CHECK(tx.commit() == commit_result::committed);
    CHECK(runner.look("1").history.size() == 1);
    // A handle that was made later knows of no records, and asks the server for them.
    auto later = runner.db.journal("orders", few_seats);
    auto two = with_record(runner.look("1"), "charge");
    CHECK(later.write({&two, 1}, day).front().how == fenced_result::done);
    two.end = claim_end::completed;
    CHECK(later.write({&two, 1}, day).front().how == fenced_result::done);
    CHECK(later.write({&two, 1}, day).front().how == fenced_result::stale);
    CHECK(runner.look("1").history.size() == 2);
    CHECK(runner.look("1").what.state == instance_state::completed);
}

TEST_CASE("postgres: a batch of more writes than go at once is answered in its order") {
    const place here;
    desk runner(here);
    auto tx = runner.db.begin();
    for (int i = 0; i < 1'100; ++i) {
        static_cast<void>(runner.add(tx, std::to_string(i)));
    }
    CHECK(tx.commit() == commit_result::committed);
    const auto all = runner.claim(2'000);
    REQUIRE(all.size() == 1'100);
    std::vector<journal_write> batch;
    for (std::size_t i = 0; i < all.size(); ++i) {
        batch.push_back(
            with_record(all[i], "reserve", i % 3 == 0 ? claim_end::completed : claim_end::none));
        batch.back().claim.epoch += i % 7 == 0 ? 1U : 0U;
    }
    const auto came = runner.book.write(batch, day);
    REQUIRE(came.size() == batch.size());
    for (std::size_t i = 0; i < came.size(); ++i) {
        CHECK(came[i].how == (i % 7 == 0 ? fenced_result::stale : fenced_result::done));
    }
    // Records alone, some of them stale.
    for (auto& one : batch) {
        one.end = claim_end::none;
        one.known = 1;
    }
    const auto next = runner.book.write(batch, day);
    for (std::size_t i = 0; i < next.size(); ++i) {
        const bool is_stale = i % 7 == 0 || i % 3 == 0;
        CHECK(next[i].how == (is_stale ? fenced_result::stale : fenced_result::done));
    }
}

TEST_CASE("postgres: a runner that died with more than one claim sweeps loses none") {
    const place here;
    desk ours(here, 0);
    desk theirs(here, 1);
    auto tx = ours.db.begin();
    for (int i = 0; i < 1'050; ++i) {
        static_cast<void>(ours.add(tx, std::to_string(i)));
    }
    CHECK(tx.commit() == commit_result::committed);
    CHECK(ours.claim(2'000).size() == 1'050);
    const auto swept = theirs.book.take(theirs.book.holder(0), "sweeper").value();
    CHECK(theirs.book.release(swept) == fenced_result::done);
    CHECK(theirs.claim(2'000).size() == 1'000);
    CHECK(theirs.claim(2'000).size() == 50);
    CHECK(theirs.claim(2'000).empty());
    CHECK(ours.count("SELECT count(*) FROM journal_seats WHERE unswept > 0") == 0);
}

TEST_CASE("postgres: early replies of unknown instances go with their place") {
    const place here;
    desk service(here);
    auto small = service.db.journal("small", {.seats = 1, .early_replies_max = 2});
    const auto bring = [&](std::string_view id, wall_time now) {
        auto tx = service.db.begin();
        const auto how =
            small.reply(tx, {.type = order, .id = id, .to = {"charge", {}}, .data = "x"}, now);
        CHECK(tx.commit() == commit_result::committed);
        return how;
    };
    CHECK(bring("1", day) == reply_result::early);
    CHECK(bring("2", day + 1s) == reply_result::early);
    CHECK(bring("3", day) == reply_result::refused);
    CHECK(bring("2", day) == reply_result::duplicate);
    CHECK_FALSE(small.find(order, "1"));
    CHECK(small.stuck(day + 1h, INT64_MIN, 10).empty());
    CHECK(service.count("SELECT count(*) FROM journal_instances") == 2);
    CHECK(small.purge_replies(day + 1s, 10) == 1);
    CHECK(service.count("SELECT count(*) FROM journal_instances") == 1);
    CHECK(service.count("SELECT count(*) FROM journal_states") == 1);
    CHECK(bring("3", day) == reply_result::early);
}

TEST_CASE("postgres: what changes while a runner has an instance touches no index") {
    const place here;
    desk runner(here);
    static_cast<void>(runner.start("1"));
    const auto entry = runner.claim_one();
    auto tx = runner.db.begin();
    for (std::uint32_t i = 0; i < 20; ++i) {
        auto one = plain(entry);
        one.progress = step_progress{.where = {"charge", step_phase::act}, .starts = i};
        CHECK(runner.book.write(tx, one, day).how == fenced_result::done);
    }
    CHECK(tx.query_one<std::int64_t>("SELECT pg_stat_get_xact_tuples_hot_updated("
                                     "'journal_states'::regclass)") == std::tuple(20));
}

TEST_CASE(
    "postgres: claims read what is due by an index, and records find their instance by its own") {
    const place here;
    desk runner(here);
    auto& db = runner.db.connection();
    db.execute_script("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan");
    const postgres::detail::naming named(here.schema);
    const postgres::detail::journal_statements sql(named);
    const auto plan = [&](const std::string& text, const std::string& types, int values) {
        db.execute_script("PREPARE looked(" + types + ") AS " + text);
        std::string nulls = "NULL";
        for (int i = 1; i < values; ++i) {
            nulls += ", NULL";
        }
        std::string out;
        db.for_each<std::string>("EXPLAIN EXECUTE looked(" + nulls + ")",
                                 [&](const std::string& line) { out += line + "\n"; });
        db.execute_script("DEALLOCATE looked");
        return out;
    };
    const auto take = plan(sql.take.text(),
                           "int, int, bigint, bigint, bigint[], bytea[], bigint, bigint, bool", 9);
    INFO(take);
    CHECK(holds(take, "using journal_due "));
    CHECK(holds(take, "using journal_due_from "));
    CHECK_FALSE(holds(take, "Seq Scan"));
    CHECK_FALSE(holds(take, "Sort Key: s"));
    const std::string record =
        "int, bigint, bigint, bigint, int, int, int, bigint, bigint, bigint, bytea, bytea, bytea, "
        "bool";
    for (const auto& add :
         {plan(sql.add_one.text(), record, 14), plan(sql.end_one.text(), record + ", int", 15)}) {
        INFO(add);
        CHECK(holds(add, "using journal_states_pkey"));
        CHECK_FALSE(holds(add, "Seq Scan"));
        CHECK_FALSE(holds(add, "hashed"));
    }
}

TEST_CASE("postgres: through a restart of the server a journal is unavailable, and goes on") {
    postgres_server server;
    const place here(server);
    desk runner(here);
    static_cast<void>(runner.start("1"));
    const auto entry = runner.claim_one();
    const auto one = with_record(entry, "reserve");
    server.stop();
    CHECK_THROWS_AS(runner.book.write({&one, 1}, day, in(2s)), unavailable_error);
    CHECK_THROWS_AS(runner.book.claim(runner.lease, {&order, 1}, day, 1, in(2s)),
                    unavailable_error);
    CHECK_THROWS_AS(runner.book.find(order, "1", in(2s)), unavailable_error);
    CHECK_THROWS_AS(runner.book.renew(runner.lease, in(2s)), unavailable_error);
    server.start();
    CHECK(runner.write(one).how == fenced_result::done);
    CHECK(runner.book.renew(runner.lease) == fenced_result::done);
    CHECK(runner.look("1").history.size() == 1);
    auto tx = runner.db.begin();
    CHECK(runner.add(tx, "2") == start_result::started);
    server.stop();
    CHECK(tx.commit() == commit_result::aborted);
    server.start();
    CHECK(runner.start("2") == start_result::started);
}

TEST_CASE("postgres: while a transaction is open, only what is given it may use a journal") {
    const place here;
    desk runner(here);
    desk other(here, 1);
    static_cast<void>(runner.start("1"));
    const auto entry = runner.claim_one();
    auto tx = runner.db.begin();
    CHECK_THROWS_AS(runner.write(with_record(entry, "reserve")), unavailable_error);
    CHECK_THROWS_AS(runner.claim(), unavailable_error);
    CHECK_THROWS_AS(runner.book.counts(), unavailable_error);
    CHECK(runner.book.write(tx, with_record(entry, "reserve"), day).how == fenced_result::done);
    CHECK_THROWS_AS(other.book.write(tx, with_record(entry, "charge"), day), usage_error);
    CHECK_FALSE(runner.book.shares(other.db));
    CHECK(tx.commit() == commit_result::committed);
    CHECK_THROWS_AS(runner.book.write(tx, with_record(entry, "charge"), day), usage_error);
}

TEST_CASE("postgres: a journal of another number of seats is refused, with what to do") {
    const place here;
    desk runner(here);
    const auto text =
        text_of<usage_error>([&] { static_cast<void>(here.open().journal("orders")); });
    CHECK(holds(text, "made with 4 seats"));
    CHECK(holds(text, "option seats"));
    CHECK_THROWS_AS(runner.db.journal("more", {.seats = 0}), usage_error);
    CHECK_THROWS_AS(runner.book.holder(4), usage_error);
    CHECK_THROWS_AS(runner.book.take({.shard = 4}, "me"), usage_error);
    CHECK_THROWS_AS(runner.book.take(runner.lease, ""), usage_error);
}

TEST_CASE("postgres: journals, types and ids may have any name, and stay apart") {
    place here;
    here.schema = "Select_";
    auto db = here.open();
    const std::vector<step_entry> steps{{"s", step_kind::retriable}};
    int journals = 0;
    for (const std::string& name :
         {std::string("a\0\"b';--", 8), std::string(3'000, 'n'), std::string(3'000, 'n') + "!",
          std::string("\xff"), std::string()}) {
        auto book = db.journal(name, {.seats = 1, .name_bytes_max = 10'000});
        const auto lease = book.take(book.holder(0), name + "r").value();
        for (const std::string& text : {name + "x", std::string(2'000, 'i') + name}) {
            auto tx = db.begin();
            CHECK(book.start(tx, {text, text, steps, name}, day) == start_result::started);
            CHECK(book.reply(tx, {text, text, {text, step_phase::undo}, name}, day) ==
                  reply_result::early);
            CHECK(tx.commit() == commit_result::committed);
            const std::string_view type = text;
            const auto some = book.claim(lease, {&type, 1}, day, 10).value();
            REQUIRE(some.size() == 1);
            CHECK(some[0].what.id == text);
            CHECK(some[0].what.input == name);
        }
        CHECK(book.counts() == journal_counts{2, 0, 2});
        ++journals;
    }
    CHECK(db.connection().query_one<std::int64_t>("SELECT count(*) FROM \"Select_\".journals") ==
          std::tuple(journals));
}

TEST_CASE("postgres: the tables of a journal are made when one is first asked for") {
    const place here;
    auto db = here.open();
    const own_connection other(here.conninfo);
    const auto parts = [&] { return other.ask("SELECT count(*) FROM meta"); };
    CHECK(parts() == "1");
    auto options = here.options();
    options.create = false;
    const auto text =
        text_of<usage_error>([&] { static_cast<void>(here.open(options).journal("orders")); });
    CHECK(holds(text, "'journal'"));
    CHECK(holds(text, "schema_script"));
    CHECK(parts() == "1");
    static_cast<void>(db.journal("orders", few_seats));
    static_cast<void>(here.open().journal("orders", few_seats));
    CHECK(parts() == "2");
    other.ask("UPDATE meta SET version = 9 WHERE name = 'journal'");
    const auto newer = text_of<postgres::schema_error>(
        [&] { static_cast<void>(here.open().journal("orders", few_seats)); });
    CHECK(holds(newer, "'journal'"));
    CHECK(holds(newer, "version 9"));
    CHECK(holds(newer, "version 1"));
}

TEST_CASE("postgres: who may not make a journal's tables is given the SQL for somebody who may") {
    auto& server = postgres_server::shared();
    const own_connection owner(server.conninfo());
    owner.ask("CREATE ROLE bookkeeper LOGIN");
    const std::string conninfo = "host=" + server.folder() + " dbname=postgres user=bookkeeper";
    postgres::store_options options;
    options.schema = "books";
    owner.ask(postgres::schema_script("books", "bookkeeper"));
    owner.ask(
        "DROP TABLE books.journals, books.journal_seats, books.journal_instances, "
        "books.journal_states, books.journal_records, books.journal_replies; DELETE FROM "
        "books.meta WHERE name = 'journal'");
    postgres::store db(conninfo, options);
    const auto text = text_of<postgres::rights_error>(
        [&] { static_cast<void>(db.journal("orders", few_seats)); });
    CHECK(holds(text, "permission denied"));
    const auto from = text.find("BEGIN;");
    REQUIRE(from != std::string::npos);
    CHECK(owner.ask(text.substr(from)) == "");
    auto book = db.journal("orders", few_seats);
    const auto lease = book.take(book.holder(0), "runner").value();
    const std::vector<step_entry> steps{{"s", step_kind::retriable}};
    {
        auto tx = db.begin();
        CHECK(book.start(tx, {order, "1", steps, ""}, day) == start_result::started);
        CHECK(tx.commit() == commit_result::committed);
    }
    const auto some = book.claim(lease, {&order, 1}, day, 1).value();
    REQUIRE(some.size() == 1);
    const auto one = with_record(some[0], "s", claim_end::completed);
    CHECK(book.write({&one, 1}, day).front().how == fenced_result::done);
    CHECK(book.purge(day + 1s, 10) == 1);
    owner.ask("REVOKE ALL ON books.journal_states FROM bookkeeper");
    CHECK_THROWS_AS(book.counts(), postgres::rights_error);
    auto tx = db.begin();
    CHECK_THROWS_AS(book.start(tx, {order, "2", steps, ""}, day), postgres::rights_error);
}

TEST_CASE("postgres: a runner is woken by what gives its journal something to do") {
    static_assert(waking_journal<postgres::journal>);
    const place here;
    desk at(here);
    auto running = here.open();
    auto book = running.journal("orders", few_seats);
    auto others = at.db.journal("others", few_seats);
    const std::vector<step_entry> steps{{"reserve", step_kind::retriable}};
    CHECK(book.wait_for_due(in(10s)));  // something may have been started before
    CHECK_FALSE(book.wait_for_due(in(1ms)));
    {
        auto tx = at.db.begin();
        CHECK(at.add(tx, "gone") == start_result::started);
        tx.rollback();
    }
    {
        auto tx = at.db.begin();
        CHECK(others.start(tx, {order, "1", steps, ""}, day) == start_result::started);
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK_FALSE(book.wait_for_due(in(20ms)));
    CHECK(at.start("1") == start_result::started);
    CHECK(book.wait_for_due(in(10s)));
    const auto is_quiet = [&] {
        while (book.wait_for_due(in(50ms))) {  // a call may come after what it was for
        }
        return true;
    };
    CHECK(is_quiet());
    CHECK(at.start("1") == start_result::was_there);
    CHECK_FALSE(book.wait_for_due(in(20ms)));
    {
        auto tx = at.db.begin();
        CHECK(at.book.cancel(tx, order, "1", note_at(day)));
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK(book.wait_for_due(in(10s)));
    CHECK(is_quiet());
    const auto seen = at.book.find(order, "1").value().what;
    CHECK(at.book.decide(seen.number, seen.epoch, {.why = note_at(day)}, day));
    CHECK(book.wait_for_due(in(10s)));
    // A reply for which an instance waits.
    CHECK(is_quiet());
    auto waits = at.claim().at(0);
    journal_write out{.claim = claim_of(waits.what), .known = waits.history.size()};
    out.end = claim_end::released;
    out.wait = instance_wait{put_off_by(day, 1h), step_address{"charge", step_phase::act}};
    CHECK(at.book.write({&out, 1}, day).front().how == fenced_result::done);
    CHECK_FALSE(book.wait_for_due(in(20ms)));
    {
        auto tx = at.db.begin();
        CHECK(at.book.reply(tx, {order, "1", {"charge", step_phase::act}, "yes"}, day) ==
              reply_result::awaited);
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK(book.wait_for_due(in(10s)));
}

TEST_CASE("postgres: a runner that waits for something to do wakes while it waits") {
    const place here;
    desk at(here);
    auto running = here.open();
    auto book = running.journal("orders", few_seats);
    CHECK(book.wait_for_due(in(10s)));
    std::thread service([&] { static_cast<void>(at.start("1")); });
    CHECK(book.wait_for_due(in(20s)));
    service.join();
    CHECK(book.counts().open == 1);
}

TEST_CASE("postgres: a record finds its instance also where its row was written since the claim") {
    const place here;
    desk at(here);
    CHECK(at.start("1") == start_result::started);
    CHECK(at.start("2") == start_result::started);
    auto one = at.claim(1).at(0);
    const auto write = [&](journal_write what) {
        const auto how = at.book.write({&what, 1}, day).front();
        if (how.how == fenced_result::done) {
            one.history.insert(one.history.end(), what.records.begin(), what.records.end());
        }
        return how;
    };
    CHECK(write(with_record(one, "reserve")).how == fenced_result::done);
    // Whoever cancels writes the row anew; the next write is told.
    {
        auto tx = at.db.begin();
        CHECK(at.book.cancel(tx, order, one.what.id, note_at(day)));
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK(write(with_record(one, "charge")) == write_result{fenced_result::done, true});
    // Somebody else's row in the place where it lay is not taken for it.
    const own_connection owner(postgres_server::shared().conninfo());
    owner.ask("VACUUM FULL " + here.schema + ".journal_states");
    auto two = at.claim(1).at(0);
    owner.ask("VACUUM FULL " + here.schema + ".journal_states");
    const auto last = with_record(two, "reserve", claim_end::completed);
    CHECK(at.book.write({&last, 1}, day).front().how == fenced_result::done);
    CHECK(at.book.find(order, two.what.id).value().what.state == instance_state::completed);
    CHECK(write(with_record(one, "reserve")).how == fenced_result::done);
    CHECK(at.book.find(order, one.what.id).value().history.size() == 3);
}
