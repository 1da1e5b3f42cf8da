// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that a consumer holds at this moment, and the one account of what they weigh.
///
/// **Guarantees.** Queue, hold, retry and running events are all here, so one limit in events and
/// one in bytes covers them all. Memory is taken once, and only so much of it is touched as events
/// were held at once; opening and closing a slot allocates nothing.

#include <sinew/consume/slot.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/retry_policy.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sinew::detail {

/// What is to be done with an event next.
enum class duty : std::uint8_t {
    handle,  ///< run the handler
    resign,  ///< it can never be processed: dead letter, halt or discard
};

/// How an event ended.
enum class ending : std::uint8_t { applied, duplicate, skipped, discarded, dead_lettered };

/// What is known of one event under way, but for what it keeps alive.
struct delivery_state {
    position where{};
    epoch_number epoch = 0;
    std::size_t bytes = 0;

    digest key{};                ///< of the partition key, if `keyed`
    digest claim{};              ///< of its identity, where a dedup window is asked
    std::uint64_t sequence = 0;  ///< its place in its key's order; 0: it has none
    std::uint64_t gap_from = 0;  ///< its key may go on from here to `sequence`; 0: no gap

    std::uint64_t run = 0;     ///< the ticket's number while the handler runs
    std::uint64_t jitter = 0;  ///< the seed of its retry schedule
    retry_history past{};
    duration took{};  ///< of its last attempt, where somebody measures

    duty next = duty::handle;
    ending end = ending::applied;  ///< while provisional: how it will have ended
    bool keyed = false;
    bool claimed = false;
    bool held = false;          ///< waits in the resequencer
    bool waits = false;         ///< in its lane, until an older run of its key has ended
    bool out_of_order = false;  ///< its key has gone past it: it leaves the progress alone
    bool suspect = false;       ///< may be what killed the process before
    bool alone = false;         ///< gets a transaction of its own
    bool apart = false;         ///< gets a part of its own: its part was undone before
    bool needs_token = false;   ///< its next attempt is a retry, and the budget has to allow it
    bool guarded = false;       ///< the attempt log knows that it began
    bool in_doubt = false;      ///< a commit without an answer: it may be applied
    bool replay = false;        ///< a dead letter, not from the source

    [[nodiscard]] bool is_running() const noexcept { return run != 0; }
};

/// One event under way.
template <class Message>
struct delivery : delivery_state {
    std::optional<Message> message{};  ///< empty for a replayed dead letter
    std::vector<failure_note> notes{};
    failure why{};  ///< the failure for which it resigns
};

/// The table of deliveries.
template <class Message>
class deliveries {
public:
    deliveries(std::size_t events_max, std::size_t bytes_max)
        : events_max_(events_max), bytes_max_(bytes_max) {
        slots_.reserve(events_max);
        free_.reserve(events_max);
    }

    [[nodiscard]] delivery<Message>& operator[](slot_id slot) noexcept { return slots_[slot]; }

    /// The slot that `open` will answer; nothing, if there is none.
    [[nodiscard]] slot_id next() const noexcept {
        if (!free_.empty()) {
            return free_.back();
        }
        return room() == 0 ? no_slot : static_cast<slot_id>(slots_.size());
    }

    /// A slot for an event of that weight. There has to be a free one; the weight may go beyond
    /// the limit, as one event alone may.
    slot_id open(std::size_t bytes) {
        const slot_id slot = next();
        if (free_.empty()) {
            slots_.emplace_back();
        } else {
            free_.pop_back();
        }
        slots_[slot].bytes = bytes;
        bytes_ += bytes;
        return slot;
    }

    void close(slot_id slot) noexcept {
        auto& one = slots_[slot];
        bytes_ -= one.bytes;
        one.message.reset();
        one.notes.clear();
        // Most events leave no reason behind, and of a large one nothing is to be kept.
        if (!one.why.reason.empty() || !one.why.detail.empty()) {
            one.why = failure{};
        }
        one.why.kind = failure{}.kind;
        one.why.retry_after.reset();
        static_cast<delivery_state&>(one) = delivery_state{};
        free_.push_back(slot);
    }

    [[nodiscard]] std::size_t size() const noexcept { return slots_.size() - free_.size(); }
    [[nodiscard]] std::size_t room() const noexcept { return events_max_ - size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t bytes_room() const noexcept {
        return bytes_ >= bytes_max_ ? 0 : bytes_max_ - bytes_;
    }
    /// All slots that were ever opened lie below.
    [[nodiscard]] std::size_t slots_end() const noexcept { return slots_.size(); }

private:
    std::vector<delivery<Message>> slots_;
    std::vector<slot_id> free_;
    std::size_t events_max_;
    std::size_t bytes_ = 0;
    std::size_t bytes_max_;
};

}  // namespace sinew::detail
