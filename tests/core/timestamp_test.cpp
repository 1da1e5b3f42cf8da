// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/timestamp.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using namespace sinew;

namespace {

constexpr wall_time at(std::int64_t microseconds) {
    return wall_time(std::chrono::microseconds(microseconds));
}

constexpr bool is(std::string_view text, std::int64_t microseconds) {
    return parse_time(text) == at(microseconds);
}

/// 0000-01-01 and the end of 9999-12-31, in microseconds.
constexpr std::int64_t first_year = -62'167'219'200'000'000;
constexpr std::int64_t after_last_year = 253'402'300'800'000'000;

}  // namespace

TEST_CASE("an RFC 3339 time is the instant that it names") {
    STATIC_REQUIRE(is("1970-01-01T00:00:00Z", 0));
    STATIC_REQUIRE(is("2018-04-05T17:31:00Z", 1'522'949'460'000'000));
    STATIC_REQUIRE(is("1969-12-31T23:59:59.999999Z", -1));
    STATIC_REQUIRE(is("0000-01-01T00:00:00Z", first_year));
    STATIC_REQUIRE(is("9999-12-31T23:59:59.999999Z", after_last_year - 1));
}

TEST_CASE("the examples of RFC 3339, section 5.8, are read") {
    STATIC_REQUIRE(is("1985-04-12T23:20:50.52Z", 482'196'050'520'000));
    STATIC_REQUIRE(is("1996-12-19T16:39:57-08:00", 851'042'397'000'000));
    STATIC_REQUIRE(is("1990-12-31T23:59:60Z", 662'688'000'000'000));
    STATIC_REQUIRE(is("1990-12-31T15:59:60-08:00", 662'688'000'000'000));
    STATIC_REQUIRE(is("1937-01-01T12:00:27.87+00:20", -1'041'337'172'130'000));
}

TEST_CASE("an offset says how far local time is ahead of UTC") {
    STATIC_REQUIRE(is("1970-01-01T01:00:00+01:00", 0));
    STATIC_REQUIRE(is("1969-12-31T23:30:00-00:30", 0));
    STATIC_REQUIRE(is("1970-01-01T00:00:00-00:00", 0));
    STATIC_REQUIRE(is("1970-01-01T23:59:00+23:59", 0));
}

TEST_CASE("letters may be small, and decimals beyond microseconds are cut off") {
    STATIC_REQUIRE(is("1970-01-01t00:00:00z", 0));
    STATIC_REQUIRE(is("1970-01-01T00:00:00.1Z", 100'000));
    STATIC_REQUIRE(is("1970-01-01T00:00:00.0000019Z", 1));
    STATIC_REQUIRE(is("1970-01-01T00:00:00.000000999999999999999999999999Z", 0));
}

TEST_CASE("February has 29 days in leap years alone") {
    STATIC_REQUIRE(parse_time("2024-02-29T00:00:00Z").has_value());
    STATIC_REQUIRE(parse_time("2000-02-29T00:00:00Z").has_value());
    STATIC_REQUIRE(parse_time("0000-02-29T00:00:00Z").has_value());
    STATIC_REQUIRE_FALSE(parse_time("2023-02-29T00:00:00Z").has_value());
    STATIC_REQUIRE_FALSE(parse_time("1900-02-29T00:00:00Z").has_value());
    STATIC_REQUIRE_FALSE(parse_time("2024-02-30T00:00:00Z").has_value());
}

TEST_CASE("what is not an RFC 3339 time gives nothing") {
    for (const std::string text : {"",
                                   "now",
                                   "1970-01-01",
                                   "1970-01-01T00:00:00",
                                   "1970-01-01 00:00:00Z",
                                   "1970-01-01T00:00Z",
                                   "70-01-01T00:00:00Z",
                                   "11970-01-01T00:00:00Z",
                                   "-970-01-01T00:00:00Z",
                                   "1970-00-01T00:00:00Z",
                                   "1970-13-01T00:00:00Z",
                                   "1970-01-00T00:00:00Z",
                                   "1970-01-32T00:00:00Z",
                                   "1970-04-31T00:00:00Z",
                                   "1970-01-01T24:00:00Z",
                                   "1970-01-01T00:60:00Z",
                                   "1970-01-01T00:00:61Z",
                                   "1970-01-01T00:00:00.Z",
                                   "1970-01-01T00:00:00,5Z",
                                   "1970-01-01T00:00:00ZZ",
                                   "1970-01-01T00:00:00Z ",
                                   " 1970-01-01T00:00:00Z",
                                   "1970-01-01T00:00:00+0100",
                                   "1970-01-01T00:00:00+1",
                                   "1970-01-01T00:00:00+24:00",
                                   "1970-01-01T00:00:00+01:60",
                                   "1970-01-01T00:00:00+01:00Z",
                                   "1970-1-1T0:0:0Z",
                                   "1970/01/01T00:00:00Z",
                                   "1970-01-01T00:00:0\xd9\xa0Z"}) {
        INFO(text);
        CHECK(parse_time(text) == std::nullopt);
    }
    CHECK(parse_time(std::string_view("1970-01-01T00:00:00Z\0", 21)) == std::nullopt);
    // A carriage return differs from '-' in the bit that makes letters small.
    CHECK(parse_time("1970\r01\r01T00:00:00Z") == std::nullopt);
}

TEST_CASE("an instant is written with none, three or six decimals, as it needs") {
    CHECK(format_time(at(0)) == "1970-01-01T00:00:00Z");
    CHECK(format_time(at(500'000)) == "1970-01-01T00:00:00.500Z");
    CHECK(format_time(at(1)) == "1970-01-01T00:00:00.000001Z");
    CHECK(format_time(at(-1)) == "1969-12-31T23:59:59.999999Z");
    CHECK(format_time(at(1'522'949'460'000'000)) == "2018-04-05T17:31:00Z");
    CHECK(format_time(at(951'782'400'000'000)) == "2000-02-29T00:00:00Z");
}

TEST_CASE("years that RFC 3339 cannot write give no text") {
    CHECK(format_time(at(first_year)) == "0000-01-01T00:00:00Z");
    CHECK(format_time(at(first_year - 1)).empty());
    CHECK(format_time(at(after_last_year - 1)) == "9999-12-31T23:59:59.999999Z");
    CHECK(format_time(at(after_last_year)).empty());
    CHECK(format_time(wall_time::max()).empty());
    CHECK(format_time(wall_time::min()).empty());
}

TEST_CASE("an instant that is written is read back as the same") {
    sinew::test::prop("for any instant of the years 0000 to 9999", [] {
        const auto instant = *rc::gen::inRange(first_year, after_last_year);
        RC_ASSERT(parse_time(format_time(at(instant))) == at(instant));
    });
    for (std::int64_t day = first_year; day < after_last_year; day += 86'400'000'000) {
        if (parse_time(format_time(at(day))) != at(day)) {
            FAIL(format_time(at(day)));
        }
    }
    SUCCEED();
}

TEST_CASE("dates agree with the calendar of the standard library") {
    sinew::test::prop("for any day", [] {
        using namespace std::chrono;
        const auto day = sys_days(days(*rc::gen::inRange(-719'528, 2'932'896)));
        const year_month_day date(day);
        const std::string text = format_time(wall_time(day));
        RC_ASSERT(std::stoi(text.substr(0, 4)) == static_cast<int>(date.year()));
        RC_ASSERT(std::stoul(text.substr(5, 2)) == static_cast<unsigned>(date.month()));
        RC_ASSERT(std::stoul(text.substr(8, 2)) == static_cast<unsigned>(date.day()));
    });
}

TEST_CASE("any text is read without harm") {
    sinew::test::prop("a time with one byte changed is a time or nothing", [] {
        std::string text = "2018-04-05T17:31:00.25+01:30";
        text[*rc::gen::inRange<std::size_t>(0, text.size())] = *rc::gen::arbitrary<char>();
        const auto parsed = parse_time(text);
        RC_ASSERT((!parsed || *parsed > at(first_year - 1)));
    });
}
