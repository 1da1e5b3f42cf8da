// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/publishing.hpp"
#include "laws/prove.hpp"
#include "laws/scenarios/writers.hpp"

TEST_CASE("laws: what is committed is published, and what is not is not") {
    sinew::laws::prove("writers_and_relay", sinew::laws::writers_and_relay);
    sinew::laws::try_at_random(sinew::laws::writers_and_relay);
}

TEST_CASE("laws: two writers of one key number its events in the order of their commits") {
    sinew::laws::prove("two_writers_of_one_key", sinew::laws::two_writers_of_one_key);
    sinew::laws::try_at_random(sinew::laws::two_writers_of_one_key);
}

TEST_CASE("laws: an event whose transaction commits late is not skipped") {
    sinew::laws::prove("later_number_first", sinew::laws::later_number_first);
    sinew::laws::try_at_random(sinew::laws::later_number_first);
}

TEST_CASE("laws: what was published is purged in small bites, and nothing else is") {
    sinew::laws::prove("purged_while_running", sinew::laws::purged_while_running);
    sinew::laws::try_at_random(sinew::laws::purged_while_running);
}

TEST_CASE("laws: events without a key keep what they bring and wait for nothing") {
    sinew::laws::prove("without_keys", sinew::laws::without_keys);
    sinew::laws::try_at_random(sinew::laws::without_keys);
}

TEST_CASE("laws: a relay is woken by what a handler adds as an effect of its event") {
    sinew::laws::prove("woken_by_a_handler", sinew::laws::woken_by_a_handler);
    sinew::laws::try_at_random(sinew::laws::woken_by_a_handler);
}
