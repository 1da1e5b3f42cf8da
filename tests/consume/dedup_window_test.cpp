// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/dedup_window.hpp>

#include <cstdint>
#include <string>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

constexpr steady_time start{1h};

constexpr digest id(std::uint64_t n) {
    return {n * 0x9e3779b97f4a7c15ULL, n * 0xbf58476d1ce4e5b9ULL};
}

/// Claims and commits; true if it was fresh.
constexpr bool apply(dedup_window& window, std::uint64_t n, steady_time now) {
    if (window.claim(id(n), now) != claim_result::fresh) {
        return false;
    }
    window.commit(id(n), now);
    return true;
}

constexpr bool runs_at_compile_time() {
    dedup_window window({.ids_max = 3, .in_flight_max = 2});
    for (std::uint64_t n = 0; n < 10; ++n) {
        if (!apply(window, n, start) || apply(window, n, start) || !window.invariants_hold()) {
            return false;
        }
    }
    return window.size() == 3 && window.evicted_early() == 7 && apply(window, 0, start);
}

std::string refusal(const dedup_options& options) {
    try {
        dedup_window window(options);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a claim is fresh, in flight, and then done") {
    dedup_window window;
    CHECK(window.claim(id(1), start) == claim_result::fresh);
    CHECK(window.claim(id(1), start) == claim_result::in_flight);
    CHECK(window.in_flight() == 1);
    window.commit(id(1), start);
    CHECK(window.claim(id(1), start) == claim_result::done);
    CHECK(window.in_flight() == 0);
    CHECK(window.size() == 1);
    STATIC_REQUIRE(runs_at_compile_time());
}

TEST_CASE("a failure between claim and commit loses nothing: what was released is fresh again") {
    dedup_window window;
    REQUIRE(window.claim(id(1), start) == claim_result::fresh);
    window.release(id(1));
    CHECK(window.claim(id(1), start) == claim_result::fresh);
}

TEST_CASE("a claim that nobody ends is never taken for done, however long it takes") {
    dedup_window window({.ids_max = 4});
    REQUIRE(window.claim(id(1), start) == claim_result::fresh);
    for (std::uint64_t n = 2; n < 100; ++n) {
        apply(window, n, start + std::chrono::hours(n));
    }
    CHECK(window.claim(id(1), start + 1000h) == claim_result::in_flight);
}

TEST_CASE("committing or releasing twice changes nothing") {
    dedup_window window;
    REQUIRE(apply(window, 1, start));
    window.commit(id(1), start);
    window.release(id(1));
    CHECK(window.size() == 1);
    CHECK(window.claim(id(1), start) == claim_result::done);
    CHECK(window.invariants_hold());
}

TEST_CASE("a commit after the release still counts: the effect is there") {
    dedup_window window;
    REQUIRE(window.claim(id(1), start) == claim_result::fresh);
    window.release(id(1));
    window.commit(id(1), start);
    CHECK(window.claim(id(1), start) == claim_result::done);
}

TEST_CASE("a done id is remembered for as long as was promised") {
    dedup_window window({.ids_max = 1000, .age_max = 10min});
    REQUIRE(apply(window, 1, start));
    for (std::uint64_t n = 2; n < 600; ++n) {
        apply(window, n, start + std::chrono::seconds(n));
    }
    CHECK(window.claim(id(1), start + 10min) == claim_result::done);
    CHECK(window.evicted_early() == 0);
}

TEST_CASE("an id that has expired is forgotten, in bites, as others come") {
    dedup_window window({.ids_max = 1000, .age_max = 10min});
    for (std::uint64_t n = 0; n < 100; ++n) {
        apply(window, n, start);
    }
    for (std::uint64_t n = 100; n < 150; ++n) {
        apply(window, n, start + 11min);
    }
    CHECK(window.size() == 50);
    CHECK(window.evicted_early() == 0);
    CHECK(window.invariants_hold());
    CHECK(apply(window, 0, start + 11min));
}

TEST_CASE("of too many ids the oldest give way, are counted, and are no longer covered") {
    dedup_window window({.ids_max = 100, .age_max = 10min});
    for (std::uint64_t n = 0; n < 150; ++n) {
        REQUIRE(apply(window, n, start + std::chrono::seconds(n)));
    }
    const auto now = start + 150s;
    CHECK(window.evicted_early() == 50);
    CHECK(window.size() == 100);
    CHECK_FALSE(window.covers(150s, now));
    CHECK_FALSE(window.covers(101s, now));
    CHECK(window.covers(90s, now));
    CHECK(window.claim(id(3), now, 147s) == claim_result::unknown);
    CHECK(window.claim(id(60), now, 90s) == claim_result::done);
    CHECK(window.claim(id(1000), now, 90s) == claim_result::fresh);
}

TEST_CASE("what is older than the memory is unknown, not fresh, and the claim is held") {
    dedup_window window({.age_max = 10min});
    REQUIRE(apply(window, 1, start));
    const auto now = start + 1h;
    CHECK(window.claim(id(2), now, 10min) == claim_result::fresh);
    CHECK(window.claim(id(3), now, 10min + 1ns) == claim_result::unknown);
    CHECK(window.claim(id(3), now, 10min + 1ns) == claim_result::in_flight);
    window.commit(id(3), now);
    CHECK(window.claim(id(3), now, 24h) == claim_result::done);
}

TEST_CASE("a new window does not claim to know what was done before it") {
    dedup_window window({.age_max = 10min});
    CHECK(window.claim(id(1), start, 1s) == claim_result::unknown);
    CHECK(window.claim(id(2), start) == claim_result::fresh);
    CHECK(window.claim(id(3), start + 5min, 5min) == claim_result::fresh);
    CHECK(window.claim(id(4), start + 5min, 5min + 1ns) == claim_result::unknown);
}

TEST_CASE("ages that cannot be do no harm") {
    dedup_window window;
    CHECK(window.claim(id(1), start, -1h) == claim_result::fresh);
    CHECK(window.claim(id(2), start, duration::min()) == claim_result::fresh);
    CHECK(window.claim(id(3), start, duration::max()) == claim_result::unknown);
    CHECK(window.claim(id(4), steady_time::max(), duration::max()) == claim_result::unknown);
}

TEST_CASE("a window full of claims refuses further ones, and forgets nothing for them") {
    dedup_window window({.ids_max = 2, .in_flight_max = 3});
    REQUIRE(apply(window, 9, start));
    for (std::uint64_t n = 1; n <= 3; ++n) {
        REQUIRE(window.claim(id(n), start) == claim_result::fresh);
    }
    CHECK(window.claim(id(4), start) == claim_result::full);
    CHECK(window.claim(id(1), start) == claim_result::in_flight);
    CHECK(window.claim(id(9), start) == claim_result::done);
    window.release(id(2));
    CHECK(window.claim(id(4), start) == claim_result::fresh);
}

TEST_CASE("time that goes back forgets nothing and moves no horizon") {
    dedup_window window({.age_max = 10min});
    REQUIRE(apply(window, 1, start + 1h));
    const auto horizon = window.horizon(start + 1h);
    REQUIRE(apply(window, 2, start));
    CHECK(window.horizon(start) >= horizon);
    CHECK(window.claim(id(1), start) == claim_result::done);
    CHECK(window.invariants_hold());
}

TEST_CASE("a trickle over a long time does not fill the generations") {
    dedup_window window({.ids_max = 5000, .age_max = 1min});
    std::uint64_t n = 0;
    for (; n < 4000; ++n) {
        apply(window, n, start + std::chrono::milliseconds(15 * n));
    }
    auto now = start + 10h;
    for (; n < 6000; ++n, now += 1100ms) {
        REQUIRE(apply(window, n, now));
        REQUIRE_FALSE(apply(window, n, now));
    }
    CHECK(window.invariants_hold());
    CHECK(window.evicted_early() == 0);
    CHECK(window.size() < 200);
}

TEST_CASE("an id takes up no more than 20 bytes") {
    dedup_window window({.ids_max = 100'000});
    const auto before = window.bytes();
    for (std::uint64_t n = 0; n < 250'000; ++n) {
        REQUIRE(apply(window, n, start));
    }
    CHECK(window.size() == 100'000);
    CHECK(window.bytes() == before);
    CHECK(static_cast<double>(window.bytes()) / 100'000 <= 20);
}

TEST_CASE("what is announced is not claimed") {
    dedup_window window;
    REQUIRE(apply(window, 1, start));
    window.announce(id(1));
    window.announce(id(2));
    CHECK(window.in_flight() == 0);
    CHECK(window.size() == 1);
    CHECK(window.claim(id(1), start) == claim_result::done);
    CHECK(window.claim(id(2), start) == claim_result::fresh);
}

TEST_CASE("a memory that is shorter than the declared replay horizon is refused") {
    CHECK(refusal({.age_max = 10min, .replay_horizon = 10min}).empty());
    CHECK_THAT(refusal({.age_max = 10min, .replay_horizon = 10min + 1ns}),
               Catch::Contains("replay_horizon"));
}

TEST_CASE("window options out of their range are refused by name") {
    using Catch::Contains;
    CHECK(refusal({}).empty());
    CHECK_THAT(refusal({.ids_max = 0}), Contains("ids_max"));
    CHECK_THAT(refusal({.ids_max = std::size_t{1} << 40U}), Contains("ids_max"));
    CHECK_THAT(refusal({.age_max = 0s}), Contains("age_max"));
    CHECK_THAT(refusal({.replay_horizon = -1s}), Contains("replay_horizon"));
    CHECK_THAT(refusal({.in_flight_max = 0}), Contains("in_flight_max"));
}
