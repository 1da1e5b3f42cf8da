// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/processes_replies.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a reply comes in the moment in which its time is up") {
    sinew::laws::prove("reply_races_time_out", sinew::laws::reply_races_time_out);
    sinew::laws::try_at_random(sinew::laws::reply_races_time_out);
}

TEST_CASE("laws: a late reply changes nothing") {
    sinew::laws::prove("reply_comes_late", sinew::laws::reply_comes_late);
    sinew::laws::try_at_random(sinew::laws::reply_comes_late);
}

TEST_CASE("laws: a reply that is there before its instance waits for it") {
    sinew::laws::prove("reply_comes_early", sinew::laws::reply_comes_early);
    sinew::laws::try_at_random(sinew::laws::reply_comes_early);
}

TEST_CASE("laws: a reply to what was given up changes nothing") {
    sinew::laws::prove("reply_after_giving_up", sinew::laws::reply_after_giving_up);
    sinew::laws::try_at_random(sinew::laws::reply_after_giving_up);
}
