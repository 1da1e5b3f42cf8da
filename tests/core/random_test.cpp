// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/random.hpp>

#include <cstdint>

using namespace sinew;

namespace {

/// A source that always says the same.
struct fixed {
    std::uint64_t value;
    constexpr std::uint64_t operator()() const noexcept { return value; }
};

constexpr double uniform_of(std::uint64_t bits) {
    fixed source{bits};
    return uniform(source);
}

constexpr std::uint64_t nth(std::uint64_t seed, int n) {
    splitmix64 g(seed);
    for (int i = 1; i < n; ++i) {
        (void)g();
    }
    return g();
}

}  // namespace

TEST_CASE("splitmix64 yields the numbers of its published sequence") {
    // Of the authors' reference code with the seed 1234567.
    STATIC_REQUIRE(nth(1234567, 1) == 6457827717110365317ULL);
    STATIC_REQUIRE(nth(1234567, 2) == 3203168211198807973ULL);
    STATIC_REQUIRE(nth(1234567, 3) == 9817491932198370423ULL);
    CHECK(nth(1234567, 4) == 4593380528125082431ULL);
    CHECK(nth(1234567, 5) == 16408922859458223821ULL);
}

TEST_CASE("equal seeds give equal numbers") {
    sinew::test::prop("for any seed", [](std::uint64_t seed) {
        splitmix64 a(seed);
        splitmix64 b(seed);
        for (int i = 0; i < 10; ++i) {
            RC_ASSERT(a() == b());
        }
    });
}

TEST_CASE("a uniform number is at least 0 and below 1") {
    STATIC_REQUIRE(uniform_of(0) == 0.0);
    STATIC_REQUIRE(uniform_of(UINT64_MAX) < 1.0);
    STATIC_REQUIRE(uniform_of(1ULL << 63U) == 0.5);
    sinew::test::prop("for any bits", [](std::uint64_t bits) {
        RC_ASSERT(uniform_of(bits) >= 0.0);
        RC_ASSERT(uniform_of(bits) < 1.0);
    });
}

TEST_CASE("two seeds from the operating system differ") {
    CHECK(entropy_seed() != entropy_seed());
    CHECK(entropy_seed() != 0);
}
