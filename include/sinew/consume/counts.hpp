// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a consumer has done with its events, in numbers.

#include <cstddef>
#include <cstdint>

namespace sinew {

/// **Invariants.** At any time `received == applied + duplicates + skipped + discarded +
/// dead_lettered + given_back + in_flight`. Replays are counted beside that: a replayed dead letter
/// was received once, when it came from the source.
struct consumer_counts {
    std::uint64_t received = 0;       ///< delivered by the source and taken on
    std::uint64_t applied = 0;        ///< handled, and where there is a transaction, committed
    std::uint64_t duplicates = 0;     ///< recognised, and not applied again
    std::uint64_t skipped = 0;        ///< the handler had nothing to do with them
    std::uint64_t discarded = 0;      ///< dropped by `discard`
    std::uint64_t dead_lettered = 0;  ///< in the dead-letter place
    std::uint64_t given_back = 0;     ///< unfinished when their partition was taken away
    std::size_t in_flight = 0;        ///< held now

    std::uint64_t replayed = 0;  ///< dead letters that were applied after all
    std::uint64_t retries = 0;   ///< attempts that failed and will be repeated
    std::uint64_t waits = 0;     ///< attempts that ran into something unavailable or unknown
    std::uint64_t held = 0;      ///< had to wait for something before them in their sequence
    std::uint64_t gaps = 0;      ///< gaps that were given up
    std::uint64_t late = 0;      ///< came after their gap was given up
    std::uint64_t ignored = 0;   ///< delivered twice within an epoch, or under an old one
    std::uint64_t commits = 0;   ///< transactions of `once` that committed

    [[nodiscard]] bool balances() const noexcept {
        return received ==
               applied + duplicates + skipped + discarded + dead_lettered + given_back + in_flight;
    }
};

}  // namespace sinew
