// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Bytes as text: base64, and percent-encoding.
///
/// For where a format takes text alone, and the bytes come from strangers.
///
/// **Guarantees.** What an `append_` function writes, its `from_` function reads back bit for bit.
/// Reading never throws on what it reads: text that is not in the encoding gives nothing.
/// **Source.** RFC 4648, section 4 (base64); RFC 3986, section 2 (percent-encoding).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinew {

namespace detail {

/// The six bits that a character of base64 stands for, or 64 for any other character.
[[nodiscard]] constexpr std::uint32_t base64_bits(char c) noexcept {
    if (c >= 'A' && c <= 'Z') {
        return static_cast<std::uint32_t>(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return static_cast<std::uint32_t>(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint32_t>(c - '0' + 52);
    }
    return c == '+' ? 62U : c == '/' ? 63U : 64U;
}

/// The value of a hexadecimal digit, or 16 for any other character.
[[nodiscard]] constexpr unsigned hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return static_cast<unsigned>(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return static_cast<unsigned>(c - 'a' + 10);
    }
    return c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10) : 16U;
}

}  // namespace detail

/// Appends the bytes in base64, with padding.
inline void append_base64(std::string& out, std::string_view bytes) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
        std::uint32_t word = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            word = word << 8U | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= count ? alphabet[word >> (18U - 6U * k) & 63U] : '=';
        }
    }
}

/// The bytes that a base64 text stands for. Padding is required. Line breaks are not base64, nor is
/// any other character beside the alphabet.
[[nodiscard]] inline std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    std::size_t padding = 0;
    while (padding < 2 && !text.empty() && text.back() == '=') {
        text.remove_suffix(1);
        ++padding;
    }
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t word = 0;
    unsigned filled = 0;
    for (const char c : text) {
        const std::uint32_t bits = detail::base64_bits(c);
        if (bits == 64) {
            return std::nullopt;
        }
        word = word << 6U | bits;
        filled += 6;
        if (filled >= 8) {
            filled -= 8;
            out += static_cast<char>(static_cast<unsigned char>(word >> filled & 0xffU));
        }
    }
    return out;
}

/// Appends the bytes with all but letters, digits, `-`, `.`, `_` and `~` written as `%XX`.
inline void append_percent(std::string& out, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::size_t kept = 0;  // from here on bytes are still to be copied
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const char c = bytes[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += bytes.substr(kept, i - kept);
        out += '%';
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
        kept = i + 1;
    }
    out += bytes.substr(kept);
}

/// The bytes that a percent-encoded text stands for.
[[nodiscard]] inline std::optional<std::string> from_percent(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) {
            return std::nullopt;
        }
        const unsigned high = detail::hex_value(text[i + 1]);
        const unsigned low = detail::hex_value(text[i + 2]);
        if (high > 15 || low > 15) {
            return std::nullopt;
        }
        out += static_cast<char>(static_cast<unsigned char>(high << 4U | low));
        i += 2;
    }
    return out;
}

}  // namespace sinew
