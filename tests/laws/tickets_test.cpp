// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/tickets.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: a consumer joins while handlers run that finish later") {
    sinew::laws::prove("rebalance_with_tickets", sinew::laws::rebalance_with_tickets);
    sinew::laws::try_at_random(sinew::laws::rebalance_with_tickets);
}

TEST_CASE("laws: handlers that finish later are remembered together, several in a transaction") {
    sinew::laws::prove("tickets_in_batches", sinew::laws::tickets_in_batches);
    sinew::laws::try_at_random(sinew::laws::tickets_in_batches);
}
