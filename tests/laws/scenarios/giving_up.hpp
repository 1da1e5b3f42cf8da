// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which events are given up without a dead letter: by `halt`, by `discard`, and by a
/// handler that has nothing to do with them.

#include "laws/scenarios/common.hpp"

#include <cstddef>
#include <optional>

namespace sinew::laws {

/// One event will never work, and nothing may be left out: the consumer stops there. Somebody mends
/// the handler, lets the consumer shut down in good order, and starts it again.
inline void halt_until_mended(trial& t) {
    consumer_world w(t, {.poll_interval = 1s});
    bool mended = false;
    bool left_in_order = false;
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(0, make_event("b", "b1"));
    w.produce(0, make_event("a", "a3"));
    w.time().at(10s, [&mended] { mended = true; });
    const auto make = [&mended](consumer_ports& p) {
        const auto works_later = [&p, &mended](const event_view& e, transaction& tx) {
            return e.id == "a2" && !mended ? outcome::reject("bad", "it does not work yet")
                                           : apply(p, e, tx);
        };
        return subscribe(p.source(), subscription()) | halt() | retry(patient_retry()) |
               once(p.store, {.batch_max = 2}) | handle(handler(works_later));
    };
    const auto mend = [&](consumer_ports& p, auto& consumer, moment now) {
        if (!consumer.halted()) {
            return never;
        }
        w.found().check(law::order, mended || w.facts().times_applied("a3") == 0,
                        "an event was applied that stands behind the one that halted its consumer");
        if (mended && consumer.shut_down(now, now.steady + 5s)) {
            left_in_order = true;
            p.self.die("mended and started again");
        }
        return now.steady + 1s;
    };
    w.consume("worker", make, mend);
    w.run();
    w.found().sometimes("a consumer that had halted was shut down in order", left_in_order);
}

/// Two events that nobody will miss: one that can't be processed, and one that the handler has
/// nothing to do with.
inline void discard_and_skip(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("a", "a2"), fate::set_aside);
    w.produce(0, make_event("b", "b1"), fate::set_aside);
    w.produce(0, make_event("a", "a3"));
    const auto make = [&w](consumer_ports& p) {
        const auto picks = [&w, &p](const event_view& e, transaction& tx) {
            if (e.id == "a2") {
                tx.effect(e);
                set_aside(w, e.id);
                return outcome::reject("bad", "it will never work");
            }
            if (e.id == "b1") {
                set_aside(w, e.id);
                return outcome::skip("not_ours", "there is nothing to do");
            }
            return apply(p, e, tx);
        };
        return subscribe(p.source(), subscription()) | discard() | retry(patient_retry()) |
               once(p.store, {.batch_max = 2}) | handle(handler(picks));
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().check(
        law::ledger,
        !is_unfaulted(w) || (most.applied == 2 && most.discarded == 1 && most.skipped == 1),
        "what was set aside is not counted as what it is");
    w.found().sometimes("a discarded event was recognised when it came again",
                        most.duplicates != 0 && most.discarded == 0);
}

inline constexpr named_scenario giving_up_scenarios[] = {
    {"halt_until_mended", halt_until_mended},
    {"discard_and_skip", discard_and_skip},
};

}  // namespace sinew::laws
