// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/without_transactions.hpp"

#include "laws/prove.hpp"

TEST_CASE(
    "laws: at most once means that faults alone lose events, few of them, and none comes twice") {
    sinew::laws::prove("at_most_once_each", sinew::laws::at_most_once_each);
    sinew::laws::try_at_random(sinew::laws::at_most_once_each);
}

TEST_CASE("laws: duplicates are recognised from memory as long as the process lives") {
    sinew::laws::prove("deduplicate_from_memory", sinew::laws::deduplicate_from_memory);
    sinew::laws::try_at_random(sinew::laws::deduplicate_from_memory);
}
