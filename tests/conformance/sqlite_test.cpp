// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_faulty_vfs.hpp"
#include "adapters/sqlite_support.hpp"
#include "conformance/file_that_crashes.hpp"
#include "conformance/fresh.hpp"
#include "support/test.hpp"

#include <sinew/adapters/sqlite.hpp>
#include <sinew/testing/conformance/attempts.hpp>
#include <sinew/testing/conformance/batch_sink.hpp>
#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/sink.hpp>
#include <sinew/testing/conformance/source.hpp>
#include <sinew/testing/conformance/store.hpp>

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace sinew::test;
using namespace sinew::testing::conformance;
namespace sqlite = sinew::sqlite;

namespace {

constexpr const char* effects_table =
    "CREATE TABLE IF NOT EXISTS effects(key BLOB PRIMARY KEY, value BLOB) STRICT";

struct store_environment_base : file_that_crashes {
    void put(sqlite::transaction& tx, std::string_view key, std::string_view text) const {
        tx.execute(
            "INSERT INTO effects VALUES (?, ?) ON CONFLICT DO UPDATE SET value = "
            "excluded.value",
            sqlite::blob{key}, sqlite::blob{text});
    }
    std::optional<std::string> get(sqlite::transaction& tx, std::string_view key) const {
        const auto row =
            tx.query_one<std::string>("SELECT value FROM effects WHERE key = ?", sqlite::blob{key});
        return row ? std::optional(std::get<0>(*row)) : std::nullopt;
    }
};

struct sqlite_store_environment : store_environment_base {
    sqlite::store open() const {
        sqlite::store s(file(), {.synchronous = sqlite::synchronous::normal});
        s.connection().execute_script(effects_table);
        return s;
    }
};

/// A store whose disk can fail in the middle of a commit.
struct failing_disk_environment : store_environment_base {
    struct closer {
        void operator()(sqlite3* db) const { sqlite3_close(db); }
    };
    std::vector<std::unique_ptr<sqlite3, closer>> handles;

    ~failing_disk_environment() { faulty_vfs::fault() = {}; }
    failing_disk_environment() = default;
    failing_disk_environment(const failing_disk_environment&) = delete;
    failing_disk_environment& operator=(const failing_disk_environment&) = delete;

    sqlite::store open() {
        faulty_vfs::fault() = {};
        sqlite3* db = nullptr;
        sqlite3_open_v2(file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        faulty_vfs::name());
        handles.emplace_back(db);
        sqlite::store s(db);
        s.connection().execute_script(effects_table);
        return s;
    }
    void lose_reply() { faulty_vfs::fault() = {.after = 2}; }
};

struct sqlite_letters_environment : file_that_crashes {
    std::optional<sqlite::store> db;

    sqlite::store& open_store() {
        if (!db) {
            db.emplace(file(), sqlite::store_options{.synchronous = sqlite::synchronous::normal});
        }
        return *db;
    }
    sqlite::dead_letters open() { return open_store().dead_letters(); }
    sqlite::dead_letters letters_of(sqlite::store& s) const { return s.dead_letters(); }
    void crash() {
        file_that_crashes::crash();
        db.reset();
    }
};

struct sqlite_attempts_environment : sqlite_letters_environment {
    sqlite::attempts open() { return open_store().attempts(); }
};

/// A log whose clock is virtual: leases and revocations end when the suite says so.
struct sqlite_log_environment : virtual_time {
    temp_folder folder;
    sqlite::log log{folder.file(),
                    {.topic = {.partitions = 2},
                     .lease = std::chrono::seconds(10),
                     .revoke_timeout = std::chrono::seconds(30),
                     .synchronous = sqlite::synchronous::normal,
                     .now = [time = clock] { return *time; }}};

    sqlite::member join() const { return log.join("t", "g"); }
    void append(sinew::partition_id p, const sinew::event_view& e) { log.append("t", p, e); }
    std::uint32_t partitions() const { return 2; }
    sinew::duration patience() const { return std::chrono::seconds(1); }
    sinew::duration session() const { return std::chrono::seconds(10); }
    void abandon(sqlite::member&) { pass(std::chrono::seconds(11)); }
};

struct sqlite_producer_environment : file_that_crashes {
    std::unique_ptr<sqlite::connection> other;

    [[nodiscard]] sqlite::log log() const {
        return sqlite::log(
            file(), {.topic = {.partitions = 3}, .synchronous = sqlite::synchronous::normal});
    }
    sqlite::producer open() const { return log().producer("t"); }
    std::vector<sinew::event> delivered() const {
        const auto from = log();
        std::vector<sinew::event> all;
        for (sinew::partition_id p = 0; p < from.partitions("t"); ++p) {
            from.visit("t", p, [&](sinew::position, const sinew::event_view& e) {
                all.push_back(sinew::to_event(e));
            });
        }
        return all;
    }
    // For as long as somebody else has the lock, the file is out of reach.
    void disconnect() {
        other = std::make_unique<sqlite::connection>(file());
        other->execute("BEGIN IMMEDIATE");
    }
    void reconnect() { other.reset(); }
    void refuse(std::string_view id) const {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string hex;
        for (const char one : id) {
            hex.push_back(digits[static_cast<unsigned char>(one) / 16U]);
            hex.push_back(digits[static_cast<unsigned char>(one) % 16U]);
        }
        sqlite::connection(file()).execute_script(
            ("CREATE TRIGGER refuses BEFORE INSERT ON sinew_records WHEN NEW.id = x'" + hex +
             "' BEGIN SELECT RAISE(ABORT, 'not this one'); END")
                .c_str());
    }
};

constexpr store_features whole_store{.connections = true,
                                     .nested = true,
                                     .inbox = true,
                                     .progress = true,
                                     .offsets = true,
                                     .consumer = true};

}  // namespace

TEST_CASE("sqlite: the log keeps every claim of a source that can be provoked") {
    const auto table = source_claims("sqlite::log::member", fresh<sqlite_log_environment>,
                                     {.offsets = true, .groups = true, .any_bytes = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its records are always events
}

TEST_CASE("sqlite: the producer keeps every claim of a sink") {
    const auto table =
        sink_claims("sqlite::producer", fresh<sqlite_producer_environment>, {.any_bytes = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("sqlite: the producer keeps every claim of a sink of batches") {
    const auto table = batch_sink_claims("sqlite::producer", fresh<sqlite_producer_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("sqlite: the store keeps every claim of a consumer store that can be provoked") {
    const auto table = store_claims("sqlite::store", fresh<sqlite_store_environment>, whole_store);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its disk does not fail
}

TEST_CASE("sqlite: the store keeps its claims on a disk that fails in the middle of a commit") {
    const auto table = store_claims("sqlite::store", fresh<failing_disk_environment>,
                                    {.nested = true, .inbox = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    const auto* unknown = table.find("a commit without an answer is unknown, and all or nothing");
    REQUIRE(unknown != nullptr);
    REQUIRE(unknown->state == claim_state::kept);
}

TEST_CASE("sqlite: the dead letters keep every claim") {
    const auto table =
        dead_letters_claims("sqlite::dead_letters", fresh<sqlite_letters_environment>,
                            {.store = true, .in_transaction = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("sqlite: the record of attempts keeps every claim") {
    const auto table = attempts_claims("sqlite::attempts", fresh<sqlite_attempts_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}
