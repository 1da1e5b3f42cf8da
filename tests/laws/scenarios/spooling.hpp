// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios of a service that publishes through a spool.

#include "laws/scenarios/named.hpp"

#include <sinew/testing/spool_world.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace sinew::laws {

using namespace std::chrono_literals;

/// Without zombies: a spool has one owner at a time.
[[nodiscard]] inline world_options one_owner() {
    return {.faults = fault_set::all().without({fault::zombie})};
}

[[nodiscard]] inline spooled_options spooling() {
    return {.publish_timeout = 2s, .base = 200ms, .cap = 1s, .seed = 7};
}

[[nodiscard]] inline drainer_options draining() {
    return {.batch_max = 3,
            .batch_bytes_max = 1000,
            .max_attempts = 50,
            .base = 200ms,
            .cap = 1s,
            .poll_interval = 500ms,
            .call_timeout = 5s,
            .publish_timeout = 5s,
            .seed = 7};
}

/// The topic is down, and up again while the service publishes: live, spooled, and live again.
inline void spool_bridges_a_gap(trial& t) {
    spool_world w(t, {.world = one_owner()});
    for (const auto& [key, id] :
         {std::pair{"a", "a1"}, {"a", "a2"}, {"b", "b1"}, {"a", "a3"}, {"b", "b2"}, {"a", "a4"}}) {
        w.publish(w.make_event(key, id));
    }
    w.topic().down_between(400ms, 1800ms);
    w.serve("service", spooling(), draining());
    w.run();
    w.found().sometimes("a key went from live to spooled and back",
                        w.tally().live >= 2 && w.tally().spooled >= 2 && w.tally().drained != 0);
}

/// The topic is down for longer than the spool has room: the service is told, and waits.
inline void spool_is_full(trial& t) {
    spool_world w(t, {.world = one_owner(), .spool = {.entries_max = 2}, .pace = 300ms});
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.publish(w.make_event(id[0] == '3' ? "b" : "a", id));
    }
    w.topic().down_between(0s, 4s);
    w.serve("service", spooling(), draining());
    w.run();
    w.found().sometimes("a spool was full, and told so",
                        w.tally().full != 0 && w.tally().most == 2);
}

/// The same, where it is the bytes that are limited: to those of two events.
inline void spool_is_heavy(trial& t) {
    const auto weight = spool_weight(spool_world::make_event("a", "1").view());
    spool_world w(t, {.world = one_owner(), .spool = {.bytes_max = 2 * weight}, .pace = 300ms});
    for (const auto* id : {"1", "2", "3"}) {
        w.publish(w.make_event("a", id));
    }
    w.topic().down_between(0s, 4s);
    w.serve("service", spooling(), draining());
    w.run();
    w.found().sometimes("a spool was too heavy, and told so",
                        w.tally().full != 0 && w.tally().most == 2);
}

/// An event is spooled, and then refused for good: its key waits, others go on. If a fault delays
/// it until the topic is up again, the service is told instead, and goes on without it.
inline void spool_with_poison(trial& t) {
    spool_world w(t, {.world = one_owner()});
    w.publish(w.make_event("a", "a1"));
    w.publish(w.make_event("a", "a2"));
    w.publish(w.make_event("b", "b1"));
    w.publish(w.make_event("a", "a3"));
    // Live it is refused as unavailable; what is wrong with it shows when the topic is up again.
    w.topic().down_between(0s, 900ms);
    w.topic().refuse("a2", failure_class::permanent);
    w.expect("a2", outbox_fate::either);
    w.serve("service", spooling(), draining());
    w.decide_after(40s, "a2", true);
    w.run();
    const auto& facts = w.facts();
    const auto at = facts.index_of("a2");
    w.found().sometimes("a spooled event was refused for good, and published after people decided",
                        at < facts.committed.size() && facts.committed[at].arrived);
}

inline constexpr named_scenario spooling_scenarios[] = {
    {"spool_bridges_a_gap", spool_bridges_a_gap},
    {"spool_is_full", spool_is_full},
    {"spool_is_heavy", spool_is_heavy},
    {"spool_with_poison", spool_with_poison},
};

}  // namespace sinew::laws
