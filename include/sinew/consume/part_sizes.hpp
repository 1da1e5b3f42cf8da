// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How many events share one part of a transaction.
///
/// A part is what can be undone alone, and costs the store a savepoint. If each event has its own,
/// a failure touches nobody else; if several share one, they share its cost, and all of them run
/// again when one fails. So a part holds as many as are allowed while all goes well, one after a
/// failure, and twice as many after each part that was filled and kept.
///
/// **Guarantees.** However failures fall, fewer than `largest` events more run again for the sake
/// of others than were kept.
///
/// **Invariants.** 1 <= size <= largest.
///
/// | state | `kept(events)` | `undone` |
/// | --- | --- | --- |
/// | size n, and n events were kept | size 2n, or the largest | size 1 |
/// | size n, and fewer were kept | size n | size 1 |

#include <cstddef>

namespace sinew::detail {

class part_sizes {
public:
    /// `largest` is at least 1.
    explicit constexpr part_sizes(std::size_t largest) noexcept
        : largest_(largest), size_(largest) {}

    /// How many events the part holds that is open, or is opened next.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

    /// A part with so many events was joined to its transaction.
    constexpr void kept(std::size_t events) noexcept {
        if (events >= size_) {
            size_ = size_ <= largest_ / 2 ? 2 * size_ : largest_;
        }
    }

    /// One of a part's events failed.
    constexpr void undone() noexcept { size_ = 1; }

private:
    std::size_t largest_;
    std::size_t size_;
};

}  // namespace sinew::detail
