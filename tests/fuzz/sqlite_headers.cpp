// SPDX-License-Identifier: BSL-1.0
//
// The list of headers in a column: any bytes are a list that is written back as the same bytes, or
// a damaged one.

#include "property.hpp"

#include <sinew/adapters/sqlite/codec.hpp>

#include <string>
#include <vector>

namespace {

namespace codec = sinew::sqlite::detail;
using sinew::fuzz::expect;

/// By hand: each text is four bytes of length and so many bytes.
bool is_whole(std::string_view bytes) {
    unsigned texts = 0;
    for (; bytes.size() >= 4; ++texts) {
        const auto at = [&](std::size_t i) {
            return std::size_t{static_cast<unsigned char>(bytes[i])};
        };
        const std::size_t length = at(0) + at(1) * 256 + at(2) * 65536 + at(3) * 16777216;
        if (length > bytes.size() - 4) {
            return false;
        }
        bytes.remove_prefix(4 + length);
    }
    return bytes.empty() && texts % 2 == 0;
}

template <class Header>
bool decode(std::string_view bytes, std::vector<Header>& headers) {
    try {
        codec::decode_headers(bytes, headers);
        return true;
    } catch (const sinew::sqlite::corrupt_error& e) {
        expect(std::string_view(e.what()).find("damaged") != std::string_view::npos,
               "the error says that the list is damaged");
        return false;
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::vector<sinew::header> headers;
    std::vector<sinew::header_view> views;
    const bool read = decode(bytes, headers);
    expect(read == is_whole(bytes), "a list is read if and only if it is whole");
    expect(decode(bytes, views) == read, "owned headers and views are read alike");
    if (!read) {
        return 0;
    }
    expect(headers.size() == views.size() && headers.size() <= size / 8,
           "each header has its place");
    for (std::size_t i = 0; i < headers.size(); ++i) {
        expect(headers[i].name == views[i].name && headers[i].value == views[i].value,
               "owned headers and views are the same");
    }
    std::string again;
    codec::encode(again, sinew::headers_view(headers));
    expect(again == bytes, "a list that was read is written as the same bytes");
    return 0;
}
