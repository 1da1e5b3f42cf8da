// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/turn_line.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace {

using sinew::detail::turn_line;

/// A line of four lanes, in which the one in the middle leaves.
constexpr bool keeps_its_order() {
    turn_line line(4);
    std::uint32_t places[3] = {};
    for (std::uint32_t lane = 0; lane < 3; ++lane) {
        places[lane] = line.join(lane, lane + 10);
    }
    line.leave(places[1], [](std::uint32_t, std::uint32_t) {});
    line.change(places[2], 99);
    const auto first = line.take();
    const auto second = line.take();
    return first.lane() == 0 && first.slot() == 10 && second.lane() == 2 && second.slot() == 99 &&
           line.empty() && line.check_invariants();
}

}  // namespace

TEST_CASE("turn line: it is the same at compile time and at run time") {
    STATIC_REQUIRE(keeps_its_order());
    REQUIRE(keeps_its_order());
}

TEST_CASE("turn line: it answers as a queue would, however many leave before their turn") {
    sinew::test::prop("and no place is lost", [] {
        const auto lanes_max = *rc::gen::inRange<std::uint32_t>(1, 9);
        turn_line line(lanes_max);
        std::deque<std::uint32_t> naive;
        std::vector<std::uint32_t> places(lanes_max, 0);
        std::vector<std::uint32_t> slots(lanes_max, 0);
        const auto commands =
            *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<std::pair<int, std::uint8_t>>>());
        for (const auto& [kind, which] : commands) {
            const std::uint32_t lane = which % lanes_max;
            const auto at = std::find(naive.begin(), naive.end(), lane);
            if (kind % 3 == 0 && !naive.empty()) {
                const auto one = line.take();
                RC_ASSERT(one.lane() == naive.front());
                RC_ASSERT(one.slot() == slots[one.lane()]);
                naive.pop_front();
            } else if (at == naive.end()) {
                slots[lane] = which + 100U;
                places[lane] = line.join(lane, slots[lane]);
                naive.push_back(lane);
            } else if (kind % 3 == 1) {
                slots[lane] = which + 500U;
                line.change(places[lane], slots[lane]);
            } else {
                line.leave(places[lane], [&places](std::uint32_t moved, std::uint32_t place) {
                    places[moved] = place;
                });
                naive.erase(at);
            }
            RC_ASSERT(line.check_invariants());
            RC_ASSERT(line.size() == naive.size());
            RC_ASSERT(line.empty() == naive.empty());
            for (const std::uint32_t one : naive) {
                RC_ASSERT(line[places[one]].lane() == one);
            }
        }
    });
}
