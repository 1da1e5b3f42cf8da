// SPDX-License-Identifier: BSL-1.0
//
// How fast the proving ground is: schedules that it runs in a second, each a whole world (a log, a
// store, a consumer) that is set up, driven to its end with its faults, and judged by the laws.
//
//   ./dev bench simulation
//
// | figure | the scenario |
// | --- | --- |
// | plain | four events of two keys in batches of two, one consumer |
// | by_offset | the same, and the broker's repetitions are recognised by their offsets |
// | failing | one event of a batch fails twice, its neighbours' work stands |
//
// There is no hand-written side. A second is one of the processor's, spent by this program: one
// core, whatever else the machine does. `depth` is about the same scenario with more and more
// faults: what one more schedule costs must not grow with those before it.

#include "ratio.hpp"

#include "laws/scenarios/plain.hpp"

#include <sinew/testing/every_fault.hpp>

#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string>

namespace {

using namespace sinew;

constexpr double schedules_a_second = 13'000;
/// Some tenths of a second.
constexpr std::uint64_t schedules_max = 5'000;

/// What this program has had of the processor so far, in seconds.
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Schedules a second, over the first so many of them.
double speed_of(void (*scenario)(testing::trial&), std::uint64_t most) {
    const double from = processor_seconds();
    const auto report = testing::every_fault(scenario, 2, {.schedules_max = most});
    const double took = processor_seconds() - from;
    if (!report.all_hold()) {
        throw std::runtime_error("a law does not hold: nothing was measured");
    }
    return static_cast<double>(report.schedules) / took;
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("simulation", argc, argv);
    const auto figure = [&all](const std::string& name, void (*scenario)(testing::trial&),
                               std::uint64_t most = schedules_max, const std::string& series = {}) {
        all.figure({.name = name,
                    .unit = "schedules a second",
                    .at_least = schedules_a_second,
                    .series = series,
                    .x = static_cast<double>(most),
                    .each_round = true},
                   [=] { return speed_of(scenario, most); });
    };
    figure("plain", laws::plain);
    figure("by_offset", laws::once_by_offset);
    figure("failing", laws::batch_with_one_failing);
    for (const std::uint64_t most : {100U, 1'000U, 10'000U}) {
        figure("depth/" + std::to_string(most), laws::plain, most, "depth");
    }
    return all.run();
}
