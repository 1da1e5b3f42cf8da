// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which partitions change hands.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// A second consumer joins while the first is in the middle of a batch that stays open.
inline void rebalance_with_transactions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    consumer_counts most;
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(1, make_event("b", "b2"));
    w.produce_after(2s, 0, make_event("a", "a3"));
    w.produce_after(2s, 1, make_event("b", "b3"));
    const auto make = [](consumer_ports& p) {
        return standard(p, applies(p), {.once = {.batch_max = 4, .batch_time = 1500ms}});
    };
    w.consume("first", make, watch(most));
    w.consume_after(1s, "second", make, watch(most));
    w.run();
    w.found().sometimes("an event was given back unfinished", most.given_back != 0);
}

inline constexpr named_scenario groups_scenarios[] = {
    {"rebalance_with_transactions", rebalance_with_transactions},
};

}  // namespace sinew::laws
