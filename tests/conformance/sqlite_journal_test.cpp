// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_faulty_vfs.hpp"
#include "conformance/file_that_crashes.hpp"
#include "conformance/fresh.hpp"
#include "support/test.hpp"

#include <sinew/adapters/sqlite.hpp>
#include <sinew/testing/conformance/journal.hpp>

#include <sqlite3.h>

#include <memory>
#include <vector>

using namespace sinew::test;
using namespace sinew::testing::conformance;
namespace sqlite = sinew::sqlite;

namespace {

constexpr sinew::journal_options few_replies{.seats = 4, .early_replies_max = 20};

struct sqlite_journal_environment : file_that_crashes {
    [[nodiscard]] sqlite::store open() const {
        return sqlite::store(file(), {.synchronous = sqlite::synchronous::normal});
    }
    sqlite::journal journal_of(sqlite::store& s) const {
        return s.journal("processes", few_replies);
    }
};

/// A store whose disk can fail in the middle of a commit.
struct journal_on_a_failing_disk : file_that_crashes {
    struct closer {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    std::vector<std::unique_ptr<sqlite3, closer>> handles;

    ~journal_on_a_failing_disk() { faulty_vfs::fault() = {}; }
    journal_on_a_failing_disk() = default;
    journal_on_a_failing_disk(const journal_on_a_failing_disk&) = delete;
    journal_on_a_failing_disk& operator=(const journal_on_a_failing_disk&) = delete;

    sqlite::store open() {
        faulty_vfs::fault() = {};
        sqlite3* db = nullptr;
        sqlite3_open_v2(file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        faulty_vfs::name());
        handles.emplace_back(db);
        sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
        return sqlite::store(db);
    }
    sqlite::journal journal_of(sqlite::store& s) const {
        return s.journal("processes", few_replies);
    }
    void lose_reply() { faulty_vfs::fault() = {.after = 1}; }
};

}  // namespace

TEST_CASE("sqlite: the journal keeps every claim that can be provoked") {
    const auto table =
        journal_claims("sqlite::journal", fresh<sqlite_journal_environment>, {.connections = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its disk does not fail
}

TEST_CASE("sqlite: the journal keeps its claims on a disk that fails in the middle of a commit") {
    const auto table = journal_claims("sqlite::journal", fresh<journal_on_a_failing_disk>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    const auto* unknown =
        table.find("a write whose answer was lost is unknown, and can be made again");
    REQUIRE(unknown != nullptr);
    REQUIRE(unknown->state == claim_state::kept);
}
