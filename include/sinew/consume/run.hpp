// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Running a consumer on a thread of the caller's own, until it is told to stop.

#include <sinew/core/time.hpp>

#include <time.h>
#include <concepts>
#include <cstdint>
#include <string_view>

namespace sinew {

/// Says whether to stop: `std::stop_token` is one.
template <class S>
concept stop_signal = requires(const S& s) {
    { s.stop_requested() } -> std::convertible_to<bool>;
};

/// Options of `run`.
struct run_options {
    /// How long the source may be waited at before `stop` is looked at again.
    duration look_up = std::chrono::milliseconds(50);
    /// How long running handlers may take to finish once it is to stop.
    duration shut_down_within = std::chrono::seconds(10);
};

/// How a run ended.
enum class run_end : std::uint8_t {
    stopped,  ///< as it was told: everything finished is committed
    cut_off,  ///< told so, but handlers had not finished in time: their events come again
    halted,   ///< by `halt()`: see the consumer's `halted()`
};

[[nodiscard]] constexpr std::string_view to_string(run_end end) noexcept {
    switch (end) {
        case run_end::stopped: return "stopped";
        case run_end::cut_off: return "cut off";
        case run_end::halted: return "halted";
    }
    return "invalid";
}

namespace detail {

/// Sleeps; a signal may cut it short.
inline void pause_for(duration span) noexcept {
    if (span > duration::zero()) {
        const auto seconds = span / std::chrono::seconds(1);
        timespec time{};
        time.tv_sec = static_cast<time_t>(seconds);
        time.tv_nsec = static_cast<long>((span - std::chrono::seconds(seconds)).count());
        ::nanosleep(&time, nullptr);
    }
}

}  // namespace detail

/// Steps the consumer until `stop` asks it to end, or it halts; then shuts it down.
///
/// **On failure.** Throws what `step` throws, after a shut-down.
/// **On crash.** What was not committed is delivered again at the next start.
/// **Bounds.** Returns within `shut_down_within` and one call to a port after it was asked to stop.
template <class Consumer, stop_signal Stop, clock Clock = machine_clock>
run_end run(Consumer& consumer, const Stop& stop, run_options options = {}, Clock clock = {}) {
    const auto shut_down = [&] {
        const steady_time until = later(clock.now().steady, options.shut_down_within);
        while (!consumer.shut_down(clock.now(), until)) {
            detail::pause_for(std::chrono::milliseconds(1));
        }
        return clock.now().steady < until;
    };
    if constexpr (std::same_as<Clock, machine_clock> &&
                  requires { consumer.measure_with(nullptr); }) {
        consumer.measure_with([] { return machine_clock::now().steady; });
    }
    // A source that does not wait by itself must not be asked without a pause.
    constexpr duration nap = std::chrono::milliseconds(1);
    try {
        while (!stop.stop_requested() && !consumer.halted()) {
            const moment now = clock.now();
            if (!consumer.step(now, later(now.steady, options.look_up)) &&
                clock.now().steady - now.steady < nap) {
                detail::pause_for(nap);
            }
        }
    } catch (...) {
        shut_down();
        throw;
    }
    const bool in_time = shut_down();
    if (consumer.halted()) {
        return run_end::halted;
    }
    return in_time ? run_end::stopped : run_end::cut_off;
}

/// Steps the consumer until nothing is under way and `quiet` steps in a row brought nothing: for
/// batches, tests, and files that were read to their end. Waits for retries and gaps, up to `until`.
/// Answers whether it came to rest.
template <class Consumer, clock Clock = machine_clock>
bool drain(Consumer& consumer, steady_time until, std::uint32_t quiet = 3, Clock clock = {}) {
    std::uint32_t calm = 0;
    while (calm < quiet || !consumer.is_idle()) {
        const moment now = clock.now();
        if (now.steady >= until || consumer.halted()) {
            return false;
        }
        if (consumer.step(now)) {
            calm = 0;
        } else {
            ++calm;
            detail::pause_for(std::chrono::milliseconds(1));
        }
    }
    return true;
}

}  // namespace sinew
