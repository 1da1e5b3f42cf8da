// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/groups.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a consumer joins while another has a batch open") {
    sinew::laws::prove("rebalance_with_transactions", sinew::laws::rebalance_with_transactions);
    sinew::laws::try_at_random(sinew::laws::rebalance_with_transactions);
}
