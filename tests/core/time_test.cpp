// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/time.hpp>

#include <cstdint>

using namespace sinew;

namespace {

constexpr steady_time at(std::int64_t nanoseconds) { return steady_time(duration(nanoseconds)); }

}  // namespace

TEST_CASE("later stops at the ends of the scale") {
    STATIC_REQUIRE(later(at(5), duration(3)) == at(8));
    STATIC_REQUIRE(later(at(5), duration(-8)) == at(-3));
    STATIC_REQUIRE(later(at(5), duration(0)) == at(5));
    STATIC_REQUIRE(later(never, duration(1)) == never);
    STATIC_REQUIRE(later(never, duration(0)) == never);
    STATIC_REQUIRE(later(at(1), duration::max()) == never);
    STATIC_REQUIRE(later(at(0), duration::max()) == never);
    STATIC_REQUIRE(later(at(-1), duration::max()) == at(INT64_MAX - 1));
    STATIC_REQUIRE(later(at(-2), duration::min()) == steady_time::min());
    STATIC_REQUIRE(later(steady_time::min(), duration::min()) == steady_time::min());
    STATIC_REQUIRE(later(never, duration::min()) == at(-1));
}

TEST_CASE("later is the sum, held within the scale") {
    sinew::test::prop("for any instant and any span", [](std::int64_t a, std::int64_t b) {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(a, b, &sum)) {
            sum = b > 0 ? INT64_MAX : INT64_MIN;
        }
        RC_ASSERT(later(at(a), duration(b)) == at(sum));
    });
}

TEST_CASE("the machine's clock is a clock, and its steady part does not go back") {
    STATIC_REQUIRE(sinew::clock<machine_clock>);
    const moment first = machine_clock::now();
    const moment second = machine_clock::now();
    CHECK(second.steady >= first.steady);
    CHECK(first.wall > wall_time{});
}
