// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the scenarios of long work share. They include nothing of the consuming side, so that a
/// mutant of long work is compiled in seconds.

#include "laws/scenarios/named.hpp"

#include <sinew/process/runner.hpp>
#include <sinew/testing/process_world.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::laws {

using namespace std::chrono_literals;

/// Options of a runner with the small limits that make a limit matter, and with nothing random in
/// it.
[[nodiscard]] inline runner_options running(std::string_view owner) {
    return {.owner = std::string(owner),
            .instances_max = 4,
            .ahead_max = 2,
            .batch_max = 4,
            .attempt_timeout = 5s,
            .base = 200ms,
            .cap = 1s,
            .lease = 8s,
            .heartbeat = 3s,
            .look_interval = 2s,
            .poll_interval = 500ms,
            .retention = 1h,
            .reply_retention = 1h,
            .purge_interval = 10min,
            .purge_max = 2,
            .call_timeout = 5s,
            .step_time_max = 200ms,
            .seed = 7};
}

/// Enough attempts and starts that faults alone never use them up.
[[nodiscard]] inline step_options patient() {
    return {.retry = {.max_attempts = 50, .base = 200ms, .cap = 1s, .max_starts = 50},
            .timeout = 5s};
}

/// A runner of these processes.
template <class... Scripts>
[[nodiscard]] auto runs(runner_options options, Scripts... scripts) {
    return [options, scripts...](runner_ports& p) {
        p.keeps_to(options);
        using driver = runner<runner_ports::store_type, runner_ports::journal_type,
                              runner_ports::outbox_type, null_runner_observer,
                              std::conditional_t<true, runner_ports::process_type, Scripts>...>;
        return driver(p.store, p.book(), p.box(), options, p.does(scripts)...);
    };
}

/// A runner of one process that is woken by what is started. It would look for itself so rarely
/// that nothing ends in time.
[[nodiscard]] inline auto runs_woken(runner_options options, shared_script script) {
    return [options, script](runner_ports& p) {
        p.keeps_to(options);
        using driver = runner<runner_ports::store_type, waking_book, runner_ports::outbox_type,
                              null_runner_observer, runner_ports::process_type>;
        return driver(p.store, p.waking_book(), p.box(), options, p.does(script));
    };
}

/// Options of a runner that takes one instance after the other, and claims others before their
/// turn.
[[nodiscard]] inline runner_options one_at_a_time(std::string_view owner) {
    runner_options out = running(owner);
    out.instances_max = 1;
    return out;
}

/// Remembers the most that was seen of each count, over all lives of a runner.
[[nodiscard]] inline auto watch(runner_counts& most) {
    return [&most](runner_ports&, const auto& one, moment) {
        const auto raise = [](auto& to, auto seen) { to = seen > to ? seen : to; };
        const runner_counts& now = one.counts();
        raise(most.recovered, now.recovered);
        raise(most.attempts, now.attempts);
        raise(most.steps_done, now.steps_done);
        raise(most.steps_undone, now.steps_undone);
        raise(most.steps_failed, now.steps_failed);
        raise(most.replies_late, now.replies_late);
        raise(most.stale, now.stale);
        raise(most.commits_unknown, now.commits_unknown);
        raise(most.writes_unknown, now.writes_unknown);
        raise(most.poisoned, now.poisoned);
        raise(most.seats_taken, now.seats_taken);
        raise(most.seats_swept, now.seats_swept);
        raise(most.purged, now.purged);
        raise(most.released, now.released);
    };
}

inline constexpr acting joins = acting::in_transaction;
inline constexpr acting calls = acting::by_call;
inline constexpr acting sends = acting::by_command;

/// A checkout with all three ways to act.
[[nodiscard]] inline process_script checkout(compensation_policy policy = {}) {
    return {.type = "checkout",
            .steps = {{"reserve", step_kind::compensable, joins, joins},
                      {"charge", step_kind::compensable, calls, calls},
                      {"points", step_kind::compensable, sends, sends},
                      {"ship", step_kind::pivot, calls},
                      {"email", step_kind::retriable, calls}},
            .policy = policy,
            .options = patient()};
}

/// A list of steps that only goes forward, and acts in one way.
[[nodiscard]] inline process_script forward(std::vector<std::string_view> names, acting how) {
    process_script out{.type = "forward", .options = patient()};
    for (const auto name : names) {
        out.steps.push_back({name, step_kind::retriable, how});
    }
    return out;
}

inline const std::vector<instance_state> to_be_compensated = {instance_state::compensated};

/// What a pivot comes to that is refused: the saga goes back. An attempt of which nobody knows
/// whether it happened is not taken back by the refusal of a later one: then people decide.
inline void refused_pivot(process_world& w) {
    w.expect("1", {instance_state::compensated, instance_state::parked}, {"pivot_in_doubt"});
}

}  // namespace sinew::laws
