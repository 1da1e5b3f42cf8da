// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// RFC 3339 time stamps, as CloudEvents carries them in `time`.

#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinew {

namespace detail {

/// Days since 1970-01-01 of a civil date. Source: H. Hinnant, "chrono-compatible low-level date
/// algorithms".
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int64_t y, unsigned m,
                                                     unsigned d) noexcept {
    y -= m <= 2 ? 1 : 0;
    const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
    const auto yoe = static_cast<unsigned>(y - era * 400);
    const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}

[[nodiscard]] constexpr unsigned days_in_month(std::int64_t y, unsigned m) noexcept {
    constexpr unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : lengths[m - 1];
}

/// Reads exactly `count` digits from the front of `text`.
[[nodiscard]] constexpr std::optional<unsigned> take_digits(std::string_view& text,
                                                            std::size_t count) noexcept {
    if (text.size() < count) {
        return std::nullopt;
    }
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text[i] < '0' || text[i] > '9') {
            return std::nullopt;
        }
        value = value * 10 + static_cast<unsigned>(text[i] - '0');
    }
    text.remove_prefix(count);
    return value;
}

[[nodiscard]] constexpr bool take_char(std::string_view& text, char wanted) noexcept {
    const bool there = !text.empty() && (text[0] == wanted || text[0] == (wanted | 0x20));
    if (there) {
        text.remove_prefix(1);
    }
    return there;
}

}  // namespace detail

/// An instant as RFC 3339 text in UTC, with as many decimals as it needs (none, 3 or 6).
/// Years outside 0000 to 9999 have no such text: they give an empty string.
[[nodiscard]] inline std::string format_time(wall_time at) {
    const std::int64_t micros = at.time_since_epoch().count();
    std::int64_t seconds = micros / 1'000'000;
    std::int64_t fraction = micros % 1'000'000;
    if (fraction < 0) {
        fraction += 1'000'000;
        --seconds;
    }
    std::int64_t days = seconds / 86400;
    std::int64_t rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        --days;
    }
    // Civil date from days: H. Hinnant, as above.
    const std::int64_t z = days + 719468;
    const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    const auto doe = static_cast<unsigned>(z - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;
    const unsigned day = doy - (153 * mp + 2) / 5 + 1;
    const unsigned month = mp < 10 ? mp + 3 : mp - 9;
    const std::int64_t year = static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0);
    if (year < 0 || year > 9999) {
        return {};
    }
    std::string out;
    const auto put = [&out](std::int64_t value, int width) {
        std::string digits(static_cast<std::size_t>(width), '0');
        for (auto place = digits.rbegin(); place != digits.rend(); ++place, value /= 10) {
            *place = static_cast<char>('0' + value % 10);
        }
        out += digits;
    };
    put(year, 4);
    out += '-';
    put(month, 2);
    out += '-';
    put(day, 2);
    out += 'T';
    put(rest / 3600, 2);
    out += ':';
    put(rest / 60 % 60, 2);
    out += ':';
    put(rest % 60, 2);
    if (fraction != 0) {
        out += '.';
        fraction % 1000 == 0 ? put(fraction / 1000, 3) : put(fraction, 6);
    }
    return out += 'Z';
}

/// An RFC 3339 time stamp as an instant; nothing if it is not one. Decimals beyond microseconds are
/// cut off; a leap second (`:60`) counts as the second after it.
[[nodiscard]] constexpr std::optional<wall_time> parse_time(std::string_view text) noexcept {
    using detail::take_char;
    using detail::take_digits;
    const auto year = take_digits(text, 4);
    if (!year || !take_char(text, '-')) {
        return std::nullopt;
    }
    const auto month = take_digits(text, 2);
    if (!month || *month < 1 || *month > 12 || !take_char(text, '-')) {
        return std::nullopt;
    }
    const auto day = take_digits(text, 2);
    if (!day || *day < 1 || *day > detail::days_in_month(*year, *month) || !take_char(text, 'T')) {
        return std::nullopt;
    }
    const auto hour = take_digits(text, 2);
    if (!hour || *hour > 23 || !take_char(text, ':')) {
        return std::nullopt;
    }
    const auto minute = take_digits(text, 2);
    if (!minute || *minute > 59 || !take_char(text, ':')) {
        return std::nullopt;
    }
    const auto second = take_digits(text, 2);
    if (!second || *second > 60) {
        return std::nullopt;
    }
    std::int64_t micros = 0;
    if (take_char(text, '.')) {
        std::int64_t scale = 100'000;
        std::size_t digits = 0;
        for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
            micros += (text[0] - '0') * scale;
            scale /= 10;
        }
        if (digits == 0) {
            return std::nullopt;
        }
    }
    std::int64_t away = 0;
    if (!take_char(text, 'Z')) {
        const bool east = !text.empty() && text[0] == '+';
        if (text.empty() || (text[0] != '+' && text[0] != '-')) {
            return std::nullopt;
        }
        text.remove_prefix(1);
        const auto hours = take_digits(text, 2);
        if (!hours || *hours > 23 || !take_char(text, ':')) {
            return std::nullopt;
        }
        const auto minutes = take_digits(text, 2);
        if (!minutes || *minutes > 59) {
            return std::nullopt;
        }
        away = (static_cast<std::int64_t>(*hours) * 60 + *minutes) * (east ? 60 : -60);
    }
    if (!text.empty()) {
        return std::nullopt;
    }
    const std::int64_t seconds = detail::days_from_civil(*year, *month, *day) * 86400 +
                                 static_cast<std::int64_t>(*hour) * 3600 +
                                 static_cast<std::int64_t>(*minute) * 60 + *second - away;
    return wall_time(std::chrono::microseconds(seconds * 1'000'000 + micros));
}

}  // namespace sinew
