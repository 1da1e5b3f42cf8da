// SPDX-License-Identifier: BSL-1.0
//
// The progress of a key in a row, also a damaged one: its invariants hold, no number that was given
// up is taken for applied, and it is written back as the same progress.

#include "property.hpp"

#include <sinew/adapters/sqlite/codec.hpp>

#include <string>
#include <vector>

namespace {

namespace codec = sinew::sqlite::detail;
using sinew::key_progress;
using sinew::sequence_gap;
using sinew::standing;
using sinew::fuzz::expect;
using sinew::fuzz::input;

std::vector<sequence_gap> gaps_of(std::string_view bytes) {
    std::vector<sequence_gap> gaps;
    input in(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    while (!in.is_at_end()) {
        const std::uint64_t first = in.number();
        const std::uint64_t last = in.number();
        gaps.push_back(first <= last ? sequence_gap{first, last} : sequence_gap{last, first});
    }
    return gaps;
}

void check_invariants(const key_progress& p) {
    expect(p.gaps().size() <= key_progress::gaps_max, "there are at most gaps_max gaps");
    std::uint64_t before = 0;
    for (const auto& gap : p.gaps()) {
        expect(gap.first > before && gap.first <= gap.last && gap.last < p.next(),
               "gaps are sorted, lie below the next number, and do not overlap");
        expect(before == 0 || gap.first - before > 1, "gaps do not touch");
        before = gap.last;
    }
}

/// What a number is, from the gaps as they stand in the row.
void check_number(const key_progress& p, const std::vector<sequence_gap>& given, bool merged,
                  std::uint64_t number) {
    bool given_up = false;
    for (const auto& gap : given) {
        given_up = given_up || (number >= gap.first && number <= gap.last);
    }
    const standing stands = p.stand(number);
    if (number >= p.next()) {
        expect(stands == (number == p.next() ? standing::expected : standing::ahead),
               "what lies ahead is ahead");
    } else if (number > 0 && given_up) {
        expect(stands == standing::late || stands == standing::uncertain,
               "what was given up is never taken for applied");
        expect(!merged || stands == standing::uncertain, "what was uncertain stays so");
    } else if (number > 0) {
        expect(stands == standing::applied || stands == standing::uncertain,
               "what was applied is never taken for late");
    }
}

void check_advance(key_progress p, std::uint64_t past) {
    const std::uint64_t next = p.next();
    p.advance_past(past);
    check_invariants(p);
    expect(p.next() >= next, "a key never goes back");
    if (past >= next && past > 0 && past < UINT64_MAX) {
        expect(p.stand(past) == standing::applied, "what a key went past is applied");
        expect(p.stand(past + 1) == standing::expected, "what follows is expected");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    const bool merged = (in.byte() & 1U) != 0;
    const std::uint64_t past = in.number();
    const std::uint64_t next = in.number();
    const std::string_view bytes = in.rest();
    key_progress p;
    try {
        p = codec::decode_progress(next, bytes, merged);
    } catch (const sinew::sqlite::corrupt_error&) {
        expect(bytes.size() % 16 != 0, "only a list that is cut off is refused");
        return 0;
    }
    expect(bytes.size() % 16 == 0, "a list that is cut off is refused");
    expect(p.next() == next, "the next number is the one that was kept");
    expect(p.has_merged_gaps() || !merged, "what was uncertain stays so");
    check_invariants(p);

    const auto given = gaps_of(bytes);
    for (const auto& gap : given) {
        for (const std::uint64_t at : {gap.first, gap.last}) {
            for (const std::uint64_t number : {at - 1, at, at + 1}) {
                check_number(p, given, merged, number);
            }
        }
    }
    check_number(p, given, merged, past);

    std::string again;
    codec::encode(again, p.gaps());
    expect(codec::decode_progress(p.next(), again, p.has_merged_gaps()) == p,
           "progress that is written again is read as the same");
    check_advance(p, past);
    check_advance(p, next < UINT64_MAX - past % 5 ? next + past % 5 : next);
    return 0;
}
