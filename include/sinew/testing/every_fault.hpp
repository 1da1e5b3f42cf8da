// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Runs a scenario under every schedule with up to so many faults: not a sample, all of them.
///
/// A schedule is a tape, a fault a number on it that is not 0. The runner runs the empty tape and
/// learns at how many points something could have gone otherwise, and in how many ways; then it
/// puts one fault in each place; then, after each of these, a second one, and so on. A run after a
/// fault has other points than one without, so they are learned anew each time.
///
/// **Guarantees.** Each tape with at most `faults_max` numbers other than 0 is run exactly once and
/// counted once; tapes with fewer faults come first, so the first failing tape is one of the
/// smallest.
/// **Bounds.** With n points of a ways, about (n·a)^k / k! schedules. `schedules_max` ends it
/// early, and the report says so.
///
/// **Example.**
/// ```cpp
/// const auto report = every_fault(scenario, 2);
/// if (!report.all_hold()) { std::cout << explain(scenario, report); }
/// ```

#include <sinew/testing/explain.hpp>
#include <sinew/testing/fault_report.hpp>
#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

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

}  // namespace sinew::testing
