// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/index_table.hpp>

#include <map>
#include <vector>

namespace {

using sinew::digest;
using table = sinew::detail::index_table<std::uint64_t>;

constexpr bool forgets_what_was_erased() {
    table numbers(2);
    for (std::uint64_t round = 0; round < 100; ++round) {
        numbers.insert(round, 1);
        numbers.insert(round + 1'000, 2);
        if (numbers.find(round) != 1 || numbers.find(round + 1'000) != 2) {
            return false;
        }
        numbers.erase(round);
        numbers.erase(round + 1'000);
        if (numbers.find(round) != table::none || numbers.size() != 0) {
            return false;
        }
    }
    return numbers.check_invariants();
}

}  // namespace

TEST_CASE("index table: keys that come and go leave nothing behind") {
    STATIC_REQUIRE(forgets_what_was_erased());
    REQUIRE(forgets_what_was_erased());
}

TEST_CASE("index table: it grows, and finds everything again") {
    table numbers;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        numbers.insert(std::uint64_t{i} << 20U, i);
    }
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        REQUIRE(numbers.find(std::uint64_t{i} << 20U) == i);
    }
    REQUIRE(numbers.check_invariants());
}

TEST_CASE("index table: it answers as a map would") {
    // The low bits of a digest are its home: a few homes make long runs of neighbours.
    sinew::test::prop("also where many keys share a home", [] {
        using command = std::pair<std::uint8_t, std::uint8_t>;
        const auto commands = *rc::gen::scale(4.0, rc::gen::arbitrary<std::vector<command>>());
        sinew::detail::index_table<digest> machine;
        std::map<digest, std::uint32_t> naive;
        std::uint32_t next = 0;
        for (const auto& [kind, number] : commands) {
            const digest key{number, number % 5U + (number % 2U == 0 ? 12U : 0U)};
            const auto found = naive.find(key);
            RC_ASSERT(machine.find(key) ==
                      (found == naive.end() ? decltype(machine)::none : found->second));
            if (kind % 2 == 1) {
                machine.erase(key);
                naive.erase(key);
            } else if (found == naive.end()) {
                machine.insert(key, next);
                naive[key] = next++;
            }
            RC_ASSERT(machine.size() == naive.size());
            RC_ASSERT(machine.check_invariants());
        }
        for (const auto& [key, index] : naive) {
            RC_ASSERT(machine.find(key) == index);
        }
    });
}
