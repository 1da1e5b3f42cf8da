// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios of writers and relays in which nothing is wrong with the events.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

/// Two writers add to one key at the same time: one of them is aborted, and there is no hole.
inline void two_writers_of_one_key(trial& t) {
    producer_world w(t);
    w.write("slow", {{.name = "1", .adds = {order("a", "s1")}, .takes = 300ms},
                     {.name = "2", .adds = {order("a", "s2")}}});
    w.write("quick", {{.name = "3", .adds = {order("a", "q1")}}}, 100ms);
    w.relay("relay", one_by_one(relaying("relay")));
    w.run();
    w.found().sometimes("who began first committed later, in the order of the commits",
                        commit_of(w, "q1") < commit_of(w, "s1"));
}

/// The transaction that drew the lower number commits after the relay has published a higher one.
inline void later_number_first(trial& t) {
    producer_world w(t);
    w.write("slow", {{.name = "1", .adds = {order("a", "a1")}, .takes = 3s}});
    w.write("quick",
            {{.name = "2", .adds = {order("b", "b1")}}, {.name = "3", .adds = {order("b", "b2")}}},
            500ms);
    w.relay("relay", one_by_one(relaying("relay")));
    w.run();
    w.found().sometimes("an event that committed late was published after one with a higher number",
                        place_of(w, "b1") < place_of(w, "a1"));
}

/// What was published is purged in small bites, while more is added.
inline void purged_while_running(trial& t) {
    producer_world w(t, {.clocks = {}});
    relay_counts most;
    auto options = relaying("relay");
    options.retention = 1s;
    options.purge_interval = 2s;
    w.write("shop",
            {{.name = "1", .adds = {order("a", "a1"), order("b", "b1"), order("a", "a2")}}});
    w.write("desk", {{.name = "2", .adds = {order("a", "a3")}}}, 4s);
    w.topic().refuse("b1", failure_class::permanent);
    w.expect("b1", outbox_fate::parked);
    w.relay("relay", one_by_one(options), watch(most));
    w.run();
    w.found().sometimes("what was published is purged", most.purged >= 3);
    w.found().sometimes("a purge failed, and was made again",
                        most.purges_failed != 0 && most.purged >= 3);
}

/// Events without a key, in batches of a few bytes.
inline void without_keys(trial& t) {
    producer_world w(t);
    auto options = relaying("relay");
    options.batch_max = 2;
    options.batch_bytes_max = 10;
    event named = order("", "n1");
    named.sequence = "its own";
    w.write("shop", {{.name = "1", .adds = {named, order("", "n2"), order("", "n3")}}});
    w.topic().refuse("n1", failure_class::transient, 1);
    w.relay("relay", one_by_one(options));
    w.run();
    w.found().sometimes("without a key, a failing event was overtaken",
                        place_of(w, "n2") < place_of(w, "n1"));
}

/// A relay that seldom looks is woken when something was added, by a handler whose events continue
/// the conversation of the event that it handles.
inline void woken_by_a_handler(trial& t) {
    producer_world w(t);
    auto options = relaying("relay");
    options.poll_interval = 10s;
    const auto began = w.time().now().steady;
    event cause = order("x", "cause");
    cause.correlationid = "talk";
    w.write("handler",
            {{.name = "1", .adds = {order("a", "a1")}, .cause = cause},
             {.name = "2", .adds = {order("a", "a2"), order("b", "b1")}}},
            2s);
    w.relay("relay", [options](relay_ports& p) {
        p.keeps_to(relay_bounds::of(options));
        return relay(p.waking_box(), p.topic, options);
    });
    w.run();
    for (const auto& one : w.facts().committed) {
        const bool caused = one.what.id == "a1";
        w.found().check(law::as_without_faults,
                        one.what.correlationid == (caused ? "talk" : "") &&
                            one.what.causationid == (caused ? "cause" : "") &&
                            !one.what.time.empty(),
                        "an event does not say when it was made, or why");
    }
    w.found().sometimes("a relay that seldom looks was woken",
                        w.time().now().steady < later(began, 25s));
}

inline constexpr named_scenario publishing_scenarios[] = {
    {"two_writers_of_one_key", two_writers_of_one_key}, {"later_number_first", later_number_first},
    {"purged_while_running", purged_while_running},     {"without_keys", without_keys},
    {"woken_by_a_handler", woken_by_a_handler},
};

}  // namespace sinew::laws
