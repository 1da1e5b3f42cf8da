// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/refusals.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: an entry that is refused for a while holds back its own key alone") {
    sinew::laws::prove("refused_for_a_while", sinew::laws::refused_for_a_while);
    sinew::laws::try_at_random(sinew::laws::refused_for_a_while);
}

TEST_CASE("laws: an entry is parked when its attempts are used up, and not before") {
    sinew::laws::prove("attempts_used_up_in_outbox", sinew::laws::attempts_used_up_in_outbox);
    sinew::laws::try_at_random(sinew::laws::attempts_used_up_in_outbox);
}

TEST_CASE("laws: a topic that is down costs no attempt") {
    sinew::laws::prove("topic_down", sinew::laws::topic_down);
    sinew::laws::try_at_random(sinew::laws::topic_down);
}

TEST_CASE("laws: batches of which a part is refused, or there") {
    sinew::laws::prove("batches", sinew::laws::batches);
    sinew::laws::try_at_random(sinew::laws::batches);
}

TEST_CASE("laws: a topic that throws, or answers too little of a batch, loses nothing") {
    sinew::laws::prove("broken_topic", sinew::laws::broken_topic);
    sinew::laws::try_at_random(sinew::laws::broken_topic);
}
