// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a simulation came to, and how it is told.

#include <sinew/testing/explain.hpp>
#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/laws.hpp>
#include <sinew/testing/tape.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

/// What all schedules of a simulation together showed.
struct simulation_verdict {
    fault_report runs;               ///< of every schedule with few faults, and the random ones
    unsigned faults = 0;             ///< every schedule with up to so many was run
    std::uint64_t random_tapes = 0;  ///< and so many with more
    /// The first counterexample, as a person reads it. Empty if there is none.
    std::string story{};

    [[nodiscard]] bool holds() const noexcept { return runs.all_hold(); }
    [[nodiscard]] std::uint64_t schedules() const noexcept { return runs.schedules; }
    /// The first counterexample, which is one with the fewest faults, or null.
    [[nodiscard]] const counterexample* first() const noexcept {
        return runs.examples.empty() ? nullptr : &runs.examples.front();
    }

    /// All of it: the counterexample, or what held, and how often each law was asked.
    [[nodiscard]] std::string text() const {
        std::string out = story;
        out += holds() ? "holds: " : "does not hold: ";
        out += std::to_string(runs.schedules) + (runs.schedules == 1 ? " schedule" : " schedules");
        if (holds()) {
            out +=
                ": all with up to " + std::to_string(faults) + (faults == 1 ? " fault" : " faults");
            if (random_tapes != 0) {
                out += ", and " + std::to_string(random_tapes) + " random ones";
            }
            if (!runs.complete) {
                out += "; but schedules_max ended it early";
            }
        } else {
            out += ", of which " + std::to_string(runs.failures) + " did not hold";
        }
        out += '\n';
        for (const auto& one : runs.laws) {
            out += "  " + std::string(one.law);
            out.append(one.law.size() < 34 ? 34 - one.law.size() : 1, ' ');
            out += "asked " + std::to_string(one.checked) + " times";
            out += one.broken == 0 ? "\n" : ", broken " + std::to_string(one.broken) + "\n";
        }
        return out;
    }
};

namespace detail {

/// The options that repeat a schedule.
[[nodiscard]] inline std::string as_options(std::span<const std::uint8_t> tape,
                                            const std::vector<std::string>& only) {
    constexpr std::size_t plain_max = 40;
    tape = trimmed(tape);
    std::string out = "{";
    if (tape.empty()) {
        out += ".faults = 0";
    } else {
        out += ".tape = " + (tape.size() <= plain_max ? to_string(tape) : to_code(tape));
    }
    for (const auto& id : only) {
        out += (&id == &only.front() ? ", .only = {\"" : "\", \"") + id;
    }
    return out + (only.empty() ? "}" : "\"}}");
}

/// A counterexample, ready to be told.
struct failing_run {
    const counterexample& what;
    const trial& again;  ///< its repetition, with text
    std::size_t events = 0;
    std::size_t events_all = 0;
    std::vector<std::string> only{};
    std::string_view changed_outside{};
};

[[nodiscard]] inline std::string tell(const failing_run& one) {
    const auto& choices = one.again.choices;
    const auto faults = count_faults(numbers_of(choices.made()));
    std::string out = "\"" + std::string(one.what.law) + "\" does not hold: " + one.what.how + '\n';
    out += "  with " + std::to_string(one.events) + " of " + std::to_string(one.events_all) +
           " events, and " + std::to_string(faults) + (faults == 1 ? " fault in " : " faults in ") +
           std::to_string(choices.made().size()) + " choices\n";
    out += describe_faults(choices);
    if (!one.changed_outside.empty()) {
        out += "  the handler changes something outside of its transaction: " +
               std::string(one.changed_outside) + '\n';
    }
    out += "  again: simulate(..., " + as_options(one.what.tape, one.only) + ")\n";
    return out + "  what happened:\n" + one.again.trace.text();
}

}  // namespace detail

}  // namespace sinew::testing
