// SPDX-License-Identifier: BSL-1.0
//
// Runs every scenario of the laws and says which law was broken by which: first under every single
// fault, then, if all laws held, under every pair of faults. README.md says how it is used.

#include "laws/scenarios/all.hpp"

#include <sinew/testing/every_fault.hpp>

#include <algorithm>
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

/// A law, and the scenario that broke it first.
struct caught {
    std::string_view law;
    std::string_view scenario;
    counterexample by;
};

/// What the mutant was caught by, over all scenarios.
class hunt {
public:
    [[nodiscard]] const std::vector<caught>& found() const noexcept { return found_; }
    [[nodiscard]] std::uint64_t schedules() const noexcept { return schedules_; }

    /// Runs all scenarios with so many faults. A scenario that fails by itself is not run with
    /// faults: that would take long and say nothing. Of pairs of faults there are many, so there the
    /// first failure is enough.
    void run(unsigned faults) {
        for (const auto& scenario : sinew::laws::scenarios) {
            if (faults == 1 && !keep(scenario, every_fault(scenario.run, 0))) {
                continue;
            }
            if (!keep(scenario,
                      every_fault(scenario.run, faults, {.stop_at_first_failure = faults > 1})) &&
                faults > 1) {
                return;
            }
        }
    }

private:
    /// Answers whether all laws held.
    bool keep(const sinew::laws::named_scenario& scenario, const fault_report& report) {
        schedules_ += report.schedules;
        for (const auto& example : report.examples) {
            const auto is_known = [&example](const caught& one) { return one.law == example.law; };
            if (std::none_of(found_.begin(), found_.end(), is_known)) {
                found_.push_back({example.law, scenario.name, example});
            }
        }
        return report.all_hold();
    }

    std::vector<caught> found_;
    std::uint64_t schedules_ = 0;
};

}  // namespace

int main() {
    hunt mutant;
    mutant.run(1);
    if (mutant.found().empty()) {
        mutant.run(2);
    }
    for (const auto& one : mutant.found()) {
        std::printf("caught %s %s %u %llu\n", as_word(one.law).c_str(),
                    std::string(one.scenario).c_str(), one.by.faults,
                    static_cast<unsigned long long>(one.by.schedule));
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
