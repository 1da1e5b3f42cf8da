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
    consumer_counts most;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(0, make_event("a", "a4", 4));
    w.produce_after(10min, 0, make_event("a", "a2", 2), fate::dead_lettered);
    const auto make = [](consumer_ports& p) {
        return sequenced(p, applies(p), {.gap_timeout = 10s, .look_again = 4s});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("a gap timed out", most.gaps != 0);
    w.found().sometimes("an event came after its gap was given up", most.late != 0);
}

/// The classic incident: one key on two partitions, which two consumers of the group hold. Whoever
/// waits for a gap finds in the store that the other one has closed it.
inline void one_key_on_two_partitions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    consumer_counts most;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(1, make_event("a", "a2", 2));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(1, make_event("a", "a4", 4));
    const auto make = [](consumer_ports& p) {
        return sequenced(p, applies(p), {.gap_timeout = 30min, .look_again = 1s});
    };
    w.consume("left", make, watch(most));
    w.consume("right", make, watch(most));
    w.run();
    w.found().sometimes("a gap was closed by what another consumer had applied",
                        most.held != 0 && most.gaps == 0 && w.time().starts("right") == 1);
}

/// The same, and the tape says whose turn it is wherever both have something to do.
inline void whose_turn_it_is(trial& t) {
    consumer_world w(t, {.world = {.choose_turns = true}, .partitions = 2});
    consumer_counts left;
    consumer_counts right;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(1, make_event("a", "a2", 2));
    w.produce(0, make_event("a", "a3", 3));
    const auto make = [](consumer_ports& p) {
        return sequenced(p, applies(p), {.gap_timeout = 30min, .look_again = 1s});
    };
    w.consume("left", make, watch(left));
    w.consume("right", make, watch(right));
    w.run();
    w.found().sometimes("each of two consumers applied a part of a key",
                        left.applied != 0 && right.applied != 0);
    w.found().sometimes("an event was read and waited before the one before it was",
                        left.held + right.held != 0 && is_unfaulted(w));
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

inline constexpr named_scenario ordering_scenarios[] = {
    {"gap_that_closes", gap_that_closes},
    {"gap_that_times_out", gap_that_times_out},
    {"one_key_on_two_partitions", one_key_on_two_partitions},
    {"whose_turn_it_is", whose_turn_it_is},
    {"predecessor_moves_away", predecessor_moves_away},
};

}  // namespace sinew::laws
