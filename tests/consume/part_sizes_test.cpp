// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/part_sizes.hpp>

#include <cstddef>

using sinew::detail::part_sizes;

namespace {

constexpr bool grows_back() {
    part_sizes sizes(6);
    bool good = sizes.size() == 6;
    sizes.undone();
    for (const std::size_t size : {1U, 2U, 4U, 6U, 6U}) {
        good = good && sizes.size() == size;
        sizes.kept(size);
    }
    return good;
}

constexpr bool does_not_grow_unfilled() {
    part_sizes sizes(8);
    sizes.undone();
    sizes.kept(1);
    sizes.kept(1);
    sizes.kept(0);
    return sizes.size() == 2;
}

}  // namespace

TEST_CASE(
    "a part holds one event after a failure, and doubles with each that was filled and kept") {
    STATIC_REQUIRE(grows_back());
    STATIC_REQUIRE(does_not_grow_unfilled());
    CHECK(grows_back());
    CHECK(does_not_grow_unfilled());
}

TEST_CASE("a part that holds one event at most always does") {
    part_sizes sizes(1);
    sizes.kept(1);
    CHECK(sizes.size() == 1);
    sizes.undone();
    CHECK(sizes.size() == 1);
}

TEST_CASE("however failures fall, hardly more events run again for others than were kept") {
    sinew::test::prop("for all histories", [] {
        const auto largest = *rc::gen::inRange<std::size_t>(1, 70);
        part_sizes sizes(largest);
        std::size_t in_part = 0;
        std::size_t kept = 0;
        std::size_t again = 0;
        const auto steps = *rc::gen::inRange(0, 2'000);
        const auto rarity = *rc::gen::inRange(2, 40);
        for (int i = 0; i < steps; ++i) {
            const auto what = *rc::gen::inRange(0, rarity);
            if (what == 0) {  // the next event fails
                again += in_part;
                in_part = 0;
                sizes.undone();
            } else if (what == 1 ||
                       ++in_part >= sizes.size()) {  // the transaction ends, or the part
                sizes.kept(in_part);
                kept += in_part;
                in_part = 0;
            }
            RC_ASSERT(sizes.size() >= 1);
            RC_ASSERT(sizes.size() <= largest);
            RC_ASSERT(in_part < sizes.size());
            RC_ASSERT(again < kept + largest);
        }
    });
}
