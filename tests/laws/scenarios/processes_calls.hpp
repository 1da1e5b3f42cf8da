// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios of steps that only call: nothing but the record keeps them from being made again.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// Steps that only call: nothing but the record keeps them from being made again.
inline void three_calls(trial& t) {
    process_world w(t);
    const auto order = write_process(forward({"pick", "pack", "label"}, calls));
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

/// A service is away for longer than a step has attempts: that does not count.
inline void service_is_away(trial& t) {
    process_world w(t);
    auto script = forward({"pick", "pack"}, calls);
    script.options.retry.max_attempts = 4;
    const auto order = write_process(script);
    w.fail({"1", "pick"}, failure_class::unavailable, 6);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

inline constexpr named_scenario processes_calls_scenarios[] = {
    {"three_calls", three_calls},
    {"service_is_away", service_is_away},
};

}  // namespace sinew::laws
