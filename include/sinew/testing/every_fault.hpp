// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Runs a scenario under every schedule with up to so many faults: not a sample, all of them.
///
/// A schedule is a tape, a fault a number on it that is not 0. The runner runs the empty tape and
/// learns at how many points something could have gone otherwise, and in how many ways; then it puts
/// one fault in each place; then, after each of these, a second one, and so on. A run after a fault
/// has other points than one without, so they are learned anew each time.
///
/// **Guarantees.** Each tape with at most `faults_max` numbers other than 0 is run exactly once and
/// counted once; tapes with fewer faults come first, so the first failing tape is one of the smallest.
/// **Bounds.** With n points of a ways, about (n·a)^k / k! schedules. `schedules_max` ends it early,
/// and the report says so.
///
/// **Example.**
/// ```cpp
/// const auto report = every_fault(scenario, 2);
/// if (!report.all_hold()) { std::cout << explain(scenario, report); }
/// ```

#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// The first schedule under which a law did not hold.
struct counterexample {
    std::string_view law;
    std::string how;
    std::vector<std::uint8_t> tape;
    unsigned faults = 0;
    std::uint64_t schedule = 0;  ///< how many schedules had been run, this one included
};

/// What all schedules together showed.
struct fault_report {
    std::uint64_t schedules = 0;
    std::uint64_t failures = 0;    ///< schedules under which some law did not hold
    bool complete = true;          ///< false if a limit ended it early
    std::size_t choices_most = 0;  ///< the most choice points that a run had
    fault_counts happened{};
    fault_counts offered{};
    std::vector<law_count> laws;
    std::vector<point_count> points;       ///< how many schedules reached them
    std::vector<counterexample> examples;  ///< the first one of each law

    [[nodiscard]] bool all_hold() const noexcept { return failures == 0; }

    [[nodiscard]] const counterexample* example_of(std::string_view law) const noexcept {
        for (const auto& one : examples) {
            if (one.law == law) {
                return &one;
            }
        }
        return nullptr;
    }

    /// Adds what one run found.
    void add(const trial& run, std::span<const std::uint8_t> tape, unsigned faults) {
        ++schedules;
        choices_most =
            run.choices.made().size() > choices_most ? run.choices.made().size() : choices_most;
        add_counts(run.found.happened, run.found.offered, run.found.counts(), run.found.points());
        failures += run.found.all_hold() ? 0 : 1;
        for (const auto& one : run.found.breaches()) {
            if (example_of(one.law) == nullptr) {
                examples.push_back(
                    {one.law, one.how, {tape.begin(), tape.end()}, faults, schedules});
            }
        }
    }

    /// Adds what another scenario showed.
    void add(const fault_report& other) {
        for (const auto& one : other.examples) {
            if (example_of(one.law) == nullptr) {
                examples.push_back(one);
                examples.back().schedule += schedules;
            }
        }
        schedules += other.schedules;
        failures += other.failures;
        complete = complete && other.complete;
        choices_most = choices_most > other.choices_most ? choices_most : other.choices_most;
        add_counts(other.happened, other.offered, other.laws, other.points);
    }

private:
    void add_counts(const fault_counts& fell, const fault_counts& could,
                    const std::vector<law_count>& judged, const std::vector<point_count>& seen) {
        for (std::size_t i = 0; i < fault_count; ++i) {
            happened[i] += fell[i];
            offered[i] += could[i];
        }
        for (const auto& one : judged) {
            auto& sum = count_of(one.law);
            sum.checked += one.checked;
            sum.broken += one.broken;
        }
        for (const auto& one : seen) {
            point_of(one.point).reached += one.reached;
        }
    }

    point_count& point_of(std::string_view point) {
        for (auto& one : points) {
            if (one.point == point) {
                return one;
            }
        }
        return points.emplace_back(point_count{point, 0});
    }
    law_count& count_of(std::string_view law) {
        for (auto& one : laws) {
            if (one.law == law) {
                return one;
            }
        }
        return laws.emplace_back(law_count{law, 0, 0});
    }
};

/// How far `every_fault` goes.
struct fault_limits {
    std::uint64_t schedules_max = UINT64_MAX;
    bool stop_at_first_failure = false;
};

namespace detail {

template <scenario S>
class fault_explorer {
public:
    fault_explorer(S& run, fault_limits limits) noexcept : run_(run), limits_(limits) {}

    fault_report explore(unsigned faults_max) {
        for (unsigned faults = 0; faults <= faults_max && !over_; ++faults) {
            visit(faults, faults);
        }
        return std::move(report_);
    }

private:
    /// Runs the tape as it stands, then each that has one more fault behind its end, until `left`
    /// faults were added. Only tapes with all of them count: shorter ones were counted before.
    void visit(unsigned left, unsigned all) {
        if (left == 0 && is_over()) {
            return;
        }
        trial_.start(tape_, false);
        run_(trial_);
        if (left == 0) {
            report_.add(trial_, tape_, all);
            over_ = over_ || (limits_.stop_at_first_failure && report_.failures != 0);
            return;
        }
        const std::size_t length = tape_.size();
        std::vector<std::uint8_t> arities;
        for (std::size_t i = length; i < trial_.choices.made().size(); ++i) {
            arities.push_back(trial_.choices.made()[i].arity);
        }
        for (std::size_t i = 0; i < arities.size() && !over_; ++i) {
            tape_.resize(length);
            tape_.resize(length + i + 1, 0);
            for (unsigned way = 1; way < arities[i] && !over_; ++way) {
                tape_.back() = static_cast<std::uint8_t>(way);
                visit(left - 1, all);
                tape_.resize(length + i + 1);
            }
        }
        tape_.resize(length);
    }

    bool is_over() {
        if (report_.schedules >= limits_.schedules_max) {
            report_.complete = false;
            over_ = true;
        }
        return over_;
    }

    S& run_;
    fault_limits limits_;
    trial trial_;
    std::vector<std::uint8_t> tape_;
    fault_report report_;
    bool over_ = false;
};

}  // namespace detail

/// Runs every schedule with at most `faults_max` faults.
template <scenario S>
[[nodiscard]] fault_report every_fault(S&& run, unsigned faults_max, fault_limits limits = {}) {
    return detail::fault_explorer<std::remove_reference_t<S>>(run, limits).explore(faults_max);
}

/// Runs one tape, and keeps its trace as text.
template <scenario S>
[[nodiscard]] trial run_tape(S&& run, std::span<const std::uint8_t> tape, bool with_text = true) {
    trial one;
    one.start(tape, with_text);
    run(one);
    return one;
}

/// What went wrong, for people: each broken law with its smallest tape, and the history of the first.
template <scenario S>
[[nodiscard]] std::string explain(S&& run, const fault_report& report) {
    std::string out;
    for (const auto& one : report.examples) {
        out += std::string(one.law) + " does not hold: " + one.how + "\n  tape " +
               to_string(one.tape) + "\n";
    }
    if (!report.examples.empty()) {
        const auto again = run_tape(run, report.examples.front().tape);
        out += "choices that were not 0:\n";
        for (std::size_t i = 0; i < again.choices.made().size(); ++i) {
            if (const auto& one = again.choices.made()[i]; one.taken != 0) {
                out += "  " + std::to_string(i) + ": " + std::string(one.label) + " = " +
                       std::to_string(one.taken) + " of " + std::to_string(one.arity) + "\n";
            }
        }
        out += again.trace.text();
    }
    return out;
}

}  // namespace sinew::testing
