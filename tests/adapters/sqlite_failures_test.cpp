// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_faulty_vfs.hpp"
#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/adapters/sqlite/store.hpp>

#include <sched.h>
#include <sys/mount.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::at;
using sinew::test::faulty_vfs;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::no_waiting;
using sinew::test::process;
using sinew::test::temp_folder;

const std::string filler(3000, 'x');

/// One event's effect with its inbox row. What has failed answers aborted; the reason is kept.
commit_result apply(sqlite::store& db, int number, std::string& reason) {
    const std::string id = std::to_string(number);
    try {
        auto tx = db.begin(no_waiting);
        tx.nest();
        tx.execute("INSERT INTO effects VALUES (?, ?)", number, filler);
        static_cast<void>(tx.remember("stock", {"/test", id}, at(number)));
        tx.keep_nested();
        const auto result = tx.commit();
        if (result != commit_result::committed) {
            reason = db.last_commit_failure()->reason;
        }
        return result;
    } catch (const unavailable_error& e) {
        reason = e.reason();
        return commit_result::aborted;
    }
}

/// Whether effects and inbox rows are those of the numbers up to `last`, and no others.
bool holds_exactly(sqlite::store& db, int last) {
    const auto one = [&](const char* sql) {
        return std::get<0>(*db.connection().query_one<int>(sql));
    };
    return one("SELECT count(*) FROM effects") == last + 1 &&
           one("SELECT count(*) FROM sinew_inbox") == last + 1 &&
           one("SELECT coalesce(max(n), -1) FROM effects") == last;
}

/// Applies until the disk is full, and again once there is room. Whether all went as it should.
template <class MakeRoom>
bool fill_and_recover(sqlite::store& db, MakeRoom make_room) {
    int last = -1;
    std::string reason;
    for (int i = 0; i < 5000; ++i) {
        if (apply(db, i, reason) != commit_result::committed) {
            break;
        }
        last = i;
    }
    if (reason != "disk_full" || last < 1 || !holds_exactly(db, last)) {
        return false;
    }
    if (apply(db, last + 1, reason) == commit_result::committed || reason != "disk_full") {
        return false;
    }
    make_room();
    return apply(db, last + 1, reason) == commit_result::committed && holds_exactly(db, last + 1);
}

}  // namespace

TEST_CASE("sqlite: at the largest size of the file nothing is half there, and room helps") {
    temp_folder folder;
    sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
    db.connection().execute_script("CREATE TABLE effects(n INTEGER PRIMARY KEY, filler TEXT)");
    db.connection().execute_script("PRAGMA max_page_count = 60");
    REQUIRE(fill_and_recover(
        db, [&] { db.connection().execute_script("PRAGMA max_page_count = 1000"); }));

    // The error says what to do.
    db.connection().execute_script("PRAGMA max_page_count = 62");
    auto tx = db.begin();
    try {
        for (int i = 0; i < 100; ++i) {
            tx.execute("INSERT INTO effects(filler) VALUES (?)", filler);
        }
        FAIL("there is no room");
    } catch (const sqlite::disk_full_error& e) {
        REQUIRE(e.kind() == failure_class::unavailable);
        REQUIRE(e.reason() == "disk_full");
        REQUIRE(std::string(e.what()).find("Make room") != std::string::npos);
    }
}

TEST_CASE("sqlite: on a full disk nothing is half there, and room helps") {
    temp_folder folder;
    // In a process with mounts of its own, so that nothing is left behind.
    process child([&](process& self) {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
            self.tell_parent('s');
            return true;
        }
        self.tell_parent('r');
        std::ofstream(folder.file("filler")) << std::string(400'000, 'x');
        sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::full});
        db.connection().execute_script("CREATE TABLE effects(n INTEGER PRIMARY KEY, filler TEXT)");
        return fill_and_recover(db, [&] { std::filesystem::remove(folder.file("filler")); });
    });
    if (child.wait_for_child() == 's') {
        std::cout << "skipped: no right to mount a small disk\n";
    }
    REQUIRE(child.wait());
}

TEST_CASE("sqlite: a log on a full disk refuses events, and takes them once there is room") {
    temp_folder folder;
    sqlite::log log(folder.file(), {.topic = {1}, .synchronous = sqlite::synchronous::normal});
    auto orders = log.producer("orders");
    // The limit holds for each connection alone, so it is set for that of the log.
    process filling([&](process&) {
        sqlite::connection other(folder.file());
        other.execute_script("PRAGMA max_page_count = 40");
        sqlite::detail::appender append(sqlite::detail::naming("sinew_"));
        int appended = 0;
        try {
            for (; appended < 1000; ++appended) {
                append.append(other, 0, make_event("1", {}, filler).view());
            }
        } catch (const sqlite::disk_full_error&) {
            return appended > 5;
        }
        return false;
    });
    REQUIRE(filling.wait());
    const auto before = log.end("orders", 0);
    REQUIRE(orders.publish(make_event("2").view(), no_waiting).is_accepted());
    REQUIRE(log.end("orders", 0) == before + 1);
}

TEST_CASE("sqlite: whichever write or sync fails, an answer is true and nothing is half there") {
    const bool disk_full = GENERATE(false, true);
    const bool lasting = GENERATE(false, true);
    const bool in_wal = GENERATE(true, false);
    int faults = 0;
    int unknown = 0;
    bool reached = true;
    for (int k = 0; k < 200 && reached; ++k) {
        CAPTURE(disk_full, lasting, in_wal, k);
        temp_folder folder;
        auto& fault = faulty_vfs::fault();
        fault = {};
        commit_result result = commit_result::aborted;
        std::string reason;
        sqlite3* mine = nullptr;
        REQUIRE(sqlite3_open_v2(folder.file().c_str(), &mine,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                faulty_vfs::name()) == SQLITE_OK);
        if (in_wal) {
            sqlite3_exec(mine, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
        }
        {
            sqlite::store db(mine);
            db.connection().execute_script(
                "CREATE TABLE effects(n INTEGER PRIMARY KEY, filler TEXT)");
            REQUIRE(apply(db, 0, reason) == commit_result::committed);
            fault = {.after = k, .disk_full = disk_full, .lasting = lasting};
            result = apply(db, 1, reason);
            reached = fault.happened != 0;
            faults += fault.happened;
            if (result != commit_result::committed) {
                REQUIRE(reached);
                REQUIRE((reason == "io_error" || reason == "disk_full"));
            }
            CAPTURE(result, reason);
            if (result == commit_result::aborted && !lasting) {
                CHECK(holds_exactly(db, 0));
            }
        }
        // The process ends here, and nothing more is written.
        fault = {.after = 0, .lasting = true};
        sqlite3_close(mine);
        fault = {};
        CAPTURE(result, reason);
        sqlite::store again(folder.file());
        if (result == commit_result::committed) {
            CHECK(holds_exactly(again, 1));
        } else if (result == commit_result::aborted) {
            CHECK(holds_exactly(again, 0));
        } else {
            ++unknown;
            CHECK((holds_exactly(again, 0) || holds_exactly(again, 1)));
        }
    }
    REQUIRE(faults > 0);
    REQUIRE((unknown > 0) == !disk_full);
}

TEST_CASE("sqlite: a file that may not be written is refused at once, and says so") {
    temp_folder folder;
    {
        sqlite::store db(folder.file());
    }
    try {
        sqlite::store db("file:" + folder.file() + "?mode=ro");
        FAIL("it may not be written");
    } catch (const sqlite::read_only_error& e) {
        REQUIRE(e.kind() == failure_class::unavailable);
        REQUIRE(e.reason() == "read_only");
        REQUIRE(std::string(e.what()).find(folder.file()) != std::string::npos);
    }
    REQUIRE_THROWS_AS(sqlite::log("file:" + folder.file() + "?mode=ro"), sqlite::read_only_error);

    sqlite::store db(folder.file());
    db.connection().execute_script("PRAGMA query_only = ON");
    const auto write = [&] {
        auto tx = db.begin(no_waiting);
        static_cast<void>(tx.remember("stock", {"/test", "1"}, at(1)));
    };
    REQUIRE_THROWS_AS(write(), sqlite::read_only_error);
    db.connection().execute_script("PRAGMA query_only = OFF");
    REQUIRE_NOTHROW(write());
}

TEST_CASE("sqlite: a path that leads nowhere is told") {
    temp_folder folder;
    try {
        sqlite::store db(folder.file("no/such/folder.db"));
        FAIL("there is no such folder");
    } catch (const sqlite::cannot_open_error& e) {
        REQUIRE(e.kind() == failure_class::unavailable);
        REQUIRE(std::string(e.what()).find("no/such/folder.db") != std::string::npos);
    }
    REQUIRE_THROWS_AS(sqlite::store(folder.file(), {.create = false}), sqlite::cannot_open_error);
    REQUIRE_THROWS_AS(sqlite::store(static_cast<sqlite3*>(nullptr)), usage_error);
}

TEST_CASE("sqlite: a file that is no database is refused as corrupt") {
    temp_folder folder;
    std::ofstream(folder.file()) << std::string(100'000, 'g');
    try {
        sqlite::store db(folder.file());
        FAIL("it is no database");
    } catch (const sqlite::corrupt_error& e) {
        REQUIRE(e.kind() == failure_class::unavailable);
        REQUIRE(e.reason() == "corrupt");
        REQUIRE(std::string(e.what()).find("backup") != std::string::npos);
    }
    REQUIRE_THROWS_AS(sqlite::log(folder.file()), sqlite::corrupt_error);
}

TEST_CASE("sqlite: damaged pages are never the event's fault") {
    temp_folder folder;
    {
        sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
        auto tx = db.begin();
        for (int i = 0; i < 3000; ++i) {
            const std::string id = "an id that takes some room " + std::to_string(i);
            static_cast<void>(tx.remember("stock", {"/test", id}, at(1)));
        }
        REQUIRE(tx.commit() == commit_result::committed);
    }
    const auto pages = std::filesystem::file_size(folder.file()) / 4096;
    {
        std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
        for (std::uintmax_t page = pages / 2; page < pages; ++page) {
            file.seekp(static_cast<std::streamoff>(page * 4096));
            file << std::string(4096, '\xa5');
        }
    }
    sqlite::store db(folder.file());
    std::size_t corrupt = 0;
    auto tx = db.begin();
    for (int i = 0; i < 3000; ++i) {
        const std::string id = "an id that takes some room " + std::to_string(i);
        try {
            static_cast<void>(tx.remember("stock", {"/test", id}, at(1)));
        } catch (const sqlite::corrupt_error& e) {
            REQUIRE(e.kind() == failure_class::unavailable);
            ++corrupt;
        } catch (const sqlite::transaction_lost_error&) {
            ++corrupt;
        }
    }
    REQUIRE(corrupt > 0);
}

TEST_CASE("sqlite: a damaged list in a row is told, and never read beyond its end") {
    temp_folder folder;
    sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
    auto tx = db.begin();
    tx.set_progress("stock", "k", key_progress(9, {{1, 2}, {5, 6}}, false));
    tx.set_offsets("stock", "orders", 0, applied_offsets(1, {{3, 4}}));
    tx.execute("UPDATE sinew_progress SET gaps = substr(gaps, 1, 20)");
    tx.execute("UPDATE sinew_offsets SET beyond = substr(beyond, 1, 7)");
    REQUIRE_THROWS_AS(tx.progress("stock", "k"), sqlite::corrupt_error);
    REQUIRE_THROWS_AS(tx.offsets("stock", "orders", 0), sqlite::corrupt_error);
    REQUIRE(tx.commit() == commit_result::committed);

    dead_letter_record letter{
        .consumer = "stock", .topic = "orders", .original = make_event("1"), .reason = {}};
    letter.add({at(1), failure_class::permanent, 1, "reason", "detail"});
    auto letters = db.dead_letters();
    REQUIRE(letters.put(letter) == put_result::stored);
    const auto whole = std::get<0>(
        *db.connection().query_one<std::string>("SELECT history FROM sinew_dead_letters"));
    for (std::size_t size = 1; size < whole.size(); ++size) {
        db.connection().execute("UPDATE sinew_dead_letters SET history = ?",
                                sqlite::blob{std::string_view(whole).substr(0, size)});
        REQUIRE_THROWS_AS(letters.find({}, 0, 1), sqlite::corrupt_error);
    }
}

TEST_CASE("sqlite: a dead letter of a class or in a state that there is not is told as damaged") {
    temp_folder folder;
    sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
    dead_letter_record letter{
        .consumer = "stock", .topic = "orders", .original = make_event("1"), .reason = {}};
    letter.add({at(1), failure_class::unknown, 1, "reason", "detail"});
    auto letters = db.dead_letters();
    REQUIRE(letters.put(letter) == put_result::stored);
    const auto damage = [&](const char* change) {
        db.connection().execute(std::string("UPDATE sinew_dead_letters SET ") + change);
    };

    damage("kind = 4");
    REQUIRE_THROWS_AS(letters.find({}, 0, 1), sqlite::corrupt_error);
    damage("kind = 3, state = 5");
    REQUIRE_THROWS_AS(letters.find({}, 0, 1), sqlite::corrupt_error);
    REQUIRE_THROWS_AS(letters.counts({}), sqlite::corrupt_error);
    // The ninth byte of a note is its class.
    damage(
        "state = 4, history = CAST(substr(history, 1, 8) || x'04' || substr(history, 10) AS BLOB)");
    REQUIRE_THROWS_AS(letters.find({}, 0, 1), sqlite::corrupt_error);
    damage("history = NULL");
    REQUIRE(letters.find({}, 0, 1).size() == 1);
}

TEST_CASE("sqlite: tables of a newer version are refused, with both versions, and not touched") {
    temp_folder folder;
    {
        sqlite::store db(folder.file());
        sqlite::log log(folder.file());
        db.connection().execute_script("UPDATE sinew_meta SET version = 7");
    }
    const auto refused = [&](auto open) {
        try {
            open();
            FAIL("it is newer");
        } catch (const sqlite::schema_error& e) {
            const std::string text = e.what();
            REQUIRE(e.reason() == "schema_too_new");
            REQUIRE(text.find("version 7") != std::string::npos);
            REQUIRE(text.find("version 1") != std::string::npos);
            REQUIRE(text.find(folder.file()) != std::string::npos);
        }
    };
    refused([&] { sqlite::store db(folder.file()); });
    refused([&] { sqlite::log log(folder.file()); });
    sqlite::connection look(folder.file());
    REQUIRE(look.query_one<int>("SELECT min(version) FROM sinew_meta") == std::tuple(7));
}

TEST_CASE("sqlite: processes that open a new file at once make its tables once") {
    for (int round = 0; round < 5; ++round) {
        temp_folder folder;
        const auto open = [&](process& self) {
            self.wait_for_parent();
            sqlite::store db(folder.file(), {.busy_timeout = 60s});
            sqlite::log log(folder.file(), {.busy_timeout = 60s});
            auto orders = log.producer("orders");
            auto tx = db.begin(in(60s));
            return tx.remember("stock", {"/test", std::to_string(::getpid())}, at(1)) &&
                   tx.commit() == commit_result::committed &&
                   orders.publish(make_event("1").view(), in(60s)).is_accepted();
        };
        process a(open);
        process b(open);
        process c(open);
        a.tell_child();
        b.tell_child();
        c.tell_child();
        REQUIRE(a.wait());
        REQUIRE(b.wait());
        REQUIRE(c.wait());
        sqlite::store db(folder.file());
        REQUIRE(db.inbox_size() == 3);
    }
}

TEST_CASE("sqlite: a prefix is a name and nothing else") {
    temp_folder folder;
    for (const std::string bad :
         {"", "1a", "a-b", "a b", "a\"b", "a;DROP TABLE x", "\xc3\xa4", "sqlite_", "SQLite_x"}) {
        REQUIRE_THROWS_AS(sqlite::store(folder.file(), {.prefix = bad}), usage_error);
    }
    REQUIRE_THROWS_AS(sqlite::store(folder.file(), {.prefix = std::string(42, 'a')}), usage_error);
    sqlite::store longest(folder.file(), {.prefix = std::string(41, 'a')});
    sqlite::store plain(folder.file(), {.prefix = "select"});
    sqlite::store mixed(folder.file(), {.prefix = "Mixed_"});
    sqlite::store same(folder.file(), {.prefix = "mixed_"});
    auto tx = plain.begin();
    REQUIRE(tx.remember("stock", {"/test", "1"}, at(1)));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(longest.inbox_size() == 0);
}
