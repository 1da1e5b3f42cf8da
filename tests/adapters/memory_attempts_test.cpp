// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <optional>

namespace memory = sinew::memory;
using sinew::wall_time;

TEST_CASE("memory: attempt_log 1: opened tells whether whoever had the partition died") {
    memory::database data;
    std::optional<memory::attempts> log(data);
    REQUIRE_FALSE(log->opened("c", "t", 0));
    REQUIRE_FALSE(log->opened("c", "t", 1));
    REQUIRE_FALSE(log->opened("c", "u", 0));
    REQUIRE_FALSE(log->opened("d", "t", 0));
    log.emplace(data);  // the process died and started again
    REQUIRE(log->opened("c", "t", 0));
    REQUIRE(log->opened("c", "t", 0));
}

TEST_CASE("memory: attempt_log 2: closed gives back in good order and forgets the attempts") {
    memory::store store;
    auto log = store.attempts();
    REQUIRE_FALSE(log.opened("c", "t", 0));
    REQUIRE(log.begun("c", "t", {0, 5}, wall_time()) == 1);
    REQUIRE(log.begun("c", "t", {1, 5}, wall_time()) == 1);
    log.closed("c", "t", 0);
    REQUIRE_FALSE(log.opened("c", "t", 0));
    REQUIRE(log.begun("c", "t", {0, 5}, wall_time()) == 1);
    REQUIRE(log.begun("c", "t", {1, 5}, wall_time()) == 2);
    log.closed("never", "opened", 7);
}

TEST_CASE("memory: attempt_log 3: begun counts the starts of an event, also across processes") {
    memory::database data;
    for (std::uint32_t start = 1; start <= 3; ++start) {
        memory::store process(data);
        auto log = process.attempts();
        auto tx = process.begin();  // what the transaction would do is lost; the count is not
        REQUIRE(log.begun("c", "t", {0, 5}, wall_time()) == start);
    }
    memory::attempts log(data);
    REQUIRE(log.begun("c", "t", {0, 6}, wall_time()) == 1);
    REQUIRE(log.begun("c", "u", {0, 5}, wall_time()) == 1);
    REQUIRE(log.begun("d", "t", {0, 5}, wall_time()) == 1);
}

TEST_CASE("memory: attempt_log 4: ended forgets the starts of that event alone") {
    memory::store store;
    auto log = store.attempts();
    REQUIRE_FALSE(log.opened("c", "t", 0));
    REQUIRE(log.begun("c", "t", {0, 5}, wall_time()) == 1);
    REQUIRE(log.begun("c", "t", {0, 6}, wall_time()) == 1);
    log.ended("c", "t", {0, 5});
    log.ended("c", "t", {0, 99});
    log.ended("never", "opened", {7, 7});
    REQUIRE(log.begun("c", "t", {0, 5}, wall_time()) == 1);
    REQUIRE(log.begun("c", "t", {0, 6}, wall_time()) == 2);
    REQUIRE(log.opened("c", "t", 0));
}
