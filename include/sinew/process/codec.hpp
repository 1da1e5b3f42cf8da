// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How inputs and results become bytes, and come back.
///
/// What a journal keeps outlives the program that wrote it. So a type says for itself how it is
/// kept, in a specialisation of `codec`:
///
/// ```cpp
/// template <>
/// struct sinew::codec<payment> {
///     static std::string encode(const payment& value);
///     static payment decode(std::string_view bytes);  // throws if it can't
/// };
/// ```
///
/// Texts, integers and booleans have theirs here.
///
/// **Guarantees.** Those of this file: what `encode` makes, `decode` reads back as an equal value,
/// and any other bytes are refused. They are text, so that people can read a history.

#include <sinew/core/error.hpp>

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace sinew {

/// How a `T` is kept. To be specialised; see above.
template <class T>
struct codec;

/// A type that can be kept: `codec<T>::encode(value)` makes bytes, and `codec<T>::decode(bytes)`
/// makes a value of them, or throws.
template <class T>
concept recordable = requires(const T& value, std::string_view bytes) {
    { codec<T>::encode(value) } -> std::convertible_to<std::string>;
    { codec<T>::decode(bytes) } -> std::convertible_to<T>;
};

template <>
struct codec<std::string> {
    [[nodiscard]] static std::string encode(std::string_view value) { return std::string(value); }
    [[nodiscard]] static std::string decode(std::string_view bytes) { return std::string(bytes); }
};

template <>
struct codec<bool> {
    [[nodiscard]] static std::string encode(bool value) { return value ? "true" : "false"; }
    [[nodiscard]] static bool decode(std::string_view bytes) {
        if (bytes != "true" && bytes != "false") {
            throw permanent_error("undecodable", "it is neither true nor false");
        }
        return bytes == "true";
    }
};

namespace detail {

/// The types of numbers. A character is none.
template <class T>
concept whole_number =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
    !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
    !std::same_as<T, char32_t> && std::same_as<T, std::remove_cv_t<T>>;

/// Decimal digits as one would write them: no leading zeros, no plus.
template <whole_number T>
[[nodiscard]] constexpr bool read_number(std::string_view text, T& out) noexcept {
    const bool is_negative = std::is_signed_v<T> && text.size() > 1 && text.front() == '-';
    text.remove_prefix(is_negative ? 1 : 0);
    const bool has_leading_zero = !text.empty() && text.front() == '0';
    if (text.empty() || (has_leading_zero && (text.size() > 1 || is_negative))) {
        return false;
    }
    // Negative numbers reach further than positive ones, so digits are taken off and not added.
    using limits = std::numeric_limits<T>;
    out = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return false;
        }
        const auto digit = static_cast<T>(c - '0');
        if (is_negative ? out < (limits::min() + digit) / 10 : out > (limits::max() - digit) / 10) {
            return false;
        }
        out = static_cast<T>(is_negative ? out * 10 - digit : out * 10 + digit);
    }
    return true;
}

}  // namespace detail

template <detail::whole_number T>
struct codec<T> {
    [[nodiscard]] static std::string encode(T value) { return std::to_string(value); }
    [[nodiscard]] static T decode(std::string_view bytes) {
        T out = 0;
        if (!detail::read_number(bytes, out)) {
            throw permanent_error("undecodable", "it is not a whole number of that size");
        }
        return out;
    }
};

}  // namespace sinew
