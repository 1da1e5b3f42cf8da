// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The run that all others are measured by: each event once, one after the other, and no fault.
///
/// There is no consumer in it, only the handler and a transaction for each event. It is also where
/// mistakes in the simulation itself are found, before anything is judged.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/simulate/simulation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::detail {

/// What the events come to.
struct sequential_result {
    std::vector<event> order;  ///< each event once, in the order in which it is to be applied
    std::vector<fate> fates;   ///< of each of these
    key_states state;
};

/// What a schedule needs to be run and judged.
struct simulation_plan {
    std::vector<event> events;
    sequential_result expected;
    simulation_options options;
};

[[noreturn]] inline void misused(const std::string& how) { throw usage_error("simulate: " + how); }

/// Refuses what could not be judged.
inline void check_use(const std::vector<event>& events, const std::vector<std::string>& expect_dead,
                      const simulation_options& options) {
    if (events.empty()) {
        misused(".events is empty; a handler without events holds whatever it does");
    }
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (const auto bad = find_defect(events[i].view())) {
            misused("event " + std::to_string(i + 1) + " of .events: " + std::string(bad->detail));
        }
        for (std::size_t k = 0; k < i; ++k) {
            if (events[k].id == events[i].id && !(events[k] == events[i])) {
                misused("two different events have the id " + events[i].id +
                        "; give each its own, since what happened is told by ids");
            }
        }
    }
    const auto check_ids = [&](const std::vector<std::string>& ids, const char* where) {
        for (const auto& id : ids) {
            if (std::none_of(events.begin(), events.end(),
                             [&](const event& one) { return one.id == id; })) {
                misused(std::string(where) + " names " + id + ", and no event has that id");
            }
        }
    };
    check_ids(expect_dead, ".expect_dead");
    check_ids(options.only, "option only");
    if (options.schedules_max == 0) {
        misused("option schedules_max is 0; without a schedule nothing is proved");
    }
    if (options.partitions == 0 || options.steps_max == 0) {
        misused("option partitions or steps_max is 0");
    }
}

/// Each event once; those of a key by their `sequence`, if the pipeline goes by it.
[[nodiscard]] inline std::vector<event> order_of(const std::vector<event>& events,
                                                 bool by_sequence) {
    std::vector<event> out;
    for (const auto& one : events) {
        if (std::find(out.begin(), out.end(), one) == out.end()) {
            out.push_back(one);
        }
    }
    const auto number = [](const event& e) { return parse_sequence(e.sequence).value_or(0); };
    for (std::size_t i = 0; by_sequence && i < out.size(); ++i) {
        for (std::size_t k = i + 1; k < out.size(); ++k) {
            if (out[k].partitionkey == out[i].partitionkey && number(out[k]) < number(out[i])) {
                std::swap(out[k], out[i]);
            }
        }
    }
    return out;
}

/// One event, until the handler takes it or rejects it.
template <class Handle, class World, class Store>
[[nodiscard]] outcome apply_alone(Handle& handle, World& world, Store& store, const event& e) {
    constexpr int attempts = 5;
    outcome answer = outcome::done();
    for (int i = 0; i < attempts; ++i) {
        outside out;
        auto tx = store.begin(steady_time(duration(1'000'000'000)));
        try {
            answer = call_handler_of(handle, world, e.view(), &tx, out);
        } catch (const error& problem) {
            answer = outcome::failed(problem.as_failure());
        } catch (const std::exception& problem) {
            answer = outcome::retry("exception", problem.what());
        }
        if (answer.is_done() || answer.verdict() == verdict::skip) {
            if (tx.commit() != commit_result::committed) {
                misused("the store did not commit event " + e.id + " in a run without faults");
            }
            return answer;
        }
        tx.rollback();
        if (answer.verdict() == verdict::reject) {
            return answer;
        }
    }
    return answer;
}

/// Runs them all.
template <class What>
[[nodiscard]] sequential_result run_sequentially(const What& what, const std::vector<event>& events,
                                                 bool by_sequence) {
    using types = simulation_types<What>;
    sequential_result out;
    out.order = order_of(events, by_sequence);
    typename types::world world = what.open();
    {
        typename types::connection store = what.connect(world);
        auto handle = what.handle;
        for (const auto& e : out.order) {
            const bool dead = std::find(what.expect_dead.begin(), what.expect_dead.end(), e.id) !=
                              what.expect_dead.end();
            const outcome answer = apply_alone(handle, world, store, e);
            const bool taken = answer.is_done() || answer.verdict() == verdict::skip;
            if (!taken && !dead) {
                misused("the handler fails on event " + e.id + " without any fault (" +
                        answer.why().reason + ": " + answer.why().detail +
                        "); if it belongs into the dead letters, name it in .expect_dead");
            }
            if (taken && dead) {
                misused(".expect_dead names " + e.id + ", and the handler takes it");
            }
            out.fates.push_back(taken ? fate::applied : fate::dead_lettered);
        }
    }
    out.state = types::read(what, world);
    return out;
}

}  // namespace sinew::testing::detail
