// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The steps of a process, as the code has them, and as they are laid beside those that are kept
/// with an instance. See definition_rules.hpp for what makes a good list, and definition_match.hpp
/// for how two are compared.

#include <sinew/core/process_instance.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// A step as the code has it. The texts outlive it: they are the names in its type.
struct step_definition {
    std::string_view name{};
    step_kind kind = step_kind::retriable;
    bool is_added = false;
    std::span<const std::string_view> former_names{};  ///< `renamed_from`
};

/// The steps of a process as the code has them.
struct process_definition {
    std::string_view type{};
    std::span<const step_definition> steps{};
    std::span<const std::string_view> removed{};
};

namespace detail {

[[nodiscard]] constexpr bool contains(std::span<const std::string_view> names,
                                      std::string_view name) noexcept {
    for (const auto one : names) {
        if (one == name) {
            return true;
        }
    }
    return false;
}

}  // namespace detail

/// How two lists of steps can differ.
enum class step_change : std::uint8_t { inserted, removed, renamed, reordered, of_another_kind };

[[nodiscard]] constexpr std::string_view to_string(step_change c) noexcept {
    switch (c) {
        case step_change::inserted: return "inserted";
        case step_change::removed: return "removed";
        case step_change::renamed: return "renamed";
        case step_change::reordered: return "reordered";
        case step_change::of_another_kind: return "of another kind";
    }
    return "invalid";
}

/// A change that was not declared.
struct undeclared_change {
    step_change what = step_change::inserted;
    std::string kept{};  ///< the step's name in what is kept; empty: it is not there
    std::string code{};  ///< the step's name in the code; empty: it is not there

    friend bool operator==(const undeclared_change&, const undeclared_change&) = default;
};

/// A step that an instance goes by.
struct matched_step {
    std::string name{};  ///< as the code calls it; as it is kept, if the code has it no more
    step_kind kind = step_kind::retriable;
    std::optional<std::size_t> in_code{};  ///< its place there; nothing: it was removed
    bool is_kept = true;                   ///< whether the instance was started with it
    std::vector<std::string> known_as{};   ///< the names under which it may have records

    friend bool operator==(const matched_step&, const matched_step&) = default;
};

/// Both lists as one: the steps of the code in their order, and each removed one behind the step
/// that it followed.
struct definition_match {
    std::vector<matched_step> steps{};
    std::vector<undeclared_change> undeclared{};

    [[nodiscard]] bool goes_on() const noexcept { return undeclared.empty(); }

    /// The step that is kept under a name.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept {
        for (std::size_t i = 0; i < steps.size(); ++i) {
            for (const auto& known : steps[i].known_as) {
                if (known == name) {
                    return i;
                }
            }
        }
        return std::nullopt;
    }
};

/// The steps of the code as they are kept with a new instance.
[[nodiscard]] inline std::vector<step_entry> entries_of(const process_definition& code) {
    std::vector<step_entry> out;
    for (const auto& step : code.steps) {
        out.push_back({std::string(step.name), step.kind});
    }
    return out;
}

}  // namespace sinew
