// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/sqlite_disk.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::testing;

namespace {

/// A connection, as plain as can be.
class database {
public:
    explicit database(const std::string& file) {
        REQUIRE(sqlite3_open_v2(file.c_str(), &db_,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI |
                                    SQLITE_OPEN_NOMUTEX,
                                nullptr) == SQLITE_OK);
        sqlite3_extended_result_codes(db_, 1);
    }
    database(const database&) = delete;
    database& operator=(const database&) = delete;
    ~database() { sqlite3_close(db_); }

    int run(const std::string& sql) {
        return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
    }
    /// All values of all rows.
    std::string ask(const std::string& sql) {
        std::string all;
        const auto add = [](void* to, int columns, char** values, char**) {
            for (int i = 0; i < columns; ++i) {
                *static_cast<std::string*>(to) +=
                    std::string(values[i] == nullptr ? "NULL" : values[i]) + ";";
            }
            return 0;
        };
        const int code = sqlite3_exec(db_, sql.c_str(), add, &all, nullptr);
        return code == SQLITE_OK ? all : "error " + std::to_string(code);
    }

private:
    sqlite3* db_ = nullptr;
};

const std::string make_table = "CREATE TABLE t(n INTEGER PRIMARY KEY, text TEXT)";

/// A workload with rollbacks, savepoints, large values, deletes and a vacuum.
void work(database& db) {
    REQUIRE(db.run(make_table) == SQLITE_OK);
    REQUIRE(db.run("CREATE INDEX by_text ON t(text)") == SQLITE_OK);
    for (int i = 0; i < 60; ++i) {
        const std::string n = std::to_string(i);
        REQUIRE(db.run("BEGIN IMMEDIATE") == SQLITE_OK);
        REQUIRE(db.run("INSERT INTO t(text) VALUES (hex(zeroblob(" + std::to_string(i * 90) +
                       ")) || " + n + ")") == SQLITE_OK);
        REQUIRE(db.run("SAVEPOINT s") == SQLITE_OK);
        REQUIRE(db.run("DELETE FROM t WHERE n % 3 = " + std::to_string(i % 3)) == SQLITE_OK);
        REQUIRE(db.run(i % 2 == 0 ? "ROLLBACK TO s" : "RELEASE s") == SQLITE_OK);
        REQUIRE(db.run(i % 7 == 0 ? "ROLLBACK" : "COMMIT") == SQLITE_OK);
    }
    REQUIRE(db.run("VACUUM") == SQLITE_OK);
    REQUIRE(db.run("INSERT INTO t(text) VALUES ('last')") == SQLITE_OK);
}

/// A world in which nobody is stepped.
struct scene {
    explicit scene(const std::vector<std::uint8_t>& tape = {}, fault_set faults = disk_faults)
        : machine(simulated_disk(), faults) {
        run.start(tape, true);
    }

    trial run;
    world time{run};
    process one{time, 0, "one"};
    process two{time, 0, "two"};
    computer machine;
};

}  // namespace

TEST_CASE("SQLite does on a simulated disk what it does in memory") {
    const std::string mode = GENERATE("DELETE", "WAL", "TRUNCATE", "PERSIST");
    CAPTURE(mode);
    database memory(":memory:");
    work(memory);
    const auto all = memory.ask("SELECT n, text FROM t ORDER BY n");

    scene s;
    sqlite_disk disk(s.one, s.machine);
    {
        database file(disk.uri("x.db"));
        REQUIRE(file.run("PRAGMA journal_mode = " + mode) == SQLITE_OK);
        REQUIRE(file.run("PRAGMA synchronous = EXTRA") == SQLITE_OK);
        work(file);
        REQUIRE((file.ask("SELECT n, text FROM t ORDER BY n") == all));
        REQUIRE((file.ask("PRAGMA journal_mode") == "wal;") == (mode == "WAL"));
    }
    // And it is there after a loss of power.
    s.machine.lose_power({power_loss::kind::tail, 0});
    sqlite_disk onlooker(s.machine);
    database again(onlooker.uri("x.db"));
    REQUIRE((again.ask("SELECT n, text FROM t ORDER BY n") == all));
    REQUIRE(again.ask("PRAGMA integrity_check") == "ok;");
}

TEST_CASE("two runs of one tape on a simulated disk write the same history and the same bytes") {
    const bool wal = GENERATE(true, false);
    // The 40th choice is a fault.
    std::vector<std::uint8_t> tape(40, 0);
    tape.back() = 1;
    std::vector<std::pair<std::uint64_t, std::string>> results;
    for (int i = 0; i < 2; ++i) {
        scene s(tape);
        sqlite_disk disk(s.one, s.machine);
        {
            database db(disk.uri("x.db"));
            db.run(wal ? "PRAGMA journal_mode = WAL" : "PRAGMA synchronous = EXTRA");
            db.run(make_table);
            for (int n = 0; n < 10; ++n) {
                db.run("INSERT INTO t(text) VALUES (random() || datetime('now'))");
            }
        }
        std::string bytes;
        for (const auto* name : {"/x.db", "/x.db-wal", "/x.db-journal"}) {
            if (const auto file = s.machine.disk().find(name)) {
                bytes += s.machine.disk().read(*file, 0, SIZE_MAX);
            }
        }
        REQUIRE(s.run.choices.made().size() >= 40U);
        results.emplace_back(s.run.trace.hash(), bytes);
    }
    REQUIRE(results[0].first == results[1].first);
    REQUIRE(results[0].second == results[1].second);
    REQUIRE(results[0].second.size() > 4096U);
}

TEST_CASE("the time of SQLite is the time of the world") {
    scene s;
    sqlite_disk disk(s.one, s.machine);
    database db(disk.uri("x.db"));
    REQUIRE(db.ask("SELECT unixepoch('now')") == "1700000000;");
    s.time.pass(std::chrono::seconds(100));
    REQUIRE(db.ask("SELECT unixepoch('now')") == "1700000100;");
}

TEST_CASE("two processes of one computer lock each other out, and one that dies holds no lock") {
    const std::string mode = GENERATE("DELETE", "WAL");
    CAPTURE(mode);
    scene s({}, {});
    sqlite_disk first(s.one, s.machine);
    sqlite_disk second(s.two, s.machine);
    database a(first.uri("x.db"));
    REQUIRE(a.run("PRAGMA journal_mode = " + mode) == SQLITE_OK);
    REQUIRE(a.run(make_table) == SQLITE_OK);
    database b(second.uri("x.db"));

    REQUIRE(a.run("BEGIN IMMEDIATE") == SQLITE_OK);
    REQUIRE(a.run("INSERT INTO t VALUES (1, 'a')") == SQLITE_OK);
    REQUIRE(b.run("BEGIN IMMEDIATE") == SQLITE_BUSY);
    REQUIRE(b.ask("SELECT count(*) FROM t") == "0;");
    SECTION("the lock ends with the transaction") {
        REQUIRE(b.run("BEGIN") == SQLITE_OK);
        REQUIRE(b.ask("SELECT count(*) FROM t") == "0;");
        // A reader holds up the commit with a rollback journal, and sees none of it with a log.
        REQUIRE(a.run("COMMIT") == (mode == "WAL" ? SQLITE_OK : SQLITE_BUSY));
        REQUIRE(b.ask("SELECT count(*) FROM t") == "0;");
        REQUIRE(b.run("COMMIT") == SQLITE_OK);
        a.run("COMMIT");
        REQUIRE(b.ask("SELECT count(*) FROM t") == "1;");
        REQUIRE(b.run("INSERT INTO t VALUES (2, 'b')") == SQLITE_OK);
        REQUIRE(a.ask("SELECT count(*) FROM t") == "2;");
    }
    SECTION("the lock ends with the process") {
        REQUIRE_THROWS_AS(s.one.die("test"), process_died);
        REQUIRE(b.run("BEGIN IMMEDIATE") == SQLITE_OK);
        REQUIRE(b.run("INSERT INTO t VALUES (2, 'b')") == SQLITE_OK);
        REQUIRE((a.run("COMMIT") & 0xff) == SQLITE_IOERR);
        REQUIRE(b.run("COMMIT") == SQLITE_OK);
        REQUIRE(b.ask("SELECT n FROM t") == "2;");
        REQUIRE(b.ask("PRAGMA integrity_check") == "ok;");
    }
}

TEST_CASE("what a dead process does to its files has no effect") {
    const std::string mode = GENERATE("DELETE", "WAL");
    scene s({}, {});
    {
        sqlite_disk disk(s.one, s.machine);
        database db(disk.uri("x.db"));
        REQUIRE(db.run("PRAGMA journal_mode = " + mode) == SQLITE_OK);
        REQUIRE(db.run(make_table) == SQLITE_OK);
        REQUIRE_THROWS_AS(s.one.die("test"), process_died);
        const auto written = s.machine.disk().written();
        REQUIRE(db.run("INSERT INTO t VALUES (1, 'a')") != SQLITE_OK);
        REQUIRE(db.run("DROP TABLE t") != SQLITE_OK);
        REQUIRE(s.machine.disk().written() == written);
        database late(":memory:");
        REQUIRE(late.run("ATTACH '" + disk.uri("y.db") + "' AS y") != SQLITE_OK);
        REQUIRE_FALSE(s.machine.disk().find("/y.db"));
    }
    sqlite_disk disk(s.two, s.machine);
    database db(disk.uri("x.db"));
    REQUIRE(db.ask("SELECT count(*) FROM t") == "0;");
}

TEST_CASE("a full disk and a failed sync are what SQLite calls them") {
    scene s({}, {fault::disk_full, fault::sync_failed});
    sqlite_disk disk(s.one, s.machine);
    database db(disk.uri("x.db"));
    REQUIRE(db.run("PRAGMA journal_mode = WAL") == SQLITE_OK);
    REQUIRE(db.run(make_table) == SQLITE_OK);
    const auto so_far = s.run.choices.made().size();
    REQUIRE(db.run("INSERT INTO t VALUES (1, 'a')") == SQLITE_OK);
    // A commit here is two writes for each of its pages, and a sync.
    const auto choices = s.run.choices.made().size() - so_far;
    REQUIRE(choices == 3U);
    for (std::size_t at = 0; at < choices; ++at) {
        CAPTURE(at);
        scene again(
            [&] {
                std::vector<std::uint8_t> tape(so_far + at + 1, 0);
                tape.back() = 1;
                return tape;
            }(),
            {fault::disk_full, fault::sync_failed});
        sqlite_disk other(again.one, again.machine);
        database same(other.uri("x.db"));
        REQUIRE(same.run("PRAGMA journal_mode = WAL") == SQLITE_OK);
        REQUIRE(same.run(make_table) == SQLITE_OK);
        REQUIRE(same.run("INSERT INTO t VALUES (1, 'a')") ==
                (at + 1 == choices ? SQLITE_IOERR_FSYNC : SQLITE_FULL));
        REQUIRE(same.ask("SELECT count(*) FROM t") == "0;");
        REQUIRE(same.run("INSERT INTO t VALUES (1, 'a')") == SQLITE_OK);
        REQUIRE(same.ask("PRAGMA integrity_check") == "ok;");
    }
}

TEST_CASE("whatever a loss of power takes along, SQLite keeps what it had committed") {
    const std::string setting = GENERATE("PRAGMA journal_mode = WAL", "PRAGMA synchronous = EXTRA");
    CAPTURE(setting);
    unsigned losses = 0;
    // Each choice of the run, each of its answers.
    for (std::size_t at = 0;; ++at) {
        std::size_t choices = 0;
        for (unsigned way = 1, ways = 2; way < ways; ++way) {
            std::vector<std::uint8_t> tape(at + 1, 0);
            tape.back() = static_cast<std::uint8_t>(way);
            scene s(tape, {fault::lost_writes, fault::torn_tail});
            int committed = 0;
            {
                sqlite_disk disk(s.one, s.machine);
                database db(disk.uri("x.db"));
                db.run(setting);
                db.run(make_table);
                while (committed < 4 &&
                       db.run("INSERT INTO t(text) VALUES (hex(zeroblob(3000)))") == SQLITE_OK) {
                    ++committed;
                    s.time.stir();
                }
            }
            choices = s.run.choices.made().size();
            ways = at < choices ? s.run.choices.made()[at].arity : 0;
            if (s.one.is_alive()) {
                continue;
            }
            ++losses;
            sqlite_disk look(s.machine);
            database db(look.uri("x.db"));
            CAPTURE(at, way, committed);
            REQUIRE(db.ask("PRAGMA integrity_check") == "ok;");
            const auto rows = db.ask("SELECT count(*) FROM t");
            REQUIRE((rows == std::to_string(committed) + ";" ||
                     rows == std::to_string(committed + 1) + ";" || committed == 0));
        }
        if (at >= choices) {
            break;
        }
    }
    REQUIRE(losses > 50U);
}
