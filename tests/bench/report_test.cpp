// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "../../bench/measure.hpp"
#include "../../bench/report.hpp"

#include <stdexcept>
#include <string>

namespace {

using namespace sinew::bench;

/// A round that took so long, in each of its parts.
laps took(double first, double second) {
    laps made;
    made.add("add", first);
    made.add("read", second);
    return made;
}

row pair_of(double ratio, double goal) {
    return {.name = "window/1e5",
            .part = "insert",
            .by_hand = 1'234'567.4,
            .ours = 999.6,
            .ratio = ratio,
            .low = 0.5,
            .high = 1.25,
            .goal = goal,
            .series = "window",
            .x = 1e5,
            .against = "a set, \"flat\""};
}

value_row figure_of(double value, double at_most, double at_least) {
    return {{.name = "bytes", .unit = "bytes an id", .at_most = at_most, .at_least = at_least},
            value,
            value,
            value};
}

}  // namespace

TEST_CASE("numbers of a benchmark are written as people read them") {
    CHECK(rate(0) == "0");
    CHECK(rate(999) == "999");
    CHECK(rate(1'000) == "1,000");
    CHECK(rate(1'234'567.4) == "1,234,567");
    CHECK(rate(-12'345) == "-12,345");
    CHECK(two_digits(0.849) == "0.85");
    CHECK(readable(17.25) == "17.25");
    CHECK(readable(13'000) == "13,000");
}

TEST_CASE("a quantile lies between its neighbours, and of nothing it is 0") {
    CHECK(quantile({}, 0.5) == 0);
    CHECK(quantile({3}, 0.25) == 3);
    CHECK(quantile({4, 1, 3, 2}, 0.5) == Approx(2.5));
    CHECK(quantile({1, 2, 3, 4, 5}, 0.25) == Approx(2));
}

TEST_CASE("a goal that is not kept is called missed, and one that is not there is not") {
    CHECK(line_of(pair_of(0.9, 0.85)) ==
          "| window/1e5 | insert | 1,234,567 | 1,000 | 0.90 | (0.50 to 1.25) | 0.85 |\n");
    CHECK(line_of(pair_of(0.8, 0.85)).find("| 0.85, missed |") != std::string::npos);
    CHECK(line_of(pair_of(0.1, 0)).find("(0.50 to 1.25) | |") != std::string::npos);
}

TEST_CASE("a figure is held to its goal from the side that the goal names") {
    CHECK(line_of(figure_of(17.25, 20, 0)) ==
          "| bytes | 17.25 | | bytes an id | at most 20.00 |\n");
    CHECK(line_of(figure_of(20.5, 20, 0)).find("at most 20.00, missed |") != std::string::npos);
    CHECK(line_of(figure_of(12'000, 0, 13'000)).find("at least 13,000, missed |") !=
          std::string::npos);
    CHECK(line_of(figure_of(13'000, 0, 13'000)).find("missed") == std::string::npos);
    // A difference can be below nothing.
    CHECK(line_of(figure_of(-36, 10, 0)).find("missed") == std::string::npos);
    CHECK(line_of(figure_of(-36, 0, 10)).find("missed") != std::string::npos);
    CHECK(line_of(figure_of(1, 0, 0)) == "| bytes | 1.00 | | bytes an id | |\n");
}

TEST_CASE("the table counts the goals of pairs and figures, and names what failed") {
    results all{.name = "window", .about = {"compiler: x"}};
    all.pairs = {pair_of(0.9, 0.85), pair_of(0.8, 0.85), pair_of(0.1, 0)};
    all.figures = {figure_of(17, 20, 0), figure_of(1, 0, 0)};
    all.failures = {"window/1e7: no memory"};
    CHECK(all.goals() == 3);
    CHECK(all.missed() == 1);
    const std::string text = markdown(all);
    CHECK(text.starts_with("# window\n\n- compiler: x\n"));
    CHECK(text.find("\n2 of 3 goals kept\n") != std::string::npos);
    CHECK(text.find("\n**Failed:** window/1e7: no memory\n") != std::string::npos);
}

TEST_CASE("the data hold a line for each result, and a comma in a name splits no field") {
    results all{.name = "window"};
    all.pairs = {pair_of(0.75, 0.85)};
    all.figures = {figure_of(17.25, 20, 0)};
    CHECK(csv(all) == std::string(csv_head) +
                          "pair,window/1e5,insert,1234567.4,999.6,0.75,0.5,1.25,ratio,0.85,no,"
                          "items/s,window,100000,\"a set, \"\"flat\"\"\"\n"
                          "figure,bytes,,,17.25,,17.25,17.25,at_most,20,yes,bytes an id,,0,\n");
}

TEST_CASE("all parts of a pair together come first, and carry the goal unless a part is named") {
    samples rounds;
    rounds.add(took(1, 3), took(2, 6));
    rounds.add(took(1, 3), took(2, 6));
    const auto together = rounds.rows({.name = "outbox", .items = 8, .goal = 0.8, .series = "s"});
    REQUIRE(together.size() == 3);
    CHECK(together[0].part == "add + read");
    CHECK(together[0].by_hand == Approx(2));
    CHECK(together[0].ours == Approx(1));
    CHECK(together[0].ratio == Approx(0.5));
    CHECK(together[0].goal == 0.8);
    CHECK(together[0].series == "s");
    CHECK_FALSE(together[0].is_kept());
    CHECK(together[2].part == "read");
    CHECK_FALSE(together[2].has_goal());
    CHECK(together[2].series.empty());

    const auto of_part = rounds.rows({.name = "outbox", .goal = 0.4, .goal_part = "read"});
    CHECK_FALSE(of_part[0].has_goal());
    CHECK(of_part[2].has_goal());
    CHECK(of_part[2].is_kept());
}

TEST_CASE("the ratio is that of rounds, and not of medians that come from different rounds") {
    samples rounds;
    const double slower[] = {1, 2, 4, 8, 16};
    for (const double s : slower) {
        const bool is_disturbed = s == 4;
        laps by_hand;
        by_hand.add("read", is_disturbed ? 40 : s);
        laps ours;
        ours.add("read", 2 * s);
        rounds.add(by_hand, ours);
    }
    const auto one = rounds.rows({.name = "drifts", .items = 8}).front();
    CHECK(one.by_hand == Approx(1));  // the medians: 8 and 8 seconds
    CHECK(one.ours == Approx(1));
    CHECK(one.ratio == Approx(0.5));
    CHECK(one.low == Approx(0.5));
    CHECK(one.high == Approx(0.5));
}

TEST_CASE("what a part takes in several pieces is counted together, and the time between is not") {
    laps made = took(1, 3);
    made.add("add", 0.5);
    CHECK(made.all().size() == 2);
    CHECK(made.all()[0].seconds == Approx(1.5));
    CHECK(made.seconds() == Approx(4.5));
    bool done = false;
    made.time("tidy", [&] { done = true; });
    CHECK(done);
    CHECK(made.all().size() == 3);
    CHECK(made.all()[2].seconds >= 0);
}

TEST_CASE("sides with different parts are no pair") {
    samples rounds;
    laps other;
    other.add("add", 1);
    CHECK_THROWS_AS(rounds.add(took(1, 1), other), std::logic_error);
    CHECK_THROWS_AS(rounds.add(other, took(1, 1)), std::logic_error);
}
