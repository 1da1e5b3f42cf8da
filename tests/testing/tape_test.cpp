// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/tape.hpp>

#include <cstdint>
#include <vector>

using sinew::testing::count_faults;
using sinew::testing::numbers_of;
using sinew::testing::tape;
using sinew::testing::to_code;
using sinew::testing::to_string;

TEST_CASE("an empty tape answers every question with the unremarkable choice") {
    tape t;
    REQUIRE(t.choose(3, "a") == 0);
    REQUIRE(t.choose(200, "b") == 0);
    REQUIRE(t.made().size() == 2);
    REQUIRE(t.made()[0].label == "a");
    REQUIRE(t.made()[0].arity == 3);
    REQUIRE(t.made()[1].arity == 200);
}

TEST_CASE("a tape is read from front to back, each number for one question") {
    tape t({2, 0, 1});
    REQUIRE(t.choose(3, "a") == 2);
    REQUIRE(t.choose(3, "b") == 0);
    REQUIRE(t.choose(3, "c") == 1);
    REQUIRE(t.choose(3, "d") == 0);
    REQUIRE(t.made()[0].taken == 2);
}

TEST_CASE("where there is nothing to choose, no number is used up") {
    tape t({1});
    REQUIRE(t.choose(1, "only one way") == 0);
    REQUIRE(t.choose(0, "no way") == 0);
    REQUIRE(t.made().empty());
    REQUIRE(t.choose(2, "two ways") == 1);
}

TEST_CASE("a tape that is loaded again starts at its front") {
    tape t({1});
    REQUIRE(t.choose(2, "a") == 1);
    const std::vector<std::uint8_t> other{0, 1};
    t.load(other);
    REQUIRE(t.made().empty());
    REQUIRE(t.choose(2, "a") == 0);
    REQUIRE(t.choose(2, "b") == 1);
}

TEST_CASE("a tape is printed without the zeros at its end") {
    REQUIRE(to_string(std::vector<std::uint8_t>{0, 0, 3, 0, 0}) == "{0, 0, 3}");
    REQUIRE(to_string(std::vector<std::uint8_t>{0, 0}) == "{}");
}

TEST_CASE("a choice keeps the name of its answer, if whoever asked gave one") {
    tape t({2, 1});
    t.name_last("nobody asked yet");
    t.choose(3, "store commit");
    t.name_last("reply lost");
    t.choose(2, "whose turn it is");
    REQUIRE(t.made()[0].answer == "reply lost");
    REQUIRE(t.made()[1].answer.empty());
}

TEST_CASE("what a run read is the tape that repeats it") {
    tape t({200, 0, 5, 0});
    for (int i = 0; i < 4; ++i) {
        t.choose(3, "x");
    }
    const auto read = numbers_of(t.made());
    REQUIRE(read == std::vector<std::uint8_t>{2, 0, 2});
    REQUIRE(count_faults(read) == 2);
}

TEST_CASE("a tape is printed as code that makes it again, and a long one shortly") {
    using sinew::testing::sparse_tape;
    REQUIRE(to_code(std::vector<std::uint8_t>{0, 0, 3, 0}) == "std::vector<std::uint8_t>{0, 0, 3}");
    const auto long_one = sparse_tape({{40, 2}, {7, 3}});
    REQUIRE(long_one.size() == 41);
    REQUIRE(long_one[7] == 3);
    REQUIRE(count_faults(long_one) == 2);
    REQUIRE(to_code(long_one) == "sinew::testing::sparse_tape({{7, 3}, {40, 2}})");
    REQUIRE(sparse_tape({}).empty());
}

TEST_CASE("whatever is on a tape, an answer is one of those that there are") {
    sinew::test::prop("answers are below the arity",
                      [](std::vector<std::uint8_t> numbers, std::vector<std::uint8_t> arities) {
                          tape t(std::move(numbers));
                          for (const auto arity : arities) {
                              const auto taken = t.choose(arity, "x");
                              RC_ASSERT(taken < (arity == 0 ? 1U : arity));
                          }
                      });
}
