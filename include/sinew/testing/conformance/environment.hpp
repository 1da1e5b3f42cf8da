// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The environment in which a suite drives an adapter, and its time.
///
/// A factory makes a fresh environment for each claim: data of its own (a new database, file, topic
/// or schema), with nothing in it. Each suite says which members it needs; the ones here are the
/// same for all, and optional.
///
/// | member | means | without it |
/// | --- | --- | --- |
/// | `now()` | the `steady_time` that the adapter's deadlines are meant by | the machine's clock |
/// | `wall()` | the `wall_time` to stamp with | a fixed day |
/// | `pass(duration)` | lets time go by: moves a virtual clock, or sleeps | claims about time are not claimed |
/// | `patience()` | how long an answer may take at most before it counts as missing | 5 s |
///
/// Deriving from `real_time` or `virtual_time` gives an environment the first three.

#include <sinew/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>

namespace sinew::testing::conformance {

/// For an adapter that waits on the machine's clock. Time passes by sleeping.
struct real_time {
    [[nodiscard]] steady_time now() const { return machine_clock::now().steady; }
    [[nodiscard]] wall_time wall() const { return machine_clock::now().wall; }
    void pass(duration span) { std::this_thread::sleep_for(span); }
};

/// For an adapter that is told the time. Copies share their clock, so that one can be handed to the
/// adapter.
struct virtual_time {
    std::shared_ptr<moment> clock = std::make_shared<moment>(
        moment{steady_time(std::chrono::hours(1)), wall_time(std::chrono::hours(24 * 20'000))});

    [[nodiscard]] steady_time now() const { return clock->steady; }
    [[nodiscard]] wall_time wall() const { return clock->wall; }
    void pass(duration span) {
        clock->steady = later(clock->steady, span);
        clock->wall += std::chrono::duration_cast<wall_time::duration>(span);
    }
};

/// Whether an environment can let time go by.
template <class Env>
inline constexpr bool has_pass = requires(Env& env, duration span) { env.pass(span); };

template <class Env>
[[nodiscard]] steady_time now_of(const Env& env) {
    if constexpr (requires { env.now(); }) {
        return env.now();
    } else {
        return machine_clock::now().steady;
    }
}

template <class Env>
[[nodiscard]] wall_time wall_of(const Env& env) {
    if constexpr (requires { env.wall(); }) {
        return env.wall();
    } else {
        return wall_time(std::chrono::hours(24 * 20'000));
    }
}

/// How long an answer may take at most before it counts as missing.
template <class Env>
[[nodiscard]] duration patience_of(const Env& env) {
    if constexpr (requires { env.patience(); }) {
        return env.patience();
    } else {
        return std::chrono::seconds(5);
    }
}

/// A deadline that an adapter in good health keeps.
template <class Env>
[[nodiscard]] steady_time soon(const Env& env) {
    return later(now_of(env), patience_of(env));
}

/// A deadline for calls that may have to wait for something that does not come.
template <class Env>
[[nodiscard]] steady_time shortly(const Env& env) {
    return later(now_of(env), std::chrono::milliseconds(200));
}

/// A deadline that has passed: do not wait.
inline constexpr steady_time no_waiting = steady_time::min();

/// Runs `step(deadline)` until `done()`, but not for ever; whether it is done. A step gets a small
/// part of the patience as its deadline, so that in virtual time, too, it comes to an end.
template <class Env, class Step, class Done>
[[nodiscard]] bool eventually(const Env& env, Step step, Done done) {
    constexpr int steps_max = 400;
    for (int i = 0; i < steps_max; ++i) {
        if (done()) {
            return true;
        }
        step(later(now_of(env), patience_of(env) / steps_max));
    }
    return done();
}

}  // namespace sinew::testing::conformance
