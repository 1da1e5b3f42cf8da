// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A circuit breaker: whether to call something that keeps failing.
///
/// | state | becomes | when |
/// | --- | --- | --- |
/// | closed | open | half of at least 20 calls in 30 s failed, or 10 in a row |
/// | open | half open | its time is over, and somebody asks |
/// | half open | closed | the probe went well |
/// | half open | open, for twice as long | the probe failed, or its deadline has passed |
///
/// Every call has a permit. A permit ends as it was told to, or, if nobody tells it (an exception),
/// as given up, which counts for nothing and lets another probe go. So half open cannot stick, and
/// what a call of an earlier state reports late changes nothing: permits carry a generation, which
/// rises with each change of state.
///
/// **Guarantees.** A pure function of what it is told; time and randomness are passed in. Half
/// open, one call at a time is let through. With nothing but time passing it lets a call through
/// again, at the latest after `open_max` and its jitter.
/// **Invariants.** See `is_consistent`.
/// **Bounds.** A fixed size. One thread at a time.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace sinew {

/// Options of `breaker`.
struct breaker_options {
    /// The share of failed calls in the window that opens it, once there were `calls_min`.
    double failure_ratio = 0.5;
    std::uint32_t calls_min = 20;
    duration window = std::chrono::seconds(30);
    /// So many failures in a row open it too.
    std::uint32_t in_a_row = 10;
    /// How long it stays open the first time, and at most; of this the share `jitter` more or less.
    duration open_for = std::chrono::seconds(5);
    duration open_max = std::chrono::seconds(60);
    double jitter = 0.2;
    /// When a probe without an answer counts as failed.
    duration probe_timeout = std::chrono::seconds(10);
};

/// Refuses options that are out of their range, not a number included.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const breaker_options& options) {
    if (!(options.failure_ratio > 0 && options.failure_ratio <= 1)) {
        throw usage_error("breaker: option failure_ratio has to be above 0 and up to 1");
    }
    if (options.calls_min == 0 || options.in_a_row == 0) {
        throw usage_error("breaker: options calls_min and in_a_row have to be at least 1");
    }
    if (options.window < std::chrono::milliseconds(10)) {
        throw usage_error("breaker: option window has to be at least 10 ms");
    }
    if (options.open_for < std::chrono::milliseconds(1) || options.open_max < options.open_for) {
        throw usage_error("breaker: option open_for has to be at least 1 ms, and up to open_max");
    }
    if (options.open_max > std::chrono::hours(24 * 365)) {
        throw usage_error("breaker: option open_max has to be up to a year");
    }
    if (!(options.jitter >= 0 && options.jitter < 1)) {
        throw usage_error("breaker: option jitter has to be from 0 to below 1");
    }
    if (options.probe_timeout <= duration::zero()) {
        throw usage_error("breaker: option probe_timeout has to be above 0");
    }
}

enum class breaker_state : std::uint8_t { closed, open, half_open };

[[nodiscard]] constexpr std::string_view to_string(breaker_state s) noexcept {
    switch (s) {
        case breaker_state::closed: return "closed";
        case breaker_state::open: return "open";
        case breaker_state::half_open: return "half open";
    }
    return "invalid";
}

class breaker {
public:
    /// Into how many parts the window is dealt: a call is forgotten when its part has gone by, so
    /// the window is up to a tenth shorter than its name.
    static constexpr std::size_t parts = 10;

    /// The right to make one call, and the duty to say how it ended. The breaker has to outlive it,
    /// and stay where it is.
    class [[nodiscard]] permit {
    public:
        constexpr permit(permit&& other) noexcept
            : of_(std::exchange(other.of_, nullptr)), generation_(other.generation_) {}
        permit& operator=(permit&&) = delete;
        constexpr ~permit() {
            if (of_ != nullptr) {
                of_->given_up(generation_);
            }
        }

        constexpr void succeeded(steady_time now) noexcept {
            if (of_ != nullptr) {
                std::exchange(of_, nullptr)->succeeded(generation_, now);
            }
        }
        /// `random` is a number in [0, 1).
        constexpr void failed(steady_time now, double random) noexcept {
            if (of_ != nullptr) {
                std::exchange(of_, nullptr)->failed(generation_, now, random);
            }
        }

    private:
        friend class breaker;
        constexpr permit(breaker& of, std::uint64_t generation) noexcept
            : of_(&of), generation_(generation) {}

        breaker* of_;
        std::uint64_t generation_;
    };

    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    constexpr explicit breaker(const breaker_options& options = {}) : options_(options) {
        check(options_);
    }

    breaker(const breaker&) = delete;
    breaker& operator=(const breaker&) = delete;

    /// A permit for a call, or nothing. `random` is a number in [0, 1).
    constexpr std::optional<permit> admit(steady_time now, double random) noexcept {
        tick(now, random);
        switch (state_) {
            case breaker_state::closed: return permit(*this, generation_);
            case breaker_state::open:
                if (now < until_) {
                    return std::nullopt;
                }
                change(breaker_state::half_open);
                break;
            case breaker_state::half_open:
                if (probing_) {
                    return std::nullopt;
                }
                // A new generation, so that a probe that was given up has nothing more to say.
                ++generation_;
                break;
        }
        probing_ = true;
        until_ = later(now, options_.probe_timeout);
        return permit(*this, generation_);
    }

    /// Lets a probe whose deadline has passed count as failed. `admit` does so by itself.
    constexpr void tick(steady_time now, double random) noexcept {
        if (state_ == breaker_state::half_open && probing_ && now >= until_) {
            open(until_, random);
        }
    }

    [[nodiscard]] constexpr breaker_state state() const noexcept { return state_; }
    /// When a call may be let through again: the end of being open, or of the probe's deadline;
    /// in the past otherwise.
    [[nodiscard]] constexpr steady_time admits_at() const noexcept {
        const bool waits = state_ == breaker_state::open || probing_;
        return waits ? until_ : steady_time::min();
    }
    [[nodiscard]] constexpr std::uint64_t generation() const noexcept { return generation_; }

    /// Whether the invariants hold.
    [[nodiscard]] constexpr bool is_consistent() const noexcept {
        const bool calm = state_ != breaker_state::closed ||
                          (failures_in_a_row_ < options_.in_a_row && opened_ == 0);
        return (!probing_ || state_ == breaker_state::half_open) && calm &&
               (state_ == breaker_state::closed || opened_ > 0);
    }

private:
    struct part {
        std::int64_t number = INT64_MIN;
        std::uint32_t calls = 0;
        std::uint32_t failures = 0;
    };

    constexpr void succeeded(std::uint64_t generation, steady_time now) noexcept {
        if (generation != generation_) {
            return;
        }
        if (state_ == breaker_state::half_open) {
            if (now < until_) {
                opened_ = 0;
                change(breaker_state::closed);
            }
            return;
        }
        failures_in_a_row_ = 0;
        ++part_at(now).calls;
    }

    constexpr void failed(std::uint64_t generation, steady_time now, double random) noexcept {
        if (generation != generation_) {
            return;
        }
        if (state_ == breaker_state::half_open) {
            open(now, random);
            return;
        }
        ++failures_in_a_row_;
        auto& here = part_at(now);
        ++here.calls;
        ++here.failures;
        if (failures_in_a_row_ >= options_.in_a_row || is_too_much(here.number)) {
            open(now, random);
        }
    }

    constexpr void given_up(std::uint64_t generation) noexcept {
        if (generation == generation_ && state_ == breaker_state::half_open) {
            probing_ = false;
        }
    }

    [[nodiscard]] constexpr part& part_at(steady_time now) noexcept {
        const std::int64_t length = options_.window.count() / static_cast<std::int64_t>(parts);
        const std::int64_t since = now.time_since_epoch().count();
        const std::int64_t number = since / length - (since % length < 0 ? 1 : 0);
        const auto index = static_cast<std::size_t>((number % 10 + 10) % 10);
        // Time that goes back counts where it stood.
        if (parts_[index].number < number) {
            parts_[index] = {number, 0, 0};
        }
        return parts_[index];
    }

    [[nodiscard]] constexpr bool is_too_much(std::int64_t latest) const noexcept {
        std::uint64_t calls = 0;
        std::uint64_t failures = 0;
        for (const auto& one : parts_) {
            if (one.number > latest - static_cast<std::int64_t>(parts)) {
                calls += one.calls;
                failures += one.failures;
            }
        }
        return calls >= options_.calls_min &&
               static_cast<double>(failures) >= options_.failure_ratio * static_cast<double>(calls);
    }

    constexpr void open(steady_time now, double random) noexcept {
        duration length = options_.open_for;
        for (std::uint32_t i = 0; i < opened_ && length < options_.open_max; ++i) {
            length = length > options_.open_max / 2 ? options_.open_max : length * 2;
        }
        const double share = 1 + options_.jitter * (2 * random - 1);
        opened_ += opened_ == UINT32_MAX ? 0 : 1;
        change(breaker_state::open);
        until_ = later(
            now, duration(static_cast<duration::rep>(static_cast<double>(length.count()) * share)));
    }

    constexpr void change(breaker_state to) noexcept {
        state_ = to;
        ++generation_;
        probing_ = false;
        failures_in_a_row_ = 0;
        for (auto& one : parts_) {
            one = {};
        }
    }

    breaker_options options_;
    part parts_[parts]{};
    breaker_state state_ = breaker_state::closed;
    std::uint64_t generation_ = 1;
    std::uint32_t failures_in_a_row_ = 0;
    std::uint32_t opened_ = 0;  ///< how often in a row, without having closed in between
    bool probing_ = false;
    steady_time until_ = steady_time::min();
};

}  // namespace sinew
