// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which several runners work on one journal.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// Two runners and one instance: one of them gets it, and the other goes on when the first is gone.
inline void two_runners(trial& t) {
    process_world w(t);
    runner_counts first;
    runner_counts second;
    auto script = forward({"pick", "pack"}, joins);
    script.steps[1].act = calls;
    const auto order = write_process(script);
    w.start("shop", {{order, "1"}});
    w.run_runner("one", runs(running("one"), order), watch(first));
    w.run_runner("two", runs(running("two"), order), watch(second));
    w.run();
    w.found().sometimes("who was replaced finds its claim ended", first.stale + second.stale != 0);
}

/// A runner that dies stays away for long: another takes what it had, and it comes back to that.
inline void runner_replaced(trial& t) {
    process_world w(t, {.world = {.restart_after = 60s}});
    runner_counts second;
    const auto order = write_process(checkout());
    w.fail({"1", "ship"});
    refused_pivot(w);
    w.start("shop", {{order, "1"}});
    w.run_runner("one", runs(running("one"), order));
    w.run_runner("two", runs(running("two"), order), watch(second), 100ms);
    w.run();
    w.found().sometimes("a seat was taken from a runner that is gone", second.seats_swept != 0);
}

/// A runner that stands still comes back while its successor is at work.
inline void runner_comes_back(trial& t) {
    process_world w(t, {.world = {.still_max = 3s}});
    runner_counts most;
    const auto order = write_process(forward({"pick", "pack"}, calls));
    w.slow_call({"1", "pick"}, 2s);
    w.slow_call({"1", "pack"}, 2s);
    w.start("shop", {{order, "1"}});
    w.run_runner("one", runs(running("one"), order), watch(most));
    w.run();
    w.found().sometimes("a write was refused, for its claim had ended", most.stale != 0);
}

/// A runner is told to stop, and another goes on at once.
inline void runner_handed_over(trial& t) {
    process_world w(t);
    runner_counts second;
    auto script = forward({"pick", "pack", "label"}, calls);
    script.steps[1].act = sends;
    const auto order = write_process(script);
    w.start("shop", {{order, "1"}});
    w.start("desk", {{order, "2"}}, 2s);
    w.run_runner_until(1s, 3s, "one", runs(running("one"), order));
    w.run_runner("two", runs(running("two"), order), watch(second), 100ms);
    w.run();
    w.found().sometimes("a runner goes on where one was told to stop", second.steps_done != 0);
}

/// What was claimed before its turn is given back by a runner that is slow, and another has time
/// for it.
inline void waits_for_its_turn(trial& t) {
    process_world w(t);
    runner_counts first;
    runner_counts second;
    const auto order = write_process(forward({"pick", "pack"}, calls));
    w.slow_call({"1", "pick"}, 1s);
    w.start("shop", {{order, "1"}, {order, "2"}});
    w.run_runner("one", runs(one_at_a_time("one"), order), watch(first), 100ms);
    w.run_runner("two", runs(one_at_a_time("two"), order), watch(second), 5s);
    w.run();
    w.found().sometimes("what waited too long for its turn is given back", first.released != 0);
    w.found().sometimes("another goes on with it", second.steps_done != 0);
}

/// What kills its process while others wait for their turn is found out, and they are done.
inline void poison_before_others(trial& t) {
    process_world w(t);
    runner_counts most;
    auto script = forward({"charge"}, calls);
    script.type = "bad";
    script.options.retry.max_starts = 2;
    const auto bad = write_process(script);
    const auto good = write_process(forward({"pick"}, calls));
    w.poison({"bad", "charge"});
    w.expect("bad", {instance_state::parked}, {"poisoned"});
    w.start("shop", {{bad, "bad"}, {good, "good"}});
    w.run_runner("runner", runs(one_at_a_time("one"), bad, good), watch(most), 100ms);
    w.run();
    check_poison(w.found(), static_cast<unsigned>(w.deaths()), 5);
    w.found().sometimes("it is found out", most.poisoned != 0);
}

/// A runner is woken by what is started, and by the reply for which an instance waits.
inline void runner_woken(trial& t) {
    process_world w(t);
    const auto order = write_process(forward({"pick", "pack"}, sends));
    runner_options options = running("one");
    options.poll_interval = 10s;
    bool was_woken = false;
    w.start("shop", {{order, "1"}}, 1s);
    w.run_runner(
        "one", runs_woken(options, order), [&](runner_ports&, const auto& one, moment now) {
            was_woken = was_woken || (one.counts().completed != 0 && now.steady < steady_time(5s));
        });
    w.run();
    w.found().sometimes("all is done before the runner would have looked for itself", was_woken);
}

inline constexpr named_scenario processes_runners_scenarios[] = {
    {"two_runners", two_runners},
    {"runner_replaced", runner_replaced},
    {"runner_comes_back", runner_comes_back},
    {"runner_handed_over", runner_handed_over},
    {"waits_for_its_turn", waits_for_its_turn},
    {"poison_before_others", poison_before_others},
    {"runner_woken", runner_woken},
};

}  // namespace sinew::laws
