// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The number that each key expects, for so many keys and no more.
///
/// Of most keys nothing is known but the next number, and how many of its events are under way. That
/// is kept in the hash table itself, two keys in a line of the processor's cache. A key of which more
/// has to be known (events that wait, gaps that were given up) has *details*, which the resequencer
/// keeps.
///
/// **Guarantees.** Finding a key costs one look into the hash table, and no other memory. Where there
/// is no room for a new key, the least recently used one that is idle gives way; one that is not idle
/// never does.
///
/// **Invariants.** Each key is found under its digest, and under its id. A key is either idle, and in
/// the line of those that can give way, or not. At most half of the cells are taken; between the home
/// of a key and its cell none is free.

#include <sinew/consume/index_list.hpp>
#include <sinew/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sinew::detail {

/// A table with open addressing of the keys that a resequencer knows.
class sequence_keys {
public:
    static constexpr std::uint32_t none = index_list::none;

    /// What is kept of each key. It moves when another key is opened or closed; its id stays.
    struct alignas(32) entry {
        digest key{};
        /// The expected number; 0 in a cell that is free. With details, theirs counts.
        std::uint64_t next = 0;
        std::uint32_t id = none;
        /// Without details: how many of its events were delivered and are not finished.
        std::uint32_t state = 0;

        [[nodiscard]] constexpr bool has_details() const noexcept {
            return (state & details_bit) != 0;
        }
        /// The place of its details. It has to have them.
        [[nodiscard]] constexpr std::uint32_t details() const noexcept {
            return state & ~details_bit;
        }
        constexpr void set_details(std::uint32_t place) noexcept { state = place | details_bit; }
    };

    explicit sequence_keys(std::size_t keys_max) : cells_(16), keys_max_(keys_max) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// What is kept of a key, or null.
    [[nodiscard]] entry* find(const digest& key) noexcept {
        entry& at = cells_[cell_of(key)];
        return at.next == 0 ? nullptr : &at;
    }
    [[nodiscard]] const entry* find(const digest& key) const noexcept {
        const entry& at = cells_[cell_of(key)];
        return at.next == 0 ? nullptr : &at;
    }
    [[nodiscard]] entry& operator[](std::uint32_t id) noexcept { return cells_[lines_[id].cell]; }

    [[nodiscard]] bool is_full() const noexcept { return size_ >= keys_max_; }
    /// The idle key that gives way next, or null.
    [[nodiscard]] entry* oldest_idle() noexcept {
        return idle_.empty() ? nullptr : &(*this)[idle_.first];
    }

    /// Takes in a key that is not here, as idle, though there is no room.
    entry& open(const digest& key, std::uint64_t next) {
        if (2 * (size_ + 1) > cells_.size()) {
            grow();
        }
        std::uint32_t id = unused_;
        if (id == none) {
            id = static_cast<std::uint32_t>(lines_.size());
            lines_.emplace_back();
        } else {
            unused_ = lines_[id].next;
        }
        const std::size_t cell = cell_of(key);
        cells_[cell] = {key, next, id, 0};
        lines_[id].cell = static_cast<std::uint32_t>(cell);
        idle_.push_back(lines_, id);
        ++size_;
        return cells_[cell];
    }

    /// Forgets an idle key.
    void close(std::uint32_t id) noexcept {
        idle_.erase(lines_, id);
        erase_cell(lines_[id].cell);
        lines_[id] = {};
        lines_[id].next = unused_;
        unused_ = id;
        --size_;
    }

    /// If the key is idle, it is the last to give way from now on.
    void use(std::uint32_t id) noexcept {
        if (is_idle(id)) {
            idle_.erase(lines_, id);
            idle_.push_back(lines_, id);
        }
    }

    void set_idle(std::uint32_t id, bool idle) noexcept {
        if (is_idle(id) == idle) {
            return;
        }
        if (idle) {
            idle_.push_back(lines_, id);
        } else {
            idle_.erase(lines_, id);
            lines_[id].previous = busy;
        }
    }

    /// Calls `f(entry, idle)` for each key, in no order. It is false if it was for one of them.
    template <class F>
    [[nodiscard]] bool all_of(F&& f) const {
        for (const entry& one : cells_) {
            if (one.next != 0 && !f(one, is_idle(one.id))) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t taken = 0;
        std::size_t idle = 0;
        for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
            const entry& one = cells_[cell];
            if (one.next == 0) {
                continue;
            }
            ++taken;
            if (cell_of(one.key) != cell || lines_[one.id].cell != cell) {
                return false;
            }
            idle += is_idle(one.id) ? 1U : 0U;
        }
        return taken == size_ && 2 * size_ <= cells_.size() && idle_.count(lines_, idle) == idle;
    }

private:
    static constexpr std::uint32_t details_bit = 1U << 31U;
    static constexpr std::uint32_t busy = none - 1;  ///< in the place of the key before it in line

    /// A key's place in the line of idle keys. It is apart from the cells: whoever leaves the line
    /// touches two neighbours, and these are small.
    struct in_line {
        std::uint32_t previous = busy;
        std::uint32_t next = none;
        std::uint32_t cell = 0;
    };

    [[nodiscard]] bool is_idle(std::uint32_t id) const noexcept {
        return lines_[id].previous != busy;
    }

    [[nodiscard]] std::size_t home(const digest& key) const noexcept {
        return static_cast<std::size_t>(key.lo) & (cells_.size() - 1);
    }
    [[nodiscard]] std::size_t after(std::size_t cell) const noexcept {
        return (cell + 1) & (cells_.size() - 1);
    }
    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept {
        return (to - from) & (cells_.size() - 1);
    }

    /// The cell that holds the key, or the free one in which it would be.
    [[nodiscard]] std::size_t cell_of(const digest& key) const noexcept {
        std::size_t cell = home(key);
        while (cells_[cell].next != 0 && !(cells_[cell].key == key)) {
            cell = after(cell);
        }
        return cell;
    }

    void erase_cell(std::size_t hole) noexcept {
        for (std::size_t at = after(hole); cells_[at].next != 0; at = after(at)) {
            if (distance(home(cells_[at].key), at) >= distance(hole, at)) {
                cells_[hole] = cells_[at];
                lines_[cells_[hole].id].cell = static_cast<std::uint32_t>(hole);
                hole = at;
            }
        }
        cells_[hole] = {};
    }

    void grow() {
        std::vector<entry> old(2 * cells_.size());
        std::swap(old, cells_);
        for (const entry& one : old) {
            if (one.next != 0) {
                const std::size_t cell = cell_of(one.key);
                cells_[cell] = one;
                lines_[one.id].cell = static_cast<std::uint32_t>(cell);
            }
        }
    }

    std::vector<entry> cells_;
    std::vector<in_line> lines_;   ///< by id
    index_list idle_;              ///< the least recently used first
    std::uint32_t unused_ = none;  ///< the first id of no key; `next` leads to the others
    std::size_t keys_max_;
    std::size_t size_ = 0;
};

}  // namespace sinew::detail
