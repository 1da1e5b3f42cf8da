// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The rules of CloudEvents 1.0 for attributes: their names, their characters, and what a content
/// type says of the data.
///
/// For adapters that write events in a format of CloudEvents, and read them.
///
/// **Source.** CloudEvents 1.0.2, cloudevents/spec.md, "Naming conventions" and "Type system";
/// cloudevents/formats/json-format.md, section 3.1.1.

#include <sinew/core/event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sinew {

/// Whether the text is a CloudEvents string: UTF-8 without control characters and noncharacters.
[[nodiscard]] constexpr bool is_attribute_text(std::string_view text) noexcept {
    if (!is_utf8(text)) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
        const unsigned char lead = at(0);
        if (lead < 0x20 || lead == 0x7f || (lead == 0xc2 && at(1) < 0xa0)) {
            return false;
        }
        const bool low = lead == 0xef && ((at(1) == 0xb7 && at(2) >= 0x90 && at(2) <= 0xaf) ||
                                          (at(1) == 0xbf && at(2) >= 0xbe));
        const bool high = lead >= 0xf0 && (at(1) & 0x0fU) == 0x0f && at(2) == 0xbf && at(3) >= 0xbe;
        if (low || high) {
            return false;
        }
    }
    return true;
}

/// Whether CloudEvents allows an attribute of that name: letters a-z and digits.
[[nodiscard]] constexpr bool is_attribute_name(std::string_view name) noexcept {
    for (const char c : name) {
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return !name.empty();
}

/// What CloudEvents says of an attribute that has a field of its own.
enum class attribute_kind : std::uint8_t { required, optional, extension };

/// An attribute with a field of its own.
struct known_attribute {
    std::string_view name;
    std::string event::* field;
    std::string_view event_view::* viewed;
    attribute_kind kind;
};

inline constexpr std::array<known_attribute, 12> known_attributes{{
    {"id", &event::id, &event_view::id, attribute_kind::required},
    {"source", &event::source, &event_view::source, attribute_kind::required},
    {"type", &event::type, &event_view::type, attribute_kind::required},
    {"subject", &event::subject, &event_view::subject, attribute_kind::optional},
    {"time", &event::time, &event_view::time, attribute_kind::optional},
    {"datacontenttype", &event::datacontenttype, &event_view::datacontenttype,
     attribute_kind::optional},
    {"dataschema", &event::dataschema, &event_view::dataschema, attribute_kind::optional},
    {"partitionkey", &event::partitionkey, &event_view::partitionkey, attribute_kind::extension},
    {"sequence", &event::sequence, &event_view::sequence, attribute_kind::extension},
    {"correlationid", &event::correlationid, &event_view::correlationid, attribute_kind::extension},
    {"causationid", &event::causationid, &event_view::causationid, attribute_kind::extension},
    {"traceparent", &event::traceparent, &event_view::traceparent, attribute_kind::extension},
}};

/// The attribute of that name that has a field of its own, or null.
[[nodiscard]] constexpr const known_attribute* find_known(std::string_view name) noexcept {
    for (const auto& one : known_attributes) {
        if (one.name == name) {
            return &one;
        }
    }
    return nullptr;
}

/// What the data of an event is, as far as it decides how a textual format holds it.
enum class content : std::uint8_t {
    json,    ///< one JSON value
    text,    ///< UTF-8 text
    binary,  ///< anything else
};

/// What a `datacontenttype` says of the data: JSON where there is none; text for `text/*`, XML,
/// YAML and forms, unless their `charset` is another one than UTF-8. The data itself is not looked
/// at.
[[nodiscard]] inline content content_of(std::string_view datacontenttype) {
    std::string lower;
    for (const char c : datacontenttype) {
        if (c != ' ' && c != '\t' && c != '"') {
            lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    const std::string_view type = std::string_view(lower).substr(0, lower.find(';'));
    const std::string_view subtype =
        type.substr(type.find('/') == type.npos ? type.size() : type.find('/') + 1);
    const auto is = [subtype](std::string_view format) {
        return subtype == format || (subtype.size() > format.size() && subtype.ends_with(format) &&
                                     subtype[subtype.size() - format.size() - 1] == '+');
    };
    if (lower.empty() || is("json")) {
        return content::json;
    }
    if (!type.starts_with("text/") && !is("xml") && !is("yaml") &&
        subtype != "x-www-form-urlencoded") {
        return content::binary;
    }
    const auto charset = lower.find(";charset=");
    const std::string_view named =
        charset == lower.npos ? "utf-8" : std::string_view(lower).substr(charset + 9);
    return named.starts_with("utf-8") || named.starts_with("us-ascii") ? content::text
                                                                       : content::binary;
}

}  // namespace sinew
