// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres/attempts.hpp>
#include <sinew/adapters/postgres/store.hpp>
#include <sinew/core/attempts.hpp>

namespace {

using namespace sinew;
using sinew::test::at;
using sinew::test::place;

static_assert(attempt_log<postgres::attempts>);

}  // namespace

TEST_CASE("postgres: a partition that was opened and not closed had an owner that died") {
    const place here;
    {
        auto db = here.open();
        auto log = db.attempts();
        REQUIRE_FALSE(log.opened("stock", "orders", 0));
        REQUIRE_FALSE(log.opened("stock", "orders", 1));
        REQUIRE_FALSE(log.opened("billing", "orders", 0));
        REQUIRE_FALSE(log.opened("stock", "returns", 0));
        log.closed("stock", "orders", 1);
    }
    auto db = here.open();
    auto log = db.attempts();
    REQUIRE(log.opened("stock", "orders", 0));
    REQUIRE_FALSE(log.opened("stock", "orders", 1));
}

TEST_CASE("postgres: starts are counted for each event until it ends or its partition is closed") {
    const place here;
    auto db = here.open();
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

TEST_CASE("postgres: a count of starts stays at the top of its scale") {
    const place here;
    auto db = here.open();
    auto log = db.attempts();
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == 1);
    db.connection().execute("UPDATE attempts SET starts = 4294967294");
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == UINT32_MAX);
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == UINT32_MAX);
}

TEST_CASE("postgres: an attempt is never written into a transaction that may be undone") {
    const place here;
    auto db = here.open();
    auto log = db.attempts();
    auto tx = db.begin();
    REQUIRE_THROWS_AS(log.opened("stock", "orders", 0), unavailable_error);
    REQUIRE_THROWS_AS(log.begun("stock", "orders", {0, 7}, at(1)), unavailable_error);
    REQUIRE_THROWS_AS(log.ended("stock", "orders", {0, 7}), unavailable_error);
    REQUIRE_THROWS_AS(log.closed("stock", "orders", 0), unavailable_error);
    tx.rollback();
    REQUIRE(log.begun("stock", "orders", {0, 7}, at(1)) == 1);
}
