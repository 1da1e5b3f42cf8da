// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/random_tapes.hpp>
#include <sinew/testing/world.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

using namespace sinew::testing;

namespace {

/// Sixty calls, of which three in a row must not be refused.
void three_in_a_row(trial& t) {
    world w(t);
    unsigned row = 0;
    bool broken = false;
    for (int i = 0; i < 60; ++i) {
        const auto how = w.choose("worker", "call", {fault::refused, fault::delayed});
        row = how == fault::refused ? row + 1 : 0;
        broken = broken || row == 3;
    }
    t.found.check("never three", !broken, "three in a row");
}

void always_fine(trial& t) {
    world w(t);
    for (int i = 0; i < 60; ++i) {
        w.choose("worker", "call", {fault::refused, fault::delayed});
    }
    t.found.check("fine", true, "");
}

}  // namespace

TEST_CASE("random tapes find what needs more faults than can be tried one by one") {
    const auto report = random_tapes(three_in_a_row, {.tapes = 5'000});
    REQUIRE_FALSE(report.all_hold());
    const auto* one = report.runs.example_of("never three");
    REQUIRE(one != nullptr);
    REQUIRE(one->tape == std::vector<std::uint8_t>{1, 1, 1});
    REQUIRE(one->faults == 3);
    REQUIRE(report.shrunk_completely);
    REQUIRE(one->schedule == report.tapes());
    const auto text = explain(three_in_a_row, report.runs, "three_in_a_row");
    REQUIRE(text.find("run_tape(three_in_a_row, std::vector<std::uint8_t>{1, 1, 1});") !=
            std::string::npos);
}

TEST_CASE("the same seed gives the same tapes, and another one gives others") {
    const auto run = [](std::uint64_t seed) {
        return random_tapes(always_fine, {.tapes = 200, .seed = seed});
    };
    const auto first = run(1);
    REQUIRE(first.all_hold());
    REQUIRE(first.tapes() == 200);
    REQUIRE(first.runs.happened == run(1).runs.happened);
    REQUIRE(first.runs.happened != run(2).runs.happened);
}

TEST_CASE("random runs go beyond two faults, and say how far") {
    const auto report = random_tapes(always_fine, {.tapes = 500});
    REQUIRE(report.beyond_two > 200);
    REQUIRE(report.faults_mean() > 2);
    REQUIRE(report.faults_most > 8);
    REQUIRE(report.runs.happened[static_cast<std::size_t>(fault::refused)] > 100);
    REQUIRE(summary(report, 0.5).find("1000 tapes a second") != std::string::npos);
    REQUIRE(summary(report).find("a second") == std::string::npos);
}

TEST_CASE("a scenario that can't bear many faults gets few") {
    const auto report = random_tapes(always_fine, {.tapes = 500, .like = {.faults_max = 2}});
    REQUIRE(report.faults_most == 2);
    REQUIRE(report.beyond_two == 0);
    REQUIRE(report.faults > 100);
}

TEST_CASE("a tape is as long and as dense as was asked for") {
    sinew::splitmix64 random(3);
    std::size_t longest = 0;
    std::uint64_t numbers = 0;
    std::uint64_t faults = 0;
    for (int i = 0; i < 2'000; ++i) {
        const auto tape = random_tape(random, {.length_max = 300, .faults_per_mille = 50});
        longest = std::max(longest, tape.size());
        numbers += tape.size();
        faults += count_faults(tape);
    }
    REQUIRE(longest <= 300);
    REQUIRE(longest > 290);
    REQUIRE(faults * 1000 / numbers > 40);
    REQUIRE(faults * 1000 / numbers < 60);
}

TEST_CASE("a scenario that depends on more than its tape is found out") {
    unsigned runs = 0;
    const auto remembers = [&runs](trial& t) {
        world w(t);
        ++runs;
        for (int i = 0; i < 50; ++i) {
            const auto how = w.choose("worker", "call", {fault::refused});
            // After a refusal, what was left by the run before shows.
            w.note("worker", "does", how == fault::refused ? runs : 0U);
        }
    };
    const auto report = random_tapes(remembers, {.tapes = 500});
    REQUIRE_FALSE(report.all_hold());
    REQUIRE(report.runs.examples.size() == 1);
    const auto& one = report.runs.examples[0];
    REQUIRE(one.law == law::repeatable);
    // The smallest tape that shows it, and the line in which the two runs differ.
    REQUIRE(one.tape == std::vector<std::uint8_t>{1});
    CAPTURE(one.how);
    REQUIRE(one.how.find("line 2 is") != std::string::npos);
    REQUIRE(one.how.find("does ") != std::string::npos);
}

TEST_CASE("a difference that does not come again is a failure all the same") {
    int runs = 0;
    const auto once_different = [&runs](trial& t) {
        t.choices.choose(2, "x");
        t.trace.add({}, "toy", ++runs == 4 ? "different" : "same");
    };
    const auto report = random_tapes(once_different, {.tapes = 50, .like = {.length_max = 8}});
    REQUIRE_FALSE(report.all_hold());
    REQUIRE(report.runs.examples[0].how == "two runs differed, and 10 more did not");
}

TEST_CASE("all tapes are run if the first failure is not the end") {
    const auto often = [](trial& t) {
        t.choices.choose(2, "x");
        t.found.check("zero", t.choices.made()[0].taken == 0, "one");
    };
    const auto report = random_tapes(often, {.tapes = 300, .stop_at_first_failure = false});
    REQUIRE(report.tapes() == 300);
    REQUIRE(report.runs.failures > 1);
    for (const auto& law : report.runs.laws) {
        REQUIRE(law.checked == 300);
    }
    REQUIRE(report.runs.laws.size() == 2);
}
