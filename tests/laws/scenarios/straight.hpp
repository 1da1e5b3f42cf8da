// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which events go straight from their source through the handler, as long as nothing
/// waits. Where handlers act outside of transactions, faults may repeat an effect, one each.

#include "laws/scenarios/common.hpp"

#include <functional>

namespace sinew::laws {

using plain_handler = std::function<void(const event_view&)>;

/// Behind a dead letter its key goes on: nothing has to be looked up before an event is handled.
[[nodiscard]] inline dead_letter_options letters_to_pass() {
    auto options = letters_at_rest();
    options.following = following::pass;
    return options;
}

[[nodiscard]] inline auto straight(consumer_ports& p, plain_handler f) {
    return subscribe(p.source(), subscription()) |
           dead_letter(p.letters_elsewhere(), letters_to_pass()) | retry(patient_retry()) |
           idempotent_by_nature() | handle(std::move(f));
}

/// Each effect at most once, and once more for each fault.
inline void check_repetitions(consumer_world& w) {
    for (const auto& one : w.facts().produced) {
        w.found().check(
            law::nothing_twice, w.facts().times_applied(one.original.id) <= 1 + faults_of(w),
            [&one] { return one.original.id + " was applied more often than faults explain"; });
    }
}

/// One event fails for a while. Its key waits, and the other does not; what comes later must not
/// overtake what waits.
inline void straight_past_a_retry(trial& t) {
    consumer_world w(t, {.partitions = 2, .at_least_once = true});
    consumer_counts most;
    unsigned failures = 0;
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce_after(100ms, 0, make_event("a", "a3"));
    w.produce_after(100ms, 1, make_event("b", "b2"));
    const auto make = [&failures](consumer_ports& p) {
        return straight(p, [&failures, &p](const event_view& e) {
            if (e.id == "a2" && failures < 2) {
                ++failures;
                throw transient_error("not_yet", "not yet");
            }
            p.self.pass_through("handler");
            p.apply(e.partitionkey, e.id);
        });
    };
    w.consume("worker", make, watch(most));
    w.run();
    check_repetitions(w);
    w.found().sometimes("an event that went straight was tried again", most.retries != 0);
}

/// No attempt can help one event, and one is no event at all.
inline void straight_to_the_letters(trial& t) {
    consumer_world w(t, {.at_least_once = true});
    event nameless = make_event("b", "b1");
    nameless.type.clear();
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_full_event("a", "a2"), fate::dead_lettered);
    w.produce(0, nameless, fate::dead_lettered);
    w.produce(0, make_event("a", "a3"));
    w.consume("worker", [](consumer_ports& p) {
        return straight(p, [&p](const event_view& e) {
            if (e.id == "a2") {
                throw permanent_error("no_use", "no attempt can help");
            }
            p.self.pass_through("handler");
            p.apply(e.partitionkey, e.id);
        });
    });
    w.run();
    check_repetitions(w);
}

/// Partitions change hands while events go straight.
inline void straight_in_a_group(trial& t) {
    consumer_world w(t, {.partitions = 2, .at_least_once = true});
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce_after(2s, 0, make_event("a", "a2"));
    w.produce_after(2s, 1, make_event("b", "b2"));
    const auto make = [](consumer_ports& p) {
        return straight(p, [&p](const event_view& e) {
            p.self.pass_through("handler");
            p.apply(e.partitionkey, e.id);
        });
    };
    w.consume("first", make);
    w.consume_after(1s, "second", make);
    w.run();
    check_repetitions(w);
}

/// A key comes out of order: what comes too early waits, and what is next goes straight.
inline void straight_in_sequence(trial& t) {
    consumer_world w(t, {.at_least_once = true});
    consumer_counts most;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(0, make_event("b", "b1", 1));
    w.produce(0, make_event("a", "a2", 2));
    w.produce_after(2s, 0, make_event("a", "a4", 4));
    const auto make = [](consumer_ports& p) {
        return subscribe(p.source(), subscription()) |
               in_sequence({.gap_timeout = 5min, .look_again = 1min}) |
               dead_letter(p.letters_elsewhere(), letters_to_pass()) | retry(patient_retry()) |
               idempotent_by_nature() | handle(plain_handler([&p](const event_view& e) {
                   p.self.pass_through("handler");
                   p.apply(e.partitionkey, e.id);
               }));
    };
    w.consume("worker", make, watch(most));
    w.run();
    check_repetitions(w);
    w.found().sometimes("an event waited for the one before it, which went straight",
                        most.held != 0);
}

/// Four events of a transaction go straight. What fails takes along those that share a savepoint
/// with it, and they run again, before what stands behind them in their keys.
inline void straight_into_a_transaction(trial& t) {
    consumer_world w(t, {.partitions = 2});
    consumer_counts most;
    unsigned runs_of_a1 = 0;
    unsigned runs_of_a2 = 0;
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(1, make_event("b", "b2"));
    const auto make = [&](consumer_ports& p) {
        return standard(p,
                        [&](const event_view& e, transaction& tx) {
                            tx.effect(e);
                            runs_of_a1 += e.id == "a1" ? 1U : 0U;
                            if (e.id == "a2" && ++runs_of_a2 <= 2) {
                                throw transient_error("not_yet", "not yet");
                            }
                            p.self.pass_through("handler");
                            return outcome::done();
                        },
                        {.once = {.batch_max = 8}});
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("an event ran again, as it shared a savepoint with one that failed",
                        is_unfaulted(w) && runs_of_a1 == 2 && most.retries == 2);
}

/// The same with an order in each key: what comes too early waits, and what it waits for goes
/// straight into the transaction.
inline void straight_into_a_transaction_in_sequence(trial& t) {
    consumer_world w(t);
    consumer_counts most;
    w.produce(0, make_event("a", "a1", 1));
    w.produce(0, make_event("b", "b1", 1));
    w.produce(0, make_event("a", "a3", 3));
    w.produce(0, make_event("a", "a2", 2));
    const auto make = [](consumer_ports& p) {
        const shape o;
        return subscribe(p.source(), o.from) |
               in_sequence({.gap_timeout = 30min, .look_again = 10min}) |
               dead_letter(p.letters(), o.letters) | retry(o.retries) |
               once(p.store, {.batch_max = 8}) | handle(applies(p));
    };
    w.consume("worker", make, watch(most));
    w.run();
    w.found().sometimes("an event waited for the one before it, which joined a transaction",
                        most.held != 0);
}

inline constexpr named_scenario straight_scenarios[] = {
    {"straight_past_a_retry", straight_past_a_retry},
    {"straight_to_the_letters", straight_to_the_letters},
    {"straight_in_a_group", straight_in_a_group},
    {"straight_in_sequence", straight_in_sequence},
    {"straight_into_a_transaction", straight_into_a_transaction},
    {"straight_into_a_transaction_in_sequence", straight_into_a_transaction_in_sequence},
};

}  // namespace sinew::laws
