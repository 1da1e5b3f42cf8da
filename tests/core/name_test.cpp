// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/name.hpp>

#include <string_view>
#include <type_traits>

using namespace sinew;

namespace {

template <name Name>
struct named {
    static constexpr std::string_view text = Name.view();
};

}  // namespace

TEST_CASE("a literal can stand as a template argument, and is what was written") {
    STATIC_REQUIRE(named<"order.placed">::text == "order.placed");
    STATIC_REQUIRE(named<"x">::text == "x");
    STATIC_REQUIRE(named<"gr\xc3\xb6\xc3\x9f"
                         "e">::text.size() == 7);
    CHECK(named<"order.placed">::text == "order.placed");
}

TEST_CASE("equal names are one type, and different names are two") {
    STATIC_REQUIRE(std::is_same_v<named<"charge">, named<"charge">>);
    STATIC_REQUIRE_FALSE(std::is_same_v<named<"charge">, named<"refund">>);
    STATIC_REQUIRE_FALSE(std::is_same_v<named<"charge">, named<"charges">>);
}

TEST_CASE("names are compared by their text, whatever their lengths") {
    STATIC_REQUIRE(name("charge") == name("charge"));
    STATIC_REQUIRE_FALSE(name("charge") == name("refund"));
    STATIC_REQUIRE_FALSE(name("charge") == name("charges"));
}
