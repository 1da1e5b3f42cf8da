// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/breaker.hpp>

#include <limits>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr double even = 0.5;  // no jitter to either side

struct scene {
    breaker b{};
    steady_time now{steady_time(1h)};

    constexpr bool call(bool good, double random = even) {
        auto permit = b.admit(now, random);
        if (!permit) {
            return false;
        }
        good ? permit->succeeded(now) : permit->failed(now, random);
        return true;
    }
    constexpr void fail(int times) {
        for (int i = 0; i < times; ++i) {
            call(false);
        }
    }
    constexpr bool is(breaker_state s) const { return b.state() == s && b.is_consistent(); }
};

constexpr bool ten_in_a_row_open_it() {
    scene s;
    s.fail(9);
    const bool closed = s.is(breaker_state::closed);
    s.call(true);
    s.fail(9);
    const bool still = s.is(breaker_state::closed);
    s.fail(1);
    return closed && still && s.is(breaker_state::open) && !s.call(true) &&
           s.b.admits_at() == s.now + 5s;
}

}  // namespace

TEST_CASE("breaker: ten failures in a row open it, a success in between begins anew") {
    STATIC_REQUIRE(ten_in_a_row_open_it());
    REQUIRE(ten_in_a_row_open_it());
}

TEST_CASE("breaker: half of at least twenty calls in the window open it") {
    scene s;
    for (int i = 0; i < 9; ++i) {
        s.call(false);
        s.call(true);
    }
    s.call(true);
    REQUIRE(s.is(breaker_state::closed));
    s.call(false);  // 10 of 20
    REQUIRE(s.is(breaker_state::open));
}

TEST_CASE("breaker: what is older than the window is forgotten") {
    scene s;
    for (int i = 0; i < 9; ++i) {
        s.call(false);
        s.call(true);
    }
    s.now += 31s;
    s.call(true);
    s.call(false);
    REQUIRE(s.is(breaker_state::closed));
}

TEST_CASE("breaker: open it lets nothing through, then one probe, which decides") {
    scene s;
    s.fail(10);
    s.now += 5s - 1ns;
    REQUIRE_FALSE(s.b.admit(s.now, even));
    s.now += 1ns;
    auto probe = s.b.admit(s.now, even);
    REQUIRE(probe);
    REQUIRE(s.is(breaker_state::half_open));
    REQUIRE_FALSE(s.b.admit(s.now, even));
    SECTION("a good one closes it, and the next opening is a short one again") {
        probe->succeeded(s.now);
        REQUIRE(s.is(breaker_state::closed));
        s.fail(10);
        REQUIRE(s.b.admits_at() == s.now + 5s);
    }
    SECTION("a bad one opens it for twice as long, up to a minute") {
        probe->failed(s.now, even);
        for (const auto length : {10s, 20s, 40s, 60s, 60s}) {
            REQUIRE(s.is(breaker_state::open));
            REQUIRE(s.b.admits_at() == s.now + length);
            s.now += length;
            REQUIRE(s.call(false));
        }
    }
    SECTION("one that gives no answer by its deadline counts as a bad one") {
        s.now += 10s;
        REQUIRE_FALSE(s.b.admit(s.now, even));
        REQUIRE(s.is(breaker_state::open));
        REQUIRE(s.b.admits_at() == s.now + 10s);
        SECTION("and what it says afterwards changes nothing") {
            probe->succeeded(s.now);
            REQUIRE(s.is(breaker_state::open));
        }
    }
    SECTION("one that is given up (an exception) lets another go") {
        try {
            const auto mine = *std::move(probe);
            throw 1;
        } catch (int) {
        }
        REQUIRE(s.is(breaker_state::half_open));
        REQUIRE(s.b.admit(s.now, even));
    }
}

TEST_CASE("breaker: what a call of an earlier state reports late changes nothing") {
    scene s;
    auto late = s.b.admit(s.now, even);
    auto later_still = s.b.admit(s.now, even);
    s.fail(10);
    s.now += 5s;
    REQUIRE(s.call(true));
    REQUIRE(s.is(breaker_state::closed));
    const auto generation = s.b.generation();
    late->failed(s.now, even);
    for (int i = 0; i < 9; ++i) {
        s.call(false);
    }
    REQUIRE(s.is(breaker_state::closed));
    later_still->succeeded(s.now);
    s.fail(1);
    REQUIRE(s.is(breaker_state::open));
    REQUIRE(s.b.generation() == generation + 1);
}

TEST_CASE("breaker: how long it is open is spread by a fifth to either side") {
    for (const auto& [random, length] :
         {std::pair(0.0, duration(4s)), {0.5, duration(5s)}, {0.75, duration(5500ms)}}) {
        scene s;
        for (int i = 0; i < 10; ++i) {
            s.call(false, random);
        }
        REQUIRE(s.b.admits_at() == s.now + length);
    }
}

TEST_CASE("breaker: options out of their range are refused") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const auto refuses = [](const breaker_options& o) {
        REQUIRE_THROWS_AS(breaker(o), usage_error);
    };
    refuses({.failure_ratio = 0});
    refuses({.failure_ratio = nan});
    refuses({.calls_min = 0});
    refuses({.window = 0s});
    refuses({.in_a_row = 0});
    refuses({.open_for = 0s});
    refuses({.open_for = 2min});
    refuses({.open_max = duration::max()});
    refuses({.jitter = 1});
    refuses({.jitter = nan});
    refuses({.probe_timeout = 0s});
}
