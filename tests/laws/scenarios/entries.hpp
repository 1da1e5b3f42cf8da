// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which an entry of the outbox is refused for good, and people decide on it.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

/// An event is refused for good. Its key waits behind it, until people let it be tried again.
inline void poison_parks_its_key(trial& t) {
    producer_world w(t);
    relay_counts most;
    w.topic().refuse("a1", failure_class::permanent);
    w.expect("a1", outbox_fate::late);
    w.expect("a2", outbox_fate::published);
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("b", "b1")}},
                     {.name = "2", .adds = {order("a", "a2"), order("b", "b2")}}});
    w.relay("relay", one_by_one(relaying("relay")), watch(most));
    w.unpark_after(40s, "a1");
    w.run();
    w.found().sometimes("a key waited behind a parked event, and went on in order",
                        place_of(w, "a1") < place_of(w, "a2") && most.parked != 0);
}

/// The same, but the key goes on without it, and it comes late.
inline void poison_lets_its_key_pass(trial& t) {
    producer_world w(t);
    auto options = relaying("relay");
    options.follow = following::pass;
    w.topic().refuse("a1", failure_class::permanent);
    w.expect("a1", outbox_fate::late);
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2")}},
                     {.name = "2", .adds = {order("b", "b1"), order("a", "a3")}}});
    w.relay("relay", one_by_one(options));
    w.unpark_after(30s, "a1");
    w.run();
    w.found().sometimes("a parked event was published after its key had gone on",
                        place_of(w, "a3") < place_of(w, "a1"));
}

/// People give it up: what waited behind it goes on.
inline void poison_is_discarded(trial& t) {
    producer_world w(t);
    w.topic().refuse("a1", failure_class::permanent);
    w.expect("a1", outbox_fate::discarded);
    w.write("shop",
            {{.name = "1", .adds = {order("a", "a1"), order("a", "a2"), order("b", "b1")}}});
    w.relay("relay", one_by_one(relaying("relay")));
    w.discard_after(30s, "a1");
    w.run();
    w.found().sometimes("a key went on behind an event that was given up",
                        place_of(w, "a2") < w.facts().arrived.size());
}

inline constexpr named_scenario entries_scenarios[] = {
    {"poison_parks_its_key", poison_parks_its_key},
    {"poison_lets_its_key_pass", poison_lets_its_key_pass},
    {"poison_is_discarded", poison_is_discarded},
};

}  // namespace sinew::laws
