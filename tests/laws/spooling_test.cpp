// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/spooling.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a spool bridges the time for which a topic is down, in order per key") {
    sinew::laws::prove("spool_bridges_a_gap", sinew::laws::spool_bridges_a_gap);
    sinew::laws::try_at_random(sinew::laws::spool_bridges_a_gap);
}

TEST_CASE("laws: a spool that is full says so, and loses nothing") {
    sinew::laws::prove("spool_is_full", sinew::laws::spool_is_full);
    sinew::laws::try_at_random(sinew::laws::spool_is_full);
}

TEST_CASE("laws: a spool that is too heavy says so, and loses nothing") {
    sinew::laws::prove("spool_is_heavy", sinew::laws::spool_is_heavy);
    sinew::laws::try_at_random(sinew::laws::spool_is_heavy);
}

TEST_CASE("laws: a poison event in the spool parks its key and no other") {
    sinew::laws::prove("spool_with_poison", sinew::laws::spool_with_poison);
    sinew::laws::try_at_random(sinew::laws::spool_with_poison);
}
