// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/deadline_heap.hpp>

#include <map>
#include <vector>

namespace {

using sinew::steady_time;
using sinew::detail::deadline_heap;

constexpr steady_time at(int seconds) { return steady_time(std::chrono::seconds(seconds)); }

constexpr bool wakes_the_earliest_first() {
    deadline_heap heap(3);
    heap.set(0, at(5));
    heap.set(1, at(3));
    heap.set(2, at(4));
    bool good = heap.top().member == 1;
    heap.set(1, at(9));
    good = good && heap.top().member == 2;
    heap.erase(2);
    heap.erase(2);
    return good && heap.top().member == 0 && heap.size() == 2 && heap.check_invariants();
}

}  // namespace

TEST_CASE("deadline heap: the earliest comes first, also after a change") {
    STATIC_REQUIRE(wakes_the_earliest_first());
    REQUIRE(wakes_the_earliest_first());
}

TEST_CASE("deadline heap: of equal deadlines the one set first comes first") {
    deadline_heap heap;
    for (const std::uint32_t member : {4U, 2U, 7U, 1U}) {
        heap.set(member, at(1));
    }
    heap.set(2, at(1));
    for (const std::uint32_t member : {4U, 7U, 1U, 2U}) {
        REQUIRE(heap.top().member == member);
        heap.erase(member);
    }
    REQUIRE(heap.empty());
}

TEST_CASE("deadline heap: it answers as a sorted map would") {
    using command = std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>;
    sinew::test::prop("for any commands", [] {
        const auto commands = *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<command>>());
        // Tickets run out on the way, or not; few lie in the heap, or all.
        deadline_heap heap(0, *rc::gen::element<std::size_t>(4, 2'048),
                           *rc::gen::element(0U, UINT32_MAX - 40U));
        std::map<std::uint32_t, std::pair<steady_time, std::uint64_t>> naive;
        std::uint64_t ticket = 0;
        for (const auto& [kind, number, seconds] : commands) {
            const std::uint32_t member = number % 40U;
            if (kind % 3 == 2) {
                heap.erase(member);
                naive.erase(member);
            } else {
                heap.set(member, at(seconds % 20));
                naive[member] = {at(seconds % 20), ++ticket};
            }
            RC_ASSERT(heap.check_invariants());
            RC_ASSERT(heap.size() == naive.size());
            RC_ASSERT(heap.contains(member) == naive.contains(member));
            auto first = naive.begin();
            for (auto one = naive.begin(); one != naive.end(); ++one) {
                first = one->second < first->second ? one : first;
            }
            RC_ASSERT(heap.empty() == naive.empty());
            if (!heap.empty()) {
                RC_ASSERT(heap.top().member == first->first);
                RC_ASSERT((heap.top().at == first->second.first));
            }
        }
    });
}

TEST_CASE("deadline heap: who is set again and again leaves nothing behind") {
    deadline_heap heap(3);
    heap.set(1, at(1));
    for (int second = 2; second < 10'000; ++second) {
        heap.set(0, at(second));
        heap.set(2, at(20'000 - second));
        heap.erase(2);
        REQUIRE(heap.check_invariants());
    }
    REQUIRE(heap.size() == 2);
    REQUIRE(heap.top().member == 1);
}
