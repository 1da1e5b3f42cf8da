// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The plan of an instance as it is kept, for whoever looks at it and does not have its code.
///
/// An instance is kept with the steps that it was started with, so what is not undone is seen
/// without the code. Steps that were added since are known by their records alone.
///
/// **Guarantees.** Pure functions of their arguments.

#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>
#include <sinew/process/plan_decision.hpp>
#include <sinew/process/saga_plan.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// Where an instance is between two records, as its progress says it. Whether it waits is left out.
[[nodiscard]] inline plan_position position_of(const process_instance& one) {
    plan_position out;
    out.is_cancelled = one.cancelled.has_value();
    if (one.progress) {
        out.begun = one.progress->where;
        out.is_in_doubt = one.progress->in_doubt;
    }
    return out;
}

/// The plan of an instance by the steps that are kept with it.
[[nodiscard]] inline saga_plan plan_as_kept(const journal_entry& of,
                                            compensation_policy policy = {}) {
    std::vector<matched_step> steps;
    const auto add = [&](const std::string& name, step_kind kind) {
        for (const auto& one : steps) {
            if (one.name == name) {
                return;
            }
        }
        steps.push_back({name, kind, steps.size(), true, {name}});
    };
    for (const auto& one : of.what.steps) {
        add(one.name, one.kind);
    }
    for (const auto& one : of.history) {
        add(one.where.step, step_kind::compensable);
    }
    saga_plan plan(std::move(steps), policy);
    for (const auto& one : of.history) {
        plan.see(one);
    }
    return plan;
}

/// The steps of an instance that had an effect, or may have had one, that can be undone and is not,
/// in the order in which they would be.
[[nodiscard]] inline std::vector<std::string> not_undone(const journal_entry& of) {
    std::vector<std::string> out;
    const auto plan = plan_as_kept(of);
    for (const auto at : plan.not_undone(position_of(of.what))) {
        out.push_back(plan.step(at).name);
    }
    return out;
}

/// Whether an instance is on its way back, or got stuck there.
[[nodiscard]] inline bool goes_back(const journal_entry& of) {
    const auto next = plan_as_kept(of, compensation_policy::go_on).next(position_of(of.what));
    return next.what == plan_verdict::compensate || next.what == plan_verdict::end_compensated ||
           next.reason == park_reason::not_undone;
}

}  // namespace sinew
