// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a runner is told to do next with an instance: see process/claimed_instance.hpp.

#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/process/step_attempts.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace sinew {

/// What has to be known of a step in a phase.
struct step_rules {
    step_retry_options retry{};
    /// Whether its effect is decided together with its record.
    bool is_recorded_with_effect = false;
};

/// Tells the rules of a step, by its place in the code.
template <class F>
concept rules_of_steps = requires(const F& f, std::size_t step, step_phase phase) {
    { f(step, phase) } -> std::convertible_to<step_rules>;
};

/// Where an attempt is made.
struct attempt_place {
    std::size_t step = 0;  ///< in the match
    step_phase phase = step_phase::act;
    step_progress progress{};  ///< before the attempt

    [[nodiscard]] const step_address& where() const noexcept { return progress.where; }
};

/// What a runner does next with an instance.
enum class next_kind : std::uint8_t {
    attempt,  ///< make the attempt
    note,     ///< write that it is made, and then ask again
    write,    ///< write this: no attempt is made
};

struct next_move {
    next_kind what = next_kind::write;
    attempt_place place{};    ///< attempt, note
    journal_write write{};    ///< note, write
    bool is_failure = false;  ///< write: a reply did not come in time
};

}  // namespace sinew
