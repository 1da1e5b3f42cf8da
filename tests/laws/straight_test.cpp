// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/straight.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: an event that goes straight overtakes nothing that waits") {
    sinew::laws::prove("straight_past_a_retry", sinew::laws::straight_past_a_retry);
    sinew::laws::try_at_random(sinew::laws::straight_past_a_retry);
}

TEST_CASE("laws: an event that fails on its straight way is a dead letter like any other") {
    sinew::laws::prove("straight_to_the_letters", sinew::laws::straight_to_the_letters);
    sinew::laws::try_at_random(sinew::laws::straight_to_the_letters);
}

TEST_CASE("laws: partitions change hands while events go straight") {
    sinew::laws::prove("straight_in_a_group", sinew::laws::straight_in_a_group);
    sinew::laws::try_at_random(sinew::laws::straight_in_a_group);
}

TEST_CASE("laws: the next of its key goes straight, and what comes too early waits") {
    sinew::laws::prove("straight_in_sequence", sinew::laws::straight_in_sequence);
    sinew::laws::try_at_random(sinew::laws::straight_in_sequence);
}

TEST_CASE("laws: what fails takes along those that share a savepoint with it, and no other") {
    sinew::laws::prove("straight_into_a_transaction", sinew::laws::straight_into_a_transaction);
    sinew::laws::try_at_random(sinew::laws::straight_into_a_transaction);
}

TEST_CASE("laws: the next of its key goes straight into the transaction") {
    sinew::laws::prove("straight_into_a_transaction_in_sequence",
                       sinew::laws::straight_into_a_transaction_in_sequence);
    sinew::laws::try_at_random(sinew::laws::straight_into_a_transaction_in_sequence);
}
