// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/world.hpp>

#include <cctype>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew::testing;

namespace {

/// The numbers of the line of code that repeats a run, read back from what was printed.
std::vector<std::uint8_t> tape_of_repeat_line(std::string_view text, std::string_view name) {
    const std::string begin = "again: run_tape(" + std::string(name) + ", ";
    auto at = text.find(begin);
    REQUIRE(at != std::string_view::npos);
    text = text.substr(at + begin.size());
    text = text.substr(0, text.find('\n'));
    const bool is_sparse = text.starts_with("sinew::testing::sparse_tape({");
    REQUIRE((is_sparse || text.starts_with("std::vector<std::uint8_t>{")));
    std::vector<std::size_t> numbers;
    bool in_number = false;
    for (const char c : text.substr(text.find('{'))) {
        if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
            if (!in_number) {
                numbers.push_back(0);
            }
            numbers.back() = numbers.back() * 10 + static_cast<std::size_t>(c - '0');
            in_number = true;
        } else {
            in_number = false;
        }
    }
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (!is_sparse) {
            out.push_back(static_cast<std::uint8_t>(numbers[i]));
        } else if (i % 2 == 1) {
            out.resize(numbers[i - 1], 0);
            out.push_back(static_cast<std::uint8_t>(numbers[i]));
        }
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
        seen.insert(numbers_of(t.choices.made()));
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

TEST_CASE("a failure is explained with the names of its faults, and the line of code repeats it") {
    for (const int calls : {4, 40}) {
        CAPTURE(calls);
        const auto loses = [calls](trial& t) {
            world w(t);
            bool lost = false;
            for (int i = 0; i < calls; ++i) {
                const auto how = w.choose("worker", "store commit",
                                          {fault::refused, fault::reply_lost, fault::delayed});
                lost = lost || (i == calls - 1 && how == fault::reply_lost);
            }
            w.note("store", "key a is now", lost ? "lost" : "kept");
            t.found.check("nothing is lost", !lost, "a1 is gone");
        };
        const auto report = every_fault(loses, 1);
        REQUIRE(report.failures == 1);
        const auto text = explain(loses, report, "loses");
        const auto has = [&text](std::string_view part) { return text.find(part) != text.npos; };
        CAPTURE(text);
        REQUIRE(has("\"nothing is lost\" does not hold: a1 is gone"));
        REQUIRE(has("1 fault in " + std::to_string(calls) + " choices"));
        REQUIRE(has("choice " + std::to_string(calls - 1) + " 'store commit' = reply lost"));
        REQUIRE(has("worker"));
        REQUIRE(has("store commit meets: reply lost"));
        REQUIRE(has("key a is now lost"));
        const auto again = run_tape(loses, tape_of_repeat_line(text, "loses"));
        REQUIRE(again.found.breaches().size() == 1);
        REQUIRE(again.found.breaches()[0].law == "nothing is lost");
    }
}

TEST_CASE("a choice whose answers have no names is explained by its number") {
    const auto bad = [](trial& t) {
        t.found.check("none", t.choices.choose(3, "whose turn it is") != 2, "two");
    };
    const auto text = explain(bad, every_fault(bad, 1));
    REQUIRE(text.find("choice 0 'whose turn it is' = 2 of 3") != std::string::npos);
    REQUIRE(text.find("run_tape(scenario, std::vector<std::uint8_t>{2});") != std::string::npos);
}

TEST_CASE("of a very long history the middle is left out, and it is said how much") {
    const auto long_run = [](trial& t) {
        for (int i = 1; i <= 1000; ++i) {
            t.trace.add({}, "toy", "line", i);
        }
        t.found.check("none", t.choices.choose(2, "x") == 0, "x");
    };
    const auto text = explain(long_run, every_fault(long_run, 1));
    const auto has = [&text](std::string_view part) { return text.find(part) != text.npos; };
    REQUIRE(has("line 1\n"));
    REQUIRE(has("line 200\n... 750 lines ...\n"));
    REQUIRE_FALSE(has("line 201\n"));
    REQUIRE_FALSE(has("line 950\n"));
    REQUIRE(has("line 951\n"));
    REQUIRE(has("line 1000\n"));
}
