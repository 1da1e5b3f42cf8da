// SPDX-License-Identifier: BSL-1.0
//
// find_defect, the rules for names of attributes, and what a content type says of the data.

#include "property.hpp"

#include <sinew/core/cloudevents.hpp>
#include <sinew/core/event.hpp>

#include <string>

namespace {

using sinew::fuzz::expect;
using sinew::fuzz::input;

void check_defect(const sinew::event_view& e) {
    const auto found = sinew::find_defect(e);
    const bool complete = !e.id.empty() && !e.source.empty() && !e.type.empty();
    const bool is_text = sinew::is_utf8(e.id) && sinew::is_utf8(e.source) && sinew::is_utf8(e.type);
    expect(found.has_value() != (complete && is_text),
           "an event is usable if and only if id, source and type are there and UTF-8");
    if (found) {
        expect(!found->detail.empty(), "a defect has a sentence");
        const std::string_view missing = e.id.empty()       ? "id_missing"
                                         : e.source.empty() ? "source_missing"
                                         : e.type.empty()   ? "type_missing"
                                                            : "attribute_not_utf8";
        expect(found->reason == missing, "the defect is the one that the event has");
    }
}

void check_name(std::string_view name) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789";
    const bool good = !name.empty() && name.find_first_not_of(allowed) == name.npos;
    expect(sinew::is_attribute_name(name) == good, "a name is made of a-z and 0-9 alone");
    const auto* known = sinew::find_known(name);
    expect(known == nullptr || (known->name == name && good), "a known attribute has that name");
}

void check_content_type(std::string_view type) {
    const auto is = sinew::content_of(type);
    std::string other;
    for (const char c : type) {
        other += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        other += ' ';
    }
    expect(sinew::content_of(other) == is, "case and blanks change nothing in a content type");
    if (type.find_first_not_of(" \t\"") == type.npos) {
        expect(is == sinew::content::json, "data without a content type is JSON");
    }
    if (type.find('/') == type.npos && is != sinew::content::json) {
        expect(is == sinew::content::binary, "what is no content type says nothing of the data");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    sinew::event_view e{.id = in.field(), .source = in.field(), .type = in.field()};
    check_defect(e);
    check_name(in.field());
    check_content_type(in.rest());
    return 0;
}
