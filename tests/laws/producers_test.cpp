// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/producers.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: a producer that writes events twice is found out by their ids") {
    sinew::laws::prove("producer_repeats_itself", sinew::laws::producer_repeats_itself);
    sinew::laws::try_at_random(sinew::laws::producer_repeats_itself);
}

TEST_CASE("laws: a producer that repeats and reorders is put right by the sequence") {
    sinew::laws::prove("producer_is_confused", sinew::laws::producer_is_confused);
    sinew::laws::try_at_random(sinew::laws::producer_is_confused);
}
