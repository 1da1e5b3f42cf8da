// SPDX-License-Identifier: BSL-1.0
//
// What the formatters print of an event from strangers: one line of text, with an end.

#include "property.hpp"

#include <sinew/format.hpp>

#include <string>

namespace {

using sinew::fuzz::expect;
using sinew::fuzz::input;

void check_text(const std::string& text) {
    expect(sinew::is_utf8(text), "what is printed is UTF-8");
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool high = byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        expect(byte >= 0x20 && byte != 0x7f && !high, "what is printed has no control characters");
    }
}

void check_piece(std::string_view bytes) {
    std::string out;
    sinew::detail::append_printable(out, bytes);
    check_text(out);
    expect(out.size() <= 4 * sinew::detail::printed_max + 3, "what is printed is cut");
    if (bytes.size() <= sinew::detail::printed_max) {
        expect(!out.ends_with("...") || bytes.ends_with("..."), "what is short is not cut");
    }
    std::string again;
    sinew::detail::append_printable(again, out);
    if (out.size() <= sinew::detail::printed_max) {
        expect(again == out, "what was printed is printable as it is", out);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    sinew::dead_letter_record letter;
    letter.consumer = in.field();
    letter.topic = in.field();
    letter.add(
        {sinew::wall_time(sinew::wall_time::duration(static_cast<std::int64_t>(in.number()))),
         static_cast<sinew::failure_class>(in.byte()), 1, std::string(in.field()),
         std::string(in.field())});
    letter.original.id = in.field();
    letter.original.source = in.field();
    letter.original.type = in.field();
    letter.original.subject = in.field();
    letter.original.time = in.field();
    letter.original.sequence = in.field();
    letter.original.headers.push_back({std::string(in.field()), std::string(in.field())});
    const std::string_view secret = in.rest();
    check_piece(secret);
    letter.original.data = secret;
    letter.original.partitionkey = secret;

    // A text of 13 attributes at most, each cut, and the words between them.
    constexpr std::size_t size_max = 16 * (4 * sinew::detail::printed_max + 64);
    for (const auto& text : {fmt::format("{}", letter), fmt::format("{:d}", letter),
                             fmt::format("{}", letter.original),
                             fmt::format("{}", letter.original.view().identity())}) {
        check_text(text);
        expect(text.size() <= size_max, "what is printed of an event has an end");
    }
    sinew::event other = letter.original;
    other.partitionkey = "another key";
    for (char& c : other.data) {
        c = static_cast<char>(c ^ 1);
    }
    other.headers[0].value += "another value";
    expect(fmt::format("{}", other) == fmt::format("{}", letter.original),
           "data, key and values of headers are not printed");
    return 0;
}
