// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Finds a digest in an array of digests, at six bytes a digest.
///
/// An open-addressing table of 32-bit words. A word holds the place in the array and, in the bits
/// that the place does not need, a tag of the digest, so that the array is hardly ever touched in
/// vain. Deleting shifts back what follows: there are no tombstones, and a table in which ids come
/// and go for months is as fast as a new one.
///
/// **Guarantees.** No allocation after construction.
/// **Invariants.** Between a digest's home and its word no word is empty. At most two thirds of the
/// words are in use.

#include <sinew/core/hash.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// Digests are from `digest_of` with a secret seed: their bits are as good as random.
class digest_index {
public:
    static constexpr std::uint32_t none = 0xffffffffU;
    /// The most digests that a table can be made for.
    static constexpr std::size_t capacity_max = std::size_t{1} << 30U;

    /// A table for arrays of at most `capacity` digests, which is at most `capacity_max`.
    constexpr explicit digest_index(std::size_t capacity)
        : words_(capacity + capacity / 2 + 1, none),
          size_(words_.size()),
          place_mask_((std::uint32_t{1} << std::bit_width(capacity)) - 1) {}

    /// The place of `wanted` in `items`, or `none`.
    [[nodiscard]] constexpr std::uint32_t find(const digest& wanted,
                                               const digest* items) const noexcept {
        return at(cell_of(wanted, items));
    }

    /// The cell of a digest, or the free one in which it would be.
    [[nodiscard]] constexpr std::size_t cell_of(const digest& wanted,
                                                const digest* items) const noexcept {
        const std::uint32_t tag = tag_of(wanted);
        std::size_t cell = home_of(wanted);
        while (words_[cell] != none && !((words_[cell] & ~place_mask_) == tag &&
                                         items[words_[cell] & place_mask_] == wanted)) {
            cell = after(cell);
        }
        return cell;
    }

    /// The place that a cell names, or `none` if it is free.
    [[nodiscard]] constexpr std::uint32_t at(std::size_t cell) const noexcept {
        return words_[cell] == none ? none : words_[cell] & place_mask_;
    }

    /// Adds a digest that is not there, at its place in the array. The cell has to be the one that
    /// `cell_of` names.
    constexpr void insert(std::size_t cell, const digest& added, std::uint32_t place) noexcept {
        words_[cell] = tag_of(added) | place;
    }

    /// Takes a digest out and answers its place in `items`, or `none`.
    constexpr std::uint32_t take(const digest& wanted, const digest* items) noexcept {
        std::size_t hole = cell_of(wanted, items);
        const std::uint32_t word = words_[hole];
        if (word == none) {
            return none;
        }
        for (std::size_t at = after(hole); words_[at] != none; at = after(at)) {
            const std::size_t home = home_of(items[words_[at] & place_mask_]);
            if (distance(home, at) >= distance(hole, at)) {
                words_[hole] = words_[at];
                hole = at;
            }
        }
        words_[hole] = none;
        return word & place_mask_;
    }

    [[nodiscard]] constexpr std::size_t bytes() const noexcept {
        return words_.capacity() * sizeof(std::uint32_t);
    }

private:
    /// Shifted above the place. A word of only ones would be a place that no array has.
    [[nodiscard]] constexpr std::uint32_t tag_of(const digest& d) const noexcept {
        return static_cast<std::uint32_t>(d.lo) & ~place_mask_;
    }

    [[nodiscard]] constexpr std::size_t home_of(const digest& d) const noexcept {
        return static_cast<std::size_t>(((d.hi >> 32U) * size_) >> 32U);
    }

    [[nodiscard]] constexpr std::size_t after(std::size_t at) const noexcept {
        return at + 1 == size_ ? 0 : at + 1;
    }

    [[nodiscard]] constexpr std::size_t distance(std::size_t from, std::size_t to) const noexcept {
        return to >= from ? to - from : to + size_ - from;
    }

    std::vector<std::uint32_t> words_;
    std::size_t size_;
    std::uint32_t place_mask_;
};

}  // namespace sinew::detail
