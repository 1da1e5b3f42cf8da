// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// All scenarios, by name.

#include "laws/scenarios/failing.hpp"
#include "laws/scenarios/groups.hpp"
#include "laws/scenarios/ordering.hpp"
#include "laws/scenarios/plain.hpp"

#include <string_view>

namespace sinew::laws {

struct named_scenario {
    std::string_view name;
    void (*run)(trial&);
};

inline constexpr named_scenario scenarios[] = {
    {"plain", plain},
    {"once_by_offset", once_by_offset},
    {"duplicates_across_partitions", duplicates_across_partitions},
    {"batch_with_one_failing", batch_with_one_failing},
    {"flood_in_small_memory", flood_in_small_memory},
    {"dependency_down", dependency_down},
    {"retry_on_two_keys", retry_on_two_keys},
    {"attempts_used_up", attempts_used_up},
    {"would_work_the_next_time", would_work_the_next_time},
    {"permanent_failure", permanent_failure},
    {"dead_letters_elsewhere", dead_letters_elsewhere},
    {"dead_letter_place_down", dead_letter_place_down},
    {"poison", poison},
    {"replay", replay},
    {"replay_from_elsewhere", replay_from_elsewhere},
    {"gap_that_closes", gap_that_closes},
    {"gap_that_times_out", gap_that_times_out},
    {"one_key_on_two_partitions", one_key_on_two_partitions},
    {"predecessor_moves_away", predecessor_moves_away},
    {"rebalance_with_transactions", rebalance_with_transactions},
    {"rebalance_with_tickets", rebalance_with_tickets},
};

}  // namespace sinew::laws
