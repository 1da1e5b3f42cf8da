// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace sinew::testing;

namespace {

/// What a run read, without the zeros at its end.
std::vector<std::uint8_t> read_by(const trial& run) {
    std::vector<std::uint8_t> out;
    for (const auto& one : run.choices.made()) {
        out.push_back(one.taken);
    }
    while (!out.empty() && out.back() == 0) {
        out.pop_back();
    }
    return out;
}

}  // namespace

TEST_CASE("every tape with so many faults is run, and each exactly once") {
    std::multiset<std::vector<std::uint8_t>> seen;
    const auto three_points = [&seen](trial& t) {
        t.choices.choose(2, "a");
        t.choices.choose(3, "b");
        t.choices.choose(4, "c");
        seen.insert(read_by(t));
    };
    REQUIRE(every_fault(three_points, 0).schedules == 1);
    REQUIRE(every_fault(three_points, 1).schedules == 1 + (1 + 2 + 3));
    REQUIRE(every_fault(three_points, 2).schedules == 7 + (1 * 2 + 1 * 3 + 2 * 3));
    const auto all = every_fault(three_points, 3);
    REQUIRE(all.schedules == 2 * 3 * 4);
    REQUIRE(all.complete);
    REQUIRE(all.choices_most == 3);
    seen.clear();
    REQUIRE(every_fault(three_points, 7).schedules == 24);
    REQUIRE(std::set<std::vector<std::uint8_t>>(seen.begin(), seen.end()).size() == 24);
}

TEST_CASE("points that are only there after a fault are found") {
    const auto branching = [](trial& t) {
        if (t.choices.choose(2, "first") == 1) {
            t.choices.choose(3, "only then");
            t.choices.choose(2, "and then");
        }
    };
    REQUIRE(every_fault(branching, 1).schedules == 2);
    REQUIRE(every_fault(branching, 2).schedules == 2 + 2 + 1);
    REQUIRE(every_fault(branching, 3).schedules == 2 + 3 + 2);
}

TEST_CASE("the first failing tape is one with the fewest faults, and repeats the failure") {
    const auto fails_at = [](trial& t) {
        unsigned sum = 0;
        for (int i = 0; i < 6; ++i) {
            sum += t.choices.choose(3, "x") * (i == 4 ? 10 : 1);
        }
        t.trace.add({}, "toy", "sum", sum);
        t.found.check("small", sum < 4, "too much");
        t.found.check("not ten", sum != 10, "ten");
    };
    const auto report = every_fault(fails_at, 2);
    REQUIRE_FALSE(report.all_hold());
    const auto* small = report.example_of("small");
    REQUIRE(small != nullptr);
    REQUIRE(small->faults == 1);
    REQUIRE(small->tape == std::vector<std::uint8_t>{0, 0, 0, 0, 1});
    const auto again = run_tape(fails_at, small->tape);
    REQUIRE(again.found.breaches().size() == 2);
    REQUIRE(again.trace.lines().size() == 1);
    REQUIRE(explain(fails_at, report).find("{0, 0, 0, 0, 1}") != std::string::npos);
    for (const auto& law : report.laws) {
        REQUIRE(law.checked == report.schedules);
    }
}

TEST_CASE("a limit ends it early, and the report says so") {
    const auto many = [](trial& t) {
        for (int i = 0; i < 50; ++i) {
            t.choices.choose(5, "x");
        }
    };
    const auto report = every_fault(many, 2, {.schedules_max = 1000});
    REQUIRE(report.schedules == 1000);
    REQUIRE_FALSE(report.complete);
}

TEST_CASE("it can stop at the first failure") {
    const auto bad = [](trial& t) {
        t.choices.choose(2, "x");
        t.choices.choose(2, "y");
        t.found.check("none", t.choices.made()[0].taken == 0, "x");
    };
    const auto report = every_fault(bad, 2, {.stop_at_first_failure = true});
    REQUIRE(report.failures == 1);
    REQUIRE(report.schedules < 4);
}
