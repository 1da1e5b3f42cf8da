// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/encode.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace sinew;

namespace {

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, bytes);
    return out;
}

std::string percent(std::string_view bytes) {
    std::string out;
    append_percent(out, bytes);
    return out;
}

}  // namespace

TEST_CASE("base64 is that of RFC 4648, section 10") {
    for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"},
                                      {"\xff\xef\xbe", "/+++"}}) {
        CHECK(base64(bytes) == text);
        CHECK(from_base64(text) == bytes);
    }
}

TEST_CASE("text that is not base64 gives nothing") {
    for (const std::string text : {"Z", "Zg", "Zg=", "Zg===", "=Zg=", "Z===", "====", "Zm9v\n",
                                   "Zm-_", "Zm9v Zm9v", "Zg==Zg==", "Zm9v===="}) {
        CHECK(from_base64(text) == std::nullopt);
    }
}

TEST_CASE("percent-encoding leaves alone what needs none") {
    CHECK(percent("aZ09-._~") == "aZ09-._~");
    CHECK(percent(std::string("\0 %&=/\xff", 7)) == "%00%20%25%26%3D%2F%FF");
    CHECK(from_percent("%3d%3D+a") == "==+a");
}

TEST_CASE("text that is not percent-encoded gives nothing") {
    for (const std::string text : {"%", "%4", "a%", "%zz", "%4g", "%-1"}) {
        CHECK(from_percent(text) == std::nullopt);
    }
}

TEST_CASE("any bytes come back from both encodings bit for bit") {
    sinew::test::prop("base64 and percent-encoding", [] {
        std::string bytes;
        for (const int value : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 256))) {
            bytes += static_cast<char>(static_cast<unsigned char>(value));
        }
        RC_ASSERT(from_base64(base64(bytes)) == bytes);
        RC_ASSERT(from_percent(percent(bytes)) == bytes);
    });
}
