// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_saga.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a saga goes all the way") {
    sinew::laws::prove("saga_completes", sinew::laws::saga_completes);
    sinew::laws::try_at_random(sinew::laws::saga_completes);
}

TEST_CASE("laws: a saga that fails at its first step has nothing to undo") {
    sinew::laws::prove("saga_fails_at_reserve", sinew::laws::saga_fails_at_reserve);
    sinew::laws::try_at_random(sinew::laws::saga_fails_at_reserve);
}

TEST_CASE("laws: a saga that fails at a call goes back") {
    sinew::laws::prove("saga_fails_at_charge", sinew::laws::saga_fails_at_charge);
    sinew::laws::try_at_random(sinew::laws::saga_fails_at_charge);
}

TEST_CASE("laws: a saga whose command is refused goes back") {
    sinew::laws::prove("saga_fails_at_points", sinew::laws::saga_fails_at_points);
    sinew::laws::try_at_random(sinew::laws::saga_fails_at_points);
}

TEST_CASE("laws: a saga whose pivot is refused goes back") {
    sinew::laws::prove("saga_fails_at_ship", sinew::laws::saga_fails_at_ship);
    sinew::laws::try_at_random(sinew::laws::saga_fails_at_ship);
}

TEST_CASE("laws: what may have happened is undone") {
    sinew::laws::prove("saga_in_doubt", sinew::laws::saga_in_doubt);
    sinew::laws::try_at_random(sinew::laws::saga_in_doubt);
}

TEST_CASE("laws: a pivot that may have happened is neither repeated nor passed") {
    sinew::laws::prove("pivot_in_doubt", sinew::laws::pivot_in_doubt);
    sinew::laws::try_at_random(sinew::laws::pivot_in_doubt);
}
