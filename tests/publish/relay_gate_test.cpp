// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/publish/port_gate.hpp>

#include <chrono>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start(1h);

}  // namespace

TEST_CASE("a port that never failed may be asked") {
    const port_gate gate({200ms, 30s}, 7);
    CHECK(gate.is_open(steady_time::min()));
    CHECK_FALSE(gate.is_probing());
}

TEST_CASE("a port that is down is left alone, each time for longer, up to the cap") {
    port_gate gate({200ms, 30s}, 7);
    duration sum{};
    steady_time now = start;
    for (int i = 0; i < 20; ++i) {
        const duration pause = gate.close(now);
        CHECK(pause > 0ns);
        CHECK(pause <= 30s);
        CHECK_FALSE(gate.is_open(now));
        CHECK_FALSE(gate.is_open(now + pause - 1ns));
        CHECK(gate.is_open(now + pause));
        CHECK(gate.until() == now + pause);
        CHECK(gate.is_probing());
        now += pause;
        sum += pause;
    }
    CHECK(sum > 10 * 22s);
}

TEST_CASE("an answer opens the gate, and tells once that the port is back") {
    port_gate gate({200ms, 30s}, 7);
    const duration first = gate.close(start);
    gate.close(start);
    CHECK(gate.answered());
    CHECK_FALSE(gate.answered());
    CHECK(gate.is_open(start));
    CHECK_FALSE(gate.is_probing());
    CHECK(gate.close(start) == first);
}

TEST_CASE("a single silence closes nothing, two in a row do") {
    port_gate gate({200ms, 30s}, 7);
    CHECK_FALSE(gate.went_silent(start));
    CHECK(gate.is_open(start));
    gate.answered();
    CHECK_FALSE(gate.went_silent(start));
    CHECK(gate.went_silent(start));
    CHECK_FALSE(gate.is_open(start));
}

TEST_CASE("a silent probe closes the gate again") {
    port_gate gate({200ms, 30s}, 7);
    const duration first = gate.close(start);
    CHECK(gate.went_silent(start + first));
    CHECK_FALSE(gate.is_open(start + first));
}

TEST_CASE("a port that asks to be left alone for longer is, within bounds") {
    port_gate gate({200ms, 30s}, 7);
    CHECK(gate.close(start, 5min) == 5min);
    CHECK(gate.close(start, 100h) == port_gate::retry_after_max);
    CHECK(gate.close(start, -5min) <= 30s);
    CHECK(gate.close(steady_time::max() - 1ns) > 0ns);
    CHECK_FALSE(gate.is_open(steady_time::max() - 1ns));
}
