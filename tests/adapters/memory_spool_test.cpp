// SPDX-License-Identifier: BSL-1.0
//
// What is of the spool in memory alone; the rest is in the suite for spools.
#include "support/test.hpp"

#include <sinew/adapters/memory/spool.hpp>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

const moment start{steady_time(5h), wall_time(24h * 20'000)};

event make(std::string id, std::string key = "k") {
    return {.id = std::move(id), .source = "/tests", .type = "t", .partitionkey = std::move(key)};
}

static_assert(spool<memory::spool> && waking_spool<memory::spool> && spool_desk<memory::spool>);

}  // namespace

TEST_CASE("memory spool: what it holds survives the object, under its name") {
    memory::database data;
    {
        memory::spool orders(data, "orders", {}, start);
        memory::spool others(data, "others", {}, start);
        REQUIRE(orders.put(make("1").view(), start).is_first());
        REQUIRE_FALSE(orders.put(make("2").view(), start).is_first());
        REQUIRE(others.size().entries() == 0);
    }
    memory::spool again(data, "orders", {}, start);
    REQUIRE(again.size().waiting == 2);
    REQUIRE(again.put(make("3").view(), start).is_stored());
    const auto all = again.claim(start.steady, {10, 10'000});
    REQUIRE(all.size() == 3);
    REQUIRE(all[2].number > all[1].number);
}

TEST_CASE("memory spool: a number that was seen names no other entry after a restart") {
    memory::database data;
    std::int64_t seen = 0;
    {
        memory::spool orders(data, "orders", {}, start);
        REQUIRE(orders.put(make("1").view(), start).is_stored());
        seen = orders.claim(start.steady, {10, 10'000}).front().number;
        REQUIRE(orders.remove({&seen, 1}) == spool_change::done);
    }
    const moment later_on{start.steady + 1s, start.wall + 1s};
    memory::spool again(data, "orders", {}, later_on);
    REQUIRE(again.put(make("2").view(), later_on).is_stored());
    REQUIRE(again.claim(later_on.steady, {10, 10'000}).front().number > seen);
}

TEST_CASE("memory spool: a second object for one name is refused, until the first is gone") {
    memory::database data;
    auto first = std::make_unique<memory::spool>(data);
    REQUIRE_THROWS_AS(memory::spool(data), spool_in_use_error);
    first.reset();
    REQUIRE_NOTHROW(memory::spool(data));
}

TEST_CASE(
    "memory spool: ages go on over a restart, and a clock that was set back makes none older") {
    memory::database data;
    const spool_options limits{.age_max = 1h};
    {
        memory::spool s(data, "s", limits, start);
        REQUIRE(s.put(make("1").view(), start).is_stored());
    }
    SECTION("two hours later") {
        // A new process has a steady clock of its own.
        const moment now{steady_time(1min), start.wall + 2h};
        memory::spool s(data, "s", limits, now);
        REQUIRE(s.size().age(now.steady) == 2h);
        REQUIRE(s.put(make("2").view(), now).why().reason == "spool_too_old");
    }
    SECTION("a clock that was set back") {
        const moment now{steady_time(1min), start.wall - 2h};
        memory::spool s(data, "s", limits, now);
        REQUIRE(s.size().age(now.steady) == 0s);
        REQUIRE(s.put(make("2").view(), now).is_stored());
    }
    SECTION("a clock that jumps while it is open changes nothing") {
        memory::spool s(data, "s", limits, start);
        REQUIRE(s.put(make("2").view(), {start.steady + 1min, start.wall + 20h}).is_stored());
    }
}

TEST_CASE("memory spool: it says once that something was put") {
    memory::database data;
    memory::spool s(data);
    REQUIRE_FALSE(s.wait_for_put(never));
    REQUIRE(s.put(make("1").view(), start).is_stored());
    REQUIRE(s.wait_for_put(never));
    REQUIRE_FALSE(s.wait_for_put(never));
}

TEST_CASE("memory spool: options out of their range are refused") {
    memory::database data;
    const auto refuses = [&](const spool_options& o) {
        REQUIRE_THROWS_AS(memory::spool(data, "s", o), usage_error);
    };
    refuses({.entries_max = 0});
    refuses({.bytes_max = 0});
    refuses({.age_max = 0s});
    refuses({.event_bytes_max = 0});
}

TEST_CASE("memory spool: after a restart the age of an entry that failed is that of its failure") {
    memory::database data;
    const spool_options limits{.age_max = 1h};
    const moment failed{start.steady + 5h, start.wall + 5h};
    const moment reopened{start.steady + 5h + 30min, start.wall + 5h + 30min};
    {
        memory::spool first(data, "spool", limits, start);
        REQUIRE(first.put(make("1").view(), start).is_stored());
        const auto number = first.claim(start.steady, {10, 10'000}).front().number;
        const failure_note note{failed.wall, failure_class::unknown, 0, "lost", "d"};
        REQUIRE(first.put_off(number, note, failed.steady) == spool_change::done);
        REQUIRE(first.put(make("2", "b").view(), failed).is_stored());
    }
    memory::spool again(data, "spool", limits, reopened);
    REQUIRE(again.put(make("3", "c").view(), reopened).is_stored());
    const moment late{reopened.steady + 1h, reopened.wall + 1h};
    REQUIRE(again.put(make("4", "c").view(), late).why().reason == "spool_too_old");
}
