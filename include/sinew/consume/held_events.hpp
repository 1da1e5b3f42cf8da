// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that a resequencer keeps: those that wait behind a gap, and those that came free.
///
/// Numbers of a key that lie together are held together: eight neighbours share a page, which is
/// one line of the processor's cache and has one entry in the hash table. A run of numbers is so
/// held and let go with an eighth of the lookups, and numbers that lie far apart cost a page each
/// and no more, whatever the sender makes of them. The only page of a key is found from its record:
/// most gaps are short, and never come into the hash table.
///
/// **Guarantees.** Holding, finding and freeing one takes constant time on average, and allocates
/// nothing once the tables have their size. The lowest number of a key is found in logarithmic time
/// for each page that was taken out of order, and in constant time for the others.
///
/// **Invariants.** A slot is here at most once: held, in a page of its key, or freed, in the one
/// line of those that wait to be fetched. Of a key each number is held once. A page holds at least
/// one, and is in the hash table unless it has been its key's only one all the time; then it is
/// `at_hand`.

#include <sinew/consume/index_list.hpp>
#include <sinew/consume/index_table.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/key_progress.hpp>

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// Where a slot is.
enum class hold_state : std::uint8_t { absent, held, freed };

/// An event that is held or came free. `owner` is the number of its key's record.
struct held_event {
    std::uint64_t sequence = 0;
    std::uint64_t gap_from = 0;
    std::uint32_t owner = index_list::none;
    std::uint32_t previous = index_list::none;
    std::uint32_t next = index_list::none;
    standing stand = standing::ahead;  ///< once it is free
    hold_state where = hold_state::absent;
};

/// What a key's record has of its held events.
struct held_of_key {
    digest key{};
    index_list pages;
    std::uint32_t at_hand = index_list::none;  ///< the page that was found last
    std::uint32_t count = 0;
    std::uint32_t owner = index_list::none;
    bool sorted = true;    ///< the pages lie in rising order
    bool indexed = false;  ///< the pages are in the index: there are several, or have been
};

/// The held and the freed events of all keys.
class held_events {
public:
    static constexpr std::uint32_t none = index_list::none;
    static_assert(none == no_slot);

    explicit held_events(std::size_t held_max) { events_.reserve(held_max); }

    /// How many are held.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const held_event& operator[](slot_id slot) const noexcept {
        return events_[slot];
    }
    [[nodiscard]] bool contains(slot_id slot) const noexcept {
        return slot < events_.size() && events_[slot].where != hold_state::absent;
    }
    /// The slot that holds a number of a key, or `no_slot`.
    [[nodiscard]] slot_id find(held_of_key& of, std::uint64_t sequence) const noexcept {
        const std::uint32_t id = page_of(of, sequence);
        return id == none ? no_slot : pages_[id].slots[place_in_page(sequence)];
    }

    /// Holds an event. Answers false, and changes nothing, if its number is held already.
    bool hold(held_of_key& of, std::uint64_t sequence, slot_id slot) {
        std::uint32_t id = page_of(of, sequence);
        if (id == none) {
            id = new_page(of, sequence / page_size);
        } else if (pages_[id].slots[place_in_page(sequence)] != no_slot) {
            return false;
        }
        add(of.owner, sequence, slot, hold_state::held);
        pages_[id].slots[place_in_page(sequence)] = slot;
        ++pages_[id].count;
        ++of.count;
        ++size_;
        return true;
    }

    /// Takes in an event that is free at once.
    void take_in_free(std::uint32_t owner, std::uint64_t sequence, slot_id slot, standing stand) {
        add(owner, sequence, slot, hold_state::freed);
        line_up(slot, stand, 0);
    }

    /// Sets a held event free. It is fetched after those that are free already.
    void set_free(held_of_key& of, slot_id slot, standing stand, std::uint64_t gap_from) noexcept {
        stop_holding(of, slot);
        line_up(slot, stand, gap_from);
    }

    /// Sets free what a key has gone past, in rising order. Answers how many that were.
    std::uint32_t set_passed_free(held_of_key& of, const key_progress& progress) noexcept {
        std::uint32_t passed = 0;
        while (of.count != 0) {
            const slot_id slot = lowest(of);
            const std::uint64_t sequence = events_[slot].sequence;
            if (sequence >= progress.next()) {
                break;
            }
            set_free(of, slot, progress.stand(sequence), 0);
            ++passed;
        }
        return passed;
    }

    /// The held event of a key with the lowest number. There has to be one.
    [[nodiscard]] slot_id lowest(held_of_key& of) noexcept {
        if (!of.sorted) {
            sort(of);
        }
        const page& first = pages_[of.pages.first];
        std::size_t place = 0;
        while (first.slots[place] == no_slot) {
            ++place;
        }
        return first.slots[place];
    }

    /// The event that came free first, or `no_slot`.
    [[nodiscard]] slot_id first_free() const noexcept { return freed_.first; }

    /// Forgets a free event, and answers what it was.
    held_event fetch(slot_id slot) noexcept {
        freed_.erase(events_, slot);
        const held_event one = events_[slot];
        events_[slot].where = hold_state::absent;
        return one;
    }

    /// Forgets a held event.
    void drop(held_of_key& of, slot_id slot) noexcept {
        stop_holding(of, slot);
        events_[slot].where = hold_state::absent;
    }

    /// Whether what a key holds is sound and lies beyond what the key expects.
    [[nodiscard]] bool check_key(held_of_key of, std::uint64_t expected) const noexcept {
        std::size_t held = 0;
        std::uint64_t before = 0;
        if (of.pages.count(pages_, of.count) > of.count) {
            return false;
        }
        for (std::uint32_t id = of.pages.first; id != none; id = pages_[id].next) {
            const page& one = pages_[id];
            std::size_t held_here = 0;
            for (std::size_t place = 0; place < page_size; ++place) {
                const std::uint64_t sequence = one.block * page_size + place;
                if (one.slots[place] != no_slot) {
                    const held_event& event = events_[one.slots[place]];
                    ++held_here;
                    if (event.where != hold_state::held || event.sequence != sequence ||
                        event.owner != of.owner || sequence <= expected) {
                        return false;
                    }
                }
            }
            if (held_here == 0 || held_here != one.count || one.owner != of.owner ||
                index_.find({of.key, one.block}) != (of.indexed ? id : none) ||
                (!of.indexed && (id != of.pages.last || id != of.at_hand)) ||
                (of.sorted && id != of.pages.first && one.block <= before)) {
                return false;
            }
            before = one.block;
            held += held_here;
        }
        return held == of.count;
    }

    /// `single` is how many keys have a page that is not in the index.
    [[nodiscard]] bool check_invariants(std::size_t held, std::size_t freed,
                                        std::size_t single) const noexcept {
        std::size_t held_here = 0;
        std::size_t freed_here = 0;
        for (const held_event& one : events_) {
            held_here += one.where == hold_state::held ? 1U : 0U;
            freed_here += one.where == hold_state::freed ? 1U : 0U;
        }
        std::size_t pages = 0;
        for (const page& one : pages_) {
            pages += one.count != 0 ? 1U : 0U;
        }
        return held_here == held && size_ == held && freed_here == freed &&
               freed_.count(events_, freed) == freed && index_.size() + single == pages &&
               index_.check_invariants();
    }

private:
    static constexpr std::size_t page_size = 8;

    /// The events of a key with the numbers from `8 * block` on.
    struct alignas(64) page {
        std::uint64_t block = 0;
        std::uint32_t owner = none;
        std::uint32_t previous = none;
        std::uint32_t next = none;
        std::uint32_t count = 0;
        slot_id slots[page_size] = {no_slot, no_slot, no_slot, no_slot,
                                    no_slot, no_slot, no_slot, no_slot};
    };

    /// What a page is found by.
    struct key_and_block {
        digest key{};
        std::uint64_t block = 0;

        friend constexpr bool operator==(const key_and_block&, const key_and_block&) = default;

        // The sender chooses the number, but the seed of the digest is not known to him.
        friend constexpr std::uint64_t table_hash(const key_and_block& one) noexcept {
            return detail::table_hash(one.block ^ one.key.hi) ^ one.key.lo;
        }
    };

    [[nodiscard]] static constexpr std::size_t place_in_page(std::uint64_t sequence) noexcept {
        return static_cast<std::size_t>(sequence % page_size);
    }

    [[nodiscard]] std::uint32_t page_of(held_of_key& of, std::uint64_t sequence) const noexcept {
        const std::uint64_t block = sequence / page_size;
        if (of.count == 0) {
            return none;
        }
        if (of.at_hand == none || pages_[of.at_hand].block != block) {
            if (!of.indexed) {
                return none;
            }
            const std::uint32_t found = index_.find({of.key, block});
            if (found == none) {
                return none;
            }
            of.at_hand = found;
        }
        return of.at_hand;
    }

    std::uint32_t new_page(held_of_key& of, std::uint64_t block) {
        std::uint32_t id = unused_;
        if (id == none) {
            id = static_cast<std::uint32_t>(pages_.size());
            pages_.emplace_back();
        } else {
            unused_ = pages_[id].next;
        }
        pages_[id].block = block;
        pages_[id].owner = of.owner;
        if (!of.pages.empty()) {
            of.sorted = of.sorted && pages_[of.pages.last].block < block;
            if (!of.indexed) {
                index_.insert({of.key, pages_[of.pages.first].block}, of.pages.first);
                of.indexed = true;
            }
            index_.insert({of.key, block}, id);
        }
        of.pages.push_back(pages_, id);
        of.at_hand = id;
        return id;
    }

    void add(std::uint32_t owner, std::uint64_t sequence, slot_id slot, hold_state where) {
        if (slot >= events_.size()) {
            events_.resize(static_cast<std::size_t>(slot) + 1);
        }
        assert(events_[slot].where == hold_state::absent);
        events_[slot].sequence = sequence;
        events_[slot].owner = owner;
        events_[slot].where = where;
    }

    void stop_holding(held_of_key& of, slot_id slot) noexcept {
        const std::uint64_t sequence = events_[slot].sequence;
        const std::uint32_t id = page_of(of, sequence);
        pages_[id].slots[place_in_page(sequence)] = no_slot;
        --of.count;
        --size_;
        if (--pages_[id].count == 0) {
            if (of.indexed) {
                index_.erase({of.key, pages_[id].block});
            }
            of.pages.erase(pages_, id);
            of.at_hand = none;
            if (of.pages.empty()) {
                of.sorted = true;
                of.indexed = false;
            }
            pages_[id].next = unused_;
            unused_ = id;
        }
    }

    void line_up(slot_id slot, standing stand, std::uint64_t gap_from) noexcept {
        events_[slot].where = hold_state::freed;
        events_[slot].stand = stand;
        events_[slot].gap_from = gap_from;
        freed_.push_back(events_, slot);
    }

    // A merge sort of a key's pages: the pages of each bin are sorted, and twice as many as those
    // of the bin before.

    void sort(held_of_key& of) noexcept {
        constexpr std::size_t bins_max = 32;
        std::uint32_t bins[bins_max];
        for (std::uint32_t& bin : bins) {
            bin = none;
        }
        for (std::uint32_t id = of.pages.first; id != none;) {
            std::uint32_t run = id;
            id = pages_[id].next;
            pages_[run].next = none;
            std::size_t bin = 0;
            for (; bin + 1 < bins_max && bins[bin] != none; ++bin) {
                run = merged(bins[bin], run);
                bins[bin] = none;
            }
            bins[bin] = bins[bin] == none ? run : merged(bins[bin], run);
        }
        std::uint32_t all = none;
        for (const std::uint32_t bin : bins) {
            all = merged(bin, all);
        }
        of.pages = {};
        while (all != none) {
            const std::uint32_t next = pages_[all].next;
            of.pages.push_back(pages_, all);
            all = next;
        }
        of.sorted = true;
    }

    /// Two sorted chains as one.
    [[nodiscard]] std::uint32_t merged(std::uint32_t a, std::uint32_t b) noexcept {
        std::uint32_t first = none;
        std::uint32_t* end = &first;
        while (a != none && b != none) {
            std::uint32_t& lower = pages_[a].block < pages_[b].block ? a : b;
            *end = lower;
            end = &pages_[lower].next;
            lower = *end;
        }
        *end = a == none ? b : a;
        return first;
    }

    std::vector<held_event> events_;  ///< by slot
    std::vector<page> pages_;
    index_table<key_and_block> index_;
    index_list freed_;
    std::uint32_t unused_ = none;  ///< the first page without events; `next` leads to the others
    std::size_t size_ = 0;
};

}  // namespace sinew::detail
