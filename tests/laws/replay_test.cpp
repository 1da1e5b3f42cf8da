// SPDX-License-Identifier: BSL-1.0
#include "laws/prove.hpp"
#include "laws/scenarios/dead_letters.hpp"

TEST_CASE("laws: a dead letter is replayed with what was parked behind it, in the key's order") {
    sinew::laws::prove("replay", sinew::laws::replay);
    sinew::laws::try_at_random(sinew::laws::replay);
}

TEST_CASE("laws: a dead letter is replayed from a place of its own") {
    sinew::laws::prove("replay_from_elsewhere", sinew::laws::replay_from_elsewhere);
    sinew::laws::try_at_random(sinew::laws::replay_from_elsewhere);
}
