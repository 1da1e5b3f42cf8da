// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which events of a key come out of order.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// The missing event comes in time.
inline void gap_that_closes(trial& t) {
    consumer_world w(t);
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(0, make_event("b", "b1", 1));
    w.produce_after(2s, 0, make_event("a", "a2", 2));
    w.consume("worker",
              [](consumer_ports& p) { return sequenced(p, applies(p), {.gap_timeout = 30min}); });
    w.run();
}

/// The missing event comes too late: what waited was released in order, and it is a dead letter.
inline void gap_that_times_out(trial& t) {
    consumer_world w(t);
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(0, make_event("a", "a4", 4));
    w.produce_after(10min, 0, make_event("a", "a2", 2), fate::dead_lettered);
    w.consume("worker", [](consumer_ports& p) {
        return sequenced(p, applies(p), {.gap_timeout = 10s, .look_again = 4s});
    });
    w.run();
}

/// The classic incident: one key on two partitions, which two consumers of the group hold. Whoever
/// waits for a gap finds in the store that the other one has closed it.
inline void one_key_on_two_partitions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    w.produce(0, make_event("a", "a1", 1));
    w.produce(1, make_event("a", "a2", 2));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(1, make_event("a", "a4", 4));
    const auto make = [](consumer_ports& p) {
        return sequenced(p, applies(p), {.gap_timeout = 30min, .look_again = 1s});
    };
    w.consume("left", make);
    w.consume("right", make);
    w.run();
}

/// The same key on two partitions of one consumer, which loses the one with the earlier event while
/// that one waits for a retry: the later event, already in its lane, has to wait for it again.
inline void predecessor_moves_away(trial& t) {
    consumer_world w(t, {.partitions = 2, .poll_interval = 500ms});
    w.produce(0, make_event("a", "a1", 1));
    w.produce(1, make_event("a", "a2", 2));
    w.produce(1, make_event("a", "a3", 3));
    const auto works_at = w.time().now().steady + 4s;
    const auto make = [&w, works_at](consumer_ports& p) {
        const auto fails_at_first = [&w, &p, works_at](const event_view& e, transaction& tx) {
            if (e.id == "a1" && w.time().now().steady < works_at) {
                throw transient_error("not_yet", "not yet", 2s);
            }
            return apply(p, e, tx);
        };
        return sequenced(p, fails_at_first, {.gap_timeout = 30min, .look_again = 1s});
    };
    w.consume("first", make);
    w.consume_after(1s, "second", make);
    w.run();
}

}  // namespace sinew::laws
