// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Time as a parameter.
///
/// Nothing in sinew reads a clock on its own. A driver is handed a `moment`, which holds both
/// readings of one instant, and hands its parts to the machines.
///
/// **Guarantees.** Decisions (deadlines, retries, gaps, leases held in memory) are made on
/// `moment::steady` alone, so a jump of the system clock changes none of them; `moment::wall` only
/// stamps what is written down.

// The full <chrono> costs as much as everything else that a header here includes (0.34 s with
// g++ 12), because it brings formatting and time zones along. libstdc++ keeps durations, time
// points and clocks in a header of their own.
#if defined(__has_include) && __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
#include <concepts>
#include <cstdint>

namespace sinew {

/// A span of time.
using duration = std::chrono::nanoseconds;

/// An instant that never goes back: for waiting and for deadlines.
using steady_time = std::chrono::time_point<std::chrono::steady_clock, duration>;

/// An instant of the calendar (UTC): for stamps that people and other machines read.
using wall_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// A deadline that never comes.
inline constexpr steady_time never = steady_time::max();

/// One instant, read from both clocks.
struct moment {
    steady_time steady{};
    wall_time wall{};

    friend bool operator==(const moment&, const moment&) = default;
};

/// A clock yields moments. Its steady part must not go back.
template <class C>
concept clock = requires(C& c) {
    { c.now() } -> std::same_as<moment>;
};

/// The clocks of the machine that the program runs on.
struct machine_clock {
    [[nodiscard]] static moment now() {
        return {
            std::chrono::time_point_cast<duration>(std::chrono::steady_clock::now()),
            std::chrono::time_point_cast<std::chrono::microseconds>(
                std::chrono::system_clock::now()),
        };
    }
};

/// The time from `from` to `to`, which stops at the ends of what a `duration` can hold: stamps come
/// from strangers.
[[nodiscard]] constexpr duration wall_between(wall_time from, wall_time to) noexcept {
    constexpr std::int64_t span_max = duration::max().count() / 1000;
    const std::int64_t a = from.time_since_epoch().count();
    const std::int64_t b = to.time_since_epoch().count();
    const bool overflows = a < 0 ? b > INT64_MAX + a : b < INT64_MIN + a;
    if (overflows || b - a > span_max || b - a < -span_max) {
        return b < a ? duration::min() : duration::max();
    }
    return std::chrono::microseconds(b - a);
}

/// `at + by`, which stops at the ends of the scale instead of running over them.
[[nodiscard]] constexpr steady_time later(steady_time at, duration by) noexcept {
    if (by > duration::zero() && at > steady_time::max() - by) {
        return steady_time::max();
    }
    if (by < duration::zero() && at < steady_time::min() - by) {
        return steady_time::min();
    }
    return at + by;
}

}  // namespace sinew
