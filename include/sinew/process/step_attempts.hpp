// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The attempts at one step, as they are kept from one claim to the next.
///
/// | class of the failure | decision | counts | doubt |
/// | --- | --- | --- | --- |
/// | transient | again by backoff, until `max_attempts` or `give_up_after` is reached | yes | |
/// | permanent | give up | yes | |
/// | unavailable | again by backoff, until `give_up_after` is reached | no | |
/// | unknown | as transient; asked under the same key, the next attempt finds out | yes | yes |
///
/// An attempt that was begun and of which nothing more is known, because its process died, leaves a
/// doubt as well. A doubt stays until the step has a record.
///
/// Steady state notes nothing before a step. Only where a claim ended without a word, an attempt is
/// noted before it is made (`started`); one step that kills the process again and again is then
/// found out, and no other that only was under way at the same time.
///
/// **Guarantees.** Pure functions of their arguments. No retry is due sooner than a
/// millisecond after its failure.

#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace sinew {

/// Options of a step.
struct step_retry_options {
    /// How often a step is tried before it is given up, the first time included.
    std::uint32_t max_attempts = 10;
    /// How long after its first attempt a step is given up, by the stamps of the system clock. A
    /// clock that is set back only makes it longer.
    std::optional<duration> give_up_after{};
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    duration retry_after_max = std::chrono::hours(1);
    /// How often a step may kill the process before its instance is parked.
    std::uint32_t max_starts = 3;
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const step_retry_options& options) {
    if (options.max_attempts == 0 || options.max_starts == 0) {
        throw usage_error("step: options max_attempts and max_starts have to be at least 1");
    }
    if (options.give_up_after && *options.give_up_after <= duration::zero()) {
        throw usage_error("step: option give_up_after has to be above 0");
    }
    if (options.base < std::chrono::milliseconds(1) || options.cap < options.base) {
        throw usage_error("step: option base has to be at least 1 ms, and cap no less than base");
    }
}

/// What follows a failed attempt.
struct attempt_decision {
    step_progress progress{};
    std::optional<duration> retry_in{};  ///< nothing: the step is given up

    [[nodiscard]] bool gives_up() const noexcept { return !retry_in.has_value(); }
};

/// The progress of a step that is about to be tried: as it was kept, or a fresh one.
[[nodiscard]] inline step_progress progress_at(const std::optional<step_progress>& kept,
                                               const step_address& where, wall_time now) {
    if (kept && kept->where == where) {
        return *kept;
    }
    step_progress out;
    out.where = where;
    out.begun = now;
    return out;
}

/// The same, where a claim before ended without a word: what it did is in doubt, unless the step's
/// effect is part of the transaction that would have written its record.
[[nodiscard]] inline step_progress after_silence(step_progress before,
                                                 bool has_record_with_effect) {
    before.in_doubt = before.in_doubt || !has_record_with_effect;
    return before;
}

/// Notes an attempt that is to be written before it is made.
[[nodiscard]] inline step_progress started(step_progress before) noexcept {
    before.starts += before.starts == std::numeric_limits<std::uint32_t>::max() ? 0U : 1U;
    return before;
}

/// Whether the step has killed the process as often as it may.
[[nodiscard]] inline bool is_poisoned(const step_progress& progress,
                                      const step_retry_options& options) noexcept {
    return progress.starts >= options.max_starts;
}

namespace detail {

/// The shortest delay, as of core/backoff.hpp.
inline constexpr duration shortest_retry = std::chrono::milliseconds(1);

[[nodiscard]] inline duration time_left(const step_progress& progress,
                                        const step_retry_options& options, wall_time now) noexcept {
    if (!options.give_up_after) {
        return duration::max();
    }
    const duration most = *options.give_up_after;
    const duration age = wall_between(progress.begun, now);
    return age <= duration::zero() ? most : age >= most ? duration::zero() : most - age;
}

/// The delay of the strategy, or what the failure asks for if that is longer.
[[nodiscard]] inline duration pause_after(const failure& why, duration wait,
                                          const step_retry_options& options) noexcept {
    wait = wait < shortest_retry ? shortest_retry : wait;
    const duration asked = why.retry_after.value_or(wait);
    const duration most = options.retry_after_max > wait ? options.retry_after_max : wait;
    return asked <= wait ? wait : asked < most ? asked : most;
}

}  // namespace detail

/// Decides what follows a failed attempt. `backoff` is a `backoff_strategy` of core/backoff.hpp,
/// and `seed` is the same for each attempt at the step.
template <class Backoff>
[[nodiscard]] attempt_decision after_failure(step_progress before, const failure& why,
                                             wall_time now, const step_retry_options& options,
                                             const Backoff& backoff, std::uint64_t seed) {
    attempt_decision out{std::move(before), std::nullopt};
    auto& progress = out.progress;
    const bool is_waited_for = why.kind == failure_class::unavailable;
    auto& count = is_waited_for ? progress.waits : progress.attempts;
    count += count == std::numeric_limits<std::uint32_t>::max() ? 0U : 1U;
    progress.waits = is_waited_for ? progress.waits : 0;
    progress.starts = 0;  // it came back
    progress.in_doubt = progress.in_doubt || why.kind == failure_class::unknown;
    progress.last_failure = failure_note{now, why.kind, progress.attempts, why.reason, why.detail};
    const duration left = detail::time_left(progress, options, now);
    const bool has_more = why.kind != failure_class::permanent && left > duration::zero() &&
                          (is_waited_for || progress.attempts < options.max_attempts);
    if (has_more) {
        // The last attempt is made when time is up, and not skipped.
        const duration wait = detail::pause_after(why, backoff(count, seed), options);
        out.retry_in = wait < left                     ? wait
                       : left < detail::shortest_retry ? detail::shortest_retry
                                                       : left;
    }
    return out;
}

}  // namespace sinew
