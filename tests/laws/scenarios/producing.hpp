// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All scenarios of the producing side, by name.

#include "laws/scenarios/answers.hpp"
#include "laws/scenarios/entries.hpp"
#include "laws/scenarios/publishing.hpp"
#include "laws/scenarios/refusals.hpp"
#include "laws/scenarios/relays.hpp"
#include "laws/scenarios/slowness.hpp"
#include "laws/scenarios/spooling.hpp"
#include "laws/scenarios/writers.hpp"

namespace sinew::laws {

inline constexpr auto producing =
    joined(writers_scenarios, publishing_scenarios, relays_scenarios, slowness_scenarios,
           refusals_scenarios, entries_scenarios, spooling_scenarios, answers_scenarios);

}  // namespace sinew::laws
