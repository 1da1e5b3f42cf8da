// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/entries.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a poison entry parks its key and no other, until people let it go") {
    sinew::laws::prove("poison_parks_its_key", sinew::laws::poison_parks_its_key);
    sinew::laws::try_at_random(sinew::laws::poison_parks_its_key);
}

TEST_CASE("laws: a poison entry lets its key pass where that was asked for") {
    sinew::laws::prove("poison_lets_its_key_pass", sinew::laws::poison_lets_its_key_pass);
    sinew::laws::try_at_random(sinew::laws::poison_lets_its_key_pass);
}

TEST_CASE("laws: behind a poison entry that is given up its key goes on") {
    sinew::laws::prove("poison_is_discarded", sinew::laws::poison_is_discarded);
    sinew::laws::try_at_random(sinew::laws::poison_is_discarded);
}
