// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_faulty_vfs.hpp"
#include "conformance/broken/claims_by_the_highest_number.hpp"
#include "conformance/broken/marks_under_any_epoch.hpp"
#include "conformance/broken/shards_that_fail_together.hpp"
#include "conformance/file_that_crashes.hpp"
#include "conformance/fresh.hpp"
#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/testing/conformance/outbox.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace sinew::test;
using namespace sinew::testing::conformance;
namespace sqlite = sinew::sqlite;

namespace {

struct memory_outbox_environment {
    sinew::memory::database data;

    sinew::memory::store open() const { return sinew::memory::store(data); }
    sinew::memory::outbox outbox_of(sinew::memory::store& s) const { return s.outbox("orders"); }
    void crash() {}  // the database is what survives
};

struct with_one_shard : memory_outbox_environment {
    sinew::memory::outbox outbox_of(sinew::memory::store& s) const {
        return s.outbox("orders", {.shards = 1});
    }
};

/// Locks as a file does: whoever writes second has to wait.
class store_with_one_writer : public sinew::memory::store {
public:
    explicit store_with_one_writer(const sinew::memory::database& data)
        : sinew::memory::store(data), data_(&data) {}

    sinew::memory::transaction begin(sinew::steady_time until) {
        if (data_->open_transactions() != 0) {
            throw sinew::unavailable_error("locked", "another one writes");
        }
        return sinew::memory::store::begin(until);
    }

private:
    const sinew::memory::database* data_;
};

class outbox_with_lost_replies : public sinew::memory::outbox {
public:
    outbox_with_lost_replies(const sinew::memory::outbox& inner, std::shared_ptr<bool> loses)
        : sinew::memory::outbox(inner), loses_(std::move(loses)) {}

    sinew::fenced_result mark_published(const sinew::shard_lease& lease,
                                        std::span<const std::int64_t> numbers, sinew::wall_time now,
                                        sinew::steady_time until) {
        const auto result = sinew::memory::outbox::mark_published(lease, numbers, now, until);
        return std::exchange(*loses_, false) ? sinew::fenced_result::unknown : result;
    }

private:
    std::shared_ptr<bool> loses_;
};

struct as_on_a_bad_line {
    sinew::memory::database data;
    std::shared_ptr<bool> loses = std::make_shared<bool>(false);

    store_with_one_writer open() const { return store_with_one_writer(data); }
    outbox_with_lost_replies outbox_of(store_with_one_writer& s) const {
        return {s.outbox("orders"), loses};
    }
    void lose_reply() { *loses = true; }
    void crash() {}
};

struct sqlite_outbox_environment : file_that_crashes {
    [[nodiscard]] sqlite::store open() const {
        return sqlite::store(file(), {.synchronous = sqlite::synchronous::normal});
    }
    sqlite::outbox outbox_of(sqlite::store& s) const { return s.outbox("orders"); }
};

struct sqlite_that_forgets : sqlite_outbox_environment {
    sqlite::outbox outbox_of(sqlite::store& s) const {
        return s.outbox("orders", {.shards = 3, .keep_published = false});
    }
};

/// A store whose disk can fail in the middle of a commit.
struct sqlite_on_a_failing_disk : file_that_crashes {
    struct closer {
        void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
    };
    std::vector<std::unique_ptr<sqlite3, closer>> handles;

    sqlite_on_a_failing_disk() = default;
    sqlite_on_a_failing_disk(const sqlite_on_a_failing_disk&) = delete;
    sqlite_on_a_failing_disk& operator=(const sqlite_on_a_failing_disk&) = delete;
    ~sqlite_on_a_failing_disk() { faulty_vfs::fault() = {}; }

    sqlite::store open() {
        faulty_vfs::fault() = {};
        sqlite3* db = nullptr;
        sqlite3_open_v2(file().c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        faulty_vfs::name());
        handles.emplace_back(db);
        // Here nothing is written before the commit.
        sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
        return sqlite::store(db);
    }
    sqlite::outbox outbox_of(sqlite::store& s) const { return s.outbox("orders"); }
    void lose_reply() { faulty_vfs::fault() = {.after = 2}; }
};

static_assert(sinew::multi_shard_outbox<sinew::memory::outbox>);
static_assert(sinew::multi_shard_outbox<sqlite::outbox>);

constexpr outbox_features everything{.connections = true, .nested = true};
using names = std::vector<std::string>;

}  // namespace

TEST_CASE("memory: the outbox keeps every claim that can be provoked") {
    const auto table =
        outbox_claims("memory::outbox", fresh<memory_outbox_environment>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its replies are never lost
}

TEST_CASE("memory: an outbox with a single shard keeps every claim but the one about others") {
    const auto table = outbox_claims("memory::outbox", fresh<with_one_shard>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 2);
}

TEST_CASE("memory: what is not declared of an outbox is not claimed") {
    const auto table = outbox_claims("memory::outbox", fresh<memory_outbox_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 5);
}

TEST_CASE(
    "memory: on a bad line, with one writer at a time, an outbox keeps every claim it makes") {
    const auto table = outbox_claims("outbox on a bad line", fresh<as_on_a_bad_line>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.names(claim_state::not_claimed) ==
            names{"an entry that commits late is shown, though later ones were published before"});
}

TEST_CASE("sqlite: the outbox keeps every claim that can be provoked") {
    const auto table =
        outbox_claims("sqlite::outbox", fresh<sqlite_outbox_environment>, everything);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.names(claim_state::not_claimed).size() == 2);
}

TEST_CASE("sqlite: an outbox that keeps nothing of what is published has nothing to purge") {
    const auto table = outbox_claims("sqlite::outbox", fresh<sqlite_that_forgets>, everything);
    INFO(table.text());
    REQUIRE(table.names(claim_state::broken) ==
            names{"numbers go on when all entries of the key were forgotten",
                  "purge forgets what was settled before a time, at most so many"});
}

TEST_CASE("sqlite: the outbox keeps its claims on a disk that fails in the middle of a commit") {
    const auto table =
        outbox_claims("sqlite::outbox", fresh<sqlite_on_a_failing_disk>, {.nested = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    const auto* unknown =
        table.find("a mark whose answer was lost is unknown, and can be made again");
    REQUIRE(unknown != nullptr);
    REQUIRE(unknown->state == claim_state::kept);
}

TEST_CASE("an outbox that marks no shard where one lease has ended is found out") {
    const auto table = outbox_claims("outbox of one fate", fresh<broken::marks_all_or_none>);
    INFO(table.text());
    REQUIRE(table.names(claim_state::broken) ==
            names{"a stale lease keeps no other shard from being marked"});
}

TEST_CASE("an outbox that answers for shards that it did not look at is found out") {
    const auto table = outbox_claims("outbox that fills up", fresh<broken::answers_for_all_shards>);
    INFO(table.text());
    REQUIRE(table.names(claim_state::broken) ==
            names{"the limits are for all shards together, and each has its turn"});
}

TEST_CASE("an outbox that answers for one shard alone is asked for no more") {
    const auto table = outbox_claims("outbox on a bad line", fresh<as_on_a_bad_line>, everything);
    REQUIRE(table.find("a stale lease keeps no other shard from being marked") == nullptr);
    REQUIRE_FALSE(sinew::multi_shard_outbox<outbox_with_lost_replies>);
}

TEST_CASE("an outbox that claims by the highest number is found out") {
    const auto table = outbox_claims("outbox with a cursor",
                                     fresh<broken::claims_by_the_highest_number>, everything);
    INFO(table.text());
    REQUIRE(table.names(claim_state::broken) ==
            names{"an entry that commits late is shown, though later ones were published before",
                  "what was marked as published is not shown again",
                  "what was marked as published is not shown after a crash",
                  "random histories end as in the in-memory reference"});
    const auto* late =
        table.find("an entry that commits late is shown, though later ones were published before");
    REQUIRE(late->rule == "outbox_queue 1");
    REQUIRE(late->expected == "what is shown after it to be [\"late\"]");
    REQUIRE(late->came == "[]");
}

TEST_CASE("an outbox that marks under any epoch is found out") {
    const auto table =
        outbox_claims("outbox without fencing", fresh<broken::marks_under_any_epoch>, everything);
    INFO(table.text());
    REQUIRE(table.names(claim_state::broken) ==
            names{"a relay whose shard was taken by another reads and changes nothing",
                  "a relay that released its shard reads and changes nothing",
                  "random histories end as in the in-memory reference"});
    REQUIRE(
        table.find("random histories end as in the in-memory reference")->look_at ==
        "the shortest history that differs: add(b); another relay takes over; publish under the "
        "old lease(b)");
}
