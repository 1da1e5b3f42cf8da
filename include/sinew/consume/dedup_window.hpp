// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A bounded memory of the ids that were applied, for handlers without a transaction.
///
/// An id is claimed before its event is handled, and then either committed or released:
///
/// | id is | `claim` answers | then the caller |
/// | --- | --- | --- |
/// | not remembered | `fresh`, and it is in flight | handles it; `commit` or `release` |
/// | in flight | `in_flight` | waits and claims again; never acknowledges |
/// | done | `done` | acknowledges: a duplicate |
/// | not remembered, but older than the memory | `unknown`, and it is in flight | as for `fresh` |
/// | not remembered, and as many as possible are in flight | `full` | waits and claims again |
///
/// **Guarantees.** Only `commit` makes an id done, and only `done` suppresses, so a failure between
/// claim and commit loses nothing. A done id is remembered for at least `age_max`, unless more than
/// `ids_max` are committed in that time; then the oldest give way, `evicted_early` counts them, and
/// `covers` no longer claims to know what they were. No allocation after construction; less
/// than 20 bytes an id.
/// **Invariants.** No id is both in flight and done. Generations are in the order of their time and
/// hold every done id. The horizon never goes back.

#include <sinew/consume/digest_index.hpp>
#include <sinew/consume/digest_ring.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sinew {

/// Options of `dedup_window`.
struct dedup_options {
    /// How many done ids are remembered.
    std::size_t ids_max = 100'000;
    /// How long they are remembered at least.
    duration age_max = std::chrono::minutes(10);
    /// How old a duplicate can get here: the longest redelivery or replay that you mean to do.
    /// A window that is shorter is refused. 0: not declared.
    duration replay_horizon = duration::zero();
    /// How many ids may be in flight at once.
    std::size_t in_flight_max = 1024;
};

/// Refuses options that are out of their range, and a memory shorter than the declared horizon.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const dedup_options& options) {
    if (options.ids_max == 0 || options.ids_max > detail::digest_ring::capacity_max) {
        throw usage_error("deduplicate: option ids_max has to be from 1 to 2^30");
    }
    if (options.age_max < std::chrono::milliseconds(1)) {
        throw usage_error("deduplicate: option age_max has to be at least 1 ms");
    }
    if (options.replay_horizon < duration::zero()) {
        throw usage_error("deduplicate: option replay_horizon is below 0");
    }
    if (options.replay_horizon > options.age_max) {
        throw usage_error(
            "deduplicate: option age_max is shorter than replay_horizon, so duplicates would be "
            "forgotten before they come");
    }
    if (options.in_flight_max == 0 || options.in_flight_max > detail::digest_index::capacity_max) {
        throw usage_error("deduplicate: option in_flight_max has to be from 1 to 2^30");
    }
}

/// What the window says of an id.
enum class [[nodiscard]] claim_result : std::uint8_t { fresh, in_flight, done, unknown, full };

[[nodiscard]] constexpr std::string_view to_string(claim_result r) noexcept {
    switch (r) {
        case claim_result::fresh: return "fresh";
        case claim_result::in_flight: return "in flight";
        case claim_result::done: return "done";
        case claim_result::unknown: return "unknown";
        case claim_result::full: return "full";
    }
    return "invalid";
}

/// The memory of one consumer. Ids are `digest_of(seed, consumer, source, id)`.
///
/// **Complexity.** Each call takes constant time; what has expired is forgotten in small bites.
class dedup_window {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    constexpr explicit dedup_window(dedup_options options = {})
        : options_((check(options), options)),
          done_(options.ids_max),
          generation_max_(options.ids_max / shares),
          flying_(options.in_flight_max),
          free_(options.in_flight_max, 0),
          free_count_(options.in_flight_max),
          in_flight_(options.in_flight_max),
          generations_(generations_max) {
        for (std::size_t i = 0; i < free_.size(); ++i) {
            free_[i] = static_cast<std::uint32_t>(free_.size() - 1 - i);
        }
    }

    /// Says that an id will be claimed soon. That changes nothing: the memory that `claim` will
    /// look at is brought near meanwhile, so who has several ids at hand does not wait for each in
    /// turn.
    [[gnu::always_inline]] constexpr void announce(const digest& id) const noexcept {
        done_.fetch(id);
    }

    /// Claims an id whose event can't be older than the memory.
    constexpr claim_result claim(const digest& id, steady_time now) noexcept {
        return claim(id, now, duration::zero());
    }

    /// Claims the id of an event that came into being `age` ago. If the memory does not reach that
    /// far back and holds nothing of it, the answer is `unknown`: the claim is the caller's, but
    /// nobody can say that the event was not applied.
    constexpr claim_result claim(const digest& id, steady_time now, duration age) noexcept {
        advance(now);
        const std::size_t cell = in_flight_.cell_of(id, flying_.data());
        if (in_flight_.at(cell) != detail::digest_index::none) {
            return claim_result::in_flight;
        }
        if (done_.contains(id)) {
            return claim_result::done;
        }
        if (free_count_ == 0) {
            return claim_result::full;
        }
        const std::uint32_t place = free_[--free_count_];
        flying_[place] = id;
        in_flight_.insert(cell, id, place);
        return age > duration::zero() && !covers(age, now) ? claim_result::unknown
                                                           : claim_result::fresh;
    }

    /// The effects of the event are there: from now on the id is done. An id that is not claimed
    /// any more becomes done as well, since it is; one that is done stays as it is.
    constexpr void commit(const digest& id, steady_time now) noexcept {
        advance(now);
        if (!end_claim(id) && done_.contains(id)) {
            return;
        }
        if (done_.full()) {
            forget_oldest();
        }
        done_.push(id);
        add_to_generation();
    }

    /// The event was not applied: its id may be claimed again. Does nothing to an id that is not in
    /// flight.
    constexpr void release(const digest& id) noexcept { end_claim(id); }

    /// Every id that was committed at this time or later is remembered. What was done before the
    /// first call is not.
    [[nodiscard]] constexpr steady_time horizon(steady_time now) const noexcept {
        if (!started_) {
            return now;
        }
        const steady_time by_age = later(now > latest_ ? now : latest_, -options_.age_max);
        return by_age > horizon_ ? by_age : horizon_;
    }

    /// Whether an event that came into being `age` ago would be remembered if it had been applied.
    [[nodiscard]] constexpr bool covers(duration age, steady_time now) const noexcept {
        const steady_time born = age > duration::zero() ? later(now, -age) : now;
        return born >= horizon(now);
    }

    /// Done ids that are remembered.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return done_.size(); }
    [[nodiscard]] constexpr std::size_t in_flight() const noexcept {
        return flying_.size() - free_count_;
    }
    /// How many ids had to give way before they were `age_max` old. Where this rises, `ids_max` is
    /// too small.
    [[nodiscard]] constexpr std::uint64_t evicted_early() const noexcept { return evicted_early_; }
    [[nodiscard]] constexpr const dedup_options& options() const noexcept { return options_; }

    /// What the window takes up in memory.
    [[nodiscard]] constexpr std::size_t bytes() const noexcept {
        return sizeof(*this) + flying_.capacity() * sizeof(digest) +
               free_.capacity() * sizeof(std::uint32_t) + done_.bytes() + in_flight_.bytes() +
               generations_.capacity() * sizeof(generation);
    }

    /// The invariants, for tests. Takes time in proportion to the size.
    [[nodiscard]] constexpr bool invariants_hold() const noexcept {
        bool sound = done_.check_invariants();
        for (std::size_t i = 0; i < flying_.size(); ++i) {
            const bool flies = in_flight_.find(flying_[i], flying_.data()) == i;
            sound = sound && !(flies && done_.contains(flying_[i]));
        }
        std::size_t held = 0;
        for (std::size_t i = 0; i < generation_count_; ++i) {
            const generation& one = generation_at(i);
            held += one.count;
            sound = sound && one.count > 0 && one.first <= one.last && one.last <= latest_ &&
                    (i == 0 || generation_at(i - 1).last <= one.first);
        }
        return sound && held == done_.size();
    }

private:
    /// Ids that were committed about the same time: their age is told once for all of them.
    struct generation {
        steady_time first{};
        steady_time last{};
        std::size_t count = 0;
    };

    /// A generation ends when it has a 64th of the ids or has lasted a 64th of the time. So at most
    /// about 130 have not expired; if there are more, the oldest two have, and become one.
    static constexpr std::size_t generations_max = 256;
    static constexpr std::size_t shares = 64;
    /// How many expired ids a call forgets: more than it can add.
    static constexpr int bite = 2;

    constexpr void advance(steady_time now) noexcept {
        if (!started_) {
            started_ = true;
            latest_ = now;
            horizon_ = now;
        } else if (now > latest_) {
            latest_ = now;
        }
        if (latest_ > nothing_expires_until_) {
            forget_expired();
        }
    }

    constexpr void forget_expired() noexcept {
        for (int i = 0; i < bite && done_.size() > 0 && oldest_has_expired(); ++i) {
            forget_oldest();
        }
    }

    /// Generations expire in their order, so what the oldest one says holds for all that follow.
    [[nodiscard]] constexpr bool oldest_has_expired() noexcept {
        if (latest_ <= nothing_expires_until_) {
            return false;
        }
        nothing_expires_until_ = later(generation_at(0).last, options_.age_max);
        return latest_ > nothing_expires_until_;
    }

    constexpr void forget_oldest() noexcept {
        generation& oldest = generation_at(0);
        if (!oldest_has_expired()) {
            ++evicted_early_;
            const steady_time known = later(oldest.last, duration(1));
            horizon_ = known > horizon_ ? known : horizon_;
        }
        done_.pop();
        if (--oldest.count == 0) {
            generation_first_ = (generation_first_ + 1) % generations_max;
            --generation_count_;
        }
    }

    constexpr void add_to_generation() noexcept {
        if (generation_count_ > 0) {
            generation& newest = generation_at(generation_count_ - 1);
            if (newest.count <= generation_max_ && latest_ <= newest_ends_) {
                newest.last = latest_;
                ++newest.count;
                return;
            }
        }
        if (generation_count_ == generations_max) {
            generation& second = generation_at(1);
            second.first = generation_at(0).first;
            second.count += generation_at(0).count;
            generation_first_ = (generation_first_ + 1) % generations_max;
            --generation_count_;
        }
        ++generation_count_;
        generation_at(generation_count_ - 1) = {latest_, latest_, 1};
        newest_ends_ = later(latest_, options_.age_max / static_cast<int>(shares));
    }

    /// Whether there was a claim to end.
    constexpr bool end_claim(const digest& id) noexcept {
        const std::uint32_t place = in_flight_.take(id, flying_.data());
        if (place == detail::digest_index::none) {
            return false;
        }
        free_[free_count_++] = place;
        return true;
    }

    [[nodiscard]] constexpr generation& generation_at(std::size_t i) noexcept {
        return generations_[(generation_first_ + i) % generations_max];
    }
    [[nodiscard]] constexpr const generation& generation_at(std::size_t i) const noexcept {
        return generations_[(generation_first_ + i) % generations_max];
    }

    dedup_options options_;
    detail::digest_ring done_;  ///< in the order of their commits

    std::size_t generation_max_;  ///< a generation of so many ids is not added to

    std::vector<digest> flying_;
    std::vector<std::uint32_t> free_;  ///< the free places of `flying_`
    std::size_t free_count_;
    detail::digest_index in_flight_;

    std::vector<generation> generations_;
    std::size_t generation_first_ = 0;
    std::size_t generation_count_ = 0;
    steady_time newest_ends_{};  ///< when another generation begins

    steady_time latest_{};
    steady_time nothing_expires_until_ = steady_time::min();
    steady_time horizon_{};  ///< without the part that follows from `age_max`
    std::uint64_t evicted_early_ = 0;
    bool started_ = false;
};

}  // namespace sinew
