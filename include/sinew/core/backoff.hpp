// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How long to wait before the next attempt.
///
/// A backoff is a pure function of the attempt and of a seed. The driver draws one seed per event,
/// so the whole schedule of an event is fixed by it: asking twice, or for an attempt out of turn,
/// changes nothing.
///
/// **Guarantees.** For every attempt up to the highest number and for every seed the delay is at
/// least `backoff_floor` and at most the cap. Delays grow in expectation until the cap is reached;
/// where there is jitter, it is kept at the cap too, so that those who failed together do not come
/// back together for ever.

#include <sinew/core/error.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>

namespace sinew {

// What is called here of mathematics is what the compilers know by themselves. <cmath> would bring
// every special function of the standard to whoever includes a retry.

/// No delay is shorter: a retry without any wait is a hot loop.
inline constexpr duration backoff_floor = std::chrono::milliseconds(1);

/// A `backoff_strategy` tells the delay before an attempt. Attempt 1 is the first retry; 0 is taken
/// for 1.
///
/// 1. Equal arguments give equal delays.
/// 2. A delay is above zero.
///
/// **Models.** `constant_backoff`, `exponential_backoff`, `decorrelated_jitter`. Not a model: a
/// generator that remembers its last delay.
template <class B>
concept backoff_strategy = std::copy_constructible<B> &&
                           requires(const B& backoff, std::uint32_t attempt, std::uint64_t seed) {
                               { backoff(attempt, seed) } -> std::same_as<duration>;
                           };

namespace detail {

/// A number in [0, 1) that belongs to this seed and this index alone.
[[nodiscard]] constexpr double uniform_at(std::uint64_t seed, std::uint64_t index) noexcept {
    splitmix64 mixed(seed);
    splitmix64 own(mixed() + index);
    return uniform(own);
}

/// `raw` nanoseconds as a duration in [floor, cap]. Not a number counts as more than the cap.
[[nodiscard]] constexpr duration bounded_delay(double raw, duration cap) noexcept {
    const duration top = cap < backoff_floor ? backoff_floor : cap;
    if (!(raw < static_cast<double>(top.count()))) {
        return top;
    }
    if (raw <= static_cast<double>(backoff_floor.count())) {
        return backoff_floor;
    }
    const duration delay(static_cast<duration::rep>(raw));
    return delay < top ? delay : top;
}

constexpr void check_base_and_cap(duration base, duration cap) {
    if (base < backoff_floor) {
        throw usage_error("backoff: option base has to be at least 1 ms");
    }
    if (cap < base) {
        throw usage_error("backoff: option cap is below base");
    }
}

}  // namespace detail

/// Always the same delay. It has no jitter: for a single client, and for tests.
struct constant_backoff {
    duration delay = std::chrono::seconds(1);

    [[nodiscard]] constexpr duration operator()(std::uint32_t, std::uint64_t) const noexcept {
        return delay < backoff_floor ? backoff_floor : delay;
    }
};

/// `base`, then `factor` times as long at each attempt, up to `cap`. Of each delay the share
/// `jitter` is random: 0.5 means between one half and the whole of it, 1 means anything down to the
/// floor ("full jitter").
struct exponential_backoff {
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    double factor = 2;
    double jitter = 0.5;

    [[nodiscard]] duration operator()(std::uint32_t attempt, std::uint64_t seed) const noexcept {
        const std::uint32_t index = attempt == 0 ? 0 : attempt - 1;
        const auto top = static_cast<double>(cap.count());
        double raw =
            static_cast<double>(base.count()) * __builtin_pow(factor, static_cast<double>(index));
        if (!(raw < top)) {
            raw = top;
        }
        const double kept = 1 - jitter * detail::uniform_at(seed, index);
        return detail::bounded_delay(raw * kept, cap);
    }
};

/// Jitter that spreads the retries of many clients evenly, also the first one.
///
/// With `t = n + u`, where `n` is 0 at the first retry and `u` a random number in [0, 1), and with
/// `f(t) = 2^t · tanh(√(4t))`, the delay is `(f(t) - f(t before)) · base / 1.4`. A delay beyond the
/// cap becomes a random one in the highest quarter below the cap.
///
/// The random number of the attempt before is part of the formula. It comes from the same seed, so
/// nothing has to be remembered between attempts.
///
/// **Source.** "Decorrelated jitter backoff V2" of Polly.Contrib.WaitAndRetry, by G. Marfleet.
/// There a delay beyond the cap becomes the cap itself, so all clients end up with one constant.
struct decorrelated_jitter {
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);

    /// The share of the cap over which delays are spread that would be longer than it.
    static constexpr double cap_spread = 0.25;

    [[nodiscard]] duration operator()(std::uint32_t attempt, std::uint64_t seed) const noexcept {
        // Far beyond any cap, and far below where 2^t would not be a number any more.
        constexpr std::uint32_t index_max = 500;
        std::uint32_t index = attempt == 0 ? 0 : attempt - 1;
        const auto top = static_cast<double>(cap.count());
        if (index < index_max) {
            const double before =
                index == 0 ? 0 : curve(index - 1 + detail::uniform_at(seed, index - 1));
            const double step = curve(index + detail::uniform_at(seed, index)) - before;
            const double raw = step * static_cast<double>(base.count()) / 1.4;
            if (raw < top) {
                return detail::bounded_delay(raw, cap);
            }
        }
        const double spread = cap_spread * detail::uniform_at(~seed, index);
        return detail::bounded_delay(top * (1 - spread), cap);
    }

private:
    [[nodiscard]] static double curve(double t) noexcept {
        return __builtin_exp2(t) * __builtin_tanh(__builtin_sqrt(4 * t));
    }
};

/// Refuses a delay that is no delay.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const constant_backoff& backoff) {
    if (backoff.delay < backoff_floor) {
        throw usage_error("constant_backoff: option delay has to be at least 1 ms");
    }
}

/// Refuses options that are out of their range, not a number included.
constexpr void check(const exponential_backoff& backoff) {
    detail::check_base_and_cap(backoff.base, backoff.cap);
    if (!(backoff.factor >= 1 && backoff.factor <= 1e6)) {
        throw usage_error("exponential_backoff: option factor has to be from 1 to 1,000,000");
    }
    if (!(backoff.jitter >= 0 && backoff.jitter <= 1)) {
        throw usage_error("exponential_backoff: option jitter has to be from 0 to 1");
    }
}

/// Refuses a base without length, and a cap below it.
constexpr void check(const decorrelated_jitter& backoff) {
    detail::check_base_and_cap(backoff.base, backoff.cap);
}

}  // namespace sinew
