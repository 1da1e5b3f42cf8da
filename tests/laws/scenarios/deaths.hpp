// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which an event kills the process, and its partition changes hands meanwhile.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// Events are read one by one, and each life commits the offset of only one. So in each life the
/// partition can be asked for before the event comes that kills the process, and the deaths before
/// must not be forgotten.
inline void poison_meets_a_rebalance(trial& t) {
    consumer_world w(t);
    for (const auto* id : {"b1", "b2", "b3", "b4"}) {
        w.produce(0, make_event("b", id));
    }
    w.produce(0, make_event("a", "a1"), fate::dead_lettered);
    const auto make = [](consumer_ports& p) {
        const auto kills = [&p](const event_view& e, transaction& tx) {
            tx.effect(e);
            if (e.id == "a1") {
                p.self.die("poison");
            }
            return outcome::done();
        };
        shape one_by_one{.from = subscription(1),
                         .letters = {.replay_interval = 1h, .deaths_max = 2}};
        one_by_one.from.commit_interval = 1min;
        return standard(p, kills, one_by_one);
    };
    w.consume("worker", make);
    w.run();
    // One death that nothing was recorded of, two that were, and the start that buries it.
    const auto starts_max = static_cast<unsigned>(4 + 2 * faults_of(w));
    check_poison(w.found(), w.time().starts("worker"), starts_max);
    w.found().sometimes("a partition with a suspect to come was given back",
                        times(w, fault::revoked) != 0 && w.time().starts("worker") > 1);
}

inline constexpr named_scenario deaths_scenarios[] = {
    {"poison_meets_a_rebalance", poison_meets_a_rebalance},
};

}  // namespace sinew::laws
