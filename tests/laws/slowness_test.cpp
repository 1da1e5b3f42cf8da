// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/slowness.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a topic that is slow lets no lease run out at work") {
    sinew::laws::prove("slow_topic", sinew::laws::slow_topic);
    sinew::laws::try_at_random(sinew::laws::slow_topic);
}

TEST_CASE("laws: an outbox that is slow lets no lease run out at work") {
    sinew::laws::prove("slow_outbox", sinew::laws::slow_outbox);
    sinew::laws::try_at_random(sinew::laws::slow_outbox);
}
