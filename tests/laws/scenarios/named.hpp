// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios by name, and lists of them.

#include <sinew/testing/trial.hpp>

#include <array>
#include <cstddef>
#include <string_view>

namespace sinew::laws {

using namespace sinew::testing;

/// A scenario, and the name by which it is known. Each header beside this one lists its own.
struct named_scenario {
    std::string_view name;
    void (*run)(trial&);
};

/// The scenarios of several headers as one array.
template <std::size_t... Sizes>
[[nodiscard]] constexpr auto joined(const named_scenario (&... lists)[Sizes]) noexcept {
    std::array<named_scenario, (Sizes + ...)> all{};
    std::size_t next = 0;
    const auto add = [&](const auto& list) {
        for (const auto& one : list) {
            all[next++] = one;
        }
    };
    (add(lists), ...);
    return all;
}

}  // namespace sinew::laws
