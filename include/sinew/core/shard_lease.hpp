// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Leases on shards: how several processes share work, and how one that was taken for dead is kept
/// from doing harm.
///
/// Work is dealt into shards by key. Who works on a shard holds its lease and renews it; the others
/// watch. The store keeps no time: it keeps an epoch, which rises with each holder, and a beat,
/// which rises with each renewal. Whoever watches takes over once the beat has stood still for as
/// long as a lease lasts on the watcher's own steady clock. So neither clocks that differ between
/// machines nor a jump of the system clock moves a lease.
///
/// **Guarantees.** A holder that stops working when a lease's length has passed since it sent its
/// last good renewal has stopped before anybody takes over, because the watcher saw that beat later
/// than it was sent. One that does not stop (it was paused) works under an epoch that has ended,
/// and every write under it is refused.

#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// The number of a shard.
using shard_id = std::uint32_t;

/// How many shards there may be.
inline constexpr shard_id shards_max = 4096;

/// The shard of a key, out of so many.
///
/// It is the same in all processes and versions, as stores keep it. So it has no secret seed:
/// whoever chooses keys can put them all into one shard, and gains no more than that this shard has
/// all the work.
/// **Source.** FNV-1a, 64 bits, folded: its lower bits alone are weak.
[[nodiscard]] constexpr shard_id shard_of(std::string_view key, shard_id shards) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : key) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ULL;
    }
    hash ^= hash >> 32U;
    return shards < 2 ? 0 : static_cast<shard_id>(hash % shards);
}

/// The lease of a shard, as it stands in the store.
struct shard_lease {
    shard_id shard = 0;
    epoch_number epoch = 0;  ///< 0: nobody ever held it
    std::uint64_t beat = 0;  ///< rises with each renewal
    std::string owner{};     ///< empty: nobody holds it

    friend bool operator==(const shard_lease&, const shard_lease&) = default;
};

/// How a write under a lease ended.
enum class [[nodiscard]] fenced_result : std::uint8_t {
    done,     ///< it is done, durably
    stale,    ///< the lease's epoch has ended: nothing was changed, and nothing will be
    unknown,  ///< no answer came: it may be done; doing it again is harmless
};

[[nodiscard]] constexpr std::string_view to_string(fenced_result r) noexcept {
    switch (r) {
        case fenced_result::done: return "done";
        case fenced_result::stale: return "stale";
        case fenced_result::unknown: return "unknown";
    }
    return "invalid";
}

/// A `lease_keeper` keeps the leases of its shards.
///
/// **Syntax.** `shards()`; `holder(shard, until)`; `take(seen, owner, until)`; `renew(lease,
/// until)`; `release(lease, until)`.
///
/// **Semantics.**
/// 1. `shards()` is how many there are, numbered from 0. It belongs to the data and never changes.
/// 2. `holder(shard)` is the lease as it stands; it changes nothing.
/// 3. `take(seen, owner)` gives the shard to `owner` if its epoch and beat still are as seen, and
///    answers the new lease; if not, it changes nothing and answers nothing (compare-and-swap).
/// 4. The new lease has a higher epoch than any the shard had before, also after a crash, and the
///    former one has ended. It is the caller who decides when a lease may be taken: see
///    `lease_watch`.
/// 5. `renew` raises the beat of a lease that has not ended; the epoch alone says whether it has.
/// 6. `release` ends the lease: nobody holds the shard, and anybody can take it at once. Releasing
///    twice answers stale.
///
/// **On failure.** Each call throws `unavailable_error` if the store cannot be reached by `until`.
/// After a `take` without an answer look at the holder, and take again if it is oneself.
/// **On crash.** The lease stays as it is, and others take it when its beat has stood still.
/// **Models.** `memory::outbox`, `sqlite::outbox`, `postgres::outbox`;
/// `memory::journal`, `sqlite::journal`, `postgres::journal`.
template <class K>
concept lease_keeper = requires(K& keeper, shard_id shard, const shard_lease& lease,
                                std::string_view owner, steady_time until) {
    { keeper.shards() } -> std::same_as<shard_id>;
    { keeper.holder(shard, until) } -> std::same_as<shard_lease>;
    { keeper.take(lease, owner, until) } -> std::same_as<std::optional<shard_lease>>;
    { keeper.renew(lease, until) } -> std::same_as<fenced_result>;
    { keeper.release(lease, until) } -> std::same_as<fenced_result>;
};

/// Decides when a shard may be taken. Not asked about shards that the watcher holds itself.
///
/// | the lease's holder | answer |
/// | --- | --- |
/// | nobody | may be taken |
/// | a process of the watcher's own name | may be taken: it is the watcher itself, before it died |
/// | one of its own name, that took it after this life had | as another: both live |
/// | another, seen for the first time or changed since | wait; its time begins now |
/// | another, unchanged for less than `length` | wait |
/// | another, unchanged for `length` | may be taken |
///
/// Two that live under one name would else take a shard from each other for ever: one was paused,
/// and its successor started under its name.
///
/// **Bounds.** A few words per shard. A shard beyond their number may never be taken.
class lease_watch {
public:
    /// Processes that live at the same time need different names. One that is always started under
    /// the same name goes on at once after a crash, instead of after `length`.
    lease_watch(std::string owner, duration length, shard_id shards)
        : owner_(std::move(owner)), seen_(shards), length_(length) {}

    /// Whether the lease, which has just been looked at, may be taken.
    [[nodiscard]] bool may_take(const shard_lease& lease, steady_time now) {
        if (lease.shard >= seen_.size()) {
            return false;
        }
        auto& known = seen_[lease.shard];
        const bool before_this_life =
            lease.owner == owner_ && (known.asked == 0 || lease.epoch <= known.asked);
        if (lease.owner.empty() || before_this_life) {
            return true;
        }
        if (!known.since || known.epoch != lease.epoch || known.beat != lease.beat) {
            known.epoch = lease.epoch;
            known.beat = lease.beat;
            known.since = now;
        }
        return now >= later(*known.since, length_);
    }

    /// A call is about to be sent that takes the lease as it was seen. Its answer may be lost, so
    /// the epoch that it asks for counts as this life's own from now on.
    void takes(const shard_lease& seen) noexcept {
        if (seen.shard < seen_.size()) {
            seen_[seen.shard].asked = seen.epoch + 1;
        }
    }

    /// When the shard may be taken, if its lease stays as it was seen last; never if it was not
    /// seen.
    [[nodiscard]] steady_time due(shard_id shard) const noexcept {
        return shard < seen_.size() && seen_[shard].since ? later(*seen_[shard].since, length_)
                                                          : never;
    }

    [[nodiscard]] const std::string& owner() const noexcept { return owner_; }
    [[nodiscard]] duration length() const noexcept { return length_; }

private:
    struct sighting {
        epoch_number epoch = 0;
        std::uint64_t beat = 0;
        epoch_number asked = 0;  ///< the last epoch that this life asked for
        std::optional<steady_time> since{};
    };

    std::string owner_;
    std::vector<sighting> seen_;
    duration length_;
};

}  // namespace sinew
