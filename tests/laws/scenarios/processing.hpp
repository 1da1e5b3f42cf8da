// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All scenarios of long work, by name.

#include "laws/scenarios/processes.hpp"
#include "laws/scenarios/processes_calls.hpp"
#include "laws/scenarios/processes_decisions.hpp"
#include "laws/scenarios/processes_people.hpp"
#include "laws/scenarios/processes_replies.hpp"
#include "laws/scenarios/processes_runners.hpp"
#include "laws/scenarios/processes_saga.hpp"
#include "laws/scenarios/processes_undo.hpp"

namespace sinew::laws {

inline constexpr auto processing =
    joined(processes_scenarios, processes_calls_scenarios, processes_saga_scenarios,
           processes_undo_scenarios, processes_runners_scenarios, processes_replies_scenarios,
           processes_people_scenarios, processes_decisions_scenarios);

}  // namespace sinew::laws
