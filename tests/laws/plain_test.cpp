// SPDX-License-Identifier: BSL-1.0
#include "laws/scenarios/plain.hpp"

#include "laws/prove.hpp"

TEST_CASE("laws: four events of two keys") {
    sinew::laws::prove("plain", sinew::laws::plain);
    sinew::laws::try_at_random(sinew::laws::plain);
}

TEST_CASE("laws: what the broker delivers again is recognised by its offset") {
    sinew::laws::prove("once_by_offset", sinew::laws::once_by_offset);
    sinew::laws::try_at_random(sinew::laws::once_by_offset);
}

TEST_CASE("laws: an event that was produced twice is applied once, wherever it stands") {
    sinew::laws::prove("duplicates_across_partitions", sinew::laws::duplicates_across_partitions);
    sinew::laws::try_at_random(sinew::laws::duplicates_across_partitions);
}

TEST_CASE("laws: an event that fails in a batch leaves its neighbours' work standing") {
    sinew::laws::prove("batch_with_one_failing", sinew::laws::batch_with_one_failing);
    sinew::laws::try_at_random(sinew::laws::batch_with_one_failing);
}

TEST_CASE("laws: more events come than may be held") {
    sinew::laws::prove("flood_in_small_memory", sinew::laws::flood_in_small_memory);
    sinew::laws::try_at_random(sinew::laws::flood_in_small_memory);
}

TEST_CASE("laws: more bytes come than may be held") {
    sinew::laws::prove("flood_of_bytes", sinew::laws::flood_of_bytes);
    sinew::laws::try_at_random(sinew::laws::flood_of_bytes);
}

TEST_CASE("laws: a dependency that is down for long uses up no attempt") {
    sinew::laws::prove("dependency_down", sinew::laws::dependency_down);
    sinew::laws::try_at_random(sinew::laws::dependency_down);
}
