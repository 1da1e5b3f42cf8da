// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of single laws share: all scenarios together, and a law in them.

#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <cstdint>
#include <string_view>

namespace sinew::laws {

/// All scenarios together, each under every single fault.
template <class Scenarios>
[[nodiscard]] testing::fault_report under_each_fault(const Scenarios& scenarios) {
    testing::fault_report all;
    for (const auto& scenario : scenarios) {
        all.add(testing::every_fault(scenario.run, 1));
    }
    return all;
}

/// Fails unless the law was looked at often enough, and held.
inline void require_law(const testing::fault_report& all, std::string_view name,
                        std::uint64_t at_least = 1000) {
    std::uint64_t checked = 0;
    for (const auto& law : all.laws) {
        if (law.law == name) {
            checked = law.checked;
            CHECK(law.broken == 0);
        }
    }
    if (const auto* example = all.example_of(name)) {
        FAIL(example->how << ", tape " << testing::to_string(example->tape));
    }
    CHECK(checked > at_least);
}

}  // namespace sinew::laws
