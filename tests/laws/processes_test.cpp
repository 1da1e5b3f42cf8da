// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a process of three steps goes all the way") {
    sinew::laws::prove("three_steps", sinew::laws::three_steps);
    sinew::laws::try_at_random(sinew::laws::three_steps);
}

TEST_CASE("laws: a process of six steps goes all the way") {
    sinew::laws::prove("six_steps", sinew::laws::six_steps);
    sinew::laws::try_at_random(sinew::laws::six_steps);
}

TEST_CASE("laws: instances share commits, and what fails for one fails for that one alone") {
    sinew::laws::prove("three_at_once", sinew::laws::three_at_once);
    sinew::laws::try_at_random(sinew::laws::three_at_once);
}

TEST_CASE("laws: a step without a way back is parked, and goes on when it is mended") {
    sinew::laws::prove("no_way_back", sinew::laws::no_way_back);
    sinew::laws::try_at_random(sinew::laws::no_way_back);
}

TEST_CASE("laws: what has ended is purged, and nothing else is") {
    sinew::laws::prove("purged_while_processes_run", sinew::laws::purged_while_processes_run);
    sinew::laws::try_at_random(sinew::laws::purged_while_processes_run);
}
