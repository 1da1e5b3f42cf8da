// SPDX-License-Identifier: BSL-1.0
//
// parse_json for any bytes: against a JSON parser that builds a document, there and back, under
// small limits, and what its failures say.

#include "property.hpp"

#include <sinew/core/json.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace {

using nlohmann::json;
using sinew::event;
using sinew::fuzz::expect;

constexpr sinew::json_limits small{.bytes_max = 200, .depth_max = 3, .headers_max = 2};

constexpr std::array<std::string_view, 3> reasons_of_limits{"json_too_large", "json_too_deep",
                                                            "headers_too_many"};
constexpr std::array<std::string_view, 3> reasons_with_a_place{"not_utf8", "not_json",
                                                               "not_an_object"};
constexpr std::array<std::string_view, 10> other_reasons{
    "specversion_missing", "specversion_unsupported", "id_missing",      "source_missing",
    "type_missing",        "attribute_malformed",     "attribute_twice", "data_malformed",
    "data_twice",          "headers_malformed"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& all, std::string_view reason) {
    return std::find(all.begin(), all.end(), reason) != all.end();
}

/// The place that a detail names: `byte 17: ...`.
std::size_t place_in(std::string_view detail) {
    if (!detail.starts_with("byte ")) {
        return 0;
    }
    std::size_t place = 0;
    for (const char c : detail.substr(5, detail.find(':') - 5)) {
        place = place * 10 + static_cast<std::size_t>(c - '0');
    }
    return place;
}

void check_failure(const sinew::failure& why, std::size_t size) {
    expect(why.kind == sinew::failure_class::permanent,
           "a text that is no event is permanently so");
    expect(!why.detail.empty() && why.detail.size() < 200, "a detail is a short sentence",
           why.detail);
    for (const char c : why.detail) {
        expect(c >= 0x20 && c < 0x7f, "a detail is printable, whatever was read", why.detail);
    }
    if (is_one_of(reasons_with_a_place, why.reason)) {
        const std::size_t place = place_in(why.detail);
        expect(place >= 1 && place <= size + 1, "a detail names the byte", why.detail);
    } else {
        expect(is_one_of(reasons_of_limits, why.reason) || is_one_of(other_reasons, why.reason),
               "a reason is one of those that the documentation lists", why.reason);
    }
}

/// The known attributes, as the document holds them.
void check_attributes(const event& e, const json& document) {
    for (const auto& known : sinew::known_attributes) {
        const std::string& value = e.*(known.field);
        const auto member = document.find(known.name);
        if (member == document.end() || member->is_null()) {
            expect(value.empty() || document.contains("sinewattributes"),
                   "an attribute that is absent stays so", known.name);
        } else if (member->is_string() && !member->get_ref<const std::string&>().empty()) {
            expect(value == member->get_ref<const std::string&>(),
                   "an attribute is what the document says", known.name);
        } else if (member->is_boolean() || member->is_number_integer()) {
            expect(known.kind == sinew::attribute_kind::extension && value == member->dump(),
                   "integers and booleans of extensions become their text", known.name);
        }
    }
}

void check_data(const event& e, const json& document) {
    const auto data = document.find("data");
    if (data == document.end()) {
        expect(e.data.empty() || document.contains("data_base64"), "data that is absent stays so");
    } else if (sinew::content_of(e.datacontenttype) == sinew::content::json) {
        const json again = json::parse(e.data, nullptr, false);
        expect(again == *data, "data that is JSON is the same value", e.data);
    } else {
        expect(data->is_string() && e.data == data->get_ref<const std::string&>(),
               "data that is text is the same text");
    }
}

void check_headers(const event& e, const json& document) {
    std::size_t members = 0;
    for (const auto& [name, value] : document.items()) {
        if (sinew::detail::is_reserved(name) || value.is_null()) {
            continue;
        }
        ++members;
        std::size_t found = 0;
        for (const auto& one : e.headers) {
            const bool same =
                !value.is_string() || one.value == value.get_ref<const std::string&>();
            found += one.name == name && same ? 1U : 0U;
        }
        expect(found > 0, "each further member is a header", name);
    }
    expect(e.headers.size() == members || document.contains("sinewheaders"),
           "there are no other headers than the members");
}

void check_against_document(const event& e, std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    expect(document.is_object(), "an event is a JSON object");
    expect(document.at("specversion") == "1.0", "an event is one of CloudEvents 1.0");
    check_attributes(e, document);
    check_data(e, document);
    check_headers(e, document);
}

void check_round_trip(const event& e) {
    const auto written = sinew::to_json(e.view());
    expect(written.has_value(), "what was read can be written", written.why().detail);
    const auto again = sinew::parse_json(written.value());
    expect(again.has_value(), "what was written can be read", written.value());
    expect(again.value() == e, "what is written again is the same event", written.value());
    expect(sinew::to_json(again.value().view()).value() == written.value(),
           "the same event is written the same", written.value());
}

void check_limits(std::string_view text, const event& e) {
    const auto limited = sinew::parse_json(text, small);
    if (limited) {
        expect(text.size() <= small.bytes_max && e.headers.size() <= small.headers_max,
               "what is beyond the limits is refused");
        expect(limited.value() == e, "limits change nothing in what they let through");
    } else {
        expect(is_one_of(reasons_of_limits, limited.why().reason),
               "what only the limits refuse is refused for their sake", limited.why().reason);
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto read = sinew::parse_json(text);
    if (!read) {
        check_failure(read.why(), size);
        expect(!sinew::parse_json(text, small).has_value(),
               "small limits let nothing more through");
        return 0;
    }
    const event& e = read.value();
    expect(!sinew::find_defect(e.view()), "an event that was read is usable");
    check_against_document(e, text);
    check_round_trip(e);
    check_limits(text, e);
    return 0;
}
