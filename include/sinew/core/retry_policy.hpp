// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What follows a failed attempt: another one, and when, or the end.
///
/// | class | decision | counts |
/// | --- | --- | --- |
/// | transient | retry by backoff, until `max_attempts` or `max_elapsed` is reached | yes |
/// | permanent | give up | yes |
/// | unavailable | retry by backoff, without end | no |
/// | unknown | retry by backoff, without end: the next attempt looks what happened | no |
///
/// **Guarantees.** The decision is a pure function of its arguments. Attempts and age only grow,
/// whatever is thrown in between: another kind of failure starts nothing anew. No retry is due
/// sooner than `backoff_floor` after its failure.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/retry_budget.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace sinew {

/// Options of `retry`.
struct retry_options {
    /// How often a handler is called for one event before it is given up, the first call included.
    std::uint32_t max_attempts = 5;
    /// How long after its first failure an event is given up. What it waited for a dependency that
    /// was down is not part of it. The default leaves room for five attempts that each run into a
    /// time-out of a minute.
    duration max_elapsed = std::chrono::minutes(10);
    /// About the first delay.
    duration base = std::chrono::milliseconds(200);
    /// The longest delay.
    duration cap = std::chrono::seconds(30);
    /// A failure that asks for a longer pause (`retry_after`) than this gets this.
    duration retry_after_max = std::chrono::hours(1);
    /// How many retries a success pays for, across the consumer.
    double budget_ratio = 0.1;
    /// How many retries a second there may always be, across the consumer.
    double budget_floor = 3;
    /// How many retries there may be at once, across the consumer.
    std::uint32_t budget_max = 100;
};

/// The part of the options that `retry_budget` takes.
[[nodiscard]] constexpr retry_budget_options budget_of(const retry_options& options) noexcept {
    return {options.budget_ratio, options.budget_floor, options.budget_max};
}

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const retry_options& options) {
    if (options.max_attempts == 0) {
        throw usage_error("retry: option max_attempts has to be at least 1");
    }
    if (options.max_elapsed <= duration::zero()) {
        throw usage_error("retry: option max_elapsed has to be above 0");
    }
    if (options.base < backoff_floor) {
        throw usage_error("retry: option base has to be at least 1 ms");
    }
    if (options.cap < options.base) {
        throw usage_error("retry: option cap is below base");
    }
    if (options.retry_after_max <= duration::zero()) {
        throw usage_error("retry: option retry_after_max has to be above 0");
    }
    if (!(options.budget_ratio >= 0 && options.budget_ratio <= 1)) {
        throw usage_error("retry: option budget_ratio has to be from 0 to 1");
    }
    if (!(options.budget_floor >= 0.001 && options.budget_floor <= 1e6)) {
        throw usage_error("retry: option budget_floor has to be from 0.001 to 1,000,000");
    }
    if (options.budget_max == 0 || options.budget_max > 1'000'000) {
        throw usage_error("retry: option budget_max has to be from 1 to 1,000,000");
    }
}

namespace detail {

/// The time from one instant to a later one, or none. Stops at the end of the scale.
[[nodiscard]] constexpr duration time_between(steady_time from, steady_time to) noexcept {
    if (to <= from) {
        return duration::zero();
    }
    const bool fits = from >= steady_time{} || to <= later(from, duration::max());
    return fits ? to - from : duration::max();
}

}  // namespace detail

/// What an event has behind it.
///
/// **Invariants.** `attempts` and `age` never fall.
struct retry_history {
    /// Attempts that failed and counted.
    std::uint32_t attempts = 0;
    /// Failures since the last counted one that did not count.
    std::uint32_t waits = 0;
    std::optional<steady_time> first_failed{};
    /// Time that was spent waiting for dependencies, and does not count.
    duration waited{};
    /// Since when it waits for a dependency, if it does.
    std::optional<steady_time> waiting_since{};

    /// Notes a failure. To be called before the policy is asked.
    constexpr void failed(failure_class kind, steady_time now) noexcept {
        if (waiting_since) {
            const duration more = detail::time_between(*waiting_since, now);
            waited = more < duration::max() - waited ? waited + more : duration::max();
            waiting_since.reset();
        }
        if (!first_failed) {
            first_failed = now;
        }
        if (kind == failure_class::transient || kind == failure_class::permanent) {
            attempts += attempts == std::numeric_limits<std::uint32_t>::max() ? 0 : 1;
            waits = 0;
        } else {
            waits += waits == std::numeric_limits<std::uint32_t>::max() ? 0 : 1;
            waiting_since = now;
        }
    }

    /// The time since the first failure, without what does not count.
    [[nodiscard]] constexpr duration age(steady_time now) const noexcept {
        if (!first_failed) {
            return duration::zero();
        }
        const steady_time until = waiting_since ? *waiting_since : now;
        const duration all = detail::time_between(*first_failed, until);
        return all < waited ? duration::zero() : all - waited;
    }
};

/// How an event was given up.
enum class exhaustion : std::uint8_t {
    none,      ///< not at all, or because no attempt could have succeeded
    attempts,  ///< `max_attempts` was reached
    elapsed,   ///< `max_elapsed` was reached
};

[[nodiscard]] constexpr std::string_view to_string(exhaustion e) noexcept {
    switch (e) {
        case exhaustion::none: return "none";
        case exhaustion::attempts: return "attempts";
        case exhaustion::elapsed: return "elapsed";
    }
    return "invalid";
}

/// What follows. The reason stays that of the failure itself: limits that were reached are beside
/// the point for whoever reads the dead letter first.
struct retry_decision {
    /// When the next attempt is due. Nothing: there is none.
    std::optional<steady_time> retry_at{};
    exhaustion exhausted = exhaustion::none;
    /// Whether the retry has to take a token from the `retry_budget` first.
    bool spends = false;

    [[nodiscard]] constexpr bool gives_up() const noexcept { return !retry_at.has_value(); }

    friend constexpr bool operator==(const retry_decision&, const retry_decision&) = default;
};

/// Decides what follows a failed attempt.
template <backoff_strategy Backoff = decorrelated_jitter>
class retry_policy {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    explicit retry_policy(retry_options options = {})
        requires std::same_as<Backoff, decorrelated_jitter>
        : retry_policy(options, decorrelated_jitter{options.base, options.cap}) {}

    /// With a backoff of its own; `base` and `cap` of the options are then not used.
    retry_policy(retry_options options, Backoff backoff)
        : options_(options), backoff_(std::move(backoff)) {
        check(options_);
        if constexpr (requires { check(backoff_); }) {
            check(backoff_);
        }
    }

    [[nodiscard]] const retry_options& options() const noexcept { return options_; }

    /// `history` includes the failure that is asked about. `seed` is drawn once per event.
    ///
    /// A pause that the failure asks for is the least that follows, up to `retry_after_max`. A
    /// transient retry that would be due after `max_elapsed` is due when that is over: the last
    /// attempt is made, and not skipped.
    [[nodiscard]] retry_decision decide(const failure& why, const retry_history& history,
                                        steady_time now, std::uint64_t seed) const {
        switch (why.kind) {
            case failure_class::permanent: return {};
            case failure_class::unavailable:
            case failure_class::unknown:
                return {later(now, pause(why, history.waits, seed)), exhaustion::none, false};
            case failure_class::transient: break;
        }
        if (history.attempts >= options_.max_attempts) {
            return {std::nullopt, exhaustion::attempts, false};
        }
        const duration age = history.age(now);
        if (age >= options_.max_elapsed) {
            return {std::nullopt, exhaustion::elapsed, false};
        }
        duration wait = pause(why, history.attempts, seed);
        if (const duration left = options_.max_elapsed - age; wait > left) {
            wait = left < backoff_floor ? backoff_floor : left;
        }
        return {later(now, wait), exhaustion::none, true};
    }

private:
    /// The delay of the strategy, or what the failure asks for if that is longer.
    [[nodiscard]] duration pause(const failure& why, std::uint32_t attempt,
                                 std::uint64_t seed) const {
        duration wait = backoff_(attempt, seed);
        if (wait < backoff_floor) {
            wait = backoff_floor;
        }
        if (why.retry_after && *why.retry_after > wait) {
            const duration most = options_.retry_after_max > wait ? options_.retry_after_max : wait;
            wait = *why.retry_after < most ? *why.retry_after : most;
        }
        return wait;
    }

    retry_options options_;
    Backoff backoff_;
};

retry_policy(retry_options) -> retry_policy<decorrelated_jitter>;

}  // namespace sinew
