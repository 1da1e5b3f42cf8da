// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which the topic refuses an event for a while, or is down.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

/// An event is refused a few times, and then works.
inline void refused_for_a_while(trial& t) {
    producer_world w(t);
    relay_counts most;
    w.topic().refuse("a1", failure_class::transient, 3);
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("a", "a2"), order("b", "b1")}},
                     {.name = "2", .adds = {order("b", "b2")}}});
    w.relay("relay", one_by_one(relaying("relay")), watch(most));
    w.run();
    w.found().sometimes("an event was put off more than once", most.put_off > 2);
}

/// An event is refused until its attempts are used up.
inline void attempts_used_up_in_outbox(trial& t) {
    producer_world w(t);
    auto options = relaying("relay");
    options.max_attempts = 3;
    w.topic().refuse("a1", failure_class::transient);
    w.expect("a1", outbox_fate::parked);
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("b", "b1")}}});
    w.relay("relay", one_by_one(options));
    w.run();
    // A refusal whose record got lost is counted at the next one.
    w.found().check(law::nothing_lost, w.topic().refusals() >= 3,
                    "an event was parked before its attempts were used up");
}

/// The topic is down for longer than there are attempts: that never counts.
inline void topic_down(trial& t) {
    producer_world w(t);
    relay_counts most;
    auto options = relaying("relay");
    options.max_attempts = 3;
    w.topic().down_between(0s, 8s);
    w.write("shop", {{.name = "1", .adds = {order("a", "a1"), order("b", "b1")}},
                     {.name = "2", .adds = {order("a", "a2")}}});
    w.relay("relay", one_by_one(options), watch(most));
    w.run();
    w.found().sometimes("a topic was down for more tries than there are attempts",
                        w.topic().tries_while_down() > 3);
}

/// In batches, with one event that is refused for a while.
inline void batches(trial& t) {
    producer_world w(t);
    relay_counts most;
    w.topic().refuse("a1", failure_class::transient, 1);
    w.write("shop",
            {{.name = "1",
              .adds = {order("a", "a1"), order("a", "a2"), order("b", "b1"), order("", "n1")}},
             {.name = "2", .adds = {order("b", "b2")}}});
    w.relay("relay", in_batches(relaying("relay")), watch(most));
    w.run();
    w.found().sometimes(
        "a batch was there in part, and the rest came after it",
        w.found().happened[static_cast<std::size_t>(fault::partial)] != 0 && !was_repeated(w));
}

/// A topic that breaks its contract: it answers too little of a batch, and throws.
inline void broken_topic(trial& t) {
    producer_world w(t);
    w.topic().break_at("a2", topic_mistake::answers_short);
    w.topic().break_at("b2", topic_mistake::throws);
    w.write("shop",
            {{.name = "1",
              .adds = {order("a", "a1"), order("a", "a2"), order("b", "b1"), order("b", "b2")}}});
    w.relay("relay", in_batches(relaying("relay")));
    w.run();
    w.found().sometimes("a topic broke its contract twice", w.topic().mistakes() == 2);
}

inline constexpr named_scenario refusals_scenarios[] = {
    {"refused_for_a_while", refused_for_a_while},
    {"attempts_used_up_in_outbox", attempts_used_up_in_outbox},
    {"topic_down", topic_down},
    {"batches", batches},
    {"broken_topic", broken_topic},
};

}  // namespace sinew::laws
