// SPDX-License-Identifier: BSL-1.0
#include <sinew/process/definition_rules.hpp>

#include "support/test.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

using enum step_kind;

template <std::size_t N>
constexpr definition_mistake mistake_in(const std::array<step_definition, N>& steps,
                                        std::span<const std::string_view> removed = {}) {
    return find_mistake({"p", steps, removed});
}

constexpr std::array former{std::string_view("old")};
constexpr std::array gone{std::string_view("a")};

}  // namespace

TEST_CASE("a list of steps is compensable, then at most one pivot, then retriable") {
    STATIC_REQUIRE(mistake_in<1>({{{"a", retriable}}}) == definition_mistake::none);
    STATIC_REQUIRE(mistake_in<1>({{{"a", pivot}}}) == definition_mistake::none);
    STATIC_REQUIRE(mistake_in<2>({{{"a", compensable}, {"b", retriable}}}) ==
                   definition_mistake::none);
    STATIC_REQUIRE(mistake_in<5>({{{"a", compensable},
                                   {"b", compensable},
                                   {"c", pivot},
                                   {"d", retriable},
                                   {"e", retriable}}}) == definition_mistake::none);

    STATIC_REQUIRE(mistake_in<0>({}) == definition_mistake::no_steps);
    STATIC_REQUIRE(mistake_in<2>({{{"a", pivot}, {"b", compensable}}}) ==
                   definition_mistake::compensable_behind_pivot);
    STATIC_REQUIRE(mistake_in<3>({{{"a", pivot}, {"b", retriable}, {"c", compensable}}}) ==
                   definition_mistake::compensable_behind_pivot);
    STATIC_REQUIRE(mistake_in<2>({{{"a", retriable}, {"b", compensable}}}) ==
                   definition_mistake::compensable_behind_retriable);
    STATIC_REQUIRE(mistake_in<2>({{{"a", retriable}, {"b", pivot}}}) ==
                   definition_mistake::pivot_behind_retriable);
    STATIC_REQUIRE(mistake_in<2>({{{"a", pivot}, {"b", pivot}}}) == definition_mistake::two_pivots);
}

TEST_CASE("a step's name is its own") {
    STATIC_REQUIRE(mistake_in<3>({{{"a", retriable}, {"b", retriable}, {"a", retriable}}}) ==
                   definition_mistake::same_name_twice);
    STATIC_REQUIRE(mistake_in<1>({{{"a", retriable}}}, gone) ==
                   definition_mistake::removed_but_there);
    STATIC_REQUIRE(
        mistake_in<2>({{{"a", retriable, false, former}, {"b", retriable, false, former}}}) ==
        definition_mistake::former_name_of_another);
    STATIC_REQUIRE(mistake_in<1>({{{"old", retriable, false, former}}}) ==
                   definition_mistake::former_name_of_another);
    STATIC_REQUIRE(mistake_in<2>({{{"a", retriable, false, former}, {"old", retriable, true}}}) ==
                   definition_mistake::none);
}

TEST_CASE("a mistake says what to change") {
    REQUIRE(to_string(definition_mistake::compensable_behind_pivot) ==
            "a step that can be undone stands behind the pivot, where there is no way back; move "
            "it before the pivot, or make it retriable");
    for (auto m = 1; m <= static_cast<int>(definition_mistake::former_name_of_another); ++m) {
        REQUIRE(to_string(static_cast<definition_mistake>(m)).size() > 20);
    }
}

TEST_CASE("the steps of the code are kept by name and kind") {
    constexpr std::array steps{step_definition{"a", compensable}, step_definition{"b", retriable}};
    const auto kept = entries_of({"p", steps, {}});
    REQUIRE(kept == std::vector<step_entry>{{"a", compensable}, {"b", retriable}});
}
