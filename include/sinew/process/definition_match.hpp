// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Whether an instance that was started with other steps than the code has can go on.
///
/// An instance is kept with the steps that its process had when it started. Code changes meanwhile.
/// Before the instance goes on, both lists are laid side by side, by name:
///
/// | the code, against what is kept | recognised as | goes on if the code says |
/// | --- | --- | --- |
/// | has the same names and kinds in the same order | unchanged | |
/// | has a step more | inserted | `added` at the step |
/// | has a step less | removed | `removed<"old">` beside the steps |
/// | has another name in the same place | renamed | `renamed_from<"old">` at the step |
/// | has the steps in another order | reordered | never |
/// | has another kind for a step | of another kind | never |
/// | has less than the history has a record of | removed | `removed<"old">` |
///
/// What may never go on gets a new name: the step as it was is `removed`, and the one as it is now
/// is `added`. A declaration that an instance does not need does no harm, so that old and new
/// instances go on under the same code.
///
/// What declared changes mean for an instance: a step that was added is taken by those that have
/// not come past its place, and skipped by the others. A step that was removed is taken by nobody;
/// where it was done, it can't be undone any more, and stands in the list of what is not undone. A
/// pivot that was added may be removed again only once no instance is under way that has come past
/// it.
///
/// **Guarantees.** Pure functions of their arguments. A match goes on or is refused as a whole.

#include <sinew/core/process_instance.hpp>
#include <sinew/process/definition.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

namespace detail {

/// What is kept of an instance's steps: those that it was started with, and behind them those that
/// it has records of.
[[nodiscard]] inline std::vector<std::string_view> recorded_beside(
    std::span<const step_entry> kept, std::span<const step_record> history) {
    std::vector<std::string_view> out;
    for (const auto& record : history) {
        bool known = contains(out, record.where.step);
        for (const auto& one : kept) {
            known = known || one.name == record.where.step;
        }
        if (!known) {
            out.emplace_back(record.where.step);
        }
    }
    return out;
}

}  // namespace detail

/// Lays the steps that an instance is kept with beside those of the code. A kept step is the code's
/// step of its name, or else the one that was renamed from it.
class definition_matcher {
public:
    definition_matcher(std::span<const step_entry> kept, const process_definition& code)
        : kept_(kept), code_(code), kept_of_(code.steps.size()), code_of_(kept.size()) {
        pair();
    }

    [[nodiscard]] definition_match match(std::span<const step_record> history) {
        definition_match out;
        find_changes(out.undeclared);
        find_strangers(history, out.undeclared);
        merge(out.steps);
        return out;
    }

private:
    void pair() {
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            if (i < code_.steps.size() && code_.steps[i].name == kept_[i].name) {
                code_of_[i] = i;  // as most often; names are given once
                kept_of_[i] = i;
                continue;
            }
            for (std::size_t k = 0; k < code_.steps.size(); ++k) {
                if (code_.steps[k].name == kept_[i].name) {
                    code_of_[i] = k;
                    kept_of_[k] = i;
                }
            }
        }
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            for (std::size_t k = 0; k < code_.steps.size() && !code_of_[i]; ++k) {
                if (!kept_of_[k] && detail::contains(code_.steps[k].former_names, kept_[i].name)) {
                    code_of_[i] = k;
                    kept_of_[k] = i;
                }
            }
        }
    }

    void find_changes(std::vector<undeclared_change>& out) const {
        std::vector<bool> is_explained(code_.steps.size());
        std::size_t highest = 0;  // one above the last place in the code
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            const std::string& name = kept_[i].name;
            if (const auto k = code_of_[i]) {
                const auto& step = code_.steps[*k];
                if (*k < highest) {
                    out.push_back({step_change::reordered, name, std::string(step.name)});
                }
                highest = *k + 1 > highest ? *k + 1 : highest;
                if (step.kind != kept_[i].kind) {
                    out.push_back({step_change::of_another_kind, name, std::string(step.name)});
                }
            } else if (!detail::contains(code_.removed, name)) {
                const auto k2 = renamed_to(i);
                if (k2) {
                    is_explained[*k2] = true;
                }
                out.push_back({k2 ? step_change::renamed : step_change::removed, name,
                               k2 ? std::string(code_.steps[*k2].name) : std::string()});
            }
        }
        for (std::size_t k = 0; k < code_.steps.size(); ++k) {
            if (!kept_of_[k] && !code_.steps[k].is_added && !is_explained[k]) {
                out.push_back({step_change::inserted, {}, std::string(code_.steps[k].name)});
            }
        }
    }

    /// The step of the code that stands where a kept one stood, if nothing is known of either.
    [[nodiscard]] std::optional<std::size_t> renamed_to(std::size_t i) const {
        std::size_t before = i;
        std::size_t undeclared = 0;
        while (before > 0 && !code_of_[before - 1]) {
            --before;
            undeclared += detail::contains(code_.removed, kept_[before].name) ? 0U : 1U;
        }
        const std::size_t first = before == 0 ? 0 : *code_of_[before - 1] + 1;
        const std::size_t k = first + undeclared;
        for (std::size_t at = first; at <= k; ++at) {
            if (at >= code_.steps.size() || kept_of_[at] || code_.steps[at].is_added) {
                return std::nullopt;
            }
        }
        return k;
    }

    /// Records of steps that neither list has: the instance went on under code that is not known
    /// here.
    void find_strangers(std::span<const step_record> history, std::vector<undeclared_change>& out) {
        for (const auto name : detail::recorded_beside(kept_, history)) {
            bool known = detail::contains(code_.removed, name);
            for (const auto& step : code_.steps) {
                known = known || step.name == name || detail::contains(step.former_names, name);
            }
            if (!known) {
                out.push_back({step_change::removed, std::string(name), {}});
            } else {
                strangers_.emplace_back(name);
            }
        }
    }

    void merge(std::vector<matched_step>& out) const {
        std::size_t next = 0;
        out.reserve(kept_.size() < code_.steps.size() ? code_.steps.size() : kept_.size());
        const auto add_code_up_to = [&](std::size_t end) {
            for (; next < end; ++next) {
                out.push_back(of_code(next));
            }
        };
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            if (const auto k = code_of_[i]) {
                add_code_up_to(*k + 1);
            } else {
                out.push_back({kept_[i].name, kept_[i].kind, std::nullopt, true, {kept_[i].name}});
            }
        }
        add_code_up_to(code_.steps.size());
        // A step that was added and removed again since the instance started.
        for (const auto name : strangers_) {
            bool known = false;
            for (const auto& one : out) {
                for (const auto& other : one.known_as) {
                    known = known || other == name;
                }
            }
            if (!known) {
                out.push_back({std::string(name),
                               step_kind::compensable,
                               std::nullopt,
                               false,
                               {std::string(name)}});
            }
        }
    }

    [[nodiscard]] matched_step of_code(std::size_t k) const {
        const auto& step = code_.steps[k];
        matched_step out{std::string(step.name), step.kind, k, kept_of_[k].has_value(), {}};
        out.known_as.emplace_back(step.name);
        for (const auto name : step.former_names) {
            // A former name that is still somebody's own is not meant.
            bool is_own = false;
            for (std::size_t i = 0; i < kept_.size(); ++i) {
                is_own = is_own || (kept_[i].name == name && code_of_[i] != k);
            }
            for (const auto& other : code_.steps) {
                is_own = is_own || other.name == name;
            }
            if (!is_own) {
                out.known_as.emplace_back(name);
            }
        }
        return out;
    }

    std::span<const step_entry> kept_;
    process_definition code_;
    std::vector<std::optional<std::size_t>> kept_of_;  ///< by place in the code
    std::vector<std::optional<std::size_t>> code_of_;  ///< by place in what is kept
    std::vector<std::string_view> strangers_{};
};

/// Lays the steps that an instance is kept with beside those of the code.
[[nodiscard]] inline definition_match match_definition(std::span<const step_entry> kept,
                                                       const process_definition& code,
                                                       std::span<const step_record> history = {}) {
    return definition_matcher(kept, code).match(history);
}

}  // namespace sinew
