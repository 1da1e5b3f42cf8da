// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All scenarios of the consuming side, by name.

#include "laws/scenarios/dead_letters.hpp"
#include "laws/scenarios/deaths.hpp"
#include "laws/scenarios/failing.hpp"
#include "laws/scenarios/giving_up.hpp"
#include "laws/scenarios/groups.hpp"
#include "laws/scenarios/ordering.hpp"
#include "laws/scenarios/plain.hpp"
#include "laws/scenarios/producers.hpp"
#include "laws/scenarios/straight.hpp"
#include "laws/scenarios/tickets.hpp"
#include "laws/scenarios/without_transactions.hpp"

namespace sinew::laws {

inline constexpr auto consuming =
    joined(plain_scenarios, failing_scenarios, dead_letters_scenarios, deaths_scenarios,
           giving_up_scenarios, ordering_scenarios, groups_scenarios, tickets_scenarios,
           producers_scenarios, straight_scenarios, without_transactions_scenarios);

}  // namespace sinew::laws
