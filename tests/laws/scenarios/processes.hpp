// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which processes only go forward.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// Three steps, of which the second acts outside of the transaction.
inline void three_steps(trial& t) {
    process_world w(t);
    runner_counts most;
    auto script = forward({"pick", "pack", "label"}, joins);
    script.steps[1].act = calls;
    const auto order = write_process(script);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order), watch(most));
    w.run();
    w.found().sometimes("an instance was recovered", most.recovered != 0);
    w.found().sometimes("a commit without an answer was looked up", most.commits_unknown != 0);
}

/// Six steps, in all three ways.
inline void six_steps(trial& t) {
    process_world w(t);
    auto script = forward({"a", "b", "c", "d", "e", "f"}, joins);
    script.steps[1].act = calls;
    script.steps[2].act = sends;
    script.steps[4].act = calls;
    const auto order = write_process(script);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

/// Several instances share commits, and what fails for one is undone for that one alone.
inline void three_at_once(trial& t) {
    process_world w(t);
    const auto order = write_process(forward({"pick", "pack"}, joins));
    w.fail({"2", "pack"}, failure_class::transient, 1);
    w.start("shop", {{order, "1"}, {order, "2"}, {order, "3"}});
    w.run_runner("runner", runs(running("one"), order), 1s);
    w.run();
}

/// A step that is given up where there is no way back: people let it go on once it is mended.
inline void no_way_back(trial& t) {
    process_world w(t);
    const auto order = write_process(forward({"pick", "pack"}, calls));
    const step_of pack{"1", "pack"};
    w.fail(pack);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    bool was_parked = false;
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        was_parked = seen.why && seen.why->reason == "no_way_back";
        w.mend(pack);
        return resume(desk, seen, "it is mended", w.time().now().wall, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
    w.found().sometimes("a step without a way back was parked", was_parked);
}

/// What has ended is purged after a while, and what is under way is not.
inline void purged_while_processes_run(trial& t) {
    // Whoever stands still for longer than what has ended is kept, by a clock that leaps too, may
    // start it once more.
    process_world w(t, {.world = {.still_max = 4s}, .clocks = {}});
    runner_counts most;
    auto script = forward({"ask", "pack"}, sends);
    script.within = 60s;
    const auto order = write_process(script);
    w.slow_reply({"1", "ask"}, 25s);
    w.start("shop", {{order, "1"}, {order, "2"}});
    auto options = running("one");
    options.retention = 8s;
    options.purge_interval = 5s;
    w.run_runner("runner", runs(options, order), watch(most));
    w.run();
    w.found().sometimes("an instance was purged", most.purged != 0);
}

inline constexpr named_scenario processes_scenarios[] = {
    {"three_steps", three_steps},
    {"six_steps", six_steps},
    {"three_at_once", three_at_once},
    {"no_way_back", no_way_back},
    {"purged_while_processes_run", purged_while_processes_run},
};

}  // namespace sinew::laws
