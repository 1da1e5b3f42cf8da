// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/ordering.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a gap that closes in time leaves no trace") {
    sinew::laws::prove("gap_that_closes", sinew::laws::gap_that_closes);
    sinew::laws::try_at_random(sinew::laws::gap_that_closes);
}

TEST_CASE("laws: a gap that does not close in time makes the missing event a dead letter") {
    sinew::laws::prove("gap_that_times_out", sinew::laws::gap_that_times_out);
    sinew::laws::try_at_random(sinew::laws::gap_that_times_out);
}

TEST_CASE("laws: one key on two partitions, read by two consumers, is applied in order") {
    sinew::laws::prove("one_key_on_two_partitions", sinew::laws::one_key_on_two_partitions);
    sinew::laws::try_at_random(sinew::laws::one_key_on_two_partitions);
}

TEST_CASE("laws: an event waits again when the one before it moves to another consumer") {
    sinew::laws::prove("predecessor_moves_away", sinew::laws::predecessor_moves_away);
    sinew::laws::try_at_random(sinew::laws::predecessor_moves_away);
}

TEST_CASE("laws: a key on two partitions keeps its order whichever consumer's turn it is") {
    sinew::laws::prove("whose_turn_it_is", sinew::laws::whose_turn_it_is);
    sinew::laws::try_at_random(sinew::laws::whose_turn_it_is);
}
