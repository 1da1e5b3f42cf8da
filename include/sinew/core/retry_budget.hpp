// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A limit on the retries of a whole consumer, so that a broken dependency is not multiplied.
///
/// A bucket of tokens. Each retry spends one; each success pays in a part of one; and time pays in
/// some, always. So in quiet times about `ratio` of the load can be retries, and when nothing
/// succeeds any more the retries fall to `floor_per_second`.
///
/// **Guarantees.** Never more than `tokens_max` retries at once, and in any time T never more than
/// `tokens_max + floor_per_second * T + ratio * successes`. A token always comes: with nothing but
/// time passing, `next_token` is at most `1 / floor_per_second` away.
/// **Invariants.** `empty_at <= latest`, and `latest - empty_at <= capacity`.
///
/// The bucket is kept as the instant at which it was empty: what it holds is the time since then.
/// All sums are of whole nanoseconds, so nothing drifts, however often it is asked.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>

namespace sinew {

/// Options of `retry_budget`.
struct retry_budget_options {
    /// How much of a token a success pays in.
    double ratio = 0.1;
    /// How many tokens come back in a second when nothing succeeds.
    double floor_per_second = 3;
    /// How many tokens the bucket holds. It starts full.
    std::uint32_t tokens_max = 100;
};

/// Refuses options under which a token might never come.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const retry_budget_options& options) {
    if (!(options.ratio >= 0 && options.ratio <= 1)) {
        throw usage_error("retry budget: option ratio has to be from 0 to 1");
    }
    if (!(options.floor_per_second >= 0.001 && options.floor_per_second <= 1e6)) {
        throw usage_error(
            "retry budget: option floor_per_second has to be from 0.001 to 1,000,000");
    }
    if (options.tokens_max == 0 || options.tokens_max > 1'000'000) {
        throw usage_error("retry budget: option tokens_max has to be from 1 to 1,000,000");
    }
}

/// The tokens of one consumer.
class retry_budget {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    constexpr explicit retry_budget(retry_budget_options options = {}) {
        check(options);
        token_ = duration(static_cast<duration::rep>(1e9 / options.floor_per_second));
        reward_ = duration(
            static_cast<duration::rep>(static_cast<double>(token_.count()) * options.ratio));
        capacity_ = token_ * static_cast<duration::rep>(options.tokens_max);
    }

    /// Takes a token if there is one.
    [[nodiscard]] constexpr bool try_spend(steady_time now) noexcept {
        advance(now);
        if (latest_ - empty_at_ < token_) {
            return false;
        }
        empty_at_ += token_;
        return true;
    }

    /// Pays in for an event that was applied.
    constexpr void on_success() noexcept {
        empty_at_ -= reward_;
        keep_capacity();
    }

    /// The same for so many events, none of which was tried again in between.
    constexpr void on_successes(std::uint64_t events) noexcept {
        if (reward_ > duration::zero()) {
            const auto enough = static_cast<std::uint64_t>(capacity_ / reward_) + 1;
            const auto paid = static_cast<duration::rep>(events < enough ? events : enough);
            empty_at_ = later(empty_at_, -(reward_ * paid));
            keep_capacity();
        }
    }

    /// When there is a token, if nothing but time pays in: `now` if there is one.
    [[nodiscard]] constexpr steady_time next_token(steady_time now) const noexcept {
        retry_budget copy = *this;
        copy.advance(now);
        const auto missing = copy.token_ - (copy.latest_ - copy.empty_at_);
        return missing <= duration::zero() ? now : later(copy.latest_, missing);
    }

    /// Whole tokens at `now`.
    [[nodiscard]] constexpr std::uint32_t tokens(steady_time now) const noexcept {
        retry_budget copy = *this;
        copy.advance(now);
        return static_cast<std::uint32_t>((copy.latest_ - copy.empty_at_) / copy.token_);
    }

private:
    /// Time that goes back pays in nothing and takes nothing away.
    constexpr void advance(steady_time now) noexcept {
        if (!started_) {
            started_ = true;
            latest_ = now;
            empty_at_ = later(now, -capacity_);
        } else if (now > latest_) {
            latest_ = now;
        }
        keep_capacity();
    }

    constexpr void keep_capacity() noexcept {
        if (const auto full = later(latest_, -capacity_); empty_at_ < full) {
            empty_at_ = full;
        }
    }

    duration token_{};     ///< the time in which one token comes back
    duration reward_{};    ///< what a success is worth, as time
    duration capacity_{};  ///< a full bucket, as time
    steady_time latest_{};
    steady_time empty_at_{};
    bool started_ = false;
};

}  // namespace sinew
