// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Why a runner parks an instance, as it is kept with it for the people who have to decide.
///
/// | reason | class | means |
/// | --- | --- | --- |
/// | `changed_definition` | permanent | the code has other steps than the instance was started with |
/// | `poisoned` | permanent | a step killed its process as often as it may |
/// | `no_way_back` | permanent | a step was given up that has to be done |
/// | `pivot_in_doubt` | unknown | nobody knows whether the pivot happened |
/// | `not_undone` | permanent | a compensation was given up |
///
/// The detail names the step and its last failure, and lists what is not undone.

#include <sinew/core/failure_note.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/saga_plan.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinew {

namespace detail {

inline void append_failure(std::string& to, const std::optional<failure_note>& why) {
    if (why) {
        to.append(", last with ").append(why->reason);
        if (!why->detail.empty()) {
            to.append(": ").append(why->detail);
        }
    }
}

inline void append_not_undone(std::string& to, const saga_plan& plan, const plan_position& here) {
    std::string_view between = "; not undone: ";
    for (const auto at : plan.not_undone(here)) {
        to.append(between).append(plan.step(at).name);
        between = ", ";
    }
}

}  // namespace detail

/// A step was given up, and people have to decide.
[[nodiscard]] inline failure_note note_of_giving_up(park_reason reason, const saga_plan& plan,
                                                    const plan_position& here,
                                                    const step_address& where,
                                                    const std::optional<failure_note>& last,
                                                    wall_time now) {
    failure_note out;
    out.at = now;
    out.kind =
        reason == park_reason::pivot_in_doubt ? failure_class::unknown : failure_class::permanent;
    out.attempt = last ? last->attempt : 0;
    out.reason = to_string(reason);
    out.detail.append(where.phase == step_phase::undo ? "undoing step " : "step ");
    out.detail.append(where.step).append(" was given up");
    detail::append_failure(out.detail, last);
    detail::append_not_undone(out.detail, plan, here);
    return out;
}

/// A step killed its process as often as it may.
[[nodiscard]] inline failure_note note_of_poison(const saga_plan& plan, const plan_position& here,
                                                 const step_progress& progress, wall_time now) {
    failure_note out;
    out.at = now;
    out.kind = failure_class::permanent;
    out.attempt = progress.attempts;
    out.reason = "poisoned";
    out.detail.append(progress.where.phase == step_phase::undo ? "undoing step " : "step ");
    out.detail.append(progress.where.step).append(" was started ");
    out.detail.append(std::to_string(progress.starts)).append(" times, and killed its process");
    detail::append_failure(out.detail, progress.last_failure);
    detail::append_not_undone(out.detail, plan, here);
    return out;
}

}  // namespace sinew
