// SPDX-License-Identifier: BSL-1.0
#include "sqlite_faulty_vfs.hpp"
#include "sqlite_support.hpp"

#include "support/test.hpp"

#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/journal.hpp>

#include <sqlite3.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace sqlite = sinew::sqlite;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::no_waiting;
using sinew::test::temp_folder;

static_assert(sinew::journal<sqlite::journal, sqlite::store>);
static_assert(sinew::waking_journal<sqlite::journal>);
static_assert(std::copyable<sqlite::journal>);

namespace {

using texts = std::vector<std::string>;

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr std::string_view type = "order";
const sqlite::store_options quick{.synchronous = sqlite::synchronous::normal};
const std::vector<step_entry> steps{{"reserve", step_kind::compensable},
                                    {"charge", step_kind::compensable},
                                    {"ship", step_kind::pivot}};

failure_note note_at(wall_time at, std::string reason = "refused") {
    return {at, failure_class::transient, 1, std::move(reason), "detail"};
}

/// A service with its store, and a runner on a seat.
struct shop {
    temp_folder folder{};
    sqlite::store store{folder.file(), quick};
    sqlite::journal book = store.journal("orders");
    shard_lease lease = book.take(book.holder(0), "runner").value();
    wall_time now = day;

    [[nodiscard]] sqlite::store open_other() const { return sqlite::store(folder.file(), quick); }

    start_result start(std::string_view id, std::string_view input = "input") {
        auto tx = store.begin();
        const auto came = book.start(tx, {type, id, steps, input}, now);
        REQUIRE(tx.commit() == commit_result::committed);
        return came;
    }
    /// Starts so many, in one commit.
    void start_many(int count, std::string_view prefix) {
        auto tx = store.begin();
        for (int i = 0; i < count; ++i) {
            const std::string id = std::string(prefix) + std::to_string(i);
            REQUIRE(book.start(tx, {type, id, steps, "input"}, now) == start_result::started);
        }
        REQUIRE(tx.commit() == commit_result::committed);
    }
    reply_result reply(std::string_view id, std::string step, std::string_view data = "reply") {
        auto tx = store.begin();
        const auto came = book.reply(tx, {type, id, {std::move(step), step_phase::act}, data}, now);
        REQUIRE(tx.commit() == commit_result::committed);
        return came;
    }
    [[nodiscard]] std::vector<journal_entry> claim(std::size_t limit = 1'000'000) {
        return book.claim(lease, {&type, 1}, now, limit).value();
    }
    [[nodiscard]] texts ids() {
        texts out;
        for (const auto& one : claim()) {
            out.push_back(one.what.id);
        }
        return out;
    }
    [[nodiscard]] journal_entry look(std::string_view id) { return book.find(type, id).value(); }
    [[nodiscard]] fenced_result write(const journal_write& one) {
        return book.write({&one, 1}, now).at(0).how;
    }
    [[nodiscard]] step_record record(std::string step) const {
        return {.where = {std::move(step), step_phase::act}, .at = now, .result = "ok"};
    }
    [[nodiscard]] journal_write done(const journal_entry& entry, std::string step) const {
        journal_write out{.claim = claim_of(entry.what), .known = entry.history.size()};
        out.records.push_back(record(std::move(step)));
        return out;
    }
    [[nodiscard]] static journal_write ending(const journal_entry& entry, claim_end end) {
        return {.claim = claim_of(entry.what), .known = entry.history.size(), .end = end};
    }
    [[nodiscard]] journal_write waiting(const journal_entry& entry, duration delay,
                                        std::string reply = {}) const {
        auto out = ending(entry, claim_end::released);
        out.wait = instance_wait{put_off_by(now, delay), std::nullopt};
        if (!reply.empty()) {
            out.wait->reply = step_address{std::move(reply), step_phase::act};
        }
        return out;
    }
    /// Ends the claim on all of them, in one commit.
    template <class F>
    void end_all(const std::vector<journal_entry>& entries, F how) {
        std::vector<journal_write> writes;
        for (const auto& one : entries) {
            writes.push_back(how(one));
        }
        for (const auto& came : book.write(writes, now)) {
            REQUIRE(came.how == fenced_result::done);
        }
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

/// How many steps SQLite's machine takes for `f`.
template <class F>
int machine_steps(sqlite::store& in, F f) {
    int count = 0;
    sqlite3* db = in.connection().handle();
    sqlite3_progress_handler(
        db, 1, [](void* at) { return ++*static_cast<int*>(at) < 0 ? 1 : 0; }, &count);
    f();
    sqlite3_progress_handler(db, 0, nullptr, nullptr);
    return count;
}

/// What SQLite says of how it carries out a statement.
std::string plan_of(sqlite::store& in, const sqlite::detail::prepared& sql) {
    sqlite3_stmt* raw = nullptr;
    const std::string text = "EXPLAIN QUERY PLAN " + sql.text();
    REQUIRE(sqlite3_prepare_v2(in.connection().handle(), text.c_str(), -1, &raw, nullptr) ==
            SQLITE_OK);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> run(raw, &sqlite3_finalize);
    std::string out;
    while (sqlite3_step(raw) == SQLITE_ROW) {
        out += reinterpret_cast<const char*>(sqlite3_column_text(raw, 3));
        out += "\n";
    }
    return out;
}

}  // namespace

TEST_CASE("sqlite: journal_writer 1: a transaction of another store is refused") {
    shop at;
    auto other = at.open_other();
    REQUIRE(at.book.shares(at.store));
    REQUIRE_FALSE(at.book.shares(other));
    auto tx = other.begin();
    REQUIRE_THROWS_AS(at.book.start(tx, {type, "1", steps, "x"}, day), usage_error);
    REQUIRE_THROWS_AS(at.book.reply(tx, {type, "1", {"a", step_phase::act}, "x"}, day),
                      usage_error);
    REQUIRE_THROWS_AS(at.book.cancel(tx, type, "1", note_at(day)), usage_error);
    REQUIRE_THROWS_AS(at.book.write(tx, journal_write{}, day), usage_error);
    tx.rollback();
    REQUIRE_THROWS_AS(at.book.write(tx, journal_write{}, day), usage_error);
}

TEST_CASE("sqlite: a journal is opened with the number of seats that it was made with") {
    shop at;
    auto other = at.open_other();
    REQUIRE(other.journal("orders").shards() == 32);
    REQUIRE_THROWS_WITH(other.journal("orders", {.seats = 5}),
                        "journal: it was made with 32 seats, and is opened with 5; open it with "
                        ".seats = 32");
    REQUIRE_THROWS_AS(at.store.journal("orders", {.seats = 5}), usage_error);
    REQUIRE_THROWS_AS(at.store.journal("others", {.seats = 0}), usage_error);
    REQUIRE_THROWS_AS(at.store.journal("others", {.seats = shards_max + 1}), usage_error);
    auto largest = at.store.journal("others", {.seats = shards_max});
    REQUIRE(largest.holder(shards_max - 1) == shard_lease{.shard = shards_max - 1});
    REQUIRE_THROWS_AS(largest.holder(shards_max), usage_error);
    REQUIRE(at.book.holder(0) == at.lease);
}

TEST_CASE("sqlite: journals of other names hold other instances, seats and replies") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    auto other = at.store.journal("others", {.seats = 2});
    REQUIRE_FALSE(other.find(type, "1"));
    REQUIRE(other.counts() == journal_counts{});
    REQUIRE(other.stuck(day + 1h, 0, 10).empty());
    const auto lease = other.take(other.holder(0), "runner").value();
    REQUIRE(lease.epoch == 1);
    REQUIRE(other.claim(lease, {&type, 1}, day, 10)->empty());
    const auto entry = at.claim().at(0);
    const auto one = at.done(entry, "reserve");
    REQUIRE(other.write({&one, 1}, day).at(0).how == fenced_result::stale);
    REQUIRE_FALSE(other.decide(entry.what.number, entry.what.epoch, {}, day));
    auto tx = at.store.begin();
    REQUIRE(other.reply(tx, {type, "1", {"reserve", step_phase::act}, "x"}, day) ==
            reply_result::early);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(other.counts() == journal_counts{0, 0, 1});
    REQUIRE(at.book.counts() == journal_counts{1, 0, 0});
    REQUIRE(other.purge_replies(day + 1h, 10) == 1);
}

TEST_CASE("sqlite: names with SQL in them do no harm") {
    shop at;
    const std::string name = "x'); DROP TABLE sinew_journals; --";
    auto book = at.store.journal(name, {.seats = 1});
    const std::string id("'; DELETE FROM sinew_journal_instances; --\0 and more", 51);
    const auto lease = book.take(book.holder(0), "'; --").value();
    auto tx = at.store.begin();
    REQUIRE(book.start(tx, {id, id, steps, id}, day) == start_result::started);
    REQUIRE(book.start(tx, {id, id, steps, id}, day) == start_result::was_there);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.open_other().journal(name, {.seats = 1}).holder(0).owner == "'; --");
    const std::string_view types[] = {id};
    REQUIRE(book.claim(lease, types, day, 10)->at(0).what.id == id);
    sqlite::store own(at.folder.file(), {.prefix = "mine_", .synchronous = quick.synchronous});
    REQUIRE(own.journal("orders", {.seats = 3}).shards() == 3);
}

TEST_CASE("sqlite: a journal survives that its file is opened again") {
    temp_folder folder;
    shard_lease lease;
    std::optional<journal_entry> before;
    {
        sqlite::store store(folder.file(), quick);
        auto book = store.journal("orders");
        lease = book.take(book.holder(3), "runner").value();
        auto tx = store.begin();
        REQUIRE(book.start(tx, {type, "1", steps, "input"}, day) == start_result::started);
        REQUIRE(tx.commit() == commit_result::committed);
        const auto entry = book.claim(lease, {&type, 1}, day, 10)->at(0);
        journal_write one{.claim = claim_of(entry.what)};
        one.records.push_back({.where = {"reserve", step_phase::act}, .at = day, .result = "ok"});
        one.progress = step_progress{.where = {"charge", step_phase::act},
                                     .attempts = 2,
                                     .waits = 3,
                                     .starts = 1,
                                     .in_doubt = true,
                                     .begun = day,
                                     .last_failure = note_at(day)};
        one.end = claim_end::released;
        one.wait = instance_wait{put_off_by(day, 10s), step_address{"charge", step_phase::undo}};
        REQUIRE(book.write({&one, 1}, day).at(0).how == fenced_result::done);
        before = book.find(type, "1");
    }
    sqlite::store store(folder.file(), quick);
    auto book = store.journal("orders");
    REQUIRE(book.holder(3) == lease);
    REQUIRE(book.find(type, "1") == before);
    REQUIRE(before->what.progress->last_failure == note_at(day));
    REQUIRE(before->what.wait->reply == step_address{"charge", step_phase::undo});
    REQUIRE(book.claim(lease, {&type, 1}, day, 10)->empty());
    REQUIRE(book.claim(lease, {&type, 1}, day + 10s, 10)->at(0).history == before->history);
}

TEST_CASE("sqlite: a store without a journal has no tables of journals") {
    temp_folder folder;
    sqlite::store store(folder.file(), quick);
    const auto tables = [&] {
        return std::get<0>(*store.connection().query_one<int>(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'sinew_journal%'"));
    };
    REQUIRE(tables() == 0);
    static_cast<void>(store.journal("orders"));
    REQUIRE(tables() > 0);
}

TEST_CASE("sqlite: journals of a newer version are refused, and the rest of the store works") {
    shop at;
    at.store.connection().execute("UPDATE sinew_meta SET version = 99 WHERE name = 'journal'");
    auto other = at.open_other();
    REQUIRE(reason_of([&] { static_cast<void>(other.journal("orders")); }) == "schema_too_new");
    REQUIRE(other.begin().commit() == commit_result::committed);
}

TEST_CASE("sqlite: what is damaged in a journal is told, and is not taken for something else") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    REQUIRE(at.write(at.done(entry, "reserve")) == fenced_result::done);
    const auto damaged_by = [&](const char* sql) {
        auto tx = at.store.begin();
        tx.execute(sql);
        REQUIRE(tx.commit() == commit_result::committed);
        return reason_of([&] { static_cast<void>(at.look("1")); });
    };
    REQUIRE(damaged_by("UPDATE sinew_journal_inputs SET steps = x'00ffffff7f61'") == "corrupt");
    REQUIRE(damaged_by("UPDATE sinew_journal_inputs SET steps = x''") == "nothing");
    REQUIRE(damaged_by("UPDATE sinew_journal_records SET kind = 9") == "corrupt");
    REQUIRE(damaged_by("UPDATE sinew_journal_records SET kind = 0, why = x'00'") == "corrupt");
    REQUIRE(damaged_by("UPDATE sinew_journal_records SET why = NULL") == "nothing");
    REQUIRE(damaged_by("UPDATE sinew_journal_instances SET state = 77") == "corrupt");
    REQUIRE(damaged_by("UPDATE sinew_journal_instances SET state = 0, progress = x'0102'") ==
            "nothing");  // a record ended it
    REQUIRE(damaged_by("UPDATE sinew_journal_instances SET known = 1") == "corrupt");
    REQUIRE(damaged_by("UPDATE sinew_journal_instances SET progress = NULL") == "nothing");
    REQUIRE(damaged_by("DELETE FROM sinew_journal_inputs") == "corrupt");
}

TEST_CASE("sqlite: writes to a journal wait until the store's open transaction has ended") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    const auto one = at.done(entry, "reserve");
    auto tx = at.store.begin();
    const auto reason = [](auto call) { return reason_of([&] { static_cast<void>(call()); }); };
    REQUIRE(reason([&] { return at.book.write({&one, 1}, day); }) == "transaction_open");
    REQUIRE(reason([&] { return at.claim(); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.renew(at.lease); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.release(at.lease); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.take(at.lease, "other"); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.purge(day, 1); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.purge_replies(day, 1); }) == "transaction_open");
    REQUIRE(reason([&] { return at.book.decide(entry.what.number, entry.what.epoch, {}, day); }) ==
            "transaction_open");
    REQUIRE(reason([&] { return at.store.journal("another"); }) == "transaction_open");
    tx.rollback();
    REQUIRE(at.write(one) == fenced_result::done);
}

TEST_CASE("sqlite: beside an open transaction a journal shows what is committed, and no more") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    auto tx = at.store.begin();
    REQUIRE(at.book.start(tx, {type, "2", steps, "x"}, day) == start_result::started);
    REQUIRE(at.book.write(tx, at.done(entry, "reserve"), day).how == fenced_result::done);
    REQUIRE(at.look("1").history.empty());
    REQUIRE_FALSE(at.book.find(type, "2"));
    REQUIRE(at.book.counts() == journal_counts{1, 0, 0});
    REQUIRE(at.book.stuck(day + 1s, 0, 10).size() == 1);
    REQUIRE(at.book.holder(0) == at.lease);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.look("1").history.size() == 1);
    REQUIRE(at.book.counts() == journal_counts{2, 0, 0});
}

TEST_CASE("sqlite: a journal in a file that is locked answers by its deadline") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    REQUIRE(at.start("2") == start_result::started);
    const auto one = at.done(entry, "reserve");
    auto other = at.open_other();
    auto tx = other.begin();
    REQUIRE_THROWS_AS(at.book.write({&one, 1}, day, no_waiting), sqlite::busy_error);
    REQUIRE_THROWS_AS(at.book.claim(at.lease, {&type, 1}, day, 10, no_waiting), sqlite::busy_error);
    REQUIRE_THROWS_AS(at.book.renew(at.lease, no_waiting), sqlite::busy_error);
    const std::string_view unknown = "unknown";
    REQUIRE(at.book.claim(at.lease, {&unknown, 1}, day, 10, no_waiting)->empty());
    REQUIRE(at.look("2").what.id == "2");  // reading waits for nobody
    tx.rollback();
    REQUIRE(at.write(one) == fenced_result::done);
    REQUIRE(at.ids() == texts{"2"});
}

TEST_CASE("sqlite: two runners with connections of their own share instances, each given once") {
    shop at;
    auto other = at.open_other();
    auto their_book = other.journal("orders");
    const auto their_lease = their_book.take(their_book.holder(1), "other").value();
    at.start_many(20, "i");
    texts all;
    for (int round = 0; round < 10; ++round) {
        for (auto& one : at.claim(1)) {
            all.push_back(one.what.id);
        }
        const auto theirs = their_book.claim(their_lease, {&type, 1}, day, 1);
        for (const auto& one : theirs.value()) {
            all.push_back(one.what.id);
        }
    }
    REQUIRE(all.size() == 20);
    for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i] == "i" + std::to_string(i));
    }
    REQUIRE(at.claim().empty());
    REQUIRE(their_book.claim(their_lease, {&type, 1}, day, 1)->empty());
}

TEST_CASE("sqlite: a runner that is killed leaves its records, and its instances to the next") {
    temp_folder folder;
    {
        sinew::test::process runner([&](sinew::test::process& me) {
            sqlite::store store(folder.file(), quick);
            auto book = store.journal("orders");
            const auto lease = book.take(book.holder(0), "first").value();
            auto tx = store.begin();
            const auto came = book.start(tx, {type, "1", steps, "input"}, day);
            if (came != start_result::started || tx.commit() != commit_result::committed) {
                return false;
            }
            const auto entry = book.claim(lease, {&type, 1}, day, 1)->at(0);
            journal_write one{.claim = claim_of(entry.what)};
            one.records.push_back({.where = {"reserve", step_phase::act}, .at = day});
            if (book.write({&one, 1}, day).at(0).how != fenced_result::done) {
                return false;
            }
            auto never_committed = store.begin();
            one.known = 1;
            one.records[0].where.step = "charge";
            static_cast<void>(book.write(never_committed, one, day));
            me.tell_parent();
            me.wait_for_parent();
            return true;
        });
        REQUIRE(runner.wait_for_child() == '!');
        runner.kill();
    }
    sqlite::store store(folder.file(), quick);
    auto book = store.journal("orders");
    const auto mine = book.take(book.holder(1), "second").value();
    REQUIRE(book.claim(mine, {&type, 1}, day, 10)->empty());
    // The next finds that nobody beats any more.
    const auto taken = book.take(book.holder(0), "second").value();
    REQUIRE(book.release(taken) == fenced_result::done);
    const auto entry = book.claim(mine, {&type, 1}, day, 10)->at(0);
    REQUIRE(entry.history.size() == 1);
    REQUIRE(entry.unsettled == 1);
}

TEST_CASE("sqlite: what was swept may still be written under its claim until somebody has it") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    REQUIRE(at.start("2") == start_result::started);
    const auto entries = at.claim();
    REQUIRE(at.book.release(at.lease) == fenced_result::done);
    at.lease = at.book.take(at.book.holder(1), "second").value();
    const std::string_view none = "none of these";
    REQUIRE(at.book.claim(at.lease, {&none, 1}, at.now, 10)->empty());  // it sweeps all the same
    at.now += 1s;
    REQUIRE(at.write(at.done(entries[0], "reserve")) == fenced_result::done);
    const auto next = at.claim();
    REQUIRE(next.size() == 2);
    REQUIRE(next[0].what.id == "2");  // due for longer: the other has just moved
    REQUIRE(next[0].unsettled == 2);
    REQUIRE(next[1].history.size() == 1);
    REQUIRE(next[1].unsettled == 1);
    REQUIRE(at.write(at.done(entries[1], "reserve")) == fenced_result::stale);
}

TEST_CASE("sqlite: a write that knows more than there is is refused, and leaves nothing") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    auto one = at.done(entry, "reserve");
    REQUIRE(at.write(one) == fenced_result::done);
    for (const auto end : {claim_end::none, claim_end::released}) {
        one.known = 5;
        one.end = end;
        REQUIRE_THROWS_AS(at.write(one), usage_error);
        one.known = SIZE_MAX;
        REQUIRE_THROWS_AS(at.write(one), usage_error);
    }
    REQUIRE(at.look("1").history.size() == 1);
    one.known = 1;
    one.end = claim_end::none;
    REQUIRE(at.write(one) == fenced_result::done);
    REQUIRE(at.look("1").history.size() == 2);
}

TEST_CASE("sqlite: several writes share the service's transaction, each in a nested part") {
    shop at;
    at.start_many(3, "i");
    const auto entries = at.claim();
    auto tx = at.store.begin();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        tx.nest();
        REQUIRE(at.book.write(tx, at.done(entries[i], "reserve"), day).how == fenced_result::done);
        if (i == 1) {
            tx.undo_nested();
        } else {
            tx.keep_nested();
        }
    }
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.look("i0").history.size() == 1);
    REQUIRE(at.look("i1").history.empty());
    REQUIRE(at.look("i2").history.size() == 1);
    REQUIRE(at.write(at.done(entries[1], "reserve")) == fenced_result::done);
}

TEST_CASE("sqlite: a write whose commit the disk reported an error for is unknown") {
    using sinew::test::faulty_vfs;
    temp_folder folder;
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2(folder.file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            faulty_vfs::name()) == SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> closed(db, &sqlite3_close_v2);
    REQUIRE(sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite::store store(db);
    auto book = store.journal("orders");
    const auto lease = book.take(book.holder(0), "runner").value();
    auto tx = store.begin();
    REQUIRE(book.start(tx, {type, "1", steps, "x"}, day) == start_result::started);
    REQUIRE(tx.commit() == commit_result::committed);
    const auto entry = book.claim(lease, {&type, 1}, day, 1)->at(0);
    journal_write one{.claim = claim_of(entry.what)};
    one.records.push_back({.where = {"reserve", step_phase::act}});
    faulty_vfs::fault() = {.after = 1};
    REQUIRE(book.write({&one, 1}, day).at(0) == write_result{fenced_result::unknown, false});
    REQUIRE(faulty_vfs::fault().happened == 1);
    faulty_vfs::fault() = {};
    REQUIRE(book.write({&one, 1}, day).at(0).how == fenced_result::done);
    REQUIRE(book.find(type, "1")->history.size() == 1);
}

TEST_CASE("sqlite: on a full disk a record is not written, and nothing of its batch is") {
    shop at;
    at.start_many(2, "i");
    const auto entries = at.claim();
    at.store.connection().execute_script("PRAGMA max_page_count = 120");
    std::size_t written = 0;
    for (bool full = false; !full;) {
        std::vector<journal_write> batch;
        for (const auto& entry : entries) {
            batch.push_back(at.done(entry, "reserve"));
            batch.back().known = written;
            batch.back().records[0].result.assign(3000, 'x');
        }
        try {
            const auto came = at.book.write(batch, day);
            REQUIRE(came.size() == 2);
            ++written;
        } catch (const sqlite::disk_full_error&) {
            full = true;
        }
    }
    REQUIRE(written > 2);
    REQUIRE(at.look("i0").history.size() == written);
    REQUIRE(at.look("i1").history.size() == written);
    auto tx = at.store.begin();
    auto one = at.done(entries[0], "charge");
    one.known = written;
    one.records[0].result.assign(50'000, 'x');
    REQUIRE(reason_of([&] { static_cast<void>(at.book.write(tx, one, day)); }) == "disk_full");
    REQUIRE(tx.commit() == commit_result::aborted);
    at.store.connection().execute_script("PRAGMA max_page_count = 4000");
    REQUIRE(at.write(one) == fenced_result::done);
}

TEST_CASE("sqlite: a number is not given to another instance after a purge") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    REQUIRE(at.write(at.ending(entry, claim_end::completed)) == fenced_result::done);
    REQUIRE(at.book.purge(day + 1s, 10) == 1);
    REQUIRE(at.start("1") == start_result::started);
    const auto next = at.claim().at(0);
    REQUIRE(next.what.number > entry.what.number);
    REQUIRE(at.write(at.done(entry, "reserve")) == fenced_result::stale);
    REQUIRE(at.look("1").history.empty());
}

TEST_CASE("sqlite: purging takes along all that an instance had, and nothing of another") {
    shop at;
    at.start_many(4, "i");
    auto entries = at.claim();
    for (const auto& one : entries) {
        REQUIRE(at.write(at.done(one, "reserve")) == fenced_result::done);
    }
    for (const auto at_index : {1U, 2U}) {
        auto end = at.ending(entries[at_index], claim_end::compensated);
        end.known = 1;
        REQUIRE(at.write(end) == fenced_result::done);
    }
    REQUIRE(at.book.purge(day + 1s, 1) == 1);
    REQUIRE(at.book.purge(day + 1s, 100) == 1);
    const auto rows = [&](const char* table) {
        return std::get<0>(*at.store.connection().query_one<int>(
            std::string("SELECT count(*) FROM sinew_journal_").append(table)));
    };
    REQUIRE(rows("instances") == 2);
    REQUIRE(rows("inputs") == 2);
    REQUIRE(rows("records") == 2);
    REQUIRE(at.look("i0").history.size() == 1);
    REQUIRE(at.look("i3").history.size() == 1);
}

TEST_CASE("sqlite: a claim costs the same, whatever waits, is held, or has ended beside it") {
    shop at;
    const auto cost_of_one = [&](int round) {
        REQUIRE(at.start("one" + std::to_string(round)) == start_result::started);
        std::vector<journal_entry> came;
        const int cost = machine_steps(at.store, [&] { came = at.claim(); });
        REQUIRE(came.size() == 1);
        REQUIRE(at.write(at.ending(came[0], claim_end::completed)) == fenced_result::done);
        return cost;
    };
    static_cast<void>(cost_of_one(0));
    const int before = cost_of_one(1);
    // 2,000 of each kind: ended, put off, waiting for a reply, parked, held.
    const auto fill = [&](std::string_view prefix, auto how) {
        at.start_many(2'000, prefix);
        at.end_all(at.claim(), how);
    };
    fill("ended", [](const auto& one) { return shop::ending(one, claim_end::completed); });
    fill("late", [&](const auto& one) { return at.waiting(one, 1h); });
    fill("awaits", [&](const auto& one) { return at.waiting(one, 1h, "charge"); });
    fill("parked", [](const auto& one) { return shop::ending(one, claim_end::parked); });
    at.start_many(2'000, "held");
    REQUIRE(at.claim().size() == 2'000);
    const int after = cost_of_one(2);
    REQUIRE(after <= before + before / 4);
    const int nothing = machine_steps(at.store, [&] { REQUIRE(at.claim().empty()); });
    REQUIRE(nothing < before);
}

TEST_CASE("sqlite: each statement of a claim goes along an index, and sorts nothing") {
    shop at;
    const sqlite::detail::naming named("sinew_");
    const sqlite::detail::journal_reads reads(named);
    const sqlite::detail::journal_writes writes(named);
    const auto goes_along = [&](const sqlite::detail::prepared& sql, const std::string& index) {
        const auto plan = plan_of(at.store, sql);
        INFO(plan);
        REQUIRE(plan.find(index) != std::string::npos);
        REQUIRE(plan.find("SCAN sinew_journal_instances") == std::string::npos);
        REQUIRE(plan.find("TEMP B-TREE") == std::string::npos);
    };
    goes_along(reads.ready, "INDEX sinew_journal_ready (kind=? AND ready>?");
    goes_along(reads.due, "INDEX sinew_journal_due (kind=? AND due<?)");
    goes_along(reads.unswept, "INDEX sinew_journal_unswept (stream>? AND stream<?)");
    goes_along(writes.held, "INDEX sinew_journal_held (held=? AND seat_epoch<?)");
    goes_along(writes.ended, "INDEX sinew_journal_ended (journal=? AND since<?)");
    goes_along(reads.by_id, "INDEX sinew_journal_ids (kind=? AND id=?)");
    goes_along(reads.by_number, "PRIMARY KEY (rowid=?)");
    goes_along(reads.live, "INDEX sinew_journal_live (journal=? AND rowid>?)");
    goes_along(reads.history, "PRIMARY KEY (rowid>? AND rowid<?)");
    goes_along(writes.record, "PRIMARY KEY (rowid=?)");
    goes_along(reads.reply, "INDEX sinew_journal_replies_by_step");
    // Only while a clock stands before waits began is anything sorted.
    REQUIRE(plan_of(at.store, reads.due_from)
                .find("INDEX sinew_journal_due_from (kind=? AND due_from>?)") != std::string::npos);
}

TEST_CASE("sqlite: a plain record is one insertion: no other row is written") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto entry = at.claim().at(0);
    sqlite3* db = at.store.connection().handle();
    const auto before = sqlite3_total_changes64(db);
    REQUIRE(at.write(at.done(entry, "reserve")) == fenced_result::done);
    REQUIRE(sqlite3_total_changes64(db) == before + 1);
    REQUIRE(at.write(at.done(entry, "reserve")) == fenced_result::done);
    REQUIRE(sqlite3_total_changes64(db) == before + 1);
}

TEST_CASE("sqlite: more was held under a dead lease than one claim sweeps, and all comes back") {
    shop at;
    constexpr int many = static_cast<int>(sqlite::detail::sweep_bite) + 100;
    at.start_many(many, "i");
    REQUIRE(at.claim().size() == many);
    REQUIRE(at.book.release(at.lease) == fenced_result::done);
    at.lease = at.book.take(at.book.holder(7), "next").value();
    REQUIRE(at.claim().size() == sqlite::detail::sweep_bite);
    REQUIRE(at.claim().size() == 100);
    REQUIRE(at.claim().empty());
}

TEST_CASE("sqlite: replies that move between early and awaited are counted right") {
    shop at;
    REQUIRE(at.start("1") == start_result::started);
    const auto early = [&] { return at.book.counts().early_replies; };
    REQUIRE(at.reply("1", "charge") == reply_result::early);
    REQUIRE(at.reply("1", "ship") == reply_result::early);
    REQUIRE(early() == 2);
    REQUIRE(at.write(at.waiting(at.claim().at(0), 1h, "charge")) == fenced_result::done);
    REQUIRE(early() == 1);
    auto entry = at.claim().at(0);
    REQUIRE(entry.reply == std::optional<std::string>("reply"));
    REQUIRE(at.write(at.waiting(entry, 1h, "ship")) == fenced_result::done);
    REQUIRE(early() == 1);
    entry = at.claim().at(0);
    REQUIRE(at.write(at.done(entry, "reserve")) == fenced_result::done);
    REQUIRE(early() == 2);  // a record ended the wait
    auto next = at.done(entry, "ship");
    next.known = 1;
    REQUIRE(at.write(next) == fenced_result::done);
    REQUIRE(early() == 1);
    next = at.ending(entry, claim_end::completed);
    next.known = 2;
    REQUIRE(at.write(next) == fenced_result::done);
    REQUIRE(early() == 0);
    REQUIRE(std::get<0>(*at.store.connection().query_one<int>(
                "SELECT count(*) FROM sinew_journal_replies")) == 0);
}

TEST_CASE(
    "sqlite: a runner is woken by what gives its journal something to do, and by nothing else") {
    const auto soon = [] { return later(machine_clock::now().steady, 10s); };
    shop at;
    auto running = at.open_other();
    auto book = running.journal("orders");
    auto others = at.store.journal("others");
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
    {
        auto tx = at.store.begin();
        CHECK(at.book.start(tx, {type, "gone", steps, "input"}, at.now) == start_result::started);
        CHECK_FALSE(book.wait_for_due(steady_time::min()));
    }
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
    {
        auto tx = at.store.begin();
        CHECK(others.start(tx, {type, "1", steps, "input"}, at.now) == start_result::started);
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK_FALSE(book.wait_for_due(later(machine_clock::now().steady, 1ms)));
    REQUIRE(at.start("1") == start_result::started);
    CHECK(book.wait_for_due(soon()));
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
    REQUIRE(at.start("1") == start_result::was_there);
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
    CHECK(at.reply("1", "ship") == reply_result::early);
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
    // Somebody cancels it, and somebody decides on it.
    {
        auto tx = at.store.begin();
        CHECK(at.book.cancel(tx, type, "1", note_at(at.now)));
        CHECK(tx.commit() == commit_result::committed);
    }
    CHECK(book.wait_for_due(soon()));
    const auto seen = at.book.find(type, "1").value().what;
    CHECK(at.book.decide(seen.number, seen.epoch, {.why = note_at(at.now)}, at.now));
    CHECK(book.wait_for_due(soon()));
    CHECK_FALSE(book.wait_for_due(steady_time::min()));
}

TEST_CASE("sqlite: a runner that waits for something to do wakes while it waits") {
    shop at;
    auto running = at.open_other();
    auto book = running.journal("orders");
    std::thread service([&] { static_cast<void>(at.start("1")); });
    CHECK(book.wait_for_due(later(machine_clock::now().steady, 20s)));
    service.join();
    CHECK(book.counts().open == 1);
}
