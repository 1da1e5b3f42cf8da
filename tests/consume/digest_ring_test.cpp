// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/digest_ring.hpp>
#include <sinew/core/random.hpp>

#include <cstdint>
#include <deque>
#include <vector>

namespace {

using sinew::digest;
using sinew::detail::digest_ring;

constexpr digest random_digest(std::uint64_t n) {
    sinew::splitmix64 bits(n * 0x632be59bd9b4e019ULL);
    return {bits(), bits()};
}

/// All have the same home and the same second line, and most share their tag.
constexpr digest crowded_digest(std::uint64_t n) { return {0x1111, n << 24U}; }

/// Fills the ring and goes round a few times. Everything that is in it has to be found, and nothing
/// that has left it.
constexpr bool remembers_the_last(std::size_t capacity, std::uint64_t rounds, bool crowd) {
    digest_ring ring(capacity);
    const auto id = [crowd](std::uint64_t n) {
        return crowd ? crowded_digest(n) : random_digest(n);
    };
    for (std::uint64_t n = 0; n < rounds * capacity; ++n) {
        if (ring.full()) {
            ring.pop();
        }
        if (ring.contains(id(n))) {
            return false;
        }
        ring.push(id(n));
        const std::uint64_t oldest = n + 1 - ring.size();
        if (!ring.contains(id(n)) || !ring.contains(id(oldest)) ||
            (oldest > 0 && ring.contains(id(oldest - 1)))) {
            return false;
        }
    }
    for (std::uint64_t back = 1; back <= capacity; ++back) {
        if (!ring.contains(id(rounds * capacity - back))) {
            return false;
        }
    }
    return ring.check_invariants();
}

}  // namespace

TEST_CASE("digest ring: what is in it is found, what has left it is not") {
    STATIC_REQUIRE(remembers_the_last(30, 3, false));
    for (const std::size_t capacity : {1U, 2U, 3U, 14U, 15U, 16U, 31U, 100U, 1000U, 5000U}) {
        CAPTURE(capacity);
        CHECK(remembers_the_last(capacity, 5, false));
    }
}

TEST_CASE("digest ring: digests that all want the same line are told apart as well") {
    STATIC_REQUIRE(remembers_the_last(40, 3, true));
    for (const std::size_t capacity : {1U, 15U, 16U, 31U, 32U, 33U, 100U, 1000U}) {
        CAPTURE(capacity);
        CHECK(remembers_the_last(capacity, 4, true));
    }
}

TEST_CASE("digest ring: it grows and shrinks for ever, and keeps its invariants") {
    sinew::splitmix64 random(7);
    for (const bool crowd : {false, true}) {
        digest_ring ring(200);
        std::deque<digest> model;
        std::uint64_t next = 0;
        for (int i = 0; i < 300; ++i) {
            const std::uint64_t pushes = random() % 60;
            for (std::uint64_t k = 0; k < pushes && !ring.full(); ++k) {
                const digest d =
                    crowd && next % 3 != 0 ? crowded_digest(next) : random_digest(next);
                ++next;
                ring.push(d);
                model.push_back(d);
            }
            const std::uint64_t pops = random() % 60;
            for (std::uint64_t k = 0; k < pops && ring.size() != 0; ++k) {
                ring.pop();
                REQUIRE_FALSE(ring.contains(model.front()));
                model.pop_front();
            }
            REQUIRE(ring.check_invariants());
        }
        CHECK(ring.size() == model.size());
        for (const digest& d : model) {
            CHECK(ring.contains(d));
        }
    }
}

TEST_CASE("digest ring: a digest takes up less than 20 bytes") {
    for (const std::size_t capacity : {1000U, 100'000U, 1'000'000U}) {
        CHECK(static_cast<double>(digest_ring(capacity).bytes()) <=
              19.5 * static_cast<double>(capacity));
    }
}

TEST_CASE("digest ring: fetching what will be looked at changes nothing") {
    digest_ring ring(10);
    ring.push(random_digest(1));
    ring.fetch(random_digest(1));
    ring.fetch(random_digest(2));
    CHECK(ring.contains(random_digest(1)));
    CHECK_FALSE(ring.contains(random_digest(2)));
    CHECK(ring.check_invariants());
}
