// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which calls take time, so that leases run out while a relay is at work.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

static_assert(shard_of("d", 3) == 0 && shard_of("a", 3) == 1 && shard_of("c", 3) == 2);

/// Two relays share three shards, and each publish takes longer than a step may last.
inline void slow_topic(trial& t) {
    producer_world w(t, {.outbox = {.shards = 3}, .topic_takes = 2s, .patience = 60s});
    relay_counts first;
    relay_counts second;
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("c", "c1"), order("d", "d1")}},
                     {.name = "2", .adds = {order("a", "a2")}}});
    w.relay("one", one_by_one(relaying("one")), watch(first));
    w.relay("two", one_by_one(relaying("two")), watch(second), 100ms);
    w.run();
    w.found().sometimes("both relays published to a slow topic",
                        first.published != 0 && second.published != 0);
}

/// Two relays share three shards, and while one of them is alone it can't renew all of its leases
/// in time: each call to the outbox takes so long.
inline void slow_outbox(trial& t) {
    producer_world w(t, {.outbox = {.shards = 3}, .outbox_takes = 900ms, .patience = 90s});
    relay_counts first;
    relay_counts second;
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("c", "c1"), order("d", "d1")}},
                     {.name = "2", .adds = {order("a", "a2")}}});
    w.relay("one", one_by_one(relaying("one")), watch(first));
    w.relay("two", one_by_one(relaying("two")), watch(second), 5s);
    w.run();
    w.found().sometimes("both relays published from a slow outbox",
                        first.published != 0 && second.published != 0);
}

inline constexpr named_scenario slowness_scenarios[] = {
    {"slow_topic", slow_topic},
    {"slow_outbox", slow_outbox},
};

}  // namespace sinew::laws
