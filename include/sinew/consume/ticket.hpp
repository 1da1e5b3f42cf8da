// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Finishing later: a handler that only starts the work keeps a ticket, and says later how it
/// ended.

#include <sinew/consume/slot.hpp>

#include <cstdint>

namespace sinew {

/// Stands for one event that is being handled. It can be copied and kept; it is used up by
/// `complete(ticket, outcome)`. Used twice, or after the event was taken away, it does nothing.
class ticket {
public:
    ticket() = default;
    ticket(slot_id slot, std::uint64_t run) noexcept : run_(run), slot_(slot) {}

    [[nodiscard]] slot_id slot() const noexcept { return slot_; }
    [[nodiscard]] std::uint64_t run() const noexcept { return run_; }

    friend bool operator==(const ticket&, const ticket&) = default;

private:
    std::uint64_t run_ = 0;
    slot_id slot_ = no_slot;
};

/// What a completion did.
enum class completion : std::uint8_t {
    taken,  ///< the event goes on as the outcome says
    stale,  ///< it was completed before, or it is not ours any more: nothing changed
};

}  // namespace sinew
