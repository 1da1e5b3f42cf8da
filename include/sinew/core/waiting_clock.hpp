// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A clock on which a call can wait, for what retries within the caller's own deadline.

#include <sinew/core/run.hpp>
#include <sinew/core/time.hpp>

#include <concepts>

namespace sinew {

/// A `waiting_clock` is a clock with `sleep_until(t)`, which returns at `t` or, cut short, before.
/// A test's clock moves itself to `t` instead.
template <class C>
concept waiting_clock = clock<C> && requires(C& c, steady_time until) { c.sleep_until(until); };

/// The clocks of the machine; waits on the thread that calls.
struct machine_waiting_clock : machine_clock {
    static void sleep_until(steady_time until) {
        for (steady_time at = now().steady; at < until; at = now().steady) {
            detail::pause_for(until - at);
        }
    }
};

}  // namespace sinew
