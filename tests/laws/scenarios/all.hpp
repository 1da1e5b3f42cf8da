// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All scenarios, by name.

#include "laws/scenarios/consuming.hpp"
#include "laws/scenarios/processing.hpp"
#include "laws/scenarios/producing.hpp"

namespace sinew::laws {

inline constexpr auto scenarios = [] {
    std::array<named_scenario, consuming.size() + producing.size() + processing.size()> all{};
    std::size_t next = 0;
    for (const auto& one : consuming) {
        all[next++] = one;
    }
    for (const auto& one : producing) {
        all[next++] = one;
    }
    for (const auto& one : processing) {
        all[next++] = one;
    }
    return all;
}();

}  // namespace sinew::laws
