// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/position.hpp>

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

using namespace sinew;

namespace {

void check_invariants(const applied_offsets& offsets) {
    const auto& ranges = offsets.beyond();
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        RC_ASSERT(ranges[i].first <= ranges[i].last);
        RC_ASSERT(ranges[i].first > offsets.through());
        if (i > 0) {
            RC_ASSERT(ranges[i].first - 1 > ranges[i - 1].last);
        }
    }
}

/// Offsets at both ends of the scale, and between.
rc::Gen<log_offset> any_offset() {
    return rc::gen::oneOf(rc::gen::inRange<log_offset>(-3, 40),
                          rc::gen::elementOf(std::vector<log_offset>{INT64_MIN, INT64_MIN + 1,
                                                                     INT64_MAX - 1, INT64_MAX}),
                          rc::gen::arbitrary<log_offset>());
}

}  // namespace

TEST_CASE("at the beginning nothing is applied") {
    const applied_offsets offsets;
    CHECK(offsets.through() == -1);
    CHECK(offsets.beyond().empty());
    CHECK_FALSE(offsets.contains(0));
    CHECK(offsets.contains(-1));
}

TEST_CASE("what was added is contained, and neighbours become one range") {
    applied_offsets offsets;
    offsets.add(3);
    offsets.add(5);
    CHECK(offsets.beyond() == std::vector<offset_range>{{3, 3}, {5, 5}});
    offsets.add(4);
    CHECK(offsets.beyond() == std::vector<offset_range>{{3, 5}});
    offsets.add({1, 9});
    CHECK(offsets.beyond() == std::vector<offset_range>{{1, 9}});
    CHECK_FALSE(offsets.contains(0));
    CHECK(offsets.contains(7));
    CHECK_FALSE(offsets.contains(10));
}

TEST_CASE("adding twice changes nothing") {
    applied_offsets offsets;
    offsets.add(3);
    const auto before = offsets;
    offsets.add(3);
    offsets.add(-1);
    CHECK(offsets == before);
}

TEST_CASE("the watermark swallows what lies below it, and never falls") {
    applied_offsets offsets;
    offsets.add({2, 4});
    offsets.add({6, 9});
    offsets.raise(7);
    CHECK(offsets.through() == 7);
    CHECK(offsets.beyond() == std::vector<offset_range>{{8, 9}});
    offsets.raise(3);
    CHECK(offsets.through() == 7);
    offsets.raise(9);
    CHECK(offsets.beyond().empty());
}

TEST_CASE("a range that begins below the watermark is kept from there on") {
    applied_offsets offsets;
    offsets.raise(5);
    offsets.add({3, 8});
    CHECK(offsets.beyond() == std::vector<offset_range>{{6, 8}});
}

TEST_CASE("an empty range adds nothing") {
    applied_offsets offsets;
    offsets.add({5, 4});
    CHECK(offsets == applied_offsets());
}

TEST_CASE("applied offsets tell what a set would tell") {
    sinew::test::prop("for anything that is added and raised", [] {
        applied_offsets offsets;
        std::set<log_offset> naive;
        const auto steps =
            *rc::gen::container<std::vector<std::pair<log_offset, log_offset>>>(rc::gen::pair(
                rc::gen::inRange<log_offset>(0, 60), rc::gen::inRange<log_offset>(-2, 6)));
        for (const auto& [first, length] : steps) {
            if (length < 0) {
                offsets.raise(first);
                for (log_offset i = 0; i <= first; ++i) {
                    naive.insert(i);
                }
            } else {
                offsets.add({first, first + length});
                for (log_offset i = first; i <= first + length; ++i) {
                    naive.insert(i);
                }
            }
            check_invariants(offsets);
        }
        for (log_offset i = 0; i < 70; ++i) {
            RC_ASSERT(offsets.contains(i) == naive.contains(i));
        }
        RC_ASSERT(applied_offsets(offsets.through(), offsets.beyond()) == offsets);
    });
}

TEST_CASE("what a store kept wrongly is mended, and contains the same") {
    sinew::test::prop("for any watermark and any ranges, at the ends of the scale too", [] {
        const auto through = *any_offset();
        const auto ranges = *rc::gen::container<std::vector<offset_range>>(
            rc::gen::construct<offset_range>(any_offset(), any_offset()));
        const applied_offsets offsets(through, ranges);
        check_invariants(offsets);
        RC_ASSERT(offsets.through() == through);
        for (const auto i : *rc::gen::container<std::vector<log_offset>>(20, any_offset())) {
            bool in_a_range = i <= through;
            for (const auto& range : ranges) {
                in_a_range = in_a_range || (i >= range.first && i <= range.last);
            }
            RC_ASSERT(offsets.contains(i) == in_a_range);
        }
        applied_offsets raised = offsets;
        const auto to = *any_offset();
        raised.raise(to);
        check_invariants(raised);
        RC_ASSERT(raised.through() == (to > through ? to : through));
    });
}
