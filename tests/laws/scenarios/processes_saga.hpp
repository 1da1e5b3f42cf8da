// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which sagas go all the way, or all the way back.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// A saga goes all the way.
inline void saga_completes(trial& t) {
    process_world w(t);
    const auto order = write_process(checkout());
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

/// A saga fails at one of its steps, and goes back.
template <std::size_t Step>
void saga_fails(trial& t) {
    process_world w(t);
    runner_counts most;
    const auto order = write_process(checkout());
    const std::string step(order->step(Step).name);
    if (order->step(Step).act == sends) {
        w.refuse_in_reply({"1", step});
    } else {
        w.fail({"1", step});
    }
    w.expect("1", to_be_compensated);
    if (order->step(Step).kind == step_kind::pivot) {
        refused_pivot(w);
    }
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order), watch(most));
    w.run();
    w.found().sometimes("a saga went back", Step == 0 || most.steps_undone != 0);
}

inline constexpr auto saga_fails_at_reserve = saga_fails<0>;
inline constexpr auto saga_fails_at_charge = saga_fails<1>;
inline constexpr auto saga_fails_at_points = saga_fails<2>;
inline constexpr auto saga_fails_at_ship = saga_fails<3>;

/// A step is given up of which nobody knows whether it happened: it is undone as well.
inline void saga_in_doubt(trial& t) {
    process_world w(t);
    auto script = checkout();
    script.options.retry.max_attempts = 2;
    script.options.retry.max_starts = 50;
    const auto order = write_process(script);
    // The service does it, and its answers are lost.
    w.lose_answers({"1", "charge"}, 50);
    w.expect("1", {instance_state::compensated, instance_state::parked},
             {"not_undone", "no_way_back", "pivot_in_doubt"});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
    const auto* const charge = w.facts().instances.front().find("charge");
    w.found().sometimes("what may have happened was undone", charge->is_undone());
}

/// A pivot of which nobody knows whether it happened is parked, neither repeated as if it had not
/// nor passed as if it had.
inline void pivot_in_doubt(trial& t) {
    process_world w(t);
    auto script = checkout();
    script.steps.erase(script.steps.begin() + 1, script.steps.begin() + 3);
    script.options.retry.max_attempts = 2;
    const auto order = write_process(script);
    w.lose_answers({"1", "ship"}, 50);
    w.expect("1", {instance_state::parked, instance_state::compensated},
             {"pivot_in_doubt", "no_way_back", "not_undone"});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
    const auto is = w.look("1");
    w.found().sometimes("a pivot in doubt was parked",
                        is && is->what.why && is->what.why->reason == "pivot_in_doubt");
}

inline constexpr named_scenario processes_saga_scenarios[] = {
    {"saga_completes", saga_completes},
    {"saga_fails_at_reserve", saga_fails_at_reserve},
    {"saga_fails_at_charge", saga_fails_at_charge},
    {"saga_fails_at_points", saga_fails_at_points},
    {"saga_fails_at_ship", saga_fails_at_ship},
    {"saga_in_doubt", saga_in_doubt},
    {"pivot_in_doubt", pivot_in_doubt},
};

}  // namespace sinew::laws
