// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/giving_up.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: a consumer that halts leaves nothing out, and goes on when it was mended") {
    sinew::laws::prove("halt_until_mended", sinew::laws::halt_until_mended);
    // Not at random: with many faults, the event at which it halts meets the deaths from outside
    // that make it a suspect for good.
}

TEST_CASE("laws: what is discarded or skipped is set aside, counted, and nothing else is") {
    sinew::laws::prove("discard_and_skip", sinew::laws::discard_and_skip);
    // Not at random: where there are no dead letters, an innocent event that meets three deaths
    // from outside is discarded.
}
