// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The time of a world, for what takes a clock, and for what takes a stopwatch.

#include <sinew/core/time.hpp>
#include <sinew/testing/world.hpp>

#include <utility>

namespace sinew::testing {

/// The clock of a world. Whoever waits on it moves its time.
struct world_clock {
    world* home;
    [[nodiscard]] moment now() const noexcept { return home->now(); }
    void sleep_until(steady_time until) const { home->pass(until - home->now().steady); }
};

/// As long as this lives, `read` tells the time of its world: a driver's `measure_with` takes a
/// plain function. The one that was made last on a thread counts.
class world_stopwatch {
public:
    explicit world_stopwatch(const world& home) noexcept : before_(std::exchange(of(), &home)) {}
    world_stopwatch(const world_stopwatch&) = delete;
    world_stopwatch& operator=(const world_stopwatch&) = delete;
    ~world_stopwatch() { of() = before_; }

    [[nodiscard]] static steady_time read() { return of()->now().steady; }

private:
    static const world*& of() noexcept {
        static thread_local const world* told = nullptr;
        return told;
    }

    const world* before_;
};

}  // namespace sinew::testing
