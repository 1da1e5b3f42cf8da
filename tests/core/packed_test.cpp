// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/packed.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace std::string_view_literals;

namespace {

template <class List>
std::string packed(const List& list) {
    std::string out;
    pack(out, list);
    return out;
}

const std::vector<failure_note> some_history = {
    {wall_time(std::chrono::microseconds(258)), failure_class::unavailable, 3, "down", "a\0b"},
    {},
};

}  // namespace

TEST_CASE("the packed form stays as it is, for what stores have kept") {
    const std::vector<header> headers = {{"k", "v\0"}, {"", "ww"}};
    REQUIRE(packed(headers_view(headers)) == "\1\0\0\0k\1\0\0\0v\0\0\0\0\2\0\0\0ww"sv);
    REQUIRE(packed(std::vector<sequence_gap>{{1, 258}}) == "\1\0\0\0\0\0\0\0\2\1\0\0\0\0\0\0"sv);
    REQUIRE(packed(std::vector<offset_range>{{-1, 0}}) ==
            "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0"sv);
    REQUIRE(packed(std::vector<failure_note>{some_history.front()}) ==
            "\2\1\0\0\0\0\0\0\2\3\0\0\0\4\0\0\0down\1\0\0\0a"sv);
}

TEST_CASE("what was packed unpacks to the same") {
    const std::vector<header> headers = {{"k", "v"}, {std::string("\0", 1), std::string(300, 'x')}};
    std::vector<header> read = {{"old", "old"}};
    REQUIRE(unpack_headers(packed(headers_view(headers)), read));
    REQUIRE(read == headers);

    const std::vector<sequence_gap> gaps = {{1, 2}, {9, UINT64_MAX}};
    REQUIRE(unpack_ranges<sequence_gap>(packed(gaps)) == gaps);
    REQUIRE(unpack_history(packed(some_history)) == some_history);
    REQUIRE(unpack_history("").value().empty());
}

TEST_CASE("packed bytes that are cut off unpack to nothing") {
    const std::vector<header> headers = {{"k", "v"}};
    const auto whole = packed(headers_view(headers));
    std::vector<header_view> read;
    for (std::size_t size = 1; size < whole.size(); ++size) {
        REQUIRE_FALSE(unpack_headers(std::string_view(whole).substr(0, size), read));
        REQUIRE(read.empty());
    }
    REQUIRE_FALSE(unpack_ranges<offset_range>("\1\0\0\0\0\0\0\0\2"sv));

    const auto history = packed(std::vector<failure_note>{some_history.front()});
    for (std::size_t size = 1; size < history.size(); ++size) {
        REQUIRE_FALSE(unpack_history(std::string_view(history).substr(0, size)));
    }
}

TEST_CASE("a length beyond the end and a class that there is not unpack to nothing") {
    std::vector<header> read;
    REQUIRE_FALSE(
        unpack_headers("\xff\xff\xff\xff"
                       "k\1\0\0\0v"sv,
                       read));
    auto history = packed(some_history);
    history[8] = '\x7f';
    REQUIRE_FALSE(unpack_history(history));
}
