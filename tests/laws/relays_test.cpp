// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/relays.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: two relays and one shard, of which one stands still") {
    sinew::laws::prove("two_relays_one_shard", sinew::laws::two_relays_one_shard);
    sinew::laws::try_at_random(sinew::laws::two_relays_one_shard);
}

TEST_CASE("laws: a relay that dies is replaced, and its key goes on in order") {
    sinew::laws::prove("takeover", sinew::laws::takeover);
    sinew::laws::try_at_random(sinew::laws::takeover);
}

TEST_CASE("laws: two relays share the shards, and one takes the part of the other") {
    sinew::laws::prove("shared_shards", sinew::laws::shared_shards);
    sinew::laws::try_at_random(sinew::laws::shared_shards);
}

TEST_CASE("laws: a relay that is told to stop ends in time and gives its shard away") {
    sinew::laws::prove("handed_over", sinew::laws::handed_over);
    sinew::laws::try_at_random(sinew::laws::handed_over);
}
