// SPDX-License-Identifier: BSL-1.0
//
// The history of a dead letter in a column: any bytes are a history that is written back as the
// same bytes, or a damaged one; and a history goes there and back.

#include "property.hpp"

#include <sinew/adapters/sqlite/codec.hpp>

#include <optional>
#include <string>
#include <vector>

namespace {

namespace codec = sinew::sqlite::detail;
using sinew::failure_note;
using sinew::fuzz::expect;
using sinew::fuzz::input;

std::optional<std::vector<failure_note>> decode(std::string_view bytes) {
    try {
        return codec::decode_history(bytes);
    } catch (const sinew::sqlite::corrupt_error&) {
        return std::nullopt;
    }
}

void check_any_bytes(std::string_view bytes) {
    const auto history = decode(bytes);
    if (!history) {
        return;
    }
    // A note is 21 bytes and two texts.
    expect(history->size() <= bytes.size() / 21, "each note has its place");
    for (const auto& note : *history) {
        expect(to_string(note.kind) != "invalid", "a note has a class that there is");
    }
    std::string again;
    codec::encode(again, *history);
    expect(again == bytes, "a history that was read is written as the same bytes");
    sinew::dead_letter_record letter;
    letter.history = *history;
    letter.add({});
    expect(letter.history.size() <= sinew::dead_letter_record::history_max,
           "a history that was too long is cut when a note is added");
    for (std::size_t cut = 1; cut <= bytes.size() && cut <= 21; ++cut) {
        const auto less = decode(bytes.substr(0, bytes.size() - cut));
        expect(!less || less->size() < history->size(), "what is cut off is missed");
    }
}

void check_letter(input in) {
    sinew::dead_letter_record letter;
    while (!in.is_at_end()) {
        failure_note note;
        note.at =
            sinew::wall_time(sinew::wall_time::duration(static_cast<std::int64_t>(in.number())));
        note.kind = static_cast<sinew::failure_class>(in.byte() % 4);
        note.attempt = in.byte();
        note.reason = in.field();
        // Long ones are cut, so some have to be long.
        for (unsigned times = 1U + in.byte() % 8U; times > 0; --times) {
            note.detail += in.field();
        }
        letter.add(std::move(note));
    }
    expect(letter.history.size() <= sinew::dead_letter_record::history_max,
           "a letter keeps a bounded number of notes");
    std::string bytes;
    codec::encode(bytes, letter.history);
    expect(decode(bytes) == letter.history, "a history that was written is read as the same");
    for (const auto& note : letter.history) {
        expect(note.detail.size() <= sinew::dead_letter_record::detail_max, "a detail is cut");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    check_any_bytes({reinterpret_cast<const char*>(data), size});
    check_letter(input(data, size));
    return 0;
}
