// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The CloudEvents 1.0 JSON format: events as JSON text, and back.
///
/// **Guarantees.** What `to_json` writes, `parse_json` under the same limits reads back as an equal
/// event, bit for bit, with all its headers in their order. Neither throws on what strangers sent,
/// nor makes more of it than the limits allow.
///
/// | what an event holds | what the JSON holds |
/// | --- | --- |
/// | `data` that is one JSON value, of a JSON type or of none | `data`: the same bytes |
/// | `data` that is UTF-8, of a textual type (`text/*`, XML, YAML, forms) | `data`: a string |
/// | other `data`, also JSON with blanks around it | `data_base64` |
/// | an attribute that is CloudEvents text | a member |
/// | an optional attribute with control characters, or not UTF-8 | a pair in `sinewattributes` |
/// | a header with a name of a-z and 0-9 that is CloudEvents text | a member |
/// | a header with another name or value, without a value, or again | a pair in `sinewheaders` |
///
/// `sinewattributes` and `sinewheaders` are extension attributes, which any CloudEvents reader
/// passes on. Their pairs are `name=value`, percent-encoded and joined by `&`. In `sinewheaders` a
/// name alone stands for the member of that name: so the order is kept.
///
/// What others wrote is read as the format says: members that are `null` count as absent (but for
/// `data`), integers and booleans of extensions become their text. Not distinguished afterwards: an
/// attribute that is empty and one that is absent; an integer and its text; blanks around `data`.
///
/// **Source.** CloudEvents 1.0.2, cloudevents/formats/json-format.md; RFC 8259.

#include <sinew/core/cloudevents.hpp>
#include <sinew/core/encode.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/json_reader.hpp>
#include <sinew/core/json_result.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace sinew {

namespace detail {

/// Hands a text to the parser, which tells no places, and keeps where it stands.
struct counted_iterator {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    const char* at;
    const char** read_to;

    reference operator*() const noexcept { return *at; }
    counted_iterator& operator++() noexcept {
        *read_to = ++at;
        return *this;
    }
    counted_iterator operator++(int) noexcept {
        const auto before = *this;
        ++*this;
        return before;
    }
    friend bool operator==(const counted_iterator& a, const counted_iterator& b) noexcept {
        return a.at == b.at;
    }
};

/// Whether the text is one JSON value, with nothing before and after it, for an event to hold.
[[nodiscard]] inline bool is_bare_json(std::string_view text, std::size_t depth_max) {
    constexpr std::string_view blanks_and_bom = " \t\r\n\xef";
    // The parser takes a NUL byte for the end, and skips a byte order mark.
    if (text.empty() || depth_max == 0 || blanks_and_bom.find(text.front()) != text.npos ||
        blanks_and_bom.find(text.back()) != text.npos || text.find('\0') != text.npos) {
        return false;
    }
    json_walk walk(depth_max - 1);
    return nlohmann::json::sax_parse(text.begin(), text.end(), &walk);
}

inline void append_string(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
            continue;
        }
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    out += '"';
}

inline void append_member(std::string& out, std::string_view name, std::string_view value) {
    out += ",\"";
    out += name;
    out += "\":";
    append_string(out, value);
}

inline void append_pair(std::string& list, std::string_view name, std::string_view value) {
    if (!list.empty()) {
        list += '&';
    }
    append_percent(list, name);
    list += '=';
    append_percent(list, value);
}

/// Writes the headers: as members where CloudEvents allows it, in `sinewheaders` where not.
inline void append_headers(std::string& out, const headers_view& headers) {
    std::string list;
    bool all_plain = true;
    for (std::size_t i = 0; i < headers.size(); ++i) {
        const auto one = headers[i];
        bool plain = is_attribute_name(one.name) && !is_reserved(one.name) && !one.value.empty() &&
                     is_attribute_text(one.value);
        for (std::size_t k = 0; plain && k < i; ++k) {
            plain = headers[k].name != one.name;
        }
        if (plain) {
            append_member(out, one.name, one.value);
            list += list.empty() ? "" : "&";
            list += one.name;
        } else {
            append_pair(list, one.name, one.value);
            all_plain = false;
        }
    }
    if (!all_plain) {
        append_member(out, "sinewheaders", list);
    }
}

inline void append_data(std::string& out, const event_view& e, std::size_t depth_max) {
    const std::string_view data = e.text();
    if (data.empty()) {
        return;
    }
    const content kind = content_of(e.datacontenttype);
    if (kind == content::json && is_bare_json(data, depth_max)) {
        out += ",\"data\":";
        out += data;
    } else if (kind == content::text && is_utf8(data)) {
        append_member(out, "data", data);
    } else {
        out += ",\"data_base64\":\"";
        append_base64(out, data);
        out += '"';
    }
}

}  // namespace detail

/// An event as JSON text, in the media type `application/cloudevents+json`.
///
/// **On failure.** An event without `id`, `source` or `type`, or with one that is not CloudEvents
/// text, and an event beyond the limits, is refused.
/// **Bounds.** Linear in the event, but for the headers: those are compared with each other.
[[nodiscard]] inline json_result<std::string> to_json(const event_view& e,
                                                      const json_limits& limits = {}) {
    if (const auto bad = find_defect(e)) {
        return detail::json_failure(std::string(bad->reason), std::string(bad->detail));
    }
    if (limits.depth_max == 0) {
        return detail::json_failure("json_too_deep", "the limits allow no JSON object");
    }
    if (e.headers.size() > limits.headers_max) {
        return detail::json_failure(
            "headers_too_many",
            "the event has more than " + std::to_string(limits.headers_max) + " headers");
    }
    std::string out = R"({"specversion":"1.0")";
    std::string list;
    for (const auto& known : known_attributes) {
        const std::string_view value = e.*(known.viewed);
        if (value.empty()) {
            continue;
        }
        if (is_attribute_text(value)) {
            detail::append_member(out, known.name, value);
        } else if (known.kind != attribute_kind::required) {
            detail::append_pair(list, known.name, value);
        } else {
            return detail::json_failure(
                "attribute_malformed",
                detail::quoted(known.name) + " holds a control character or a noncharacter");
        }
    }
    if (!list.empty()) {
        detail::append_member(out, "sinewattributes", list);
    }
    detail::append_headers(out, e.headers);
    detail::append_data(out, e, limits.depth_max);
    out += '}';
    if (out.size() > limits.bytes_max) {
        return detail::json_failure("json_too_large", "the JSON text is larger than the limit");
    }
    return out;
}

/// The event that a JSON text holds.
///
/// **On failure.** Any text that is not exactly one event gives a permanent failure. Nothing throws
/// but `std::bad_alloc`.
/// **Bounds.** Linear in the text, but for the headers: those are compared with each other.
[[nodiscard]] inline json_result<event> parse_json(std::string_view text,
                                                   const json_limits& limits = {}) {
    if (text.size() > limits.bytes_max) {
        return detail::json_failure("json_too_large", "the JSON text is larger than the limit");
    }
    if (const std::size_t good = utf8_prefix(text); good != text.size()) {
        return detail::json_failure(
            "not_utf8", "byte " + std::to_string(good + 1) + ": the text is not UTF-8 here");
    }
    // The parser would take it for the end, and what follows would go unseen.
    if (const auto nul = text.find('\0'); nul != text.npos) {
        return detail::json_failure("not_json", "byte " + std::to_string(nul + 1) + ": a NUL byte");
    }
    detail::json_reader reader(text, limits);
    const char* const end = text.data() + text.size();
    const bool complete =
        nlohmann::json::sax_parse(detail::counted_iterator{text.data(), reader.read_to()},
                                  detail::counted_iterator{end, reader.read_to()}, &reader);
    return reader.finish(complete);
}

}  // namespace sinew
