// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What many runs of a scenario showed: how often each fault fell, each law was checked and each
/// point was reached, and the first run under which a law did not hold.
///
/// **Guarantees.** A report is the same for the same runs: there is no clock in it. Whoever wants a
/// rate measures the time around it.

#include <sinew/testing/trial.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::testing {

/// The first schedule under which a law did not hold.
struct counterexample {
    std::string_view law{};
    std::string how{};
    std::vector<std::uint8_t> tape{};
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
        add_counts(run.found.happened, run.found.offered(), run.found.counts(), run.found.points());
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

}  // namespace sinew::testing
