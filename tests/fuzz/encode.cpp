// SPDX-License-Identifier: BSL-1.0
//
// base64 and percent-encoding, there and back, and against decoders that go by the letter of
// RFC 4648 and RFC 3986.

#include "property.hpp"

#include <sinew/core/encode.hpp>

#include <string>
#include <vector>

namespace {

using sinew::fuzz::expect;

/// Bit by bit: the text has to be whole groups of four, with padding at its end alone.
std::optional<std::string> naive_base64(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto padding = text.find('=');
    const std::string_view coded = text.substr(0, padding);
    const std::size_t left_over = coded.size() % 4;
    const std::string_view wanted = left_over == 2 ? "==" : left_over == 3 ? "=" : "";
    if (left_over == 1 || text.substr(coded.size()) != wanted) {
        return std::nullopt;
    }
    std::vector<bool> bits;
    for (const char c : coded) {
        const auto value = alphabet.find(c);
        if (value == alphabet.npos) {
            return std::nullopt;
        }
        for (unsigned k = 6; k-- > 0;) {
            bits.push_back((value >> k & 1U) != 0);
        }
    }
    std::string out;
    for (std::size_t i = 0; i + 8 <= bits.size(); i += 8) {
        unsigned byte = 0;
        for (std::size_t k = 0; k < 8; ++k) {
            byte = byte * 2 + (bits[i + k] ? 1U : 0U);
        }
        out += static_cast<char>(static_cast<unsigned char>(byte));
    }
    return out;
}

std::optional<std::string> naive_percent(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef0123456789ABCDEF";
    std::string out;
    while (!text.empty()) {
        if (text[0] != '%') {
            out += text[0];
            text.remove_prefix(1);
            continue;
        }
        const auto high = text.size() < 3 ? hex.npos : hex.find(text[1]);
        const auto low = text.size() < 3 ? hex.npos : hex.find(text[2]);
        if (high == hex.npos || low == hex.npos) {
            return std::nullopt;
        }
        out += static_cast<char>(static_cast<unsigned char>(high % 16 * 16 + low % 16));
        text.remove_prefix(3);
    }
    return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);

    expect(sinew::from_base64(text) == naive_base64(text), "base64 is read as RFC 4648 says");
    std::string written;
    sinew::append_base64(written, text);
    expect(sinew::from_base64(written) == text, "bytes in base64 are read as the same", written);
    expect(written.size() == (size + 2) / 3 * 4, "base64 has four characters for three bytes");

    expect(sinew::from_percent(text) == naive_percent(text),
           "percent-encoding is read as RFC 3986 says");
    written.clear();
    sinew::append_percent(written, text);
    expect(sinew::from_percent(written) == text, "percent-encoded bytes are read as the same");
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%";
    expect(written.find_first_not_of(plain) == written.npos,
           "percent-encoded bytes are unreserved characters alone", written);
    return 0;
}
