// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_people.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a saga that is cancelled before its pivot goes back") {
    sinew::laws::prove("cancelled_before_pivot", sinew::laws::cancelled_before_pivot);
    sinew::laws::try_at_random(sinew::laws::cancelled_before_pivot);
}

TEST_CASE("laws: a saga that is cancelled while it waits for a reply undoes the command") {
    sinew::laws::prove("cancelled_while_waiting", sinew::laws::cancelled_while_waiting);
    sinew::laws::try_at_random(sinew::laws::cancelled_while_waiting);
}

TEST_CASE("laws: a saga that is cancelled does not wait for its reply any more") {
    sinew::laws::prove("cancelled_in_a_long_wait", sinew::laws::cancelled_in_a_long_wait);
    sinew::laws::try_at_random(sinew::laws::cancelled_in_a_long_wait);
}

TEST_CASE("laws: a saga that is cancelled while a call may have happened undoes that") {
    sinew::laws::prove("cancelled_in_doubt", sinew::laws::cancelled_in_doubt);
    sinew::laws::try_at_random(sinew::laws::cancelled_in_doubt);
}

TEST_CASE("laws: a saga that is cancelled behind its pivot goes on") {
    sinew::laws::prove("cancelled_behind_pivot", sinew::laws::cancelled_behind_pivot);
    sinew::laws::try_at_random(sinew::laws::cancelled_behind_pivot);
}

TEST_CASE("laws: a step that kills its process is parked, and nothing beside it is") {
    sinew::laws::prove("poisoned_step", sinew::laws::poisoned_step);
    sinew::laws::try_at_random(sinew::laws::poisoned_step);
}

TEST_CASE("laws: what was poison and is mended goes on where it stood") {
    sinew::laws::prove("poison_is_mended", sinew::laws::poison_is_mended);
    sinew::laws::try_at_random(sinew::laws::poison_is_mended);
}

TEST_CASE("laws: a process whose code has changed without saying so is parked") {
    sinew::laws::prove("changed_undeclared", sinew::laws::changed_undeclared);
    sinew::laws::try_at_random(sinew::laws::changed_undeclared);
}

TEST_CASE("laws: a process whose code has changed and says so goes on") {
    sinew::laws::prove("changed_declared", sinew::laws::changed_declared);
    sinew::laws::try_at_random(sinew::laws::changed_declared);
}
