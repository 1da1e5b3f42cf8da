// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Runs a scenario under every schedule, and under random ones, and makes it a test.

#include "laws/scenarios/common.hpp"
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <string_view>
#include <vector>

namespace sinew::laws {

/// Every schedule with up to two faults: all laws hold, and no schedule was left out.
inline void prove(std::string_view name, void (*scenario)(trial&), unsigned faults_max = 2) {
    const auto begin = std::chrono::steady_clock::now();
    const auto report = every_fault(scenario, faults_max);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::cout << std::left << std::setw(30) << name << std::right << std::setw(8)
              << report.schedules << " schedules, " << std::setw(6)
              << static_cast<std::uint64_t>(static_cast<double>(report.schedules) / took.count())
              << " a second\n";
    if (!report.all_hold()) {
        FAIL(explain(scenario, report));
    }
    CHECK(report.complete);
    // A scenario in which nothing goes wrong proves nothing.
    CHECK(report.schedules > 1000);
    for (const auto f : {fault::refused, fault::crash_before, fault::crash_after, fault::delayed,
                         fault::zombie, fault::kicked, fault::revoked, fault::clock_jump}) {
        CAPTURE(std::string(to_string(f)));
        CHECK(report.happened[static_cast<std::size_t>(f)] > 0);
    }
}

/// A tape with about one fault in ten choices.
inline rc::Gen<std::vector<std::uint8_t>> random_tape() {
    const auto number = rc::gen::weightedOneOf<std::uint8_t>(
        {{9, rc::gen::just<std::uint8_t>(0)}, {1, rc::gen::inRange<std::uint8_t>(1, 12)}});
    return rc::gen::container<std::vector<std::uint8_t>>(number);
}

/// Random schedules with many faults: all laws hold, and a tape that is run twice gives the same
/// trace. A failure is shrunk to a short tape.
inline void try_at_random(void (*scenario)(trial&)) {
    sinew::test::prop("random tapes", [scenario] {
        const auto tape = *rc::gen::resize(250, random_tape());
        const auto once = run_tape(scenario, tape, false);
        const auto again = run_tape(scenario, tape, true);
        if (!once.found.all_hold()) {
            RC_LOG() << to_string(tape) << '\n' << again.trace.text();
            for (const auto& one : once.found.breaches()) {
                RC_LOG() << one.law << ": " << one.how << '\n';
            }
        }
        RC_ASSERT(once.found.all_hold());
        RC_ASSERT(once.trace.hash() == again.trace.hash());
    });
}

}  // namespace sinew::laws
