// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that a resequencer keeps: those that wait behind a gap, and those that came free.
///
/// **Guarantees.** Holding, finding and freeing one takes constant time on average, and allocates
/// nothing once the tables have their size.
///
/// **Invariants.** A slot is here at most once: held, in the list of its key and in the index, or
/// freed, in the one line of those that wait to be fetched. Of a key each number is held once.

#include <sinew/consume/index_list.hpp>
#include <sinew/consume/index_table.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/key_progress.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// A number of a key: what a held event is found by.
struct key_and_sequence {
    digest key{};
    std::uint64_t sequence = 0;

    friend constexpr bool operator==(const key_and_sequence&, const key_and_sequence&) = default;

    // The sender chooses the number, but the seed of the digest is not known to him.
    friend constexpr std::uint64_t table_hash(const key_and_sequence& one) noexcept {
        return detail::table_hash(one.sequence ^ one.key.hi) ^ one.key.lo;
    }
};

/// Where a slot is.
enum class hold_state : std::uint8_t { absent, held, freed };

/// An event that is held or came free. `owner` is the index of its key's record.
struct held_event {
    digest key{};
    std::uint64_t sequence = 0;
    std::uint64_t gap_from = 0;
    std::uint32_t owner = index_list::none;
    std::uint32_t previous = index_list::none;
    std::uint32_t next = index_list::none;
    standing stand = standing::ahead;  ///< once it is free
    hold_state where = hold_state::absent;
};

/// The held and the freed events of all keys.
class held_events {
public:
    static constexpr std::uint32_t none = index_list::none;
    static_assert(none == no_slot);

    explicit held_events(std::size_t held_max) : index_(held_max) { events_.reserve(held_max); }

    /// How many are held.
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    [[nodiscard]] const held_event& operator[](slot_id slot) const noexcept {
        return events_[slot];
    }
    [[nodiscard]] bool contains(slot_id slot) const noexcept {
        return slot < events_.size() && events_[slot].where != hold_state::absent;
    }
    /// The slot that holds a number of a key, or `no_slot`.
    [[nodiscard]] slot_id find(const digest& key, std::uint64_t sequence) const noexcept {
        return index_.find({key, sequence});
    }

    /// Holds an event at the end of its key's list.
    void hold(index_list& of_key, std::uint32_t owner, const digest& key, std::uint64_t sequence,
              slot_id slot) {
        add(owner, key, sequence, slot);
        events_[slot].where = hold_state::held;
        of_key.push_back(events_, slot);
        index_.insert({key, sequence}, slot);
    }

    /// Takes in an event that is free at once.
    void take_in_free(std::uint32_t owner, const digest& key, std::uint64_t sequence, slot_id slot,
                      standing stand) {
        add(owner, key, sequence, slot);
        line_up(slot, stand, 0, freed_.last);
    }

    /// Sets a held event free. It is fetched after those that are free already.
    void set_free(index_list& of_key, slot_id slot, standing stand, std::uint64_t gap_from) {
        stop_holding(of_key, slot);
        line_up(slot, stand, gap_from, freed_.last);
    }

    /// Sets free what a key has gone past, in rising order. Answers how many that were.
    std::uint32_t set_passed_free(index_list& of_key, const key_progress& progress) {
        const slot_id before = freed_.last;
        std::uint32_t count = 0;
        for (slot_id slot = of_key.first; slot != none;) {
            const slot_id next = events_[slot].next;
            const std::uint64_t sequence = events_[slot].sequence;
            if (sequence < progress.next()) {
                slot_id after = freed_.last;
                while (after != before && events_[after].sequence > sequence) {
                    after = events_[after].previous;
                }
                stop_holding(of_key, slot);
                line_up(slot, progress.stand(sequence), 0, after);
                ++count;
            }
            slot = next;
        }
        return count;
    }

    /// The held event of a key with the lowest number. There has to be one.
    [[nodiscard]] slot_id lowest(const index_list& of_key) const noexcept {
        slot_id found = of_key.first;
        for (slot_id slot = found; slot != none; slot = events_[slot].next) {
            found = events_[slot].sequence < events_[found].sequence ? slot : found;
        }
        return found;
    }

    /// The event that came free first, or `no_slot`.
    [[nodiscard]] slot_id first_free() const noexcept { return freed_.first; }

    /// Forgets a free event, and answers what it was.
    held_event fetch(slot_id slot) noexcept {
        freed_.erase(events_, slot);
        const held_event one = events_[slot];
        events_[slot] = {};
        return one;
    }

    /// Forgets a held event.
    void drop(index_list& of_key, slot_id slot) noexcept {
        stop_holding(of_key, slot);
        events_[slot] = {};
    }

    /// Whether a key's list is sound and has `count` members beyond what the key expects.
    [[nodiscard]] bool check_list(const index_list& of_key, std::uint32_t owner, std::size_t count,
                                  std::uint64_t expected) const noexcept {
        if (of_key.count(events_, count) != count) {
            return false;
        }
        for (slot_id slot = of_key.first; slot != none; slot = events_[slot].next) {
            const held_event& one = events_[slot];
            if (one.owner != owner || one.where != hold_state::held || one.sequence <= expected ||
                find(one.key, one.sequence) != slot) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool check_invariants(std::size_t held, std::size_t freed) const noexcept {
        std::size_t held_here = 0;
        std::size_t freed_here = 0;
        for (const held_event& one : events_) {
            held_here += one.where == hold_state::held ? 1U : 0U;
            freed_here += one.where == hold_state::freed ? 1U : 0U;
        }
        return held_here == held && index_.size() == held && freed_here == freed &&
               freed_.count(events_, freed) == freed && index_.check_invariants();
    }

private:
    void add(std::uint32_t owner, const digest& key, std::uint64_t sequence, slot_id slot) {
        if (slot >= events_.size()) {
            events_.resize(static_cast<std::size_t>(slot) + 1);
        }
        assert(events_[slot].where == hold_state::absent);
        events_[slot].key = key;
        events_[slot].sequence = sequence;
        events_[slot].owner = owner;
    }

    void stop_holding(index_list& of_key, slot_id slot) noexcept {
        index_.erase({events_[slot].key, events_[slot].sequence});
        of_key.erase(events_, slot);
    }

    void line_up(slot_id slot, standing stand, std::uint64_t gap_from, slot_id after) noexcept {
        events_[slot].where = hold_state::freed;
        events_[slot].stand = stand;
        events_[slot].gap_from = gap_from;
        freed_.insert_after(events_, after, slot);
    }

    std::vector<held_event> events_;  ///< by slot
    index_table<key_and_sequence> index_;
    index_list freed_;
};

}  // namespace sinew::detail
