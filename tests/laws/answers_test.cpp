// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/answers.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a service that is told at once that the topic is down loses nothing") {
    sinew::laws::prove("fails_fast", sinew::laws::fails_fast);
    sinew::laws::try_at_random(sinew::laws::fails_fast);
}

TEST_CASE("laws: what is tried again behind a breaker is not refused when it is there") {
    sinew::laws::prove("tries_again", sinew::laws::tries_again);
    sinew::laws::try_at_random(sinew::laws::tries_again);
}

TEST_CASE("laws: what a topic does not take goes another way") {
    sinew::laws::prove("falls_back", sinew::laws::falls_back);
    sinew::laws::try_at_random(sinew::laws::falls_back);
}
