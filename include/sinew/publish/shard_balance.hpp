// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How relays that know nothing of each other but their leases share the shards of an outbox.
///
/// Each looks at all leases from time to time, and decides for itself alone. With `n` owners that
/// live, itself included, and `N` shards, low is ⌊N/n⌋ and high is ⌈N/n⌉:
///
/// | it holds | and | it |
/// | --- | --- | --- |
/// | less than low | a shard is free | takes up to low |
/// | less than high | a shard is free, and nobody holds less than low | takes up to high |
/// | nothing | nothing is free, and low is 1 or more | takes one from who has the most |
/// | more than high | somebody holds less by two or more | releases down to high |
/// | high, above low | others lack more than is free | releases down to low |
/// | | none of these | changes nothing |
///
/// A shard is free if `lease_watch` says so. An owner lives as long as it holds a shard that is not
/// free. Taking one from another is how a relay that has nothing is seen by the others: the epoch
/// fences the former holder, which costs duplicates, not order.
///
/// **Guarantees.** If all look from time to time and nobody comes or goes, the shares come to
/// differ by at most one, and then nothing moves. A relay works on a shard only until a lease's
/// length has passed since it sent its last good renewal.
///
/// **Invariants.** A shard is held, or seen, or unknown. Only shards that were seen are taken, and
/// only shards that are held are released.

#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// Why a shard is taken.
enum class take_reason : std::uint8_t {
    free,     ///< nobody held it
    own,      ///< its holder was of the same name: oneself, before it died
    expired,  ///< its holder did not move for the length of a lease
    share,    ///< its holder had the most, and oneself nothing
};

[[nodiscard]] constexpr std::string_view to_string(take_reason r) noexcept {
    switch (r) {
        case take_reason::free: return "free";
        case take_reason::own: return "own";
        case take_reason::expired: return "expired";
        case take_reason::share: return "share";
    }
    return "invalid";
}

/// A shard to take, as it was seen.
struct shard_to_take {
    shard_lease seen;
    take_reason reason;
};

/// What to do now.
struct shard_moves {
    std::vector<shard_to_take> take{};
    std::vector<shard_id> release{};
    /// Whether shares may still change without anybody's coming or going: look again soon.
    bool settled = true;
};

/// Decides which shards one relay holds. The driver tells what it saw and what it did.
class shard_balance {
public:
    /// Relays that live at the same time need different names.
    shard_balance(std::string owner, duration length, shard_id shards)
        : watch_(std::move(owner), length, shards), places_(shards) {
        first_ = shard_of(watch_.owner(), shards);
    }

    /// A shard that is not held was looked at.
    void saw(const shard_lease& lease, steady_time now) {
        auto& p = places_[lease.shard];
        p.lease = lease;
        p.state = standing::seen;
        p.free = watch_.may_take(lease, now);
    }
    /// A call is about to be sent that takes a shard as it was seen.
    void takes(const shard_lease& seen) noexcept { watch_.takes(seen); }
    /// A shard was taken, or its lease renewed, by a call that was sent at `sent`.
    void holds(const shard_lease& lease, steady_time sent) {
        auto& p = places_[lease.shard];
        p.lease = lease;
        p.state = standing::held;
        p.sent = sent;
    }
    /// A shard is not held any more. It is unknown until it is looked at again.
    void lost(shard_id shard) noexcept { places_[shard].state = standing::unknown; }

    [[nodiscard]] shard_id shards() const noexcept { return static_cast<shard_id>(places_.size()); }
    [[nodiscard]] const std::string& owner() const noexcept { return watch_.owner(); }
    [[nodiscard]] bool is_held(shard_id shard) const noexcept {
        return places_[shard].state == standing::held;
    }
    /// The lease as it was seen or taken last.
    [[nodiscard]] const shard_lease& lease(shard_id shard) const noexcept {
        return places_[shard].lease;
    }
    /// When the last good renewal of a shard that is held was sent.
    [[nodiscard]] steady_time sent(shard_id shard) const noexcept { return places_[shard].sent; }
    /// Until when a shard that is held may be worked on, if its lease is not renewed.
    [[nodiscard]] steady_time valid_until(shard_id shard) const noexcept {
        return is_held(shard) ? later(places_[shard].sent, watch_.length()) : steady_time::min();
    }

    /// What to do, given what was seen. To be asked after a look at all shards that are not held.
    [[nodiscard]] shard_moves plan() const {
        const auto [owners, mine, vacant] = count();
        const std::size_t n = owners.size() + 1;
        const std::size_t low = places_.size() / n;
        const std::size_t high = low + (places_.size() % n == 0 ? 0 : 1);
        std::size_t least = places_.size();
        std::size_t most = mine;
        std::size_t lacking = 0;
        for (const auto& one : owners) {
            least = one.shards < least ? one.shards : least;
            most = one.shards > most ? one.shards : most;
            lacking += one.shards < low ? low - one.shards : 0;
        }
        shard_moves out;
        const std::size_t target = lacking != 0 ? low : high;
        std::size_t keep = mine;
        if (mine < target && vacant != 0) {
            take_free(out, target - mine);
        } else if (mine == 0 && vacant == 0 && low != 0 && !owners.empty()) {
            take_one_of(out, owners);
        } else if (mine > high && least + 2 <= mine) {
            keep = high;
        } else if (mine == high && mine > low && lacking > vacant) {
            keep = low;
        }
        release(out, mine - keep);
        const std::size_t fewest = mine < least ? mine : least;
        out.settled = out.take.empty() && out.release.empty() && vacant == 0 &&
                      (low == 0 || most - fewest <= 1);
        return out;
    }

    /// When the first of the shards that others hold will be free, if its holder does not move.
    [[nodiscard]] steady_time next_expiry() const noexcept {
        steady_time due = never;
        for (const auto& p : places_) {
            if (p.state == standing::seen && !p.free) {
                const auto at = watch_.due(p.lease.shard);
                due = at < due ? at : due;
            }
        }
        return due;
    }

private:
    enum class standing : std::uint8_t { unknown, seen, held };

    struct place {
        shard_lease lease{};
        steady_time sent{};
        standing state = standing::unknown;
        bool free = false;
    };
    struct owner_share {
        std::string_view name;
        std::size_t shards = 0;
    };
    struct tally {
        std::vector<owner_share> others{};  ///< those who live
        std::size_t mine = 0;
        std::size_t vacant = 0;  ///< shards that are free
    };

    [[nodiscard]] tally count() const {
        tally out;
        for (const auto& p : places_) {
            if (p.state == standing::held) {
                ++out.mine;
            } else if (p.state == standing::seen && p.free) {
                ++out.vacant;
            } else if (p.state == standing::seen) {
                share_of(out.others, p.lease.owner).shards += 1;
            }
        }
        return out;
    }

    static owner_share& share_of(std::vector<owner_share>& all, std::string_view name) {
        for (auto& one : all) {
            if (one.name == name) {
                return one;
            }
        }
        all.push_back({name});
        return all.back();
    }

    /// Each relay begins elsewhere, so that they seldom want the same shard.
    [[nodiscard]] const place& in_turn(std::size_t index) const noexcept {
        return places_[(first_ + index) % places_.size()];
    }

    [[nodiscard]] take_reason why_free(const shard_lease& lease) const noexcept {
        return lease.owner.empty()             ? take_reason::free
               : lease.owner == watch_.owner() ? take_reason::own
                                               : take_reason::expired;
    }

    void take_free(shard_moves& out, std::size_t limit) const {
        for (std::size_t i = 0; i < places_.size() && out.take.size() < limit; ++i) {
            const auto& p = in_turn(i);
            if (p.state == standing::seen && p.free) {
                out.take.push_back({p.lease, why_free(p.lease)});
            }
        }
    }

    void take_one_of(shard_moves& out, const std::vector<owner_share>& owners) const {
        const owner_share* richest = &owners.front();
        for (const auto& one : owners) {
            richest = one.shards > richest->shards ? &one : richest;
        }
        for (std::size_t i = 0; i < places_.size() && out.take.empty(); ++i) {
            const auto& p = in_turn(i);
            if (p.state == standing::seen && p.lease.owner == richest->name) {
                out.take.push_back({p.lease, take_reason::share});
            }
        }
    }

    void release(shard_moves& out, std::size_t limit) const {
        for (std::size_t i = places_.size(); i-- > 0 && out.release.size() < limit;) {
            const auto& p = in_turn(i);
            if (p.state == standing::held) {
                out.release.push_back(p.lease.shard);
            }
        }
    }

    lease_watch watch_;
    std::vector<place> places_;
    shard_id first_ = 0;  ///< where this relay begins
};

}  // namespace sinew
