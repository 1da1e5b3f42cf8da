// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which the producer does not know what it wrote: it writes events twice, and puts
/// one behind the next.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// A producer without an answer writes again. The ids tell.
inline void producer_repeats_itself(trial& t) {
    consumer_world w(t, {.producer = {fault::duplicated}});
    consumer_counts most;
    for (const auto& [key, id] : {std::pair{"a", "a1"}, {"b", "b1"}, {"a", "a2"}}) {
        w.produce(0, make_event(key, id));
    }
    w.consume(
        "worker",
        [](consumer_ports& p) {
            return standard(p, applies(p),
                            {.once = {.batch_max = 2, .duplicates = duplicates::by_id}});
        },
        watch(most));
    w.run();
    w.found().sometimes("an event was recognised as a duplicate by its id", most.duplicates != 0);
}

/// A producer writes an event twice, or behind the one after it, on two partitions. The sequence
/// tells which is which, without an id being kept.
inline void producer_is_confused(trial& t) {
    consumer_world w(t, {.partitions = 2, .producer = {fault::duplicated, fault::reordered}});
    consumer_counts most;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("a", "a2", 2));
    w.produce(1, make_event("b", "b1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.consume(
        "worker",
        [](consumer_ports& p) {
            return sequenced(p, applies(p), {.gap_timeout = 30min, .look_again = 1s});
        },
        watch(most));
    w.run();
    w.found().sometimes("an event was recognised as a duplicate by its sequence",
                        most.duplicates != 0 && times(w, fault::duplicated) != 0);
    w.found().sometimes("an event waited for one that was written behind it",
                        most.held != 0 && times(w, fault::reordered) != 0);
}

inline constexpr named_scenario producers_scenarios[] = {
    {"producer_repeats_itself", producer_repeats_itself},
    {"producer_is_confused", producer_is_confused},
};

}  // namespace sinew::laws
