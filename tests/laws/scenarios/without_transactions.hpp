// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which a handler acts outside of any transaction: what is promised then is less, and
/// is to be kept all the same.

#include "laws/scenarios/common.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::laws {

/// The event is not lost after all.
inline void found_again(consumer_world& w, std::string_view id) {
    auto& facts = w.facts();
    std::erase(facts.set_aside, id);
    for (auto& one : facts.produced) {
        if (one.original.id == id) {
            one.expected = fate::applied;
        }
    }
}

/// Each event once or not at all: its offset is committed before its handler runs. Without faults
/// none is lost, and each fault costs one of each key at most: what stands next in two keys can be
/// committed together.
inline void at_most_once_each(trial& t) {
    consumer_world w(t, {.poll_interval = 1s});
    for (const auto& [key, id] : {std::pair{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"b", "b2"}}) {
        w.produce(0, make_event(key, id), fate::set_aside);
        w.facts().set_aside.emplace_back(id);
    }
    w.consume("worker", [&w](consumer_ports& p) {
        return subscribe(p.source(), subscription()) | discard() | at_most_once() |
               handle([&w, &p](const event_view& e) {
                   p.self.pass_through("handler",
                                       {fault::failed, fault::crash_before, fault::delayed});
                   p.apply(e.partitionkey, e.id);
                   found_again(w, e.id);
               });
    });
    w.run();
    const auto& facts = w.facts();
    w.found().check(law::nothing_lost, facts.set_aside.size() <= 2 * faults_of(w), [&facts] {
        return std::to_string(facts.set_aside.size()) + " events were lost";
    });
    w.found().sometimes("an event was lost with the process that had committed its offset",
                        !facts.set_aside.empty() && times(w, fault::crash_before) != 0);
}

/// Duplicates are recognised from memory, within one life of the process: one written twice, and
/// one of which the first attempt failed.
inline void deduplicate_from_memory(trial& t) {
    consumer_world w(t, {.partitions = 2, .at_least_once = true});
    consumer_counts most;
    unsigned failures = 0;
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(1, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    const auto make = [&failures](consumer_ports& p) {
        return subscribe(p.source(), subscription()) |
               dead_letter(p.letters_elsewhere(), letters_at_rest()) | retry(patient_retry()) |
               deduplicate({.ids_max = 16, .age_max = 1h}) |
               handle([&failures, &p](const event_view& e) {
                   if (e.id == "b1" && failures == 0) {
                       ++failures;
                       throw transient_error("not_yet", "not yet");
                   }
                   p.self.pass_through("handler");
                   p.apply(e.partitionkey, e.id);
               });
    };
    w.consume("worker", make, watch(most));
    w.run();
    for (const auto* id : {"a1", "b1", "a2"}) {
        w.found().check(law::nothing_twice, w.facts().times_applied(id) <= 1 + faults_of(w),
                        [id] { return std::string(id) + " was applied once more than was due"; });
    }
    w.found().sometimes("a duplicate was recognised from memory", most.duplicates != 0);
}

inline constexpr named_scenario without_transactions_scenarios[] = {
    {"at_most_once_each", at_most_once_each},
    {"deduplicate_from_memory", deduplicate_from_memory},
};

}  // namespace sinew::laws
