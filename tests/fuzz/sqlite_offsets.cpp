// SPDX-License-Identifier: BSL-1.0
//
// The applied offsets of a partition in a row, also a damaged one: its invariants hold, they
// contain what the ranges say and nothing else, and they are written back as the same offsets.

#include "property.hpp"

#include <sinew/adapters/sqlite/codec.hpp>

#include <string>
#include <vector>

namespace {

namespace codec = sinew::sqlite::detail;
using sinew::applied_offsets;
using sinew::log_offset;
using sinew::offset_range;
using sinew::fuzz::expect;
using sinew::fuzz::input;

std::vector<offset_range> ranges_of(std::string_view bytes) {
    std::vector<offset_range> ranges;
    input in(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    while (!in.is_at_end()) {
        const auto first = static_cast<log_offset>(in.number());
        ranges.push_back({first, static_cast<log_offset>(in.number())});
    }
    return ranges;
}

void check_invariants(const applied_offsets& o) {
    const offset_range* before = nullptr;
    for (const auto& range : o.beyond()) {
        expect(range.first > o.through() && range.first <= range.last,
               "ranges lie beyond the watermark");
        expect(before == nullptr || (range.first > before->last && range.first - 1 > before->last),
               "ranges are sorted, and neither touch nor overlap");
        before = &range;
    }
}

bool naive_contains(log_offset through, const std::vector<offset_range>& ranges, log_offset at) {
    bool contains = at <= through;
    for (const auto& range : ranges) {
        contains = contains || (at >= range.first && at <= range.last);
    }
    return contains;
}

void check_contents(const applied_offsets& o, log_offset through,
                    const std::vector<offset_range>& ranges) {
    const auto check = [&](log_offset at) {
        expect(o.contains(at) == naive_contains(through, ranges, at),
               "the offsets are those of the ranges, and no others");
    };
    for (const auto& range : ranges) {
        for (const log_offset at : {range.first, range.last}) {
            check(at);
            check(at > INT64_MIN ? at - 1 : at);
            check(at < INT64_MAX ? at + 1 : at);
        }
    }
    check(through);
}

void check_raise(applied_offsets o, log_offset to, const std::vector<offset_range>& ranges) {
    const log_offset through = o.through() > to ? o.through() : to;
    o.raise(to);
    check_invariants(o);
    expect(o.through() == through, "the watermark only rises");
    check_contents(o, through, ranges);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    const auto to = static_cast<log_offset>(in.number());
    const auto through = static_cast<log_offset>(in.number());
    const std::string_view bytes = in.rest();
    applied_offsets o;
    try {
        o = codec::decode_offsets(through, bytes);
    } catch (const sinew::sqlite::corrupt_error&) {
        expect(bytes.size() % 16 != 0, "only a list that is cut off is refused");
        return 0;
    }
    expect(bytes.size() % 16 == 0, "a list that is cut off is refused");
    expect(o.through() == through, "the watermark is the one that was kept");
    check_invariants(o);
    const auto ranges = ranges_of(bytes);
    check_contents(o, through, ranges);

    std::string again;
    codec::encode(again, o.beyond());
    expect(codec::decode_offsets(o.through(), again) == o,
           "offsets that are written again are read as the same");
    check_raise(o, to, ranges);
    for (const auto& range : ranges) {
        check_raise(o, range.last, ranges);
    }
    return 0;
}
