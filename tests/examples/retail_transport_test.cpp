// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <retail_ledger/hostile_transport.hpp>
#include <retail_ledger/kill_plan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

using namespace retail;

namespace {

/// How often each event is delivered.
std::vector<int> times(const std::vector<delivery>& deliveries, std::size_t events) {
    std::vector<int> all(events, 0);
    for (const auto& one : deliveries) {
        ++all.at(one.event);
    }
    return all;
}

/// The places that the deliveries would have without disorder: sorted by event.
std::size_t farthest_move(const std::vector<delivery>& deliveries) {
    std::vector<std::size_t> places(deliveries.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
        places[i] = i;
    }
    std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(deliveries[a].event, a) < std::pair(deliveries[b].event, b);
    });
    std::size_t farthest = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
        farthest = std::max(farthest, places[i] > i ? places[i] - i : i - places[i]);
    }
    return farthest;
}

}  // namespace

TEST_CASE("the transport loses nothing, and delivers nothing more than twice") {
    sinew::test::prop("each event once or twice", [](std::uint64_t seed) {
        const auto events = *rc::gen::inRange<std::size_t>(0, 500);
        for (const int count : times(plan_deliveries(events, seed), events)) {
            RC_ASSERT((count == 1 || count == 2));
        }
    });
}

TEST_CASE("the second delivery of an event is marked as a copy, and no other is") {
    sinew::test::prop("the first of each event is no copy", [](std::uint64_t seed) {
        std::vector<bool> seen(200, false);
        for (const auto& one : plan_deliveries(200, seed)) {
            RC_ASSERT(one.is_copy == seen[one.event]);
            seen[one.event] = true;
        }
    });
}

TEST_CASE("no delivery moves by the window or more") {
    sinew::test::prop("displacement is bounded", [](std::uint64_t seed) {
        const auto window = *rc::gen::inRange<std::size_t>(1, 100);
        RC_ASSERT(farthest_move(plan_deliveries(300, seed, {.shuffle_window = window})) < window);
    });
}

TEST_CASE("the transport is hostile: about a tenth comes twice, and much comes out of order") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const auto deliveries = plan_deliveries(10'000, seed);
        // Five standard deviations of 10,000 draws of 0.10 are 150.
        CHECK(deliveries.size() > 10'850);
        CHECK(deliveries.size() < 11'150);
        CHECK(farthest_move(deliveries) > 30);
    }
}

TEST_CASE("deliveries come in bursts, and the pauses add up to about the time that was asked for") {
    sinew::duration sum{};
    int pauses = 0;
    for (const auto& one : plan_deliveries(10'000, 7, {.lasts = std::chrono::seconds(12)})) {
        REQUIRE(one.after >= sinew::duration::zero());
        sum += one.after;
        pauses += one.after > sinew::duration::zero() ? 1 : 0;
    }
    CHECK(sum > std::chrono::seconds(8));
    CHECK(sum < std::chrono::seconds(16));
    CHECK(pauses > 80);
    CHECK(pauses < 140);
}

TEST_CASE("a seed repeats a transport, and another one gives another") {
    CHECK(plan_deliveries(1000, 5) == plan_deliveries(1000, 5));
    CHECK_FALSE(plan_deliveries(1000, 5) == plan_deliveries(1000, 6));
}

TEST_CASE("an overtaker is delivered before one that precedes it in its key") {
    const std::vector<std::string_view> keys{"a", "b", "a", "", "a", ""};
    const std::vector<delivery> order{{2, false, {}}, {5, false, {}}, {3, false, {}},
                                      {1, false, {}}, {0, false, {}}, {0, true, {}},
                                      {4, false, {}}};
    CHECK(find_overtakers(order, keys.size(), [&](std::size_t i) { return keys[i]; }) ==
          std::vector<bool>{true, false, false, false, false, false, false});
}

TEST_CASE("kills are spread over the run, one in each part of it") {
    sinew::test::prop("each is due in its part", [](std::uint64_t seed) {
        kill_plan plan(25, 9999, seed);
        for (std::int64_t part = 0; part < 25; ++part) {
            RC_ASSERT_FALSE(plan.is_due(part * 9999 / 26 - 1, -1));
            RC_ASSERT(plan.is_due((part + 1) * 9999 / 26 + 1, 0));
            const auto delay = plan.take();
            RC_ASSERT(delay >= sinew::duration::zero());
            RC_ASSERT(delay <= kill_plan::delay_max);
        }
        RC_ASSERT(plan.is_done());
        RC_ASSERT_FALSE(plan.is_due(9999, 0));
    });
}

TEST_CASE("a consumer is killed only after it has brought the ledger on, unless all is done") {
    kill_plan plan(2, 100, 1);
    CHECK_FALSE(plan.is_due(60, 60));
    CHECK(plan.is_due(61, 60));
    CHECK(plan.is_due(100, 100));
}
