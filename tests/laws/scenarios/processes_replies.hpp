// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which replies come early, late, twice, and just when their time is up.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

[[nodiscard]] inline process_script ordering_points() {
    return {.type = "order",
            .steps = {{"points", step_kind::compensable, sends, sends},
                      {"ship", step_kind::pivot, calls}},
            .options = patient()};
}

/// The reply comes in the very moment in which its time is up.
inline void reply_races_time_out(trial& t) {
    process_world w(t);
    runner_counts most;
    const auto order = write_process(ordering_points());
    w.slow_reply({"1", "points"}, order->script().within - 50ms);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order), watch(most));
    w.run();
    w.found().sometimes("a reply came too late and was asked for again", most.replies_late != 0);
}

/// Each reply comes after its time: the command goes out again, under the same key.
inline void reply_comes_late(trial& t) {
    process_world w(t);
    runner_counts most;
    const auto order = write_process(ordering_points());
    w.slow_reply({"1", "points"}, 7s);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order), watch(most));
    w.run();
    w.found().sometimes("a reply to a step that is past changed nothing", w.late_replies() != 0);
}

/// The reply is there before the command was sent, and before the instance was started.
inline void reply_comes_early(trial& t) {
    process_world w(t);
    const auto order = write_process(ordering_points());
    w.early_reply(0s, order, {"1", "points"});
    w.start("shop", {{order, "1"}}, 1s);
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

/// A step that was given up because no reply came is undone; then its reply comes.
inline void reply_after_giving_up(trial& t) {
    process_world w(t);
    auto script = ordering_points();
    script.options.retry.max_attempts = 1;
    const auto order = write_process(script);
    w.slow_reply({"1", "points"}, 12s);
    // A runner that looks late enough finds the reply.
    w.expect("1", {instance_state::compensated, instance_state::completed, instance_state::parked},
             {"not_undone", "no_way_back", "pivot_in_doubt"});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

inline constexpr named_scenario processes_replies_scenarios[] = {
    {"reply_races_time_out", reply_races_time_out},
    {"reply_comes_late", reply_comes_late},
    {"reply_comes_early", reply_comes_early},
    {"reply_after_giving_up", reply_after_giving_up},
};

}  // namespace sinew::laws
