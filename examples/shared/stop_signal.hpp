// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// SIGTERM and Ctrl-C: a service that gets one finishes what it has begun, and ends.

#include <csignal>

namespace example {

/// Models `sinew::stop_signal`.
class stop_signal {
public:
    /// From now on these signals are noted, and end nothing by themselves.
    stop_signal() noexcept {
        std::signal(SIGTERM, [](int) { asked_ = 1; });
        std::signal(SIGINT, [](int) { asked_ = 1; });
    }

    [[nodiscard]] static bool stop_requested() noexcept { return asked_ != 0; }

private:
    static inline volatile std::sig_atomic_t asked_ = 0;
};

}  // namespace example
