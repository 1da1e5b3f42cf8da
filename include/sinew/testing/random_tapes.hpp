// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Runs a scenario under random schedules: what lies beyond the few faults that `every_fault` can
/// try.
///
/// A random tape is mostly zeros, with a fault here and there, and ends in nothing but zeros: so
/// there is a time of trouble, and then everything has to drain. How dense the trouble is differs
/// from tape to tape, because histories with three faults and histories with fifty find different
/// things.
///
/// **Guarantees.** The same options give the same tapes. Each tape is run twice, and both runs have
/// to write the same history: a scenario that depends on anything but the tape is found out, and
/// the report names the first line in which the two differ. A failing tape is made small by
/// `shrink`.
/// **Bounds.** Two runs for each tape, and at most `shrinking.runs_max` for each law that broke.
///
/// **Example.**
/// ```cpp
/// const auto report = random_tapes(scenario, {.tapes = 10'000});
/// if (!report.all_hold()) { std::cout << explain(scenario, report.runs, "scenario"); }
/// ```

#include <sinew/core/random.hpp>
#include <sinew/testing/explain.hpp>
#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/shrink.hpp>
#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

namespace law {

/// Broken by whatever a run depends on besides its tape: an address, a clock, what a run before
/// left.
inline constexpr std::string_view repeatable = "the same tape gives the same run";

}  // namespace law

/// What random tapes are like.
struct random_tape_options {
    /// How many numbers there are at most. 0: `random_tapes` takes twice as many as a run without
    /// faults has choices, and at least 64.
    std::size_t length_max = 0;
    /// How many of 1,000 numbers are faults, on average over all tapes; a tape has up to twice as
    /// many.
    unsigned faults_per_mille = 200;
    /// At most so many faults on a tape, for a scenario that can't bear any number of them.
    std::size_t faults_max = SIZE_MAX;
};

/// How far `random_tapes` goes.
struct random_options {
    std::uint64_t tapes = 1'000;
    std::uint64_t seed = 1;
    random_tape_options like{};
    bool stop_at_first_failure = true;
    shrink_options shrinking{};
};

/// What all tapes together showed.
struct random_report {
    fault_report runs;             ///< each tape counts once; the examples are small ones
    std::uint64_t faults = 0;      ///< in all runs together
    std::uint64_t beyond_two = 0;  ///< runs with more than two faults
    unsigned faults_most = 0;
    bool shrunk_completely = true;  ///< false if a limit ended the search for a small example

    [[nodiscard]] bool all_hold() const noexcept { return runs.all_hold(); }
    [[nodiscard]] std::uint64_t tapes() const noexcept { return runs.schedules; }
    [[nodiscard]] double faults_mean() const noexcept {
        return tapes() == 0 ? 0 : static_cast<double>(faults) / static_cast<double>(tapes());
    }
};

/// A random tape.
template <random_source G>
[[nodiscard]] std::vector<std::uint8_t> random_tape(G& random, const random_tape_options& like) {
    const auto below = [&random](std::uint64_t limit) { return limit == 0 ? 0 : random() % limit; };
    const std::size_t length = like.length_max == 0 ? 64 : like.length_max;
    std::vector<std::uint8_t> out;
    if (like.faults_max != SIZE_MAX) {
        // So many faults, each at any place.
        out.resize(length, 0);
        for (auto left = below(like.faults_max + 1); left != 0; --left) {
            out[below(length)] = static_cast<std::uint8_t>(1 + below(255));
        }
        return out;
    }
    out.resize(1 + below(length), 0);
    const auto density = below(2 * std::uint64_t{like.faults_per_mille} + 1);
    for (auto& one : out) {
        const auto draw = random();
        if (draw % 1000 < density) {
            one = static_cast<std::uint8_t>(1 + (draw >> 32U) % 255);
        }
    }
    return out;
}

/// Tries tapes on a scenario, one by one: for whoever makes the tapes otherwise.
template <scenario S>
class tape_checker {
public:
    explicit tape_checker(S& run) noexcept : run_(run) {}

    /// How many choices a run without faults has.
    [[nodiscard]] std::size_t choices_without_faults() {
        run_once(once_, {}, false);
        return once_.choices.made().size();
    }

    /// Runs a tape twice. Answers whether all laws held, and both runs were the same.
    bool check(std::span<const std::uint8_t> tape) {
        run_once(once_, tape, false);
        run_once(again_, tape, false);
        const auto faults = count_faults(numbers_of(once_.choices.made()));
        const bool same = once_.trace.hash() == again_.trace.hash();
        once_.found.check(law::repeatable, same, [&] { return first_difference(tape); });
        report_.runs.add(once_, tape, faults);
        report_.faults += faults;
        report_.beyond_two += faults > 2 ? 1 : 0;
        report_.faults_most = report_.faults_most > faults ? report_.faults_most : faults;
        return once_.found.all_hold();
    }

    /// Makes the examples small. The report is then final.
    random_report finish(shrink_options options = {}) {
        for (auto& one : report_.runs.examples) {
            options.law = one.law;
            const auto small = one.law == law::repeatable ? shrink_difference(one.tape, options)
                                                          : shrink(run_, one.tape, options);
            report_.shrunk_completely = report_.shrunk_completely && small.complete;
            if (small.fails) {
                one.how = small.smallest.how;
                one.tape = small.smallest.tape;
                one.faults = small.smallest.faults;
            }
        }
        return std::move(report_);
    }

    [[nodiscard]] const random_report& report() const noexcept { return report_; }

private:
    void run_once(trial& one, std::span<const std::uint8_t> tape, bool with_text) {
        one.start(tape, with_text);
        run_(one);
    }

    /// Runs the tape with text until two histories differ.
    std::string first_difference(std::span<const std::uint8_t> tape) {
        constexpr int tries = 10;
        trial first;
        trial second;
        run_once(first, tape, true);
        for (int i = 0; i < tries; ++i) {
            run_once(second, tape, true);
            const auto& a = first.trace.lines();
            const auto& b = second.trace.lines();
            for (std::size_t line = 0; line < a.size() || line < b.size(); ++line) {
                const auto at = [line](const std::vector<std::string>& lines) {
                    return line < lines.size() ? lines[line] : std::string("(its end)");
                };
                if (at(a) != at(b)) {
                    return "line " + std::to_string(line + 1) + " is \"" + at(a) +
                           "\" in one run and \"" + at(b) + "\" in another";
                }
            }
        }
        return "two runs differed, and " + std::to_string(tries) + " more did not";
    }

    shrunk shrink_difference(std::span<const std::uint8_t> tape, shrink_options options) {
        detail::tape_shrinker search(
            [this](std::span<const std::uint8_t> numbers, std::vector<choice>& made) {
                run_once(once_, numbers, false);
                run_once(again_, numbers, false);
                made = once_.choices.made();
                return once_.trace.hash() != again_.trace.hash();
            },
            options.runs_max);
        if (!search.begin(tape)) {
            return {};
        }
        search.shrink();
        return {.smallest = {law::repeatable, first_difference(search.best()), search.best(),
                             count_faults(search.best()), 1},
                .fails = true,
                .complete = search.complete(),
                .runs = search.runs()};
    }

    S& run_;
    trial once_;
    trial again_;
    random_report report_;
};

/// Runs random tapes, each twice, and makes what fails small.
template <scenario S>
[[nodiscard]] random_report random_tapes(S&& run, random_options options = {}) {
    tape_checker<std::remove_reference_t<S>> checker(run);
    splitmix64 random(options.seed);
    if (options.like.length_max == 0) {
        const auto choices = checker.choices_without_faults();
        options.like.length_max = choices > 32 ? 2 * choices : 64;
    }
    for (std::uint64_t i = 0; i < options.tapes; ++i) {
        const auto tape = random_tape(random, options.like);
        if (!checker.check(tape) && options.stop_at_first_failure) {
            break;
        }
    }
    return checker.finish(options.shrinking);
}

/// One line for people, with the rate if the time is given.
[[nodiscard]] inline std::string summary(const random_report& report, double seconds = 0) {
    const auto tapes = static_cast<double>(report.tapes());
    char out[160];
    int at = std::snprintf(out, sizeof out, "%llu random tapes, each twice",
                           static_cast<unsigned long long>(report.tapes()));
    const auto rest = [&]() -> std::pair<char*, std::size_t> {
        return {out + at, sizeof out - static_cast<std::size_t>(at)};
    };
    if (seconds > 0) {
        at += std::snprintf(rest().first, rest().second, ", %.0f tapes a second", tapes / seconds);
    }
    std::snprintf(rest().first, rest().second,
                  "; faults in each: %.1f on average, %u at most; %.0f %% with more than two",
                  report.faults_mean(), report.faults_most,
                  tapes == 0 ? 0 : 100 * static_cast<double>(report.beyond_two) / tapes);
    return out;
}

}  // namespace sinew::testing
