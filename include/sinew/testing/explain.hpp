// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A failure, told so that a person can read it, and repeated so that a person can look into it.
///
/// A counterexample is told in this order: the law, and how it did not hold; the few choices that
/// were not the unremarkable ones, by name; the line of code that repeats the run; and the history
/// of the run: when, who, what, how it ended, and what the state of a key was afterwards.

#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sinew::testing {

/// Runs one tape, and keeps its trace as text.
template <scenario S>
[[nodiscard]] trial run_tape(S&& run, std::span<const std::uint8_t> tape, bool with_text = true) {
    trial one;
    one.start(tape, with_text);
    run(one);
    return one;
}

/// The choices of a run that were not the unremarkable ones, a line each.
[[nodiscard]] inline std::string describe_faults(const tape& choices) {
    std::string out;
    for (std::size_t i = 0; i < choices.made().size(); ++i) {
        const auto& one = choices.made()[i];
        if (one.taken == 0) {
            continue;
        }
        out += "    choice " + std::to_string(i) + " '" + std::string(one.label) + "' = ";
        if (one.answer.empty()) {
            out += std::to_string(one.taken) + " of " + std::to_string(one.arity);
        } else {
            out += one.answer;
        }
        out += '\n';
    }
    return out;
}

/// The history of a run. Of a very long one the middle is left out: a run that does not come to its
/// end repeats itself.
[[nodiscard]] inline std::string describe_history(const history& trace) {
    constexpr std::size_t first_lines = 200;
    constexpr std::size_t last_lines = 50;
    const auto& lines = trace.lines();
    const std::size_t left_out =
        lines.size() > first_lines + last_lines ? lines.size() - first_lines - last_lines : 0;
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (left_out != 0 && i == first_lines) {
            out += "... " + std::to_string(left_out) + " lines ...\n";
            i += left_out;
        }
        out += lines[i] + '\n';
    }
    return out;
}

/// One failure. `name` is how the scenario is called in the code of whoever reads it.
template <scenario S>
[[nodiscard]] std::string explain(S&& run, const counterexample& one,
                                  std::string_view name = "scenario", bool with_history = true) {
    const auto again = run_tape(run, one.tape, with_history);
    const auto faults = count_faults(numbers_of(again.choices.made()));
    std::string out = "\"" + std::string(one.law) + "\" does not hold: " + one.how + '\n';
    out += "  run " + std::to_string(one.schedule) + ", " + std::to_string(faults) +
           (faults == 1 ? " fault in " : " faults in ") +
           std::to_string(again.choices.made().size()) + " choices\n";
    out += describe_faults(again.choices);
    out += "  again: run_tape(" + std::string(name) + ", " + to_code(one.tape) + ");\n";
    if (with_history) {
        out += "  what happened:\n" + describe_history(again.trace);
    }
    return out;
}

/// What went wrong: each broken law with its smallest tape, the first one with its history.
template <scenario S>
[[nodiscard]] std::string explain(S&& run, const fault_report& report,
                                  std::string_view name = "scenario") {
    std::string out;
    for (const auto& one : report.examples) {
        out += explain(run, one, name, &one == &report.examples.front());
    }
    return out;
}

}  // namespace sinew::testing
