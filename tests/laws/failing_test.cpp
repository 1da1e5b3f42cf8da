// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/failing.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: an event that waits for its retry holds back its own key alone") {
    sinew::laws::prove("retry_on_two_keys", sinew::laws::retry_on_two_keys);
    sinew::laws::try_at_random(sinew::laws::retry_on_two_keys);
}

TEST_CASE("laws: an event whose attempts are used up is a dead letter, and its key goes on") {
    sinew::laws::prove("attempts_used_up", sinew::laws::attempts_used_up);
    sinew::laws::try_at_random(sinew::laws::attempts_used_up);
}

TEST_CASE("laws: an event that became a dead letter is not handled when it is delivered again") {
    sinew::laws::prove("would_work_the_next_time", sinew::laws::would_work_the_next_time);
    sinew::laws::try_at_random(sinew::laws::would_work_the_next_time);
}

TEST_CASE("laws: what no attempt can help is a dead letter at once") {
    sinew::laws::prove("permanent_failure", sinew::laws::permanent_failure);
    sinew::laws::try_at_random(sinew::laws::permanent_failure);
}
