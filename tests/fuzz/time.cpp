// SPDX-License-Identifier: BSL-1.0
//
// parse_time against a check by position and the calendar of <chrono>; format_time there and back.

#include "property.hpp"

#include <sinew/core/timestamp.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace {

using sinew::wall_time;
using sinew::fuzz::expect;
using sinew::fuzz::input;
using namespace std::chrono;

constexpr wall_time first_writable{sys_days{year{0} / 1 / 1}};
constexpr wall_time end_of_writable{sys_days{year{9999} / 12 / 31} + days{1}};

/// Whether the text looks like the pattern, in which 0 stands for any digit.
bool looks_like(std::string_view text, std::string_view pattern) {
    bool same = text.size() == pattern.size();
    for (std::size_t i = 0; same && i < text.size(); ++i) {
        const char c = text[i] == 't' ? 'T' : text[i] == 'z' ? 'Z' : text[i];
        same = (c >= '0' && c <= '9' ? '0' : c) == pattern[i];
    }
    return same;
}

int number(std::string_view text, std::size_t at, std::size_t size) {
    return std::stoi(std::string(text.substr(at, size)));
}

/// RFC 3339, section 5.6, by position.
std::optional<wall_time> naive(std::string_view text) {
    if (text.size() < 20 || !looks_like(text.substr(0, 19), "0000-00-00T00:00:00")) {
        return std::nullopt;
    }
    const year_month_day date{year{number(text, 0, 4)},
                              month{static_cast<unsigned>(number(text, 5, 2))},
                              day{static_cast<unsigned>(number(text, 8, 2))}};
    const int hour = number(text, 11, 2);
    const int minute = number(text, 14, 2);
    const int second = number(text, 17, 2);
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) {
        return std::nullopt;
    }
    wall_time at = sys_days{date} + hours{hour} + minutes{minute} + seconds{second};
    text.remove_prefix(19);
    if (text.starts_with('.')) {
        const auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
        std::string decimals(text.substr(1, end - 1));
        if (decimals.empty()) {
            return std::nullopt;
        }
        decimals.resize(6, '0');
        at += microseconds{std::stol(decimals)};
        text.remove_prefix(end);
    }
    if (text == "Z" || text == "z") {
        return at;
    }
    const bool east = text.starts_with('+');
    if (!east && !text.starts_with('-')) {
        return std::nullopt;
    }
    if (!looks_like(text.substr(1), "00:00") || number(text, 1, 2) > 23 ||
        number(text, 4, 2) > 59) {
        return std::nullopt;
    }
    const auto away = hours{number(text, 1, 2)} + minutes{number(text, 4, 2)};
    return east ? at - away : at + away;
}

void check_write(wall_time at) {
    const std::string text = sinew::format_time(at);
    const bool writable = at >= first_writable && at < end_of_writable;
    expect(text.empty() != writable, "a time is written if and only if its year has four digits");
    if (writable) {
        expect(sinew::parse_time(text) == at, "a time that was written is read as the same", text);
        expect(text.size() == 20 || text.size() == 24 || text.size() == 27,
               "a time is written with 0, 3 or 6 decimals", text);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = sinew::parse_time(text);
    expect(parsed == naive(text), "a time stamp is what RFC 3339 says, and nothing else is one");
    if (parsed) {
        check_write(*parsed);
    }
    input in(data, size);
    const auto bits = static_cast<std::int64_t>(in.number());
    check_write(wall_time(wall_time::duration(bits)));
    // Most numbers are no time between the years 0 and 9999; these all are.
    constexpr std::int64_t span = (end_of_writable - first_writable).count();
    check_write(first_writable +
                wall_time::duration(static_cast<std::int64_t>(static_cast<std::uint64_t>(bits) %
                                                              static_cast<std::uint64_t>(span))));
    return 0;
}
