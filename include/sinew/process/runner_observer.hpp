// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Seeing what a runner does: hook functions that are called as things happen.
///
/// Derive from `null_runner_observer` and hide the hooks of interest; what is left costs nothing.
/// The structs hold no input, no result and no reply, so they can go to logs and metrics as they
/// are. An instance's id comes from whoever started it. A hook is called when what it tells of is
/// written, so what it tells is true.

#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sinew {

/// What is told of an instance. The texts are valid during the call alone.
struct runner_instance_note {
    std::string_view runner;
    std::string_view type;
    std::string_view id;
    std::int64_t number = 0;
    epoch_number epoch = 0;
    /// Claimed: how many claims in a row, this one included, ended in silence.
    std::uint32_t unsettled = 0;
    std::string_view reason{};  ///< parked, cancelled: why
    duration age{};             ///< since it was started
};

/// What is told of a step of an instance.
struct runner_step_note {
    runner_instance_note instance{};
    std::string_view step;
    step_phase phase = step_phase::act;
    std::uint32_t attempts = 0;  ///< that failed so far, and count
    duration took{};             ///< the attempt alone
    duration since_begun{};      ///< from the first attempt on
    std::string_view reason{};   ///< where it failed
    std::optional<failure_class> kind{};
    std::optional<duration> retry_in{};  ///< failed: nothing, if it was given up
};

/// What is told of a store that is left alone for a while, or answers again.
struct runner_pause_note {
    std::string_view runner;
    std::string_view reason{};           ///< what it failed with
    std::optional<duration> retry_in{};  ///< where it is left alone
};

/// What is told of a seat. Reasons are `free`, `own` and `expired` where it is taken or swept,
/// `stale` where it is lost, `shut_down` and `claim_without_answer` where it is released.
struct runner_seat_note {
    std::string_view runner;
    shard_id seat = 0;
    epoch_number epoch = 0;
    std::string_view reason{};
};

/// What is told of a purge.
struct runner_purge_note {
    std::string_view runner;
    std::size_t instances = 0;
    std::size_t replies = 0;
};

/// Hooks that do nothing.
struct null_runner_observer {
    void on_claimed(const runner_instance_note&) {}
    void on_step_done(const runner_step_note&) {}    ///< or undone: see `phase`
    void on_step_failed(const runner_step_note&) {}  ///< will be tried again, or was given up
    void on_command_sent(const runner_step_note&) {}
    void on_completed(const runner_instance_note&) {}
    void on_compensated(const runner_instance_note&) {}
    void on_parked(const runner_instance_note&) {}
    void on_poisoned(const runner_instance_note&) {}            ///< and then `on_parked`
    void on_definition_changed(const runner_instance_note&) {}  ///< and then `on_parked`
    void on_cancelled(const runner_instance_note&) {}  ///< is seen to be cancelled, once a claim
    void on_stale(const runner_instance_note&) {}      ///< its claim had ended
    void on_paused(const runner_pause_note&) {}
    void on_resumed(const runner_pause_note&) {}
    void on_seat_taken(const runner_seat_note&) {}
    void on_seat_lost(const runner_seat_note&) {}
    void on_seat_released(const runner_seat_note&) {}
    void on_seat_swept(const runner_seat_note&) {}
    void on_purged(const runner_purge_note&) {}
};

/// A `runner_observer` has all the hooks of `null_runner_observer`. A hook must not throw, and
/// should return soon: it runs on the runner's thread.
template <class O>
concept runner_observer = std::move_constructible<O> &&
                          requires(O& o, const runner_instance_note& instance,
                                   const runner_step_note& step, const runner_pause_note& pause,
                                   const runner_seat_note& seat, const runner_purge_note& purge) {
                              o.on_claimed(instance);
                              o.on_step_done(step);
                              o.on_step_failed(step);
                              o.on_command_sent(step);
                              o.on_completed(instance);
                              o.on_compensated(instance);
                              o.on_parked(instance);
                              o.on_poisoned(instance);
                              o.on_definition_changed(instance);
                              o.on_cancelled(instance);
                              o.on_stale(instance);
                              o.on_paused(pause);
                              o.on_resumed(pause);
                              o.on_seat_taken(seat);
                              o.on_seat_lost(seat);
                              o.on_seat_released(seat);
                              o.on_seat_swept(seat);
                              o.on_purged(purge);
                          };

}  // namespace sinew
