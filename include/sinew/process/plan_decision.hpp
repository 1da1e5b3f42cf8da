// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a process can do next, and what its plan has to know for that beside the history.

#include <sinew/core/process_instance.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sinew {

/// What becomes of the other compensations when one was given up.
enum class compensation_policy : std::uint8_t {
    stop,   ///< nothing more is undone until people have decided
    go_on,  ///< the others are undone, and then people decide
};

/// What comes next.
enum class plan_verdict : std::uint8_t { act, compensate, wait, complete, end_compensated, park };

[[nodiscard]] constexpr std::string_view to_string(plan_verdict v) noexcept {
    switch (v) {
        case plan_verdict::act: return "act";
        case plan_verdict::compensate: return "compensate";
        case plan_verdict::wait: return "wait";
        case plan_verdict::complete: return "complete";
        case plan_verdict::end_compensated: return "end compensated";
        case plan_verdict::park: return "park";
    }
    return "invalid";
}

/// Why people have to decide.
enum class park_reason : std::uint8_t { none, no_way_back, pivot_in_doubt, not_undone };

[[nodiscard]] constexpr std::string_view to_string(park_reason r) noexcept {
    switch (r) {
        case park_reason::none: return "none";
        case park_reason::no_way_back: return "no_way_back";
        case park_reason::pivot_in_doubt: return "pivot_in_doubt";
        case park_reason::not_undone: return "not_undone";
    }
    return "invalid";
}

/// What comes next, and for which step.
struct plan_decision {
    plan_verdict what = plan_verdict::complete;
    std::size_t step = 0;  ///< act, compensate, wait, and where one step is the reason for parking
    park_reason reason = park_reason::none;

    friend bool operator==(const plan_decision&, const plan_decision&) = default;
};

/// Where an instance is between two records.
struct plan_position {
    bool is_cancelled = false;
    /// The step that was begun last, if it has no record.
    std::optional<step_address> begun{};
    bool is_in_doubt = false;  ///< whether what was begun may have happened
    bool is_waiting = false;   ///< whether it waits for its time or a reply
};

/// What is to be written of a step that was given up.
enum class giving_up : std::uint8_t {
    record,  ///< a `failed` record, and then what `next` says
    park,    ///< no record: people decide, and then it is tried again
};

}  // namespace sinew
