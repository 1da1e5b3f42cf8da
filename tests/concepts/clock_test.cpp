// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>

using namespace sinew;

namespace {

/// The smallest clock.
struct archetype_clock {
    moment now() { return {}; }
};

struct tells_steady_time_alone {
    steady_time now() { return {}; }
};

struct tells_by_reference {
    moment at;
    const moment& now() { return at; }
};

struct has_no_now {};

/// The smallest source of random numbers.
struct archetype_random {
    std::uint64_t operator()() { return 4; }
};

struct yields_32_bits {
    std::uint32_t operator()() { return 4; }
};

struct yields_a_fraction {
    double operator()() { return 0.4; }
};

struct takes_a_bound {
    std::uint64_t operator()(std::uint64_t bound) { return bound; }
};

}  // namespace

TEST_CASE("a clock yields moments") {
    STATIC_REQUIRE(sinew::clock<archetype_clock>);
    STATIC_REQUIRE(sinew::clock<machine_clock>);
}

TEST_CASE("what yields one reading, or a reference to a moment that may change, is no clock") {
    STATIC_REQUIRE_FALSE(sinew::clock<tells_steady_time_alone>);
    STATIC_REQUIRE_FALSE(sinew::clock<tells_by_reference>);
    STATIC_REQUIRE_FALSE(sinew::clock<has_no_now>);
}

TEST_CASE("a random source yields 64 bits at each call") {
    STATIC_REQUIRE(random_source<archetype_random>);
    STATIC_REQUIRE(random_source<splitmix64>);
}

TEST_CASE("what yields fewer bits, or needs an argument, is no random source") {
    STATIC_REQUIRE_FALSE(random_source<yields_32_bits>);
    STATIC_REQUIRE_FALSE(random_source<yields_a_fraction>);
    STATIC_REQUIRE_FALSE(random_source<takes_a_bound>);
}
