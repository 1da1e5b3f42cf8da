// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/dead_letters.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: dead letters in a place of their own") {
    sinew::laws::prove("dead_letters_elsewhere", sinew::laws::dead_letters_elsewhere);
    sinew::laws::try_at_random(sinew::laws::dead_letters_elsewhere);
}

TEST_CASE("laws: while the dead-letter place is down the consumer waits and drops nothing") {
    sinew::laws::prove("dead_letter_place_down", sinew::laws::dead_letter_place_down);
    sinew::laws::try_at_random(sinew::laws::dead_letter_place_down);
}
