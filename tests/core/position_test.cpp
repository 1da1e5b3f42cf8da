// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/position.hpp>

using namespace sinew;

TEST_CASE("places are ordered by partition, then by offset") {
    STATIC_REQUIRE(position{1, 5} == position{1, 5});
    STATIC_REQUIRE(position{1, 5} < position{1, 6});
    STATIC_REQUIRE(position{1, 9} < position{2, 0});
    STATIC_REQUIRE(position{0, -1} < position{0, 0});
}
