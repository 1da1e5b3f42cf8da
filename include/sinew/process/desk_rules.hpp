// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What people can decide of a step, and what would lose something that may have happened.
///
/// A decision on a step appends a record, and a record ends what was noted of the step at which the
/// instance stands: its attempts, and that it may have happened. So a decision is refused where
/// nobody would know of that any more.
///
/// | reason | refused | what to do instead |
/// | --- | --- | --- |
/// | `unknown_step` | a step that the instance does not have | use a name of its steps, as they are kept |
/// | `not_given_up` | `retry_step` where no failure is recorded | `resume` |
/// | `has_a_record` | `skip_step` of what is done, `give_up_step` of what is recorded at all | nothing |
/// | `being_undone` | any of an action, while something is undone, or may be | decide on the undo: `resume`, `retry_step` or `skip_step` |
/// | `in_doubt` | any of another step, while an action may have happened | decide on that action first |
/// | `under_way` | any of another step, while the instance is open | wait until it is parked |
///
/// Where an undo was tried, and each attempt is known to have failed, nothing is undone yet: the
/// action that failed may be tried again, once the instance is parked.
///
/// **Guarantees.** Pure functions of their arguments.

#include <sinew/core/error.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/instance_plan.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/saga_plan.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// What people can do about an instance.
enum class desk_call : std::uint8_t {
    cancel,
    resume,
    retry_step,
    skip_step,
    give_up_step,
    abandon,
};

[[nodiscard]] constexpr std::string_view to_string(desk_call c) noexcept {
    switch (c) {
        case desk_call::cancel: return "cancel";
        case desk_call::resume: return "resume";
        case desk_call::retry_step: return "retry_step";
        case desk_call::skip_step: return "skip_step";
        case desk_call::give_up_step: return "give_up_step";
        case desk_call::abandon: return "abandon";
    }
    return "invalid";
}

/// A call, and for which step.
struct desk_choice {
    desk_call what = desk_call::resume;
    std::optional<step_address> where{};

    friend bool operator==(const desk_choice&, const desk_choice&) = default;
};

namespace detail {

[[nodiscard]] inline std::string spoken(const step_address& where) {
    return std::string(to_string(where.phase)) + " " + where.step;
}

[[nodiscard]] inline failure refused(std::string_view reason, std::string detail) {
    return {failure_class::permanent, std::string(reason), std::move(detail), std::nullopt};
}

/// The undo that was begun, or that somebody may be at.
[[nodiscard]] inline std::optional<step_address> begun_undo(const journal_entry& of) {
    const auto& what = of.what;
    const bool is_open = what.state == instance_state::open;
    const auto& at = what.progress;
    if (at && at->where.phase == step_phase::undo && (is_open || at->in_doubt || at->starts != 0)) {
        return at->where;
    }
    for (std::size_t i = of.history.size(); i-- > 0;) {
        if (of.history[i].where.phase == step_phase::undo) {
            return of.history[i].where;
        }
    }
    if (is_open && goes_back(of)) {
        const auto left = not_undone(of);
        return step_address{left.empty() ? std::string() : left.front(), step_phase::undo};
    }
    return std::nullopt;
}

/// The action at which an instance stands.
[[nodiscard]] inline std::optional<step_address> action_at(const journal_entry& of,
                                                           const saga_plan& plan) {
    if (const auto& at = of.what.progress) {
        return at->where.phase == step_phase::act ? std::optional(at->where) : std::nullopt;
    }
    const auto next = plan.next(position_of(of.what));
    if (next.what != plan_verdict::act) {
        return std::nullopt;
    }
    return step_address{plan.step(next.step).name, step_phase::act};
}

[[nodiscard]] inline std::optional<failure> refuse_by_record(const journal_entry& of,
                                                             desk_call call,
                                                             const step_address& where) {
    const auto* const last = find_record(of.history, where);
    const bool has_failed = last != nullptr && last->kind == record_kind::failed;
    if (call == desk_call::retry_step && !has_failed) {
        return refused("not_given_up", spoken(where) +
                                           " is not recorded as failed, so there is nothing to "
                                           "take back; resume tries again what an instance is "
                                           "parked for");
    }
    if (last != nullptr && (call == desk_call::give_up_step || !has_failed)) {
        return refused("has_a_record", spoken(where) + " is " + std::string(to_string(last->kind)) +
                                           (has_failed ? " already; retry_step takes that back"
                                                       : ", and a done step stays done"));
    }
    return std::nullopt;
}

}  // namespace detail

/// Why people cannot decide that of a step; nothing if they can.
[[nodiscard]] inline std::optional<failure> find_refusal(const journal_entry& of, desk_call call,
                                                         const step_address& where) {
    const auto plan = plan_as_kept(of);
    const auto& at = of.what.progress;
    if (!plan.find(where.step) && !(at && at->where.step == where.step)) {
        return detail::refused("unknown_step", "the instance has no step " + where.step +
                                                   "; it goes by the names that it was started "
                                                   "with");
    }
    if (auto why = detail::refuse_by_record(of, call, where)) {
        return why;
    }
    if (where.phase == step_phase::act) {
        if (const auto undo = detail::begun_undo(of)) {
            return detail::refused(
                "being_undone",
                "the saga is on its way back, and " + detail::spoken(*undo) +
                    " may have happened: no step is acted on again. Decide on what is being "
                    "undone: resume goes on with it, retry_step and skip_step take the undo");
        }
    }
    const auto action = detail::action_at(of, plan);
    if (action && *action != where) {
        if (at && at->in_doubt) {
            return detail::refused("in_doubt",
                                   detail::spoken(*action) +
                                       " may have happened, which would be forgotten. Decide on it "
                                       "first: resume asks again, skip_step says that it "
                                       "happened, give_up_step that it did not");
        }
        if (of.what.state == instance_state::open) {
            return detail::refused("under_way", "somebody may be at " + detail::spoken(*action) +
                                                    "; decide on another step when the instance "
                                                    "is parked");
        }
    }
    return std::nullopt;
}

/// What people can do about an instance, and change something by it. See process/desk.hpp.
[[nodiscard]] inline std::vector<desk_choice> choices_for(const journal_entry& of) {
    std::vector<desk_choice> out;
    const auto& what = of.what;
    if (has_ended(what.state)) {
        return out;
    }
    const auto plan = plan_as_kept(of);
    if (!what.cancelled && !goes_back(of) && !plan.is_past_return()) {
        out.push_back({desk_call::cancel, {}});
    }
    if (what.state == instance_state::parked || what.wait) {
        out.push_back({desk_call::resume, {}});
    }
    const auto offer = [&](desk_call call, const step_address& where) {
        if (!find_refusal(of, call, where)) {
            out.push_back({call, where});
        }
    };
    for (std::size_t i = 0; i < plan.size(); ++i) {
        for (const auto phase : {step_phase::act, step_phase::undo}) {
            const step_address where{plan.step(i).name, phase};
            const auto* last = find_record(of.history, where);
            if (last != nullptr && last->kind == record_kind::failed) {
                offer(desk_call::retry_step, where);
                offer(desk_call::skip_step, where);
            }
        }
    }
    if (what.progress && find_record(of.history, what.progress->where) == nullptr) {
        const auto& where = what.progress->where;
        offer(desk_call::skip_step, where);
        const auto at = plan.find(where.step);
        if (where.phase == step_phase::act && at && plan.step(*at).kind != step_kind::retriable) {
            offer(desk_call::give_up_step, where);
        }
    }
    out.push_back({desk_call::abandon, {}});
    return out;
}

}  // namespace sinew
