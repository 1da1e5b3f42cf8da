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
