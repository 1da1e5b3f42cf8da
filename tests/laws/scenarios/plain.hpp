// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which nothing is wrong with the events: only the world is against them.

#include "laws/scenarios/common.hpp"

namespace sinew::laws {

/// Four events of two keys, in one partition.
inline void plain(trial& t) {
    consumer_world w(t);
    for (const auto& [key, id] : {std::pair{"a", "a1"}, {"b", "b1"}, {"a", "a2"}, {"b", "b2"}}) {
        w.produce(0, make_event(key, id));
    }
    w.consume("worker", [](consumer_ports& p) { return standard(p, applies(p)); });
    w.run();
}

/// Duplicates are recognised by their offsets: the broker delivers again, the producer does not.
inline void once_by_offset(trial& t) {
    consumer_world w(t);
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.produce(0, make_event(id, id));
    }
    w.consume("worker", [](consumer_ports& p) {
        return standard(p, applies(p),
                        {.from = subscription(4),
                         .once = {.batch_max = 2, .duplicates = duplicates::by_offset}});
    });
    w.run();
}

/// A producer writes an event twice, into two partitions.
inline void duplicates_across_partitions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(1, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    w.consume("worker", [](consumer_ports& p) {
        return standard(p, applies(p), {.once = {.batch_max = 2, .duplicates = duplicates::by_id}});
    });
    w.run();
}

/// One event of a batch fails twice: its neighbours' work stands.
inline void batch_with_one_failing(trial& t) {
    consumer_world w(t);
    unsigned failures = 0;
    for (const auto* id : {"1", "2", "3", "4"}) {
        w.produce(0, make_event(id, id));
    }
    w.consume("worker", [&failures](consumer_ports& p) {
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
    });
    w.run();
    if (is_unfaulted(w)) {
        w.found().check(law::order, w.facts().applied.back().key == "2",
                        "a failing event held up its neighbours");
    }
}

/// More events than may be held at once, one of which does not get on for a while.
inline void flood_in_small_memory(trial& t) {
    consumer_world w(t, {.in_flight_max = 2});
    unsigned failures = 0;
    for (const auto* id : {"1", "2", "3", "4", "5"}) {
        w.produce(0, make_event(id, id));
    }
    w.consume("worker", [&failures](consumer_ports& p) {
        const auto fails_twice = [&p, &failures](const event_view& e, transaction& tx) {
            if (e.id == "1" && failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            return apply(p, e, tx);
        };
        return standard(p, fails_twice, {.from = subscription(2)});
    });
    w.run();
}

/// A dependency of the handler is down for longer than there are attempts: that never counts.
inline void dependency_down(trial& t) {
    consumer_world w(t);
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    const auto up_at = w.time().now().steady + 2s;
    w.consume("worker", [&w, up_at](consumer_ports& p) {
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
    });
    w.run();
}

}  // namespace sinew::laws
