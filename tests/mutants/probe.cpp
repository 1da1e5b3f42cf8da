// SPDX-License-Identifier: BSL-1.0
//
// Runs the scenarios of the laws and says which law was broken with how many faults at least, in
// which scenario, and after how many schedules. README.md says how it is used.
//
//   probe [LAW]
//
// First every schedule without faults, then with one, then with two. What failed by itself is not
// run with faults: that would take long and say nothing. Schedules with two faults are many. As
// long as LAW has not been broken, all of them are run; after that, a sample of each scenario is
// enough. So it is without LAW, for the library as it is: the tests of the laws run all of them.

#include "laws/scenarios/all.hpp"

#include <sinew/testing/every_fault.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sinew::testing;

std::string as_word(std::string_view law) {
    std::string out(law);
    for (char& c : out) {
        c = c == ' ' ? '_' : c;
    }
    return out;
}

/// A law, and what broke it first.
struct caught {
    std::string law;
    std::string_view scenario;
    counterexample by;
    std::uint64_t schedules;  ///< how many had been run in all scenarios
};

/// What the mutant was caught by, over all scenarios.
class hunt {
public:
    explicit hunt(std::string_view wanted)
        : wanted_(wanted), holds_(std::size(sinew::laws::scenarios), true) {}

    [[nodiscard]] const std::vector<caught>& found() const noexcept { return found_; }
    [[nodiscard]] std::uint64_t schedules() const noexcept { return schedules_; }

    /// Runs what has held so far with that many faults.
    void run(unsigned faults) {
        for (std::size_t i = 0; i < holds_.size(); ++i) {
            if (!holds_[i]) {
                continue;
            }
            fault_limits limits{.stop_at_first_failure = faults > 1};
            if (faults > 1 && (wanted_.empty() || has(wanted_))) {
                limits.schedules_max = sample;
            }
            holds_[i] = keep(sinew::laws::scenarios[i].name,
                             every_fault(sinew::laws::scenarios[i].run, faults, limits));
        }
    }

private:
    static constexpr std::uint64_t sample = 600;  // those with fewer faults are part of it

    [[nodiscard]] bool has(std::string_view law) const {
        for (const auto& one : found_) {
            if (one.law == law) {
                return true;
            }
        }
        return false;
    }

    /// Answers whether all laws held.
    bool keep(std::string_view scenario, const fault_report& report) {
        for (const auto& example : report.examples) {
            if (!has(as_word(example.law))) {
                found_.push_back(
                    {as_word(example.law), scenario, example, schedules_ + example.schedule});
            }
        }
        schedules_ += report.schedules;
        return report.all_hold();
    }

    std::string wanted_;
    std::vector<bool> holds_;
    std::vector<caught> found_;
    std::uint64_t schedules_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
    hunt mutant(count > 1 ? arguments[1] : "");
    for (unsigned faults = 0; faults <= 2; ++faults) {
        mutant.run(faults);
    }
    for (const auto& one : mutant.found()) {
        std::printf("caught %s %s %u %llu\n", one.law.c_str(), std::string(one.scenario).c_str(),
                    one.by.faults, static_cast<unsigned long long>(one.schedules));
        std::printf("  %s\n  tape %s\n", one.by.how.c_str(), to_string(one.by.tape).c_str());
    }
    if (!mutant.found().empty()) {
        return 1;
    }
    std::printf("ran %llu schedules in %zu scenarios\n",
                static_cast<unsigned long long>(mutant.schedules()),
                std::size(sinew::laws::scenarios));
    return 0;
}
