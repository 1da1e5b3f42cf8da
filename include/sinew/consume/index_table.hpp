// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// From hashes to indices: the hash table of the machines that keep their records in an array.
///
/// **Guarantees.** Finding, adding and erasing take constant time on average. Erasing leaves no
/// trace, so that a table in which keys come and go for ever does not fill up. Nothing is allocated
/// while there are no more entries than the table has held or was made for.
///
/// **Invariants.** At most half of the cells are taken; between the home of an entry and its cell
/// none is free.

#include <sinew/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sinew::detail {

/// The hash of a number in a table: small numbers, such as those of partitions, are dense, and so
/// their bits are spread (by the golden ratio).
[[nodiscard]] constexpr std::uint64_t table_hash(std::uint64_t bits) noexcept {
    bits *= 0x9e3779b97f4a7c15ULL;
    return bits ^ (bits >> 32U);
}

/// The hash of a digest in a table: it is one already.
[[nodiscard]] constexpr std::uint64_t table_hash(const digest& key) noexcept { return key.lo; }

/// A hash table with open addressing, from keys that nobody outside can make collide (seeded
/// hashes) to indices. `table_hash(key)` has to be found for them.
template <class Key>
class index_table {
public:
    /// What is answered for a key that is not here, and so is no index.
    static constexpr std::uint32_t none = UINT32_MAX;

    explicit constexpr index_table(std::size_t entries = 0)
        : cells_(cells_for(entries)), mask_(cells_.size() - 1) {}

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }

    [[nodiscard]] constexpr std::uint32_t find(const Key& key) const noexcept {
        return cells_[cell_of(key)].index;
    }

    /// Adds a key, which must not be here already.
    constexpr void insert(const Key& key, std::uint32_t index) {
        if (2 * (size_ + 1) > cells_.size()) {
            grow();
        }
        cells_[cell_of(key)] = {key, index};
        ++size_;
    }

    constexpr void erase(const Key& key) noexcept {
        std::size_t hole = cell_of(key);
        if (cells_[hole].index == none) {
            return;
        }
        for (std::size_t at = next(hole); cells_[at].index != none; at = next(at)) {
            if (distance(home(cells_[at].key), at) >= distance(hole, at)) {
                cells_[hole] = cells_[at];
                hole = at;
            }
        }
        cells_[hole] = {};
        --size_;
    }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::size_t taken = 0;
        for (std::size_t at = 0; at < cells_.size(); ++at) {
            if (cells_[at].index != none) {
                ++taken;
                if (cell_of(cells_[at].key) != at) {
                    return false;
                }
            }
        }
        return taken == size_ && 2 * size_ <= cells_.size();
    }

private:
    struct cell {
        Key key{};
        std::uint32_t index = none;
    };

    [[nodiscard]] static constexpr std::size_t cells_for(std::size_t entries) noexcept {
        std::size_t size = 16;
        while (size < 2 * entries) {
            size *= 2;
        }
        return size;
    }

    [[nodiscard]] constexpr std::size_t home(const Key& key) const noexcept {
        return static_cast<std::size_t>(table_hash(key)) & mask_;
    }
    [[nodiscard]] constexpr std::size_t next(std::size_t at) const noexcept {
        return (at + 1) & mask_;
    }
    [[nodiscard]] constexpr std::size_t distance(std::size_t from, std::size_t to) const noexcept {
        return (to - from) & mask_;
    }

    /// The cell that holds the key, or the free one in which it would be.
    [[nodiscard]] constexpr std::size_t cell_of(const Key& key) const noexcept {
        std::size_t at = home(key);
        while (cells_[at].index != none && !(cells_[at].key == key)) {
            at = next(at);
        }
        return at;
    }

    constexpr void grow() {
        std::vector<cell> old(2 * cells_.size());
        std::swap(old, cells_);
        mask_ = cells_.size() - 1;
        for (const cell& one : old) {
            if (one.index != none) {
                cells_[cell_of(one.key)] = one;
            }
        }
    }

    std::vector<cell> cells_;
    std::size_t mask_;
    std::size_t size_ = 0;
};

}  // namespace sinew::detail
