// SPDX-License-Identifier: BSL-1.0
//
// to_json for any event: it is refused for a reason that holds, or read back bit for bit.

#include "property.hpp"

#include <sinew/core/json.hpp>

#include <string>

namespace {

using sinew::event;
using sinew::fuzz::expect;
using sinew::fuzz::input;

/// An event of fields with any bytes in them, and up to as many headers as a byte can say.
event make_event(input& in) {
    event e{.id = std::string(in.field()),
            .source = std::string(in.field()),
            .type = std::string(in.field())};
    // Few events have many attributes, so each one is named.
    for (unsigned fields = in.byte() % 16; fields > 0; --fields) {
        const auto at = in.byte() % sinew::known_attributes.size();
        e.*(sinew::known_attributes[at].field) = in.field();
    }
    for (unsigned headers = in.byte() % 16; headers > 0; --headers) {
        const std::string_view name = in.field();
        e.headers.push_back({std::string(name), std::string(in.field())});
    }
    e.data = in.rest();
    return e;
}

void check_refusal(const event& e, const sinew::json_limits& limits, const sinew::failure& why) {
    using sinew::is_attribute_text;
    expect(why.kind == sinew::failure_class::permanent && !why.detail.empty(),
           "a refusal is permanent and has a sentence");
    if (why.reason == "json_too_large") {
        const auto whole = sinew::to_json(e.view());
        expect(whole && whole.value().size() > limits.bytes_max, "the text is beyond the limit");
    } else if (why.reason == "json_too_deep") {
        expect(limits.depth_max == 0, "only without any depth there is no text");
    } else if (why.reason == "headers_too_many") {
        expect(e.headers.size() > limits.headers_max, "the headers are beyond the limit");
    } else if (why.reason == "attribute_malformed") {
        expect(
            !is_attribute_text(e.id) || !is_attribute_text(e.source) || !is_attribute_text(e.type),
            "a required attribute is no CloudEvents text");
    } else {
        const auto defect = sinew::find_defect(e.view());
        expect(defect && defect->reason == why.reason, "the event has the defect", why.reason);
    }
}

void check(const event& e, const sinew::json_limits& limits) {
    const auto written = sinew::to_json(e.view(), limits);
    if (!written) {
        check_refusal(e, limits, written.why());
        return;
    }
    expect(written.value().size() <= limits.bytes_max, "the text is within the limit");
    const auto read = sinew::parse_json(written.value(), limits);
    expect(read.has_value(), "what was written is read under the same limits",
           written.value() + "\n    " + read.why().detail);
    expect(read.value() == e, "an event that was written is read bit for bit", written.value());
    expect(!nlohmann::json::parse(written.value(), nullptr, false).is_discarded(),
           "what was written is JSON for others too", written.value());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    const auto bytes_max = std::size_t{in.byte()} * 4;
    const auto depth_max = std::size_t{in.byte()} % 8;
    const auto headers_max = std::size_t{in.byte()} % 8;
    const event e = make_event(in);
    check(e, {});
    check(e, {.bytes_max = bytes_max, .depth_max = depth_max, .headers_max = headers_max});
    return 0;
}
