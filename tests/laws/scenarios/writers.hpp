// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The plain scenario of the producing side: writers, one of which gives a transaction up, and a
/// relay.

#include "laws/scenarios/publishing_common.hpp"

namespace sinew::laws {

/// Two writers, one of which gives a transaction up, and a relay.
inline void writers_and_relay(trial& t) {
    producer_world w(t);
    relay_counts most;
    w.write("shop",
            {{.name = "1", .adds = {order("a", "a1"), order("b", "b1")}},
             {.name = "2", .adds = {order("a", "never"), order("b", "nor")}, .gives_up = true},
             {.name = "3", .adds = {order("a", "a2")}}});
    w.write("desk", {{.name = "4", .adds = {order("c", "c1")}}});
    w.relay("relay", one_by_one(relaying("relay")), watch(most));
    w.run();
    w.found().sometimes("an event was published twice", was_repeated(w));
    w.found().sometimes("a mark without an answer was repeated",
                        most.marks_unknown != 0 && !was_repeated(w));
    w.found().sometimes("a mark that the outbox did not take was repeated",
                        most.marks_refused != 0 && !was_repeated(w));
    w.found().sometimes("a zombie's mark was refused", most.marks_stale != 0);
}

inline constexpr named_scenario writers_scenarios[] = {
    {"writers_and_relay", writers_and_relay},
};

}  // namespace sinew::laws
