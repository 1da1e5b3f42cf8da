// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which people decide on a step: that it is tried again, need not be done, happened,
/// or did not.

#include "laws/scenarios/processes_common.hpp"

#include <sinew/core/error.hpp>

namespace sinew::laws {

/// A step was given up, and what stands before it could not be undone: people mend both, and let
/// the step be tried again. Where something may be undone that is refused, and the saga goes back.
inline void act_is_retried(trial& t) {
    process_world w(t);
    const auto order = write_process({.type = "order",
                                      .steps = {{"reserve", step_kind::compensable, joins, joins},
                                                {"charge", step_kind::compensable, calls, calls},
                                                {"confirm", step_kind::compensable, calls, calls},
                                                {"ship", step_kind::pivot, joins}},
                                      .options = patient()});
    const step_of confirm{"1", "confirm"};
    const step_of undo_charge{"1", "charge", step_phase::undo};
    w.fail(confirm);
    w.fail(undo_charge);
    w.expect("1", {instance_state::completed, instance_state::compensated});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        w.mend(confirm);
        w.mend(undo_charge);
        const auto now = w.time().now().wall;
        try {
            return retry_step(desk, seen, {"confirm", step_phase::act}, "mended", now, never);
        } catch (const permanent_error&) {
            return resume(desk, seen, "mended", now, never);
        }
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
    const auto is = w.look("1");
    w.found().sometimes("a step that was given up was tried again, and the saga went forward",
                        is && is->what.state == instance_state::completed);
}

/// The same, where the undo happens and is not heard of: nobody may act on the step again.
inline void act_is_not_retried(trial& t) {
    process_world w(t);
    auto script = checkout();
    script.steps.erase(script.steps.begin() + 2);
    script.options.retry.max_attempts = 3;
    script.options.retry.max_starts = 50;
    const auto order = write_process(script);
    const step_of ship_it{"1", "ship"};
    const step_of undo_charge{"1", "charge", step_phase::undo};
    w.fail(ship_it);
    w.lose_answers(undo_charge, UINT32_MAX);
    // No attempt at the undo may have come through.
    w.expect("1", {instance_state::compensated, instance_state::completed});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    bool was_refused = false;
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        const step_address ship{"ship", step_phase::act};
        const auto now = w.time().now().wall;
        if (seen.why && seen.why->reason == "pivot_in_doubt") {
            w.bar(ship_it);
            return give_up_step(desk, seen, ship, "the carrier refuses", now, never);
        }
        w.mend(ship_it);
        w.mend(undo_charge);
        try {
            return retry_step(desk, seen, ship, "again", now, never);
        } catch (const permanent_error& why) {
            was_refused = was_refused || why.reason() == "being_undone";
            return resume(desk, seen, "mended", now, never);
        }
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
    w.found().sometimes("people may not act again on what was undone", was_refused);
}

/// Nobody can mend a step behind which there is no way back: people do it by hand.
inline void act_is_skipped(trial& t) {
    process_world w(t);
    const auto order = write_process(forward({"pick", "pack", "label"}, calls));
    w.fail({"1", "pack"});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        w.excuse({"1", "pack"});
        return skip_step(desk, seen, {"pack", step_phase::act}, "packed by hand",
                         w.time().now().wall, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
}

/// A pivot in doubt: people ask whoever was to do it, and say what they heard.
inline void pivot_is_decided(process_world& w) {
    auto script = checkout();
    script.steps.erase(script.steps.begin() + 1, script.steps.begin() + 3);
    script.options.retry.max_attempts = 2;
    script.options.retry.max_starts = 50;
    const auto order = write_process(script);
    w.expect("1", {instance_state::completed, instance_state::compensated});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        const step_of ship{"1", "ship"};
        const auto now = w.time().now().wall;
        if (!seen.why || seen.why->reason != "pivot_in_doubt") {
            return resume(desk, seen, "again", now, never);
        }
        const step_address where{"ship", step_phase::act};
        if (w.has_happened(ship)) {
            return skip_step(desk, seen, where, "the carrier has it", now, never);
        }
        w.bar(ship);
        return give_up_step(desk, seen, where, "the carrier never had it", now, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
}

/// The carrier does it, and nobody hears of that.
inline void pivot_that_happened(trial& t) {
    process_world w(t);
    w.lose_answers({"1", "ship"}, 50);
    pivot_is_decided(w);
    const auto is = w.look("1");
    w.found().sometimes("people said that a pivot happened, and the saga went forward",
                        is && is->what.state == instance_state::completed);
}

/// The carrier cannot be reached, and has done nothing.
inline void pivot_that_did_not_happen(trial& t) {
    process_world w(t);
    w.fail({"1", "ship"}, failure_class::unknown);
    pivot_is_decided(w);
    const auto is = w.look("1");
    w.found().sometimes("people said that a pivot did not happen, and the saga went back",
                        is && is->what.state == instance_state::compensated);
}

inline constexpr named_scenario processes_decisions_scenarios[] = {
    {"act_is_retried", act_is_retried},
    {"act_is_not_retried", act_is_not_retried},
    {"act_is_skipped", act_is_skipped},
    {"pivot_that_happened", pivot_that_happened},
    {"pivot_that_did_not_happen", pivot_that_did_not_happen},
};

}  // namespace sinew::laws
