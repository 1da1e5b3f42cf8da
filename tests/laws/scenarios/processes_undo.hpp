// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which a compensation fails: by both policies, at each step.

#include "laws/scenarios/processes_common.hpp"

namespace sinew::laws {

/// The saga fails at a step, and one of its compensations fails for good. It is parked for people,
/// who mend it and let it go on.
template <std::size_t Step, compensation_policy Policy>
void undo_fails(trial& t) {
    process_world w(t);
    const auto order = write_process({.type = "order",
                                      .steps = {{"reserve", step_kind::compensable, joins, joins},
                                                {"charge", step_kind::compensable, calls, calls},
                                                {"points", step_kind::compensable, sends, calls},
                                                {"confirm", step_kind::compensable, calls, calls},
                                                {"ship", step_kind::pivot, calls}},
                                      .policy = Policy,
                                      .options = patient()});
    const step_of bad{"1", std::string(order->step(Step).name), step_phase::undo};
    w.fail({"1", "confirm"});
    w.fail(bad);
    w.expect("1", to_be_compensated);
    // By `go_on` the others are undone meanwhile.
    if (Policy == compensation_policy::go_on) {
        w.given_up(bad);
    }
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    bool was_parked = false;
    w.when_parked("1", [&w, &was_parked, bad](memory::journal& desk, const process_instance& seen) {
        was_parked = was_parked || (seen.why && seen.why->reason == "not_undone");
        w.mend(bad);
        const auto now = w.time().now().wall;
        const bool has_record =
            find_record(w.look("1")->history, {bad.step, step_phase::undo}) != nullptr;
        return has_record
                   ? retry_step(desk, seen, {bad.step, step_phase::undo}, "mended", now, never)
                   : resume(desk, seen, "mended", now, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
    w.found().sometimes("a saga that cannot go back was parked", was_parked);
}

inline constexpr auto by_stopping = compensation_policy::stop;
inline constexpr auto by_going_on = compensation_policy::go_on;
inline constexpr auto undo_fails_at_reserve = undo_fails<0, by_stopping>;
inline constexpr auto undo_fails_at_charge = undo_fails<1, by_stopping>;
inline constexpr auto undo_fails_at_points = undo_fails<2, by_stopping>;
inline constexpr auto undo_fails_at_reserve_others_go_on = undo_fails<0, by_going_on>;
inline constexpr auto undo_fails_at_charge_others_go_on = undo_fails<1, by_going_on>;
inline constexpr auto undo_fails_at_points_others_go_on = undo_fails<2, by_going_on>;

/// Nobody can mend it: people do it by hand, and say so.
inline void undo_is_skipped(trial& t) {
    process_world w(t);
    const auto order = write_process({.type = "order",
                                      .steps = {{"reserve", step_kind::compensable, joins, joins},
                                                {"charge", step_kind::compensable, calls, calls},
                                                {"confirm", step_kind::compensable, joins, joins}},
                                      .options = patient()});
    const step_of bad{"1", "charge", step_phase::undo};
    w.fail({"1", "confirm"});
    w.fail(bad);
    w.expect("1", to_be_compensated);
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        w.excuse({"1", "charge"});
        return skip_step(desk, seen, {"charge", step_phase::undo}, "by hand", w.time().now().wall,
                         never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
}

/// People give it up.
inline void abandoned(trial& t) {
    process_world w(t);
    const auto order = write_process({.type = "order",
                                      .steps = {{"reserve", step_kind::compensable, calls, calls},
                                                {"confirm", step_kind::compensable, joins, joins}},
                                      .options = patient()});
    w.fail({"1", "confirm"});
    w.fail({"1", "reserve", step_phase::undo});
    w.expect("1", {instance_state::abandoned});
    w.start("shop", {{order, "1"}});
    w.run_runner("runner", runs(running("one"), order));
    w.when_parked("1", [&](memory::journal& desk, const process_instance& seen) {
        return abandon(desk, seen, "given up", w.time().now().wall, never);
    });
    w.settled_when([&] { return w.look("1")->what.state != instance_state::parked; });
    w.run();
}

inline constexpr named_scenario processes_undo_scenarios[] = {
    {"undo_fails_at_reserve", undo_fails_at_reserve},
    {"undo_fails_at_charge", undo_fails_at_charge},
    {"undo_fails_at_points", undo_fails_at_points},
    {"undo_fails_at_reserve_others_go_on", undo_fails_at_reserve_others_go_on},
    {"undo_fails_at_charge_others_go_on", undo_fails_at_charge_others_go_on},
    {"undo_fails_at_points_others_go_on", undo_fails_at_points_others_go_on},
    {"undo_is_skipped", undo_is_skipped},
    {"abandoned", abandoned},
};

}  // namespace sinew::laws
