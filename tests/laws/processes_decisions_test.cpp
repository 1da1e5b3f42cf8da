// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_decisions.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: people let a step be tried again, but not where something may be undone") {
    sinew::laws::prove("act_is_retried", sinew::laws::act_is_retried);
    sinew::laws::try_at_random(sinew::laws::act_is_retried);
}

TEST_CASE("laws: nobody acts again on a step behind which something was undone") {
    sinew::laws::prove("act_is_not_retried", sinew::laws::act_is_not_retried);
    sinew::laws::try_at_random(sinew::laws::act_is_not_retried);
}

TEST_CASE("laws: what people have done by hand is not done again") {
    sinew::laws::prove("act_is_skipped", sinew::laws::act_is_skipped);
    sinew::laws::try_at_random(sinew::laws::act_is_skipped);
}

TEST_CASE("laws: a pivot in doubt of which people know that it happened is passed") {
    sinew::laws::prove("pivot_that_happened", sinew::laws::pivot_that_happened);
    sinew::laws::try_at_random(sinew::laws::pivot_that_happened);
}

TEST_CASE(
    "laws: a pivot in doubt of which people know that it did not happen is turned back from") {
    sinew::laws::prove("pivot_that_did_not_happen", sinew::laws::pivot_that_did_not_happen);
    sinew::laws::try_at_random(sinew::laws::pivot_that_did_not_happen);
}
