// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which several relays work on one outbox.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

inline constexpr std::string_view taken_over = "a relay took over a shard whose holder was gone";

/// Two relays and one shard: one of them waits, and takes over when the other stands still.
inline void two_relays_one_shard(trial& t) {
    producer_world w(t);
    relay_counts most;
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2")}},
                     {.name = "2", .adds = {order("a", "a3")}}});
    w.relay("one", one_by_one(relaying("one")), watch(most));
    w.relay("two", one_by_one(relaying("two")), watch(most));
    w.run();
    w.found().sometimes("a zombie's mark was refused", most.marks_stale != 0);
}

/// The same, where a relay that dies stays away for long: its successor has another name.
inline void takeover(trial& t) {
    producer_world w(t, {.world = {.restart_after = 60s}});
    relay_counts second;
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2")}}});
    w.write("desk", {{.name = "2", .adds = {order("a", "a3")}}}, 1s);
    w.relay("one", one_by_one(relaying("one")));
    w.relay("two", one_by_one(relaying("two")), watch(second), 100ms);
    w.run();
    w.found().sometimes(taken_over, second.leases_taken != 0 && second.published != 0);
}

/// Two relays share two shards: each gets one, and what each publishes is in order.
inline void shared_shards(trial& t) {
    producer_world w(t, {.world = {.restart_after = 30s}, .outbox = {.shards = 2}});
    relay_counts first;
    relay_counts second;
    static_assert(shard_of("a", 2) != shard_of("b", 2));
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("b", "b1")}}});
    w.write("desk", {{.name = "2", .adds = {order("a", "a2"), order("b", "b2")}}}, 6s);
    w.relay("one", one_by_one(relaying("one")), watch(first));
    w.relay("two", one_by_one(relaying("two")), watch(second), 3s);
    w.run();
    w.found().sometimes("two relays published a part each",
                        first.published != 0 && second.published != 0);
    w.found().sometimes("a shard moved to a relay that came later",
                        first.leases_lost + first.leases_released != 0 && second.leases_taken != 0);
}

/// A relay is told to stop, and gives its shard to the next one at once.
inline void handed_over(trial& t) {
    producer_world w(t);
    relay_counts second;
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2")}},
                     {.name = "2", .adds = {order("a", "a3")}, .takes = 2s}});
    const auto stop_at = later(w.time().now().steady, 1s);
    w.relay_until(stop_at, 3s, "one", one_by_one(relaying("one")));
    w.relay("two", one_by_one(relaying("two")), watch(second), 100ms);
    w.run();
    w.found().sometimes("a relay that stopped gave its shard away", second.published != 0);
}

inline constexpr named_scenario relays_scenarios[] = {
    {"two_relays_one_shard", two_relays_one_shard},
    {"takeover", takeover},
    {"shared_shards", shared_shards},
    {"handed_over", handed_over},
};

}  // namespace sinew::laws
