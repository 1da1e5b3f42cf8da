// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which instances are cancelled, in which a step kills its process, and in which the
/// code has changed.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// It is cancelled as soon as a step is recorded.
inline void cancelled_behind(trial& t, std::string_view step, std::vector<instance_state> ends) {
    process_world w(t);
    const auto order = write_process(checkout());
    w.expect("1", std::move(ends));
    w.when_recorded({"1", std::string(step)}, [&w] { w.cancel("1"); });
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
    const auto is = w.look("1");
    w.found().sometimes("a cancelled saga went back",
                        is && is->what.state == instance_state::compensated);
    w.found().sometimes("a saga was cancelled", is && is->what.cancelled);
}

/// Before the pivot it goes back, unless the pivot is done first.
inline void cancelled_before_pivot(trial& t) {
    cancelled_behind(t, "charge", {instance_state::compensated, instance_state::completed});
}
/// While it waits for a reply.
inline void cancelled_while_waiting(trial& t) {
    process_world w(t);
    const auto order = write_process(checkout());
    w.slow_reply({"1", "points"}, 3s);
    w.when_recorded({"1", "charge"}, [&w] { w.time().at(1s, [&w] { w.cancel("1"); }); });
    w.expect("1", to_be_compensated);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}
/// While it waits for a reply that does not come for long: nobody waits for that any more.
inline void cancelled_in_a_long_wait(trial& t) {
    process_world w(t, {.world = {.still_max = 3s}});
    auto script = checkout();
    script.within = 1h;
    const auto order = write_process(script);
    w.slow_reply({"1", "points"}, 120s);
    std::uint64_t stirs = 0;
    w.when_recorded({"1", "charge"}, [&] {
        w.time().at(1s, [&] { w.cancel("1"); });
        w.time().at(60s, [&] { stirs = w.time().stirs(); });
        w.time().at(110s, [&] {
            // Nobody stands still for so long. This look is an event itself.
            const bool is_quiet = w.time().stirs() <= stirs + 1;
            w.found().check(law::waits_end, !is_quiet || has_ended(w.look("1")->what.state),
                            "an instance that was cancelled still waits");
        });
    });
    w.expect("1", to_be_compensated);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}
/// While a call may have happened: that is undone as well.
inline void cancelled_in_doubt(trial& t) {
    cancelled_behind(t, "reserve", {instance_state::compensated, instance_state::completed});
}
/// Behind the pivot it goes on.
inline void cancelled_behind_pivot(trial& t) {
    process_world w(t);
    const auto order = write_process(checkout());
    w.when_recorded({"1", "ship"}, [&w] { w.cancel("1"); });
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.run();
}

/// A step kills its process: it is parked after a bounded number of starts, and what was under way
/// beside it is not.
inline void poisoned_step(trial& t) {
    process_world w(t);
    auto script = checkout();
    script.options.retry.max_starts = 3;
    const auto bad = write_process(script);
    const auto good = write_process(forward({"pick", "pack"}, calls));
    w.poison({"bad", "charge"});
    w.expect("bad", {instance_state::parked}, {"poisoned"});
    w.start("shop", {{bad, "bad"}, {good, "good"}});
    w.run_runner("runner", runs(running("one"), bad, good));
    w.run();
    // The first start is noted by nobody, nor is the one after a note that was lost.
    check_poison(w.found(), static_cast<unsigned>(w.deaths()), 6);
}

/// One that is mended goes on where it stood.
inline void poison_is_mended(trial& t) {
    process_world w(t);
    auto script = forward({"pick", "pack"}, calls);
    script.options.retry.max_starts = 2;
    const auto order = write_process(script);
    const step_of pack{"1", "pack"};
    w.poison(pack, 3);
    w.expect("1", {instance_state::completed});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        w.mend(pack);
        return resume(desk, seen, "it is mended", w.time().now().wall, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
}

/// The code has changed and does not say so: it is parked, with both lists.
inline void changed_undeclared(trial& t) {
    process_world w(t);
    auto script = forward({"pick", "pack", "label"}, calls);
    const auto before = write_process(script);
    script.steps[1].name = "wrap";
    const auto after = write_process(script);
    w.expect("1", {instance_state::parked}, {"changed_definition"});
    w.slow_call({"1", "pack"}, 2s);
    w.start("shop", {{before, "1"}});
    w.run_runner_until(1s, 3s, "one", runs(running("one"), before));
    w.run_runner("two", runs(running("two"), after), 10s);
    w.run();
}

/// The code has changed, and says so: a step was added, one removed, one renamed.
inline void changed_declared(trial& t) {
    process_world w(t);
    auto script = forward({"pick", "wrap", "stamp", "label"}, calls);
    const auto before = write_process(script);
    script.steps[1] = {"pack", step_kind::retriable, calls};
    script.steps[1].former_names = {"wrap"};
    script.steps[2] = {"weigh", step_kind::retriable, calls};
    script.steps[2].is_added = true;
    script.removed = {"stamp"};
    const auto after = write_process(script);
    w.start("shop", {{before, "1"}});
    w.renamed("wrap", "pack");
    w.slow_call({"1", "pack"}, 2s);
    w.added("1", "weigh", 2);
    w.excuse({"1", "stamp"});
    w.excuse({"1", "weigh"});
    w.run_runner_until(1s, 3s, "one", runs(running("one"), before));
    w.run_runner("two", runs(running("two"), after), 10s);
    w.run();
}

inline constexpr named_scenario processes_people_scenarios[] = {
    {"cancelled_before_pivot", cancelled_before_pivot},
    {"cancelled_while_waiting", cancelled_while_waiting},
    {"cancelled_in_a_long_wait", cancelled_in_a_long_wait},
    {"cancelled_in_doubt", cancelled_in_doubt},
    {"cancelled_behind_pivot", cancelled_behind_pivot},
    {"poisoned_step", poisoned_step},
    {"poison_is_mended", poison_is_mended},
    {"changed_undeclared", changed_undeclared},
    {"changed_declared", changed_declared},
};

}  // namespace sinew::laws
