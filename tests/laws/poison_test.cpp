// SPDX-License-Identifier: BSL-1.0
#include "laws/prove.hpp"
#include "laws/scenarios/deaths.hpp"
#include "laws/scenarios/failing.hpp"

TEST_CASE("laws: an event that kills the process is a dead letter after a few restarts") {
    sinew::laws::prove("poison", sinew::laws::poison);
    // Not more at random: with many faults, an innocent event that runs alone meets three deaths
    // from outside now and then, and nobody could tell it from a culprit.
    sinew::laws::try_at_random(sinew::laws::poison, {.faults_max = 2});
}

TEST_CASE("laws: the deaths that an event has caused are not forgotten when its partition moves") {
    sinew::laws::prove("poison_meets_a_rebalance", sinew::laws::poison_meets_a_rebalance);
}
