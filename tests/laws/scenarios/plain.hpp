// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which nothing is wrong with the events: only the world is against them.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// Four events of two keys, in one partition.
inline void plain(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    for (const auto& [key, id] : {std::pair{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"b", "b2"}}) {
        w.produce(0, make_event(key, id));
    }
    w.consume("worker", [](consumer_ports& p) { return standard(p, applies(p)); }, watch(most));
    w.run();
    w.found().sometimes(zombie_refused, false);  // asked where it happens
    // More transactions than the two batches, and nothing applied twice: the lost answer was looked
    // for in the store.
    w.found().sometimes("a commit's answer was lost, and the store told what had become of it",
                        times(w, fault::reply_lost) != 0 && most.applied == 4 && most.commits > 2);
}

/// Duplicates are recognised by their offsets: the broker delivers again, the producer does not.
inline void once_by_offset(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.produce(0, make_event(id, id));
    }
    const auto make = [](consumer_ports& p) {
        return standard(p, applies(p),
                        {.from = subscription(4),
                         .once = {.batch_max = 2, .duplicates = duplicates::by_offset}});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("an event was recognised as a duplicate by its offset",
                        most.duplicates != 0);
}

/// A producer writes an event twice, into two partitions.
inline void duplicates_across_partitions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    consumer_counts most;
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(1, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    const auto make = [](consumer_ports& p) {
        return standard(p, applies(p), {.once = {.batch_max = 2, .duplicates = duplicates::by_id}});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("an event was recognised as a duplicate on another partition",
                        most.duplicates != 0);
}

/// One event of a batch fails twice: its neighbours' work stands.
inline void batch_with_one_failing(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    unsigned failures = 0;
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.produce(0, make_event(id, id));
    }
    const auto make = [&failures](consumer_ports& p) {
        const auto fails_twice = [&p, &failures](const event_view& e, transaction& tx) {
            if (e.id != "2") {
                tx.effect(e);
                return outcome::done();
            }
            if (failures < 2) {
                tx.effect(e);
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            return apply(p, e, tx);
        };
        return standard(p, fails_twice, {.once = {.batch_max = 4}});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("a batch did not commit, and each of its events ran again by itself",
                        most.applied == 4 && most.commits >= 4);
    if (is_unfaulted(w)) {
        const auto& applied = w.facts().applied;
        w.found().check(law::order, applied.empty() || applied.back().key == "2",
                        "a failing event held up its neighbours");
    }
}

/// More events than may be held at once, one of which does not get on for a while.
inline void flood_in_small_memory(trial& t) {
    consumer_world w(t, {.in_flight_max = 2});
    consumer_counts most;
    unsigned failures = 0;
    for (const auto* id : {"1", "2", "3", "4", "5"}) {
        w.produce(0, make_event(id, id));
    }
    const auto make = [&failures](consumer_ports& p) {
        const auto fails_twice = [&p, &failures](const event_view& e, transaction& tx) {
            if (e.id == "1" && failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            return apply(p, e, tx);
        };
        return standard(p, fails_twice, {.from = subscription(2)});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("as many events as may be were held, and others waited at the source",
                        most.in_flight == 2);
}

/// The same, where it is the bytes that are limited: to those of two events.
inline void flood_of_bytes(trial& t) {
    consumer_world w(t, {.in_flight_max = 2});
    consumer_counts most;
    unsigned failures = 0;
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.produce(0, make_event(id, id));
    }
    auto from = subscription();
    from.in_flight_bytes_max = 2 * make_event("1", "1").view().size_bytes();
    const auto make = [&failures, from](consumer_ports& p) {
        const auto fails_twice = [&p, &failures](const event_view& e, transaction& tx) {
            if (e.id == "1" && failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            return apply(p, e, tx);
        };
        return standard(p, fails_twice, {.from = from});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("as many bytes as may be were held, and others waited at the source",
                        most.in_flight == 2);
}

/// A dependency of the handler is down for longer than there are attempts: that never counts.
inline void dependency_down(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    const auto up_at = w.time().now().steady + 2s;
    const auto make = [&w, up_at](consumer_ports& p) {
        const auto waits = [&w, &p, up_at](const event_view& e, transaction& tx) {
            if (w.time().now().steady < up_at) {
                throw unavailable_error("down", "down");
            }
            tx.effect(e);
            // A failure that counts could use up the few attempts.
            p.self.pass_through("handler", {fault::crash_before, fault::delayed, fault::zombie});
            return outcome::done();
        };
        auto few = patient_retry();
        few.max_attempts = 4;
        return standard(p, waits, {.retries = few});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("an event waited more often than it has attempts", most.waits > 4);
}

inline constexpr named_scenario plain_scenarios[] = {
    {"plain", plain},
    {"once_by_offset", once_by_offset},
    {"duplicates_across_partitions", duplicates_across_partitions},
    {"batch_with_one_failing", batch_with_one_failing},
    {"flood_in_small_memory", flood_in_small_memory},
    {"flood_of_bytes", flood_of_bytes},
    {"dependency_down", dependency_down},
};

}  // namespace sinew::laws
