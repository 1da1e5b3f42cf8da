// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Options of a runner, and what it has done in numbers.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace sinew {

/// Options of a runner.
struct runner_options {
    /// Its name among the runners that live at the same time. Empty: made of host, process and
    /// chance. One that is always started under the same name goes on at once after a crash.
    std::string owner{};
    /// How many instances it takes through their steps at a time.
    std::size_t instances_max = 64;
    /// How many more it may have claimed before their turn, so that a claim need not be made for
    /// each. What has to wait for longer than `step_time_max` is given back, and nothing more is
    /// claimed ahead until instances end faster.
    std::size_t ahead_max = 32;
    /// How many of them may share one commit. With 1, each step has its own.
    std::size_t batch_max = 64;
    /// How long one attempt at a step may take, where the step does not say.
    duration attempt_timeout = std::chrono::seconds(10);
    /// About the first delay, and the longest one, of a store that is unavailable.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    /// How long its lease lasts without a renewal, how often it is renewed, and how often the seats
    /// of others are looked at. A runner that was killed is replaced within a lease and a look.
    duration lease = std::chrono::seconds(30);
    duration heartbeat = std::chrono::seconds(10);
    duration look_interval = std::chrono::seconds(10);
    /// How often it looks for instances that are due without being told of any.
    duration poll_interval = std::chrono::milliseconds(100);
    /// How long ended instances are kept, and replies that nobody waits for. An instance whose id
    /// is forgotten can be started once more: keep it for longer than a start may be repeated.
    duration retention = std::chrono::hours(7 * 24);
    duration reply_retention = std::chrono::hours(7 * 24);
    /// How often both are looked for, and how many go in one bite.
    duration purge_interval = std::chrono::seconds(10);
    std::size_t purge_max = 1000;
    /// How long one call to the store or the journal may take.
    duration call_timeout = std::chrono::seconds(5);
    /// After how long a step goes back to its caller, if there is more to do; and for how long what
    /// is done outside of a transaction may wait to be written with others.
    duration step_time_max = std::chrono::milliseconds(200);
    /// From which jitter and the owner's name are made; 0: from the system's entropy.
    std::uint64_t seed = 0;
};

namespace detail {

inline void check_runner_option(bool holds, const char* what) {
    if (!holds) {
        throw usage_error(std::string("runner: option ").append(what));
    }
}

inline void check_runner_spans(const runner_options& o) {
    constexpr duration none = duration::zero();
    check_runner_option(o.attempt_timeout > none, "attempt_timeout has to be above 0");
    check_runner_option(o.base >= backoff_floor, "base has to be at least 1 ms");
    check_runner_option(o.cap >= o.base, "cap is below base");
    check_runner_option(o.lease > none, "lease has to be above 0");
    check_runner_option(o.heartbeat >= backoff_floor, "heartbeat has to be at least 1 ms");
    check_runner_option(
        o.heartbeat < o.lease / 2,
        "heartbeat has to be below half of lease, so that one renewal may be missed");
    check_runner_option(o.look_interval > none, "look_interval has to be above 0");
    check_runner_option(o.poll_interval >= std::chrono::milliseconds(1),
                        "poll_interval has to be at least 1 ms");
    check_runner_option(o.retention >= none, "retention is below 0");
    check_runner_option(o.reply_retention >= none, "reply_retention is below 0");
    check_runner_option(o.purge_interval > none, "purge_interval has to be above 0");
    check_runner_option(o.call_timeout > none, "call_timeout has to be above 0");
    check_runner_option(o.step_time_max > none, "step_time_max has to be above 0");
}

}  // namespace detail

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const runner_options& o) {
    detail::check_runner_option(o.instances_max > 0, "instances_max has to be above 0");
    detail::check_runner_option(o.ahead_max <= 1'000'000, "ahead_max is above 1,000,000");
    detail::check_runner_option(o.batch_max > 0, "batch_max has to be above 0");
    detail::check_runner_option(o.purge_max > 0, "purge_max has to be above 0");
    detail::check_runner_spans(o);
}

/// What a runner has done.
struct runner_counts {
    std::uint64_t claimed = 0;    ///< instances
    std::uint64_t recovered = 0;  ///< of these, with a claim before that ended in silence
    std::uint64_t attempts = 0;
    std::uint64_t steps_done = 0;     ///< recorded
    std::uint64_t steps_undone = 0;   ///< recorded
    std::uint64_t steps_failed = 0;   ///< given up, and recorded as failed
    std::uint64_t retries = 0;        ///< put off to be tried again
    std::uint64_t commands_sent = 0;  ///< added to the outbox
    std::uint64_t replies_late = 0;   ///< did not come in time
    std::uint64_t completed = 0;      ///< instances
    std::uint64_t compensated = 0;    ///< instances
    std::uint64_t parked = 0;         ///< instances, the two that follow included
    std::uint64_t poisoned = 0;
    std::uint64_t definitions_changed = 0;
    std::uint64_t released = 0;  ///< instances given back as they were
    std::uint64_t stale = 0;     ///< instances whose claim had ended: dropped without effect
    std::uint64_t commits_aborted = 0;
    std::uint64_t commits_unknown = 0;        ///< without an answer: the history was looked at
    std::uint64_t writes_unknown = 0;         ///< without an answer: repeated
    std::uint64_t claims_without_answer = 0;  ///< the seat was given up, so that they end
    std::uint64_t store_pauses = 0;
    std::uint64_t purged = 0;
    std::uint64_t replies_purged = 0;
    std::uint64_t purges_failed = 0;
    std::uint64_t seats_taken = 0;
    std::uint64_t seats_lost = 0;  ///< to another runner
    std::uint64_t seats_released = 0;
    std::uint64_t seats_swept = 0;  ///< of dead runners
};

}  // namespace sinew
