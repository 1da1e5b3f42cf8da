// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_runners.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: two runners and one instance, of which one stands still") {
    sinew::laws::prove("two_runners", sinew::laws::two_runners);
    sinew::laws::try_at_random(sinew::laws::two_runners);
}

TEST_CASE("laws: a runner that dies is replaced, and its saga goes back") {
    sinew::laws::prove("runner_replaced", sinew::laws::runner_replaced);
    sinew::laws::try_at_random(sinew::laws::runner_replaced);
}

TEST_CASE("laws: a runner that comes back while its successor is at work changes nothing") {
    sinew::laws::prove("runner_comes_back", sinew::laws::runner_comes_back);
    sinew::laws::try_at_random(sinew::laws::runner_comes_back);
}

TEST_CASE("laws: a runner that is told to stop ends in time and gives its instances away") {
    sinew::laws::prove("runner_handed_over", sinew::laws::runner_handed_over);
    sinew::laws::try_at_random(sinew::laws::runner_handed_over);
}

TEST_CASE("laws: what was claimed before its turn is given back by a runner that is slow") {
    sinew::laws::prove("waits_for_its_turn", sinew::laws::waits_for_its_turn);
    sinew::laws::try_at_random(sinew::laws::waits_for_its_turn);
}

TEST_CASE("laws: what kills its process is found out while others wait for their turn") {
    sinew::laws::prove("poison_before_others", sinew::laws::poison_before_others);
    sinew::laws::try_at_random(sinew::laws::poison_before_others);
}

TEST_CASE("laws: a runner that hardly looks is woken by a start and by a reply") {
    sinew::laws::prove("runner_woken", sinew::laws::runner_woken);
    sinew::laws::try_at_random(sinew::laws::runner_woken);
}
