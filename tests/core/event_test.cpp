// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "core/any_event.hpp"

#include <sinew/core/event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;

namespace {

/// Whether the text is UTF-8, by decoding each character and encoding it again.
bool naive_is_utf8(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto byte = [&](std::size_t k) -> std::uint32_t {
            return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
        };
        const auto follows = [&](std::size_t k) { return (byte(k) >> 6U) == 2; };
        std::uint32_t point = 0;
        std::size_t size = 0;
        if (byte(0) < 0x80) {
            point = byte(0), size = 1;
        } else if (byte(0) >> 5U == 6 && follows(1)) {
            point = (byte(0) & 31U) << 6U | (byte(1) & 63U), size = 2;
        } else if (byte(0) >> 4U == 14 && follows(1) && follows(2)) {
            point = (byte(0) & 15U) << 12U | (byte(1) & 63U) << 6U | (byte(2) & 63U), size = 3;
        } else if (byte(0) >> 3U == 30 && follows(1) && follows(2) && follows(3)) {
            point = (byte(0) & 7U) << 18U | (byte(1) & 63U) << 12U | (byte(2) & 63U) << 6U |
                    (byte(3) & 63U);
            size = 4;
        } else {
            return false;
        }
        const std::size_t shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        if (size != shortest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) {
            return false;
        }
        i += size;
    }
    return true;
}

constexpr event_view whole{.id = "17", .source = "/shop", .type = "order.placed"};

constexpr event_view without(std::string_view event_view::* attribute) {
    event_view e = whole;
    e.*attribute = {};
    return e;
}

constexpr std::string_view defect_of(const event_view& e) {
    const auto found = find_defect(e);
    return found ? found->reason : std::string_view("none");
}

}  // namespace

TEST_CASE("a sequence is decimal digits alone, from 1 to 2^64 - 2") {
    STATIC_REQUIRE(parse_sequence("1") == 1U);
    STATIC_REQUIRE(parse_sequence("42") == 42U);
    STATIC_REQUIRE(parse_sequence("0000000000000000000042") == 42U);
    STATIC_REQUIRE(parse_sequence(std::string_view("0000000000000000000000000000000000000001")) ==
                   1U);
    STATIC_REQUIRE(parse_sequence("18446744073709551614") == UINT64_MAX - 1);
    for (const std::string text :
         {"", "0", "000", "18446744073709551615", "18446744073709551616", "18446744073709551620",
          "99999999999999999999", "100000000000000000000", "-1", "+1", " 1", "1 ", "1.0", "1e3",
          "0x10", "1\n", "\xd9\xa1", "00000000000000000000000000000000000000001"}) {
        CHECK(parse_sequence(text) == std::nullopt);
    }
    CHECK(parse_sequence(std::string_view("1\0", 2)) == std::nullopt);
}

TEST_CASE("a sequence is the number that was written") {
    sinew::test::prop("for any number, with any leading zeros", [](std::uint64_t number) {
        const auto zeros = *rc::gen::inRange<std::size_t>(0, 20);
        const auto parsed = parse_sequence(std::string(zeros, '0') + std::to_string(number));
        if (number == 0 || number == UINT64_MAX) {
            RC_ASSERT(parsed == std::nullopt);
        } else {
            RC_ASSERT(parsed == number);
        }
    });
}

TEST_CASE("UTF-8 is what decodes to characters and encodes to the same bytes") {
    STATIC_REQUIRE(is_utf8(""));
    STATIC_REQUIRE(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80"));
    STATIC_REQUIRE(is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
    STATIC_REQUIRE_FALSE(is_utf8("\x80"));
    STATIC_REQUIRE_FALSE(is_utf8("\xc0\xaf"));
    STATIC_REQUIRE_FALSE(is_utf8("\xc1\xbf"));
    STATIC_REQUIRE_FALSE(is_utf8("\xe0\x9f\xbf"));
    STATIC_REQUIRE_FALSE(is_utf8("\xed\xa0\x80"));
    STATIC_REQUIRE_FALSE(is_utf8("\xf0\x8f\xbf\xbf"));
    STATIC_REQUIRE_FALSE(is_utf8("\xf4\x90\x80\x80"));
    STATIC_REQUIRE_FALSE(is_utf8("\xf5\x80\x80\x80"));
    STATIC_REQUIRE_FALSE(is_utf8("\xe2\x82"));
    sinew::test::prop("for any pieces of characters", [] {
        const std::string text = *sinew::test::any_bytes();
        RC_ASSERT(is_utf8(text) == naive_is_utf8(text));
    });
    sinew::test::prop("for any bytes near the borders of the encoding", [] {
        const auto byte = rc::gen::elementOf(std::vector<int>{
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
            0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff});
        std::string text;
        for (const int value : *rc::gen::container<std::vector<int>>(4, byte)) {
            text += static_cast<char>(static_cast<unsigned char>(value));
        }
        RC_ASSERT(is_utf8(text) == naive_is_utf8(text));
        RC_ASSERT(is_utf8(text.substr(0, 3)) == naive_is_utf8(text.substr(0, 3)));
    });
}

TEST_CASE("all sequences of one to three bytes are judged as by the naive decoder") {
    for (unsigned value = 0; value < 256U * 256U * 256U; value += value < 65536 ? 1 : 7) {
        const char bytes[] = {static_cast<char>(static_cast<unsigned char>(value & 255U)),
                              static_cast<char>(static_cast<unsigned char>(value >> 8U & 255U)),
                              static_cast<char>(static_cast<unsigned char>(value >> 16U & 255U))};
        const std::string_view text(bytes, value < 256 ? 1 : value < 65536 ? 2 : 3);
        if (is_utf8(text) != naive_is_utf8(text)) {
            FAIL("value " << value);
        }
    }
    SUCCEED();
}

TEST_CASE("the prefix that is UTF-8 ends before the first character that is not") {
    STATIC_REQUIRE(utf8_prefix("") == 0);
    STATIC_REQUIRE(utf8_prefix("a\xc3\xa9") == 3);
    STATIC_REQUIRE(utf8_prefix("a\xc3\xa9\xff and on") == 3);
    STATIC_REQUIRE(utf8_prefix("\xe2\x82") == 0);
    STATIC_REQUIRE(utf8_prefix("ab\xed\xa0\x80") == 2);
    sinew::test::prop("for any bytes", [](const std::string& text) {
        const std::size_t good = utf8_prefix(text);
        RC_ASSERT(naive_is_utf8(text.substr(0, good)));
        for (std::size_t size = good + 1; size <= text.size(); ++size) {
            RC_ASSERT(!naive_is_utf8(text.substr(0, size)));
        }
    });
}

TEST_CASE("an event without id, source or type has a defect that says so") {
    STATIC_REQUIRE(defect_of(whole) == "none");
    STATIC_REQUIRE(defect_of(without(&event_view::id)) == "id_missing");
    STATIC_REQUIRE(defect_of(without(&event_view::source)) == "source_missing");
    STATIC_REQUIRE(defect_of(without(&event_view::type)) == "type_missing");
    for (const auto attribute : {&event_view::id, &event_view::source, &event_view::type}) {
        event_view e = whole;
        e.*attribute = "\xff";
        CHECK(defect_of(e) == "attribute_not_utf8");
    }
}

TEST_CASE("nothing but id, source and type makes an event defective") {
    sinew::test::prop("for any other attributes", [] {
        RC_ASSERT(find_defect((*sinew::test::any_event()).view()) == std::nullopt);
    });
}

TEST_CASE("a copy of a view is the event that was viewed") {
    sinew::test::prop("for any event", [] {
        const event e = *sinew::test::any_event();
        RC_ASSERT(to_event(e.view()) == e);
        RC_ASSERT(e.view().identity() == (event_identity{e.source, e.id}));
        RC_ASSERT(e.view().text() == e.data);
    });
}

TEST_CASE("an event weighs what its parts weigh") {
    CHECK(whole.size_bytes() == 2 + 5 + 12);
    sinew::test::prop("each part that grows makes it heavier by as much", [] {
        const event e = *sinew::test::any_event();
        event heavier = e;
        for (auto* part : {&heavier.id, &heavier.source, &heavier.type, &heavier.subject,
                           &heavier.time, &heavier.datacontenttype, &heavier.dataschema,
                           &heavier.data, &heavier.partitionkey, &heavier.sequence,
                           &heavier.correlationid, &heavier.causationid, &heavier.traceparent}) {
            *part += "x";
        }
        heavier.headers.push_back({"name", "value"});
        RC_ASSERT(heavier.view().size_bytes() == e.view().size_bytes() + 13 + 9);
    });
}

TEST_CASE("identity is source and id together, and nothing else") {
    event_view other = whole;
    other.type = "order.paid";
    CHECK(other.identity() == whole.identity());
    other.source = "/other";
    CHECK(other.identity() != whole.identity());
}

TEST_CASE("headers are read where they are, and found by the first of their name") {
    const std::vector<header> headers{{"a", "1"}, {"b", "2"}, {"a", "3"}, {"", "4"}};
    const headers_view view(headers);
    REQUIRE(view.size() == 4);
    CHECK_FALSE(view.empty());
    CHECK(view[0].name.data() == headers[0].name.data());
    CHECK(view[2] == header_view{"a", "3"});
    CHECK(view.find("a") == "1");
    CHECK(view.find("b") == "2");
    CHECK(view.find("") == "4");
    CHECK(view.find("A") == std::nullopt);
}

TEST_CASE("a view without headers holds none") {
    STATIC_REQUIRE(headers_view().empty());
    CHECK(headers_view().find("a") == std::nullopt);
    CHECK(headers_view(std::vector<header>{}).empty());
}

TEST_CASE("headers can be shown from any storage, without a copy") {
    // As a client library may keep them: names and values in one array.
    const std::string_view raw[] = {"a", "1", "b", "2"};
    const headers_view view(raw, 2, [](const void* owner, std::size_t index) {
        const auto* const texts = static_cast<const std::string_view*>(owner);
        return header_view{texts[2 * index], texts[2 * index + 1]};
    });
    CHECK(view.size() == 2);
    CHECK(view.find("b") == "2");
    event_view e = whole;
    e.headers = view;
    CHECK(to_event(e).headers == std::vector<header>{{"a", "1"}, {"b", "2"}});
}
