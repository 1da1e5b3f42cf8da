// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What is to be known of a key whose events are not all in order: what it holds, what was given
/// up, and since when it waits.
///
/// **Guarantees.** A record keeps its number as long as its key has it. Nothing is allocated while
/// no more keys have one than had one before.
///
/// **Invariants.** The records of no key have no `owner`, and are those to which `next` leads from
/// `unused_`.

#include <sinew/consume/gap_times.hpp>
#include <sinew/consume/held_events.hpp>
#include <sinew/consume/index_list.hpp>
#include <sinew/consume/sequence_keys.hpp>
#include <sinew/core/key_progress.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sinew::detail {

/// The details of a key; in `held_of_key` are its digest and its held events.
struct sequence_record : held_of_key, gap_wait {
    key_progress progress;
    std::uint32_t freed = 0;  ///< not fetched yet
    std::uint32_t outstanding = 0;

    /// Whether nothing of the key is under way.
    [[nodiscard]] bool is_unused() const noexcept {
        return count == 0 && freed == 0 && outstanding == 0;
    }
    /// Whether the hash table has room for all that is to be known of the key.
    [[nodiscard]] bool is_plain() const noexcept {
        return count == 0 && freed == 0 && progress.gaps().empty() && !progress.has_merged_gaps();
    }
    void less_outstanding() noexcept { outstanding -= outstanding == 0 ? 0U : 1U; }
};

/// The records of those keys that have one.
class sequence_records {
public:
    static constexpr std::uint32_t none = index_list::none;

    [[nodiscard]] sequence_record& operator[](std::uint32_t number) noexcept {
        return all_[number];
    }
    [[nodiscard]] const sequence_record& operator[](std::uint32_t number) const noexcept {
        return all_[number];
    }

    /// The record of a key, made if it has none.
    std::uint32_t of(sequence_keys::entry& key) {
        if (key.has_details()) {
            return key.details();
        }
        std::uint32_t number = unused_;
        if (number == none) {
            number = static_cast<std::uint32_t>(all_.size());
            all_.emplace_back();
        } else {
            unused_ = all_[number].next;
            all_[number].next = none;
        }
        sequence_record& at = all_[number];
        at.key = key.key;
        at.owner = number;
        at.progress = key_progress(key.next);
        at.outstanding = key.state;
        key.set_details(number);
        return number;
    }

    /// The key has no record from now on. Nothing of it is held, free or waits; what is still to be
    /// known of it, it has to be told.
    void give_back(std::uint32_t number) noexcept {
        sequence_record& at = all_[number];
        assert(at.count == 0 && at.freed == 0 && !at.waits);
        at.owner = none;
        at.next = unused_;
        unused_ = number;
    }

private:
    std::vector<sequence_record> all_;
    std::uint32_t unused_ = none;  ///< the first record of no key
};

/// The progress of a key that expects `sequence` again, though it had gone past it. A gap right
/// below it, which was jumped, is open again.
[[nodiscard]] inline key_progress lowered(const key_progress& from, std::uint64_t sequence) {
    const bool merged = from.has_merged_gaps();
    std::uint64_t next = sequence;
    std::vector<sequence_gap> kept;
    for (const sequence_gap& gap : from.gaps()) {
        if (gap.first >= sequence) {
            break;
        }
        if (gap.last == sequence - 1 && !merged) {
            next = gap.first;
        } else {
            kept.push_back({gap.first, gap.last < sequence ? gap.last : sequence - 1});
        }
    }
    return key_progress(next, std::move(kept), merged);
}

}  // namespace sinew::detail
