// SPDX-License-Identifier: BSL-1.0
//
// is_utf8 and is_attribute_text against a decoder that goes by code points.

#include "property.hpp"

#include <sinew/core/cloudevents.hpp>
#include <sinew/core/event.hpp>

#include <vector>

namespace {

using sinew::fuzz::expect;

/// The bytes of a code point, as RFC 3629 writes it.
std::string encoded(std::uint32_t point) {
    const auto byte = [](std::uint32_t bits) {
        return static_cast<char>(static_cast<unsigned char>(bits));
    };
    if (point < 0x80) {
        return {byte(point)};
    }
    if (point < 0x800) {
        return {byte(0xc0 | point >> 6U), byte(0x80 | (point & 0x3fU))};
    }
    if (point < 0x10000) {
        return {byte(0xe0 | point >> 12U), byte(0x80 | (point >> 6U & 0x3fU)),
                byte(0x80 | (point & 0x3fU))};
    }
    return {byte(0xf0 | point >> 18U), byte(0x80 | (point >> 12U & 0x3fU)),
            byte(0x80 | (point >> 6U & 0x3fU)), byte(0x80 | (point & 0x3fU))};
}

/// The code points of a text, up to the first that is not written as these bytes.
std::vector<std::uint32_t> code_points(std::string_view text, std::size_t& read) {
    std::vector<std::uint32_t> points;
    read = 0;
    while (!text.empty()) {
        const auto lead = static_cast<unsigned char>(text[0]);
        const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t point = size == 1 ? lead : lead & (0xffU >> (size + 1));
        for (std::size_t k = 1; k < size && k < text.size(); ++k) {
            point = point << 6U | (static_cast<unsigned char>(text[k]) & 0x3fU);
        }
        const bool is_character = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        if (!is_character || text.substr(0, size) != encoded(point)) {
            break;
        }
        points.push_back(point);
        text.remove_prefix(size);
        read += size;
    }
    return points;
}

/// CloudEvents 1.0.2, "Type system", String.
bool is_allowed(std::uint32_t point) {
    const bool control = point <= 0x1f || (point >= 0x7f && point <= 0x9f);
    const bool noncharacter = (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xffffU) >= 0xfffe;
    return !control && !noncharacter;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::size_t read = 0;
    const auto points = code_points(text, read);
    expect(sinew::utf8_prefix(text) == read, "the prefix ends at the first byte that is not UTF-8");
    expect(sinew::is_utf8(text) == (read == size),
           "a text is UTF-8 if and only if writing its code points gives the same bytes");
    bool allowed = read == size;
    for (std::size_t i = 0; allowed && i < points.size(); ++i) {
        allowed = is_allowed(points[i]);
    }
    expect(sinew::is_attribute_text(text) == allowed,
           "an attribute is UTF-8 without control characters and noncharacters");
    return 0;
}
