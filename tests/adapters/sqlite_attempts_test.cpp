// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/attempts.hpp>
#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/attempts.hpp>

namespace {

using namespace sinew;
using sinew::test::at;
using sinew::test::process;
using sinew::test::temp_folder;

static_assert(attempt_log<sqlite::attempts>);

}  // namespace

TEST_CASE("sqlite: a partition that was opened and not closed had an owner that died") {
    temp_folder folder;
    {
        sqlite::store db(folder.file());
        auto log = db.attempts();
        REQUIRE_FALSE(log.opened("stock", "orders", 0));
        REQUIRE_FALSE(log.opened("stock", "orders", 1));
        REQUIRE_FALSE(log.opened("billing", "orders", 0));
        REQUIRE_FALSE(log.opened("stock", "returns", 0));
        log.closed("stock", "orders", 1);
    }
    sqlite::store db(folder.file());
    auto log = db.attempts();
    REQUIRE(log.opened("stock", "orders", 0));
    REQUIRE_FALSE(log.opened("stock", "orders", 1));
}

TEST_CASE("sqlite: starts are counted for each event until it ends or its partition is closed") {
    temp_folder folder;
    sqlite::store db(folder.file());
    auto log = db.attempts();
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == 1);
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(2)) == 2);
    REQUIRE(log.begun("stock", "orders", {0, 8}, at(2)) == 1);
    REQUIRE(log.begun("stock", "orders", {1, 7}, at(2)) == 1);
    REQUIRE(log.begun("billing", "orders", {0, 7}, at(2)) == 1);
    log.ended("stock", "orders", {0, 7});
    log.ended("stock", "orders", {0, 99});
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(3)) == 1);
    REQUIRE(log.begun("stock", "orders", {0, 8}, at(3)) == 2);
    log.closed("stock", "orders", 0);
    REQUIRE(log.begun("stock", "orders", {0, 8}, at(4)) == 1);
    REQUIRE(log.begun("stock", "orders", {1, 7}, at(4)) == 2);
}

TEST_CASE("sqlite: a count of starts stays at the top of its scale") {
    temp_folder folder;
    sqlite::store db(folder.file());
    auto log = db.attempts();
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == 1);
    db.connection().execute("UPDATE sinew_attempts SET starts = 4294967294");
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == UINT32_MAX);
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == UINT32_MAX);
}

TEST_CASE("sqlite: a process that is killed in the middle of an event is found by its starts") {
    temp_folder folder;
    for (std::uint32_t death = 1; death <= 3; ++death) {
        process victim([&](process& self) {
            sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
            auto log = db.attempts();
            static_cast<void>(log.opened("stock", "orders", 0));
            static_cast<void>(log.begun("stock", "orders", {0, 7}, at(1)));
            self.tell_parent();
            self.wait_for_parent();
            return true;
        });
        victim.wait_for_child();
        victim.kill();
        sqlite::store db(folder.file());
        REQUIRE(db.attempts().opened("stock", "orders", 0));
        REQUIRE(db.connection().query_one<std::uint32_t>("SELECT starts FROM sinew_attempts") ==
                std::tuple(death));
    }
}

TEST_CASE("sqlite: an attempt is never written into a transaction that may be undone") {
    temp_folder folder;
    sqlite::store db(folder.file());
    auto log = db.attempts();
    auto tx = db.begin();
    REQUIRE_THROWS_AS(log.opened("stock", "orders", 0), unavailable_error);
    REQUIRE_THROWS_AS(log.begun("stock", "orders", {0, 7}, at(1)), unavailable_error);
    REQUIRE_THROWS_AS(log.ended("stock", "orders", {0, 7}), unavailable_error);
    REQUIRE_THROWS_AS(log.closed("stock", "orders", 0), unavailable_error);
    tx.rollback();
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == 1);
}
