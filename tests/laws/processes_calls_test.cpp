// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_calls.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a step that calls never runs again once it is recorded") {
    sinew::laws::prove("three_calls", sinew::laws::three_calls);
    sinew::laws::try_at_random(sinew::laws::three_calls);
}

TEST_CASE("laws: a service that is away costs a step no attempt") {
    sinew::laws::prove("service_is_away", sinew::laws::service_is_away);
    sinew::laws::try_at_random(sinew::laws::service_is_away);
}
