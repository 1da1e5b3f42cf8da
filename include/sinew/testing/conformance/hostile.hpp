// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Values as strangers send them: bytes that are no text, texts that only look alike, long ones.
///
/// **Invariants.** No two of `hostile_texts` are equal byte by byte, though many are to somebody
/// who trims, folds case, stops at a NUL, normalises Unicode, or takes them for numbers or SQL.

#include <sinew/core/event.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace sinew::testing::conformance {

/// Texts that an adapter has to tell apart. None is empty.
[[nodiscard]] inline std::vector<std::string> hostile_texts() {
    using namespace std::string_literals;
    return {"a",
            "A",
            "a ",
            " a",
            "a\0"s,
            "a\0b"s,
            "\0"s,
            "\xff\xfe",
            "\xc3\xa9",      // é, composed
            "e\xcc\x81",     // é, decomposed
            "\xed\xa0\x80",  // a surrogate, which is no UTF-8
            "'",
            "\"",
            "a'); DROP TABLE x; --",
            "%",
            "_",
            "\\",
            "\n",
            "\r\n",
            "10",
            "010",
            "1e1",
            "NULL",
            std::string(300, 'k') + "1",
            std::string(300, 'k') + "2"};
}

/// A plain event.
[[nodiscard]] inline event plain_event(std::string id, std::string key = {},
                                       std::string data = "data") {
    return {.id = std::move(id),
            .source = "/conformance",
            .type = "conformance.happened",
            .data = std::move(data),
            .partitionkey = std::move(key)};
}

/// Events that strain whoever carries them. Each is a valid one: it has id, source and type in
/// UTF-8.
[[nodiscard]] inline std::vector<event> hostile_events() {
    using namespace std::string_literals;
    std::string every_byte;
    for (int i = 0; i < 256; ++i) {
        every_byte += static_cast<char>(i);
    }
    event all{.id = "every attribute",
              .source = "/conformance/\xc3\xa9",
              .type = "conformance.\xe2\x82\xac",
              .subject = "a subject",
              .time = "2024-02-29T23:59:60.123456789+14:00",
              .datacontenttype = "application/octet-stream",
              .dataschema = "https://example.org/schema?x=1#y",
              .data = every_byte,
              .partitionkey = "key",
              .sequence = "00000000000000000042",
              .correlationid = "c",
              .causationid = "d",
              .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    event headers = plain_event("headers");
    headers.headers = {{"b", "1"}, {"a", "2"}, {"a", "3"}, {"A", ""}, {"bytes", every_byte}};
    event many = plain_event("many headers");
    for (int i = 0; i < 200; ++i) {
        many.headers.push_back({"h" + std::to_string(i), std::string(20, 'v')});
    }
    event bytes = plain_event("bytes in the key", "\0\xff'"s);
    bytes.subject = "\0subject\xff"s;
    bytes.correlationid = "\0"s;
    return {std::move(all),
            std::move(headers),
            std::move(many),
            std::move(bytes),
            plain_event("no data", "k", ""),
            plain_event("a NUL", "k", "\0"s),
            plain_event("much data", "k", std::string(100'000, '\xfe')),
            plain_event(std::string(300, 'i'), std::string(300, 'k'))};
}

}  // namespace sinew::testing::conformance
