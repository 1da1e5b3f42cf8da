// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "core/any_event.hpp"

#include <sinew/core/cloudevents.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace sinew;

namespace {

/// The character of that code point as UTF-8.
std::string utf8(std::uint32_t point) {
    const auto byte = [](std::uint32_t value) {
        return static_cast<char>(static_cast<unsigned char>(value));
    };
    if (point < 0x80) {
        return {byte(point)};
    }
    if (point < 0x800) {
        return {byte(0xc0 | point >> 6U), byte(0x80 | (point & 63U))};
    }
    if (point < 0x10000) {
        return {byte(0xe0 | point >> 12U), byte(0x80 | (point >> 6U & 63U)),
                byte(0x80 | (point & 63U))};
    }
    return {byte(0xf0 | point >> 18U), byte(0x80 | (point >> 12U & 63U)),
            byte(0x80 | (point >> 6U & 63U)), byte(0x80 | (point & 63U))};
}

}  // namespace

TEST_CASE("attribute text holds any character but controls, surrogates and noncharacters") {
    for (std::uint32_t point = 0; point <= 0x10ffff; ++point) {
        const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        const bool surrogate = point >= 0xd800 && point <= 0xdfff;
        const bool noncharacter =
            (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xfffeU) == 0xfffe;
        const std::string text = "a" + utf8(point) + "b";
        if (is_attribute_text(text) != !(control || surrogate || noncharacter) ||
            is_utf8(text) != !surrogate) {
            FAIL("U+" << std::hex << point);
        }
    }
    SUCCEED();
}

TEST_CASE("attribute text is UTF-8") {
    STATIC_REQUIRE(is_attribute_text(""));
    STATIC_REQUIRE(is_attribute_text("/shop?a=\"b\""));
    STATIC_REQUIRE_FALSE(is_attribute_text("\xff"));
    STATIC_REQUIRE_FALSE(is_attribute_text("\xc3"));
    sinew::test::prop("what is no UTF-8 is no attribute text", [] {
        const std::string bytes = *sinew::test::any_bytes();
        RC_ASSERT((is_utf8(bytes) || !is_attribute_text(bytes)));
    });
}

TEST_CASE("attribute names are of a-z and 0-9") {
    STATIC_REQUIRE(is_attribute_name("tenant1"));
    STATIC_REQUIRE_FALSE(is_attribute_name(""));
    STATIC_REQUIRE_FALSE(is_attribute_name("Tenant"));
    STATIC_REQUIRE_FALSE(is_attribute_name("trace_id"));
    STATIC_REQUIRE_FALSE(is_attribute_name("\xc3\xa9"));
}

TEST_CASE("each attribute with a field is known by its name, once") {
    for (const auto& one : known_attributes) {
        CHECK(find_known(one.name) == &one);
        event e;
        e.*(one.field) = "x";
        CHECK(e.view().*(one.viewed) == "x");
    }
    STATIC_REQUIRE(find_known("tenant") == nullptr);
    STATIC_REQUIRE(find_known("data") == nullptr);
    STATIC_REQUIRE(find_known("id")->kind == attribute_kind::required);
    STATIC_REQUIRE(find_known("subject")->kind == attribute_kind::optional);
    STATIC_REQUIRE(find_known("sequence")->kind == attribute_kind::extension);
}

TEST_CASE("a content type says whether data is JSON, text, or neither") {
    for (const std::string type :
         {"", "application/json", "Application/JSON", "text/json",
          " application/json ; charset=utf-8", "application/vnd.a.b+json"}) {
        CHECK(content_of(type) == content::json);
    }
    for (const std::string type :
         {"text/plain", "TEXT/HTML", "text/plain;charset=UTF-8", "text/plain; charset=\"utf-8\"",
          "text/plain; charset=us-ascii", "application/xml", "image/svg+xml", "application/yaml",
          "application/x-www-form-urlencoded"}) {
        CHECK(content_of(type) == content::text);
    }
    for (const std::string type :
         {"application/octet-stream", "application/x-protobuf", "text/plain; charset=latin1",
          "application/notjson", "application/jsonx", "/", ";", "text", "application/+"}) {
        CHECK(content_of(type) == content::binary);
    }
}
