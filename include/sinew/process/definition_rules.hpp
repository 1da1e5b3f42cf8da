// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The rules for a list of steps.
///
/// A list is made of compensable steps, then at most one pivot, then retriable steps. No two steps
/// have the same name: a name is the step's identity in the store.
///
/// **Guarantees.** All rules can be asked while compiling.

#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sinew {

/// What is wrong with a list of steps, whatever is kept.
enum class definition_mistake : std::uint8_t {
    none,
    no_steps,
    same_name_twice,
    compensable_behind_pivot,
    compensable_behind_retriable,
    pivot_behind_retriable,
    two_pivots,
    removed_but_there,
    former_name_of_another,
};

/// The mistake as a sentence that says what to change.
[[nodiscard]] constexpr std::string_view to_string(definition_mistake m) noexcept {
    switch (m) {
        case definition_mistake::none: return "nothing is wrong";
        case definition_mistake::no_steps: return "a process has at least one step";
        case definition_mistake::same_name_twice:
            return "two steps have the same name; a name is the step's identity in the store, so "
                   "give one of them another";
        case definition_mistake::compensable_behind_pivot:
            return "a step that can be undone stands behind the pivot, where there is no way back; "
                   "move it before the pivot, or make it retriable";
        case definition_mistake::compensable_behind_retriable:
            return "a step that can be undone stands behind a retriable one, which can't be; move "
                   "it before all retriable steps";
        case definition_mistake::pivot_behind_retriable:
            return "the pivot stands behind a retriable step, which can't be undone if the pivot "
                   "fails; move the pivot before all retriable steps";
        case definition_mistake::two_pivots:
            return "there are two pivots; if the second failed there would be no way back, so make "
                   "all but one compensable or retriable";
        case definition_mistake::removed_but_there:
            return "a step is declared as removed and is in the list; take one of them away";
        case definition_mistake::former_name_of_another:
            return "two steps have the same former name, or one is renamed from itself";
    }
    return "invalid";
}

namespace detail {

[[nodiscard]] constexpr definition_mistake find_name_mistake(const process_definition& code) {
    for (std::size_t i = 0; i < code.steps.size(); ++i) {
        const auto& one = code.steps[i];
        if (contains(code.removed, one.name)) {
            return definition_mistake::removed_but_there;
        }
        if (contains(one.former_names, one.name)) {
            return definition_mistake::former_name_of_another;
        }
        for (std::size_t k = i + 1; k < code.steps.size(); ++k) {
            if (code.steps[k].name == one.name) {
                return definition_mistake::same_name_twice;
            }
            for (const auto former : one.former_names) {
                if (contains(code.steps[k].former_names, former)) {
                    return definition_mistake::former_name_of_another;
                }
            }
        }
    }
    return definition_mistake::none;
}

}  // namespace detail

/// What is wrong with a list of steps. To be asked while compiling.
[[nodiscard]] constexpr definition_mistake find_mistake(const process_definition& code) {
    if (code.steps.empty()) {
        return definition_mistake::no_steps;
    }
    bool has_pivot = false;
    bool has_retriable = false;
    for (const auto& step : code.steps) {
        switch (step.kind) {
            case step_kind::compensable:
                if (has_retriable && !has_pivot) {
                    return definition_mistake::compensable_behind_retriable;
                }
                if (has_pivot) {
                    return definition_mistake::compensable_behind_pivot;
                }
                break;
            case step_kind::pivot:
                if (has_pivot) {
                    return definition_mistake::two_pivots;
                }
                if (has_retriable) {
                    return definition_mistake::pivot_behind_retriable;
                }
                has_pivot = true;
                break;
            case step_kind::retriable: has_retriable = true; break;
        }
    }
    return detail::find_name_mistake(code);
}

}  // namespace sinew
