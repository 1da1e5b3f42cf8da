// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Runs a scenario under every schedule, and under random ones, and makes it a test.
///
/// Two environment variables say how far that goes:
///
/// | variable | usual | means |
/// | --- | --- | --- |
/// | `SINEW_FAULTS` | 2 | every schedule with up to so many faults; 0: none at all |
/// | `SINEW_TAPES` | 1000 | so many random tapes for each scenario; 0: none at all |
///
/// A scenario that is too large for two faults, and says so, gets one fault less than asked for,
/// and a tenth of the tapes.
///
/// A third one, `SINEW_COVERAGE_FILE`, names a file: what this process covered is written there
/// when it ends, for the test `laws/coverage`.

#include "laws/scenarios/named.hpp"
#include "support/test.hpp"

#include <sinew/testing/coverage.hpp>
#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/random_tapes.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::laws {

/// A number from the environment.
[[nodiscard]] inline unsigned number_from(const char* variable, unsigned usual) {
    const char* given = std::getenv(variable);
    return given == nullptr || *given == '\0'
               ? usual
               : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
}

inline constexpr unsigned usual_faults = 2;
inline constexpr unsigned usual_tapes = 1000;

/// What this process covered, written to a file when it ends.
class coverage_of_process {
public:
    coverage_of_process() = default;
    coverage_of_process(const coverage_of_process&) = delete;
    coverage_of_process& operator=(const coverage_of_process&) = delete;
    ~coverage_of_process() {
        const char* const file = std::getenv("SINEW_COVERAGE_FILE");
        if (file == nullptr || *file == '\0') {
            return;
        }
        // Nobody may find half of it.
        std::error_code ignored;
        const std::filesystem::path path(file);
        const std::string half = path.string() + ".half";
        std::filesystem::create_directories(path.parent_path(), ignored);
        std::ofstream(half) << sum.to_text();
        std::filesystem::rename(half, path, ignored);
    }

    coverage sum;
};

[[nodiscard]] inline coverage& covered() {
    static coverage_of_process here;
    return here.sum;
}

/// Processor time, so that a busy machine does not look like a slow engine.
class stopwatch {
public:
    [[nodiscard]] double seconds() const {
        return static_cast<double>(std::clock() - begin_) / CLOCKS_PER_SEC;
    }

private:
    std::clock_t begin_ = std::clock();
};

/// What is known of a scenario that was proved.
struct proved_scenario {
    void (*run)(trial&);
    std::string name = "scenario";  ///< so that a failure can say which code repeats it
    bool is_large = false;          ///< too large for the usual number of faults
};

[[nodiscard]] inline proved_scenario& known(void (*scenario)(trial&)) {
    static std::vector<proved_scenario> all;
    for (auto& one : all) {
        if (one.run == scenario) {
            return one;
        }
    }
    return all.emplace_back(proved_scenario{.run = scenario});
}

/// Every schedule with up to so many faults: all laws hold, and no schedule was left out. A
/// scenario that is too large for two faults says so with `faults_max`; it goes deeper when
/// `SINEW_FAULTS` does.
inline void prove(std::string_view name, void (*scenario)(trial&),
                  unsigned faults_max = usual_faults) {
    known(scenario).name = "sinew::laws::" + std::string(name);
    known(scenario).is_large = faults_max < usual_faults;
    const unsigned asked = number_from("SINEW_FAULTS", usual_faults);
    if (asked < usual_faults) {
        covered().set_shallow();
    }
    if (asked == 0) {
        return;
    }
    const unsigned deep = faults_max + asked > usual_faults ? faults_max + asked - usual_faults : 1;
    const stopwatch watch;
    const auto report = every_fault(scenario, deep);
    const double took = watch.seconds();
    covered().add(report, took);
    std::printf("%-30.*s %9llu schedules with up to %u faults, %7.0f a second\n",
                static_cast<int>(name.size()), name.data(),
                static_cast<unsigned long long>(report.schedules), deep,
                static_cast<double>(report.schedules) / (took > 0 ? took : 1e-6));
    std::fflush(stdout);
    if (!report.all_hold()) {
        FAIL(explain(scenario, report, known(scenario).name));
    }
    CHECK(report.complete);
    // A scenario in which nothing goes wrong proves nothing.
    CHECK(report.schedules > (deep == 1 ? 20U : 1000U));
    // With one fault, those that are only offered behind another one can't have happened.
    for (std::size_t i = 1; i < fault_count && deep > 1; ++i) {
        CAPTURE(std::string(to_string(static_cast<fault>(i))));
        CHECK((report.offered[i] == 0 || report.happened[i] != 0));
    }
}

/// The numbers of a random tape. If rapidcheck has to show one, it shows how long it is: what is to
/// be read is what the shrinker made of it.
struct random_numbers {
    std::vector<std::uint8_t> numbers;

    friend std::ostream& operator<<(std::ostream& out, const random_numbers& one) {
        return out << "a tape of " << one.numbers.size() << " numbers, of which "
                   << count_faults(one.numbers) << " are not 0";
    }
};

/// rapidcheck draws the tape; it does not shrink it, because `shrink` knows what a tape is.
[[nodiscard]] inline rc::Gen<random_numbers> random_tapes_like(random_tape_options like) {
    return rc::Gen<random_numbers>([like](const rc::Random& seed, int) {
        rc::Random draw = seed;
        splitmix64 random(draw.next());
        return rc::shrinkable::just(random_numbers{random_tape(random, like)});
    });
}

/// Random schedules with many faults: all laws hold, and a tape that is run twice gives the same
/// trace. A failure is shrunk to a short tape.
inline void try_at_random(void (*scenario)(trial&), random_tape_options like = {}) {
    const unsigned asked = number_from("SINEW_TAPES", usual_tapes);
    const unsigned tapes = known(scenario).is_large ? (asked + 9) / 10 : asked;
    if (tapes == 0) {
        return;
    }
    tape_checker<void (*)(trial&)> checker(scenario);
    if (like.length_max == 0) {
        like.length_max = 2 * checker.choices_without_faults() + 64;
    }
    auto params = rc::detail::configuration().testParams;
    params.maxSuccess = static_cast<int>(tapes);
    const rc::detail::TestMetadata metadata{known(scenario).name + ", random tapes",
                                            "random tapes"};
    const stopwatch watch;
    std::string failure;
    const auto result = rc::detail::checkTestable(
        [&] {
            const auto tape = *random_tapes_like(like);
            if (!checker.check(tape.numbers)) {
                RC_FAIL("a law does not hold");
            }
        },
        metadata, params);
    const double took = watch.seconds();
    const auto report = checker.finish();
    covered().add(report, took);
    std::printf("%-30s %s\n", "", summary(report, took).c_str());
    std::fflush(stdout);
    if (!report.all_hold()) {
        FAIL(explain(scenario, report.runs, known(scenario).name));
    }
    sinew::test::report("random tapes", result);
}

}  // namespace sinew::laws
