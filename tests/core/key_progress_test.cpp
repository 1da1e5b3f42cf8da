// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/key_progress.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace sinew;

namespace {

/// The same by sets: what was applied, and what was given up.
struct naive_progress {
    std::uint64_t next = 0;
    std::set<std::uint64_t> applied{};
    std::set<std::uint64_t> given_up{};

    void advance_past(std::uint64_t sequence) {
        if (sequence < next) {
            return;
        }
        for (std::uint64_t n = std::max<std::uint64_t>(next, 1); n < sequence; ++n) {
            given_up.insert(n);
        }
        applied.insert(sequence);
        next = sequence + 1;
    }

    /// How many runs of neighbours were given up.
    [[nodiscard]] std::size_t gaps() const {
        return static_cast<std::size_t>(
            std::count_if(given_up.begin(), given_up.end(),
                          [&](std::uint64_t n) { return !given_up.contains(n - 1); }));
    }
};

void check_invariants(const key_progress& progress) {
    const auto& gaps = progress.gaps();
    RC_ASSERT(gaps.size() <= key_progress::gaps_max);
    for (std::size_t i = 0; i < gaps.size(); ++i) {
        RC_ASSERT(gaps[i].first >= 1U);
        RC_ASSERT(gaps[i].first <= gaps[i].last);
        RC_ASSERT(gaps[i].last < progress.next());
        if (i > 0) {
            RC_ASSERT(gaps[i].first - 1 > gaps[i - 1].last);
        }
    }
}

/// Numbers at both ends of the scale, and between.
rc::Gen<std::uint64_t> any_number() {
    return rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, 40),
                          rc::gen::map(rc::gen::inRange<std::uint64_t>(0, 40),
                                       [](std::uint64_t n) { return UINT64_MAX - n; }),
                          rc::gen::arbitrary<std::uint64_t>());
}

}  // namespace

TEST_CASE("of a key of which nothing is known, no number was applied") {
    const key_progress nothing;
    CHECK_FALSE(nothing.is_known());
    CHECK(nothing.next() == 0);
    CHECK(nothing.stand(1) == standing::ahead);
    CHECK(nothing.stand(UINT64_MAX) == standing::ahead);
}

TEST_CASE("a key that goes on in order has no gaps") {
    key_progress progress(1);
    CHECK(progress.is_known());
    CHECK(progress.stand(1) == standing::expected);
    CHECK(progress.stand(2) == standing::ahead);
    progress.advance_past(1);
    progress.advance_past(2);
    CHECK(progress.next() == 3);
    CHECK(progress.gaps().empty());
    CHECK(progress.stand(1) == standing::applied);
    CHECK(progress.stand(2) == standing::applied);
    CHECK(progress.stand(3) == standing::expected);
}

TEST_CASE("what a key went past without it was given up, and comes late from then on") {
    key_progress progress(1);
    progress.advance_past(1);
    progress.advance_past(5);
    CHECK(progress.gaps() == std::vector<sequence_gap>{{2, 4}});
    CHECK(progress.stand(1) == standing::applied);
    CHECK(progress.stand(2) == standing::late);
    CHECK(progress.stand(4) == standing::late);
    CHECK(progress.stand(5) == standing::applied);
    CHECK(progress.stand(6) == standing::expected);
}

TEST_CASE("a first number leaves no gap below it if it is the first there is") {
    key_progress progress;
    progress.advance_past(1);
    CHECK(progress == key_progress(2));
}

TEST_CASE("a first number that is not the first gives up what lies below") {
    key_progress progress;
    progress.advance_past(5);
    CHECK(progress.gaps() == std::vector<sequence_gap>{{1, 4}});
    CHECK(progress.stand(4) == standing::late);
}

TEST_CASE("going past a number again changes nothing") {
    key_progress progress(1);
    progress.advance_past(3);
    const key_progress before = progress;
    progress.advance_past(3);
    progress.advance_past(1);
    CHECK(progress == before);
}

TEST_CASE("beyond the gaps that are told apart, numbers become uncertain, never applied") {
    key_progress progress(1);
    // Gaps of one number each, all two apart, but for a pair that is nearer.
    std::uint64_t sequence = 0;
    for (std::size_t i = 0; i < key_progress::gaps_max; ++i) {
        sequence += i == 5 ? 2 : 3;
        progress.advance_past(sequence - 2);
        progress.advance_past(sequence);
    }
    CHECK(progress.gaps().size() <= key_progress::gaps_max);
    while (!progress.has_merged_gaps()) {
        CHECK(progress.stand(progress.gaps().front().first) == standing::late);
        sequence += 2;
        progress.advance_past(sequence);
    }
    CHECK(progress.gaps().size() == key_progress::gaps_max);
    CHECK(progress.stand(progress.gaps().front().first) == standing::uncertain);
    CHECK(progress.stand(1) == standing::applied);
}

TEST_CASE("progress tells what sets would tell, or says that it is uncertain") {
    sinew::test::prop("for any numbers that a key goes past", [] {
        const auto start = *rc::gen::inRange<std::uint64_t>(0, 3);
        key_progress progress(start);
        naive_progress naive{.next = start};
        for (std::uint64_t n = 1; n < start; ++n) {
            naive.applied.insert(n);
        }
        std::size_t gaps_max = 0;
        const auto steps =
            *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 6));
        for (const auto step : steps) {
            const std::uint64_t sequence = progress.next() + step - (step == 5 ? 7 : 0);
            if (sequence == 0 || sequence > UINT64_MAX / 2) {
                continue;
            }
            progress.advance_past(sequence);
            naive.advance_past(sequence);
            gaps_max = std::max(gaps_max, naive.gaps());
        }
        check_invariants(progress);
        RC_ASSERT(progress.next() == naive.next);
        RC_ASSERT(progress.has_merged_gaps() == (gaps_max > key_progress::gaps_max));
        RC_CLASSIFY(progress.has_merged_gaps(), "gaps were merged");
        for (std::uint64_t n = 1; n < naive.next; ++n) {
            const standing told = progress.stand(n);
            if (naive.given_up.contains(n)) {
                RC_ASSERT(told ==
                          (progress.has_merged_gaps() ? standing::uncertain : standing::late));
            } else if (told != standing::applied) {
                RC_ASSERT(told == standing::uncertain);
                RC_ASSERT(progress.has_merged_gaps());
            }
        }
        RC_ASSERT(progress.stand(naive.next) == standing::expected);
        RC_ASSERT(progress.stand(naive.next + 1) == standing::ahead);
        RC_ASSERT(key_progress(progress.next(), progress.gaps(), progress.has_merged_gaps()) ==
                  progress);
    });
}

TEST_CASE("many gaps are merged, and still nothing that was given up counts as applied") {
    sinew::test::prop("for a hundred numbers with a gap before each", [] {
        key_progress progress(1);
        naive_progress naive{.next = 1};
        for (int i = 0; i < 100; ++i) {
            const std::uint64_t sequence = progress.next() + *rc::gen::inRange<std::uint64_t>(1, 9);
            progress.advance_past(sequence);
            naive.advance_past(sequence);
        }
        check_invariants(progress);
        RC_ASSERT(progress.has_merged_gaps());
        for (const std::uint64_t n : naive.given_up) {
            RC_ASSERT(progress.stand(n) == standing::uncertain);
        }
        for (const std::uint64_t n : naive.applied) {
            RC_ASSERT(progress.stand(n) != standing::late);
        }
    });
}

TEST_CASE("numbers at the end of the scale are told apart as well") {
    key_progress progress(UINT64_MAX - 3);
    progress.advance_past(UINT64_MAX - 1);
    CHECK(progress.next() == UINT64_MAX);
    CHECK(progress.stand(UINT64_MAX - 3) == standing::late);
    CHECK(progress.stand(UINT64_MAX - 2) == standing::late);
    CHECK(progress.stand(UINT64_MAX - 1) == standing::applied);
    progress.advance_past(UINT64_MAX - 1);
    CHECK(progress.next() == UINT64_MAX);

    key_progress jump(1);
    jump.advance_past(UINT64_MAX - 1);
    CHECK(jump.gaps() == std::vector<sequence_gap>{{1, UINT64_MAX - 2}});
}

TEST_CASE("what a store kept wrongly is mended to the safe side") {
    SECTION("a gap that reaches beyond what is expected") {
        key_progress progress(7, {{5, 10}}, false);
        CHECK(progress.gaps() == std::vector<sequence_gap>{{5, 6}});
        progress.advance_past(7);
        progress.advance_past(8);
        CHECK(progress.stand(8) == standing::applied);
        CHECK(progress.stand(5) == standing::uncertain);
    }
    SECTION("a gap whose ends are swapped") {
        const key_progress progress(9, {{5, 3}}, false);
        CHECK(progress.stand(4) == standing::uncertain);
    }
    SECTION("gaps that are not sorted, overlap or touch") {
        const key_progress progress(20, {{9, 12}, {3, 5}, {11, 14}, {6, 6}}, false);
        CHECK(progress.gaps() == std::vector<sequence_gap>{{3, 6}, {9, 14}});
        CHECK(progress.stand(6) == standing::late);
    }
    SECTION("gaps of a key of which nothing is known") {
        const key_progress progress(0, {{1, 4}}, false);
        CHECK(progress.gaps().empty());
    }
    sinew::test::prop("for any gaps", [] {
        const auto next = *any_number();
        const auto gaps = *rc::gen::container<std::vector<sequence_gap>>(
            rc::gen::construct<sequence_gap>(any_number(), any_number()));
        const key_progress progress(next, gaps, false);
        check_invariants(progress);
        const auto holds = [&gaps](std::uint64_t n) {
            return std::any_of(gaps.begin(), gaps.end(), [n](const sequence_gap& gap) {
                return n >= std::min(gap.first, gap.last) && n <= std::max(gap.first, gap.last);
            });
        };
        for (const auto n : *rc::gen::container<std::vector<std::uint64_t>>(20, any_number())) {
            if (n == 0 || n >= next) {
                RC_ASSERT((n < next || progress.stand(n) ==
                                           (n == next ? standing::expected : standing::ahead)));
            } else if (holds(n)) {
                RC_ASSERT(progress.stand(n) != standing::applied);
            } else {
                RC_ASSERT(progress.stand(n) != standing::late);
            }
        }
    });
}

TEST_CASE("a gap that ends right below what is expected grows when the key goes on without it") {
    key_progress progress(10, {{5, 9}}, false);
    progress.advance_past(12);
    CHECK(progress.gaps() == std::vector<sequence_gap>{{5, 11}});
    CHECK(progress.stand(11) == standing::late);
    CHECK(progress.stand(12) == standing::applied);
    check_invariants(progress);
}

TEST_CASE("a standing has a name") {
    STATIC_REQUIRE(to_string(standing::expected) == "expected");
    STATIC_REQUIRE(to_string(standing::ahead) == "ahead");
    STATIC_REQUIRE(to_string(standing::applied) == "applied");
    STATIC_REQUIRE(to_string(standing::late) == "late");
    STATIC_REQUIRE(to_string(standing::uncertain) == "uncertain");
    STATIC_REQUIRE(to_string(static_cast<standing>(99)) == "invalid");
}
