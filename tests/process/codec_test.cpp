// SPDX-License-Identifier: BSL-1.0
#include <sinew/process/codec.hpp>
#include <sinew/process/step_key.hpp>

#include "support/test.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

using namespace sinew;

namespace {

template <class T>
void comes_back(T value) {
    RC_ASSERT(codec<T>::decode(codec<T>::encode(value)) == value);
}

template <class T>
bool refuses(std::string_view bytes) {
    try {
        static_cast<void>(codec<T>::decode(bytes));
        return false;
    } catch (const permanent_error& thrown) {
        return thrown.reason() == "undecodable";
    }
}

struct not_kept {};

}  // namespace

TEST_CASE("what a codec of the library writes it reads back") {
    STATIC_REQUIRE(recordable<std::string>);
    STATIC_REQUIRE(recordable<bool>);
    STATIC_REQUIRE(recordable<int>);
    STATIC_REQUIRE(recordable<unsigned long long>);
    STATIC_REQUIRE(!recordable<char>);
    STATIC_REQUIRE(!recordable<double>);
    STATIC_REQUIRE(!recordable<not_kept>);
    sinew::test::prop("texts, whatever is in them",
                      [](const std::string& value) { comes_back(value); });
    sinew::test::prop("numbers of all sizes",
                      [](std::int64_t a, std::uint64_t b, std::int8_t c, std::uint8_t d, bool e) {
                          comes_back(a);
                          comes_back(b);
                          comes_back(c);
                          comes_back(d);
                          comes_back(e);
                      });
}

TEST_CASE("the largest and smallest numbers come back, and the next ones are refused") {
    using limits = std::numeric_limits<std::int64_t>;
    CHECK(codec<std::int64_t>::decode("9223372036854775807") == limits::max());
    CHECK(codec<std::int64_t>::decode("-9223372036854775808") == limits::min());
    CHECK(refuses<std::int64_t>("9223372036854775808"));
    CHECK(refuses<std::int64_t>("-9223372036854775809"));
    CHECK(codec<std::uint64_t>::decode("18446744073709551615") == UINT64_MAX);
    CHECK(refuses<std::uint64_t>("18446744073709551616"));
    CHECK(codec<std::int8_t>::decode("-128") == -128);
    CHECK(refuses<std::int8_t>("128"));
    CHECK(refuses<std::uint8_t>("256"));
}

TEST_CASE("a number is read only as it is written") {
    for (const auto* bytes : {"", "-", "-0", "00", "01", "-01", "+1", " 1", "1 ", "1.0", "1e3",
                              "0x1", "1,000", "--1"}) {
        CAPTURE(bytes);
        CHECK(refuses<int>(bytes));
    }
    CHECK(refuses<unsigned>("-1"));
    CHECK(refuses<bool>("1"));
    CHECK(refuses<bool>(""));
    sinew::test::prop("so that no two texts are one number", [](const std::string& bytes) {
        if (!refuses<int>(bytes)) {
            RC_ASSERT(codec<int>::encode(codec<int>::decode(bytes)) == bytes);
        }
    });
}

TEST_CASE("a key reads back as what it was made of, so no two steps have the same") {
    sinew::test::prop("whatever the names are", [](const std::string& type, const std::string& id,
                                                   const std::string& step, bool undo) {
        RC_PRE(!type.empty() && !id.empty() && !step.empty());
        const auto phase = undo ? step_phase::undo : step_phase::act;
        const auto key = make_step_key(type, id, step, phase);
        RC_ASSERT((parse_step_key(key) == step_key{type, id, {step, phase}}));
    });
    sinew::test::prop("a text that is no key is none", [](const std::string& text) {
        const auto key = parse_step_key(text);
        if (key) {
            const auto again = parse_step_key(
                make_step_key(key->type, key->id, key->where.step, key->where.phase));
            RC_ASSERT((again == key));
        }
    });
    for (const auto* text : {"", "a", "a/b/c", "a/b/c/d", "a/b/c/act/", "/b/c/act", "a//c/act",
                             "a/b//act", "a/b/c/", "a%2/b/c/act", "a/b/c/act/undo"}) {
        CAPTURE(text);
        CHECK(!parse_step_key(text));
    }
    CHECK(make_step_key("checkout", "4711", "charge", step_phase::act) ==
          "checkout/4711/charge/act");
}

TEST_CASE("a step keeps the name with which its instance was started") {
    process_instance one;
    one.type = "p";
    one.id = "7";
    one.steps = {{"wrap", step_kind::retriable}};
    matched_step step;
    step.name = "pack";
    step.known_as = {"pack", "wrap"};
    CHECK(lasting_name(one, step) == "wrap");
    CHECK(make_step_key(one, step, step_phase::undo) == "p/7/wrap/undo");
    one.steps.clear();  // it was added since
    CHECK(lasting_name(one, step) == "pack");
}
