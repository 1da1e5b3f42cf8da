// SPDX-License-Identifier: BSL-1.0
#include "laws/prove.hpp"
#include "laws/scenarios/failing.hpp"

TEST_CASE("laws: an event that kills the process is a dead letter after a few restarts") {
    sinew::laws::prove("poison", sinew::laws::poison);
    // Not at random: with many faults, an innocent event that runs alone meets three deaths from
    // outside now and then, and nobody could tell it from a culprit.
}
