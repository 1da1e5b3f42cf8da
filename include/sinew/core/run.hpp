// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Running a driver (a consumer, a relay, a drainer) on a thread of the caller's own, until it is
/// told to stop.

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
    /// How long a step may wait for something to do before `stop` is looked at again.
    duration look_up = std::chrono::milliseconds(50);
    /// How long running handlers may take to finish once it is to stop.
    duration shut_down_within = std::chrono::seconds(10);
};

/// How a run ended.
enum class run_end : std::uint8_t {
    stopped,  ///< as it was told: everything finished is committed
    cut_off,  ///< told so, but what ran had not finished in time: those events come again
    halted,   ///< by itself: see the driver's `halted()`
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

/// Whether a driver has stopped by itself; most kinds never do.
template <class Driver>
[[nodiscard]] bool has_halted(const Driver& one) {
    if constexpr (requires { one.halted(); }) {
        return static_cast<bool>(one.halted());
    }
    return false;
}

/// Lets a driver see how long its own calls take, where it steps on the machine's clock.
template <class Clock, class Driver>
void let_measure(Driver& one) noexcept {
    if constexpr (std::same_as<Clock, machine_clock> && requires { one.measure_with(nullptr); }) {
        one.measure_with([] { return steady_time(std::chrono::steady_clock::now()); });
    }
}

}  // namespace detail

/// Something that is stepped: a consumer, a relay, a drainer.
///
/// 1. `step(now, wait_until)` does what can be done now, and waits for something to do until
///    `wait_until` at most; it answers whether anything happened.
/// 2. `next_deadline()` is when it has something to do without anybody's asking.
/// 3. `shut_down(now, until)` ends in order, and answers true once it has, at the latest at
///    `until`.
/// 4. `is_idle()` is whether nothing is under way.
///
/// One that has `measure_with(stopwatch)` sees by it how long its own calls take. `run` and `drain`
/// give it the machine's; whoever steps by hand on the machine's clock does so too.
template <class D>
concept driver = requires(D& one, moment now, steady_time until) {
    { one.step(now, until) } -> std::same_as<bool>;
    { one.next_deadline() } -> std::same_as<steady_time>;
    { one.shut_down(now, until) } -> std::same_as<bool>;
    { one.is_idle() } -> std::same_as<bool>;
};

/// Steps the driver until `stop` asks it to end, or it halts; then shuts it down.
///
/// **On failure.** Throws what `step` throws, after a shut-down.
/// **On crash.** What was not committed is delivered again at the next start.
/// **Bounds.** Returns within `shut_down_within` and one call to a port after it was asked to stop.
template <driver Driver, stop_signal Stop, clock Clock = machine_clock>
run_end run(Driver& one, const Stop& stop, run_options options = {}, Clock clock = {}) {
    const auto shut_down = [&] {
        const steady_time until = later(clock.now().steady, options.shut_down_within);
        while (!one.shut_down(clock.now(), until)) {
            detail::pause_for(std::chrono::milliseconds(1));
        }
        return clock.now().steady < until;
    };
    if constexpr (std::same_as<Clock, machine_clock> && requires { one.measure_with(nullptr); }) {
        one.measure_with([] { return steady_time(std::chrono::steady_clock::now()); });
    }
    // A port that does not wait by itself must not be asked without a pause.
    constexpr duration nap = std::chrono::milliseconds(1);
    try {
        while (!stop.stop_requested() && !detail::has_halted(one)) {
            const moment now = clock.now();
            if (!one.step(now, later(now.steady, options.look_up)) &&
                clock.now().steady - now.steady < nap) {
                detail::pause_for(nap);
            }
        }
    } catch (...) {
        try {
            shut_down();
        } catch (...) {
            // What came first says more.
        }
        throw;
    }
    const bool in_time = shut_down();
    if (detail::has_halted(one)) {
        return run_end::halted;
    }
    return in_time ? run_end::stopped : run_end::cut_off;
}

/// Steps the driver until nothing is under way and `quiet` steps in a row brought nothing: for
/// batches, tests, and files that were read to their end. Waits for retries and gaps, up to
/// `until`. Answers whether it came to rest.
template <driver Driver, clock Clock = machine_clock>
bool drain(Driver& one, steady_time until, std::uint32_t quiet = 3, Clock clock = {}) {
    detail::let_measure<Clock>(one);
    std::uint32_t calm = 0;
    while (calm < quiet || !one.is_idle()) {
        const moment now = clock.now();
        if (now.steady >= until || detail::has_halted(one)) {
            return false;
        }
        if (one.step(now)) {
            calm = 0;
        } else {
            ++calm;
            detail::pause_for(std::chrono::milliseconds(1));
        }
    }
    return true;
}

}  // namespace sinew
