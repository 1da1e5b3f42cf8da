// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Proves a user's own handler: with its own store, under every schedule with up to two faults.
///
/// **Delivers.** A verdict: whether each key has come to what a sequential run without faults makes
/// of it, whatever the faults, and whether nothing was lost, doubled or given up on the way. If
/// not, the first counterexample, which has the fewest faults, with its history and the tape that
/// repeats it.
/// **On failure.** `usage_error` for a simulation that could not be judged: no events, an event
/// without id, a handler that fails without any fault, a `.state` that throws. A handler that comes
/// to another end from one run to the next breaks `law::repeatable`, and nothing else is said of
/// it.
/// **Bounds.** With n points at which something can go wrong, about n² schedules for two faults:
/// two to four events are enough. One thread. Time is virtual; a handler that sleeps does sleep.
///
/// **Example.**
/// ```cpp
/// const auto verdict = simulate(simulation{
///     .events = {deposit("alice", "1", 10), deposit("alice", "2", 5), deposit("bob", "3", 7)},
///     .open = [] { return memory::database(); },
///     .connect = [](memory::database& data) { return memory::store(data); },
///     .handle = [](const event_view& e, memory::transaction& tx) {
///         tx.add(e.partitionkey, amount_of(e));
///     },
///     .state = [](memory::store& db) { return db.items(); },
/// });
/// if (!verdict.holds()) { std::cout << verdict.text(); }
/// ```

#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/random_tapes.hpp>
#include <sinew/testing/simulate/outside.hpp>
#include <sinew/testing/simulate/ports.hpp>
#include <sinew/testing/simulate/run.hpp>
#include <sinew/testing/simulate/sequential.hpp>
#include <sinew/testing/simulate/simulation.hpp>
#include <sinew/testing/simulate/verdict.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace sinew::testing {

namespace detail {

/// Runs the schedules of one simulation.
template <class What>
class simulator {
public:
    simulator(const What& what, simulation_options options) : what_(what) {
        check_use(what.events, what.expect_dead, options);
        plan_.options = std::move(options);
    }

    simulation_verdict run() {
        const auto& only = plan_.options.only;
        plan_ = plan_of(ids_kept(what_.events, only));
        verdict_.faults = plan_.options.faults;
        const auto twice = run_sequentially(what_, plan_.events, by_sequence);
        if (twice.state != plan_.expected.state) {
            not_repeatable("two runs without faults came to different ends: " +
                           difference(twice.state, plan_.expected.state, "and before"));
            return std::move(verdict_);
        }
        explore();
        if (!verdict_.holds()) {
            counterexample one = *verdict_.first();
            if (plan_.options.tape.empty() && one.law != law::repeatable) {
                reduce(one);
            }
            tell_of(one);
        }
        return std::move(verdict_);
    }

private:
    static constexpr bool by_sequence = simulated_consumer<What>::plan_type::has_sequence;
    /// How many schedules the search for fewer events may cost, each time.
    static constexpr std::uint64_t reduction_max = 20'000;

    [[nodiscard]] static std::vector<event> ids_kept(const std::vector<event>& events,
                                                     const std::vector<std::string>& only) {
        std::vector<event> out;
        for (const auto& one : events) {
            if (only.empty() || std::find(only.begin(), only.end(), one.id) != only.end()) {
                out.push_back(one);
            }
        }
        return out;
    }

    [[nodiscard]] simulation_plan plan_of(std::vector<event> events) const {
        simulation_plan out{std::move(events), {}, plan_.options};
        out.expected = run_sequentially(what_, out.events, by_sequence);
        return out;
    }

    /// As one type for all simulations, so that the explorers are compiled once.
    [[nodiscard]] std::function<void(trial&)> scenario_of(const simulation_plan& plan) const {
        return [this, &plan](trial& t) { simulated_run<What>(t, what_, plan).go(); };
    }

    void explore() {
        const auto& o = plan_.options;
        const auto scenario = scenario_of(plan_);
        if (!o.tape.empty()) {
            const auto one = run_tape(scenario, o.tape, false);
            verdict_.runs.add(one, o.tape, count_faults(numbers_of(one.choices.made())));
            return;
        }
        verdict_.runs = every_fault(
            scenario, o.faults,
            {.schedules_max = o.schedules_max, .stop_at_first_failure = o.stop_at_first_failure});
        if (o.random_tapes == 0 || (o.stop_at_first_failure && !verdict_.runs.all_hold())) {
            return;
        }
        const auto random =
            random_tapes(scenario, {.tapes = o.random_tapes,
                                    .seed = o.seed,
                                    .like = o.like,
                                    .stop_at_first_failure = o.stop_at_first_failure});
        verdict_.random_tapes = random.tapes();
        verdict_.runs.add(random.runs);
    }

    /// Leaves out events, one by one, as long as the same law breaks with as few faults.
    void reduce(counterexample& one) {
        for (std::size_t i = plan_.events.size(); i-- > 0;) {
            if (i >= plan_.events.size()) {
                continue;  // an event that was there twice is gone
            }
            auto fewer = plan_.events;
            const auto id = fewer[i].id;
            std::erase_if(fewer, [&id](const event& e) { return e.id == id; });
            if (!fewer.empty()) {
                try_with(std::move(fewer), one);
            }
        }
    }

    void try_with(std::vector<event> fewer, counterexample& one) {
        try {
            auto smaller = plan_of(std::move(fewer));
            const auto report =
                every_fault(scenario_of(smaller), one.faults,
                            {.schedules_max = reduction_max, .stop_at_first_failure = true});
            if (const auto* found = report.example_of(one.law)) {
                one = *found;
                plan_ = std::move(smaller);
            }
        } catch (const usage_error&) {
            // Without that event the handler can't do its work at all.
        }
    }

    /// Runs the failing schedule twice more, with text. Only what comes again is told.
    void tell_of(const counterexample& one) {
        trial first;
        trial second;
        const std::string outside = run_again(first, one.tape);
        run_again(second, one.tape);
        if (one.law != law::repeatable && first.found.all_hold()) {
            not_repeatable("the same schedule failed once (" + one.how + "), and then it did not");
        } else if (one.law == law::repeatable || first.trace.hash() != second.trace.hash()) {
            not_repeatable(one.law == law::repeatable
                               ? one.how
                               : "the same schedule failed in two ways (" + one.how + ")");
        } else {
            verdict_.runs.examples.front() = one;
            verdict_.story = tell(
                {one, first, plan_.events.size(), what_.events.size(), ids_to_name(), outside});
        }
    }

    /// The ids that have to be named to repeat what is told, if they are not all.
    [[nodiscard]] std::vector<std::string> ids_to_name() const {
        std::vector<std::string> out;
        for (const auto& one : plan_.events) {
            if (plan_.events.size() < what_.events.size()) {
                out.push_back(one.id);
            }
        }
        return out;
    }

    std::string run_again(trial& into, const std::vector<std::uint8_t>& tape) {
        into.start(tape, true);
        simulated_run<What> again(into, what_, plan_);
        again.go();
        return again.changed_outside();
    }

    void not_repeatable(const std::string& how) {
        verdict_.runs.failures += verdict_.runs.failures == 0 ? 1 : 0;
        const auto schedules = verdict_.runs.schedules;
        verdict_.runs.examples.clear();
        verdict_.runs.examples.push_back({law::repeatable, how, {}, 0, schedules});
        verdict_.story =
            "\"" + std::string(law::repeatable) + "\" does not hold: " + how +
            "\n  So nothing can be said of the handler. It depends on something other than its "
            "events\n  and its store: a clock, randomness, an address, a static variable that "
            "outlives the run,\n  or something that .open does not make anew. Pass it in "
            "instead.\n";
    }

    const What& what_;
    simulation_plan plan_;
    simulation_verdict verdict_;
};

}  // namespace detail

/// Runs a handler under every schedule with up to `options.faults` faults, and under random ones.
template <class Open, class Handle, class State, class Connect, class Pipeline>
[[nodiscard]] simulation_verdict simulate(
    const simulation<Open, Handle, State, Connect, Pipeline>& what,
    simulation_options options = {}) {
    return detail::simulator<simulation<Open, Handle, State, Connect, Pipeline>>(what,
                                                                                 std::move(options))
        .run();
}

}  // namespace sinew::testing
