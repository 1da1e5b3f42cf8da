// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The last so many digests, in the order in which they came: whether one is there costs one cache
/// line, and a digest takes up less than 20 bytes with all that it needs to be found.
///
/// Slots hold the digests in their order. An index of lines finds them: a line is one line of the
/// cache with 15 words of 32 bits, and a word holds a slot's place and, in the bits that the place
/// does not need, a tag of the digest, so that slots are hardly ever touched in vain. A digest's
/// word is in the line that is its home or, where that is full, in the neighbour or in a second
/// pair that is anywhere; a line counts how many went past it, so that nobody looks further for
/// nothing. What leaves is always the oldest, so a line is a queue: nothing is searched for,
/// nothing is shifted, and there are no tombstones.
///
/// The lowest bits of a digest are in its tag, or nowhere: a slot keeps 104 of the 128. So digests
/// are told apart by 119 bits where there are a hundred thousand, by 112 where there are ten
/// million, and by 105 where there are 2^30. One that is not there is taken for one that is with a
/// probability of 10^-31, 10^-27, and 10^-22: never.
///
/// **Guarantees.** No allocation after construction.
/// **Invariants.** In each line the words are in the order of their digests. A line's `passed` is
/// how often it is among the lines that were tried for a word that is in another one.

#include <sinew/core/hash.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace sinew::detail {

/// Digests are from `digest_of` with a secret seed: their bits are as good as random.
class digest_ring {
public:
    /// The most digests that a ring can be made for.
    static constexpr std::size_t capacity_max = std::size_t{1} << 30U;

    /// A ring of at most `capacity` digests, which is from 1 to `capacity_max`.
    constexpr explicit digest_ring(std::size_t capacity)
        : capacity_(capacity),
          slots_(capacity),
          lines_((capacity + 2 * line_load - 1) / (2 * line_load) * 2),
          line_count_(lines_.size()),
          place_bits_(static_cast<unsigned>(std::bit_width(capacity))),
          place_mask_((std::uint32_t{1} << place_bits_) - 1) {}

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] constexpr bool full() const noexcept { return size_ == capacity_; }

    [[nodiscard]] constexpr bool contains(const digest& wanted) const noexcept {
        const line& home = lines_[home_of(wanted.hi)];
        return (home.has(tag_of(wanted), ~place_mask_) && is_in(home, wanted)) ||
               (home.passed(group_of(wanted.hi)) != 0 && is_behind_home(wanted));
    }

    /// Brings near what `contains` and `push` of this digest will look at. (Inlined by force: g++
    /// leaves out calls of functions that do nothing else.)
    [[gnu::always_inline]] constexpr void fetch(const digest& wanted) const noexcept {
        if (!std::is_constant_evaluated()) {
            __builtin_prefetch(&lines_[home_of(wanted.hi)], 1);
        }
    }

    /// Adds a digest that is not there. The ring must not be full.
    constexpr void push(const digest& added) noexcept {
        const std::size_t place = place_of(size_);
        slots_[place] = slot(added);
        std::size_t at = home_of(added.hi);
        for (std::size_t tried = 0; lines_[at].is_full(); at = next(at, tried++, added.hi)) {
            lines_[at].let_pass(group_of(added.hi));
        }
        lines_[at].push(tag_of(added) | static_cast<std::uint32_t>(place));
        ++size_;
    }

    /// Takes out the oldest. The ring must not be empty.
    constexpr void pop() noexcept {
        const std::uint64_t hi = slots_[first_].hi;
        std::size_t at = home_of(hi);
        for (std::size_t tried = 0; (lines_[at].front() & place_mask_) != first_;
             at = next(at, tried++, hi)) {
            lines_[at].take_back_pass(group_of(hi));
        }
        lines_[at].pop();
        first_ = place_of(1);
        --size_;
        fetch_what_leaves_soon();
    }

    [[nodiscard]] constexpr std::size_t bytes() const noexcept {
        return slots_.capacity() * sizeof(slot) + lines_.capacity() * sizeof(line);
    }

    /// Takes time in proportion to the size.
    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::vector<std::uint32_t> passed(line_count_ * groups, 0);
        std::size_t words = 0;
        for (std::size_t in = 0; in < line_count_; ++in) {
            std::size_t age = 0;
            for (std::size_t i = 0; i < lines_[in].used(); ++i, ++words) {
                const std::uint32_t place = lines_[in].at(i) & place_mask_;
                const std::size_t of_place =
                    place >= first_ ? place - first_ : place + capacity_ - first_;
                if (place >= capacity_ || of_place >= size_ || (i > 0 && of_place <= age)) {
                    return false;
                }
                age = of_place;
                const std::uint64_t hi = slots_[place].hi;
                std::size_t at = home_of(hi);
                for (std::size_t tried = 0; at != in; at = next(at, tried++, hi)) {
                    ++passed[at * groups + group_of(hi)];
                }
            }
        }
        for (std::size_t at = 0; at < line_count_; ++at) {
            for (unsigned group = 0; group < groups; ++group) {
                const std::uint32_t counted = lines_[at].passed(group);
                if (counted != passed[at * groups + group] && counted != line::passed_max) {
                    return false;
                }
            }
        }
        return words == size_;
    }

private:
    /// How many words of a line are in use when the ring is full, on average.
    static constexpr std::size_t line_load = 10;
    /// How many groups of digests are told apart among those that went past a line.
    static constexpr std::uint64_t groups = 6;
    /// How many digests ahead of the oldest are fetched into the cache.
    static constexpr std::size_t fetched = 8;

    /// A digest without the lowest 24 bits.
    struct [[gnu::packed]] slot {
        std::uint64_t hi = 0;
        std::uint32_t lo = 0;
        std::uint8_t lower = 0;

        constexpr slot() noexcept = default;
        explicit constexpr slot(const digest& d) noexcept
            : hi(d.hi),
              lo(static_cast<std::uint32_t>(d.lo >> 32U)),
              lower(static_cast<std::uint8_t>(d.lo >> 24U)) {}

        [[nodiscard]] constexpr bool is(const digest& d) const noexcept {
            return hi == d.hi && lo == d.lo >> 32U &&
                   lower == static_cast<std::uint8_t>(d.lo >> 24U);
        }
    };

    /// A queue of words, in a line of the cache. Its last word is its state: from the lowest bit
    /// on, four bits with the index of the oldest word, four with the number of words, and how many
    /// words went past.
    class alignas(64) line {
    public:
        constexpr line() noexcept {
            words_.fill(none);
            state() = 0;
        }

        /// Whether one of the words has this tag. Looks at all of them at once, also at those that
        /// are not in use, which have the place of nothing.
        [[nodiscard]] constexpr bool has(std::uint32_t tag, std::uint32_t tag_mask) const noexcept {
            if (std::is_constant_evaluated()) {
                return find(tag, tag_mask) != 0;
            }
            four found{};
            for (std::size_t i = 0; i <= length; i += 4) {
                four word;
                std::memcpy(&word, &words_[i], sizeof word);
                const four same = static_cast<four>(((word ^ tag) & tag_mask) == 0);
                found |= i + 4 > length ? same & four{none, none, none, 0} : same;
            }
            std::uint64_t halves[2];
            std::memcpy(halves, &found, sizeof halves);
            return (halves[0] | halves[1]) != 0;
        }

        /// The words that have this tag, a bit for each.
        [[nodiscard]] constexpr std::uint32_t find(std::uint32_t tag,
                                                   std::uint32_t tag_mask) const noexcept {
            if (std::is_constant_evaluated()) {
                std::uint32_t found = 0;
                for (std::size_t i = 0; i < length; ++i) {
                    found |= ((words_[i] ^ tag) & tag_mask) == 0 ? bits[i] : 0U;
                }
                return found;
            }
            four found{};
            for (std::size_t i = 0; i <= length; i += 4) {
                four word;
                four bit;
                std::memcpy(&word, &words_[i], sizeof word);
                std::memcpy(&bit, &bits[i], sizeof bit);
                found |= static_cast<four>(((word ^ tag) & tag_mask) == 0) & bit;
            }
            return found[0] | found[1] | found[2] | found[3];
        }

        /// So many passes of one group are counted exactly; where there were more, they are for
        /// ever.
        static constexpr std::uint32_t passed_max = 15;

        [[nodiscard]] constexpr std::uint32_t word(int index) const noexcept {
            return words_[static_cast<std::size_t>(index)];
        }
        [[nodiscard]] constexpr std::size_t used() const noexcept { return state() >> 4U & 15U; }
        [[nodiscard]] constexpr bool is_full() const noexcept { return used() == length; }
        [[nodiscard]] constexpr std::uint32_t passed(unsigned group) const noexcept {
            return state() >> shift_of(group) & passed_max;
        }
        [[nodiscard]] constexpr std::uint32_t front() const noexcept { return words_[oldest()]; }
        [[nodiscard]] constexpr std::uint32_t at(std::size_t i) const noexcept {
            return words_[wrapped(oldest() + i)];
        }

        constexpr void push(std::uint32_t word) noexcept {
            words_[wrapped(oldest() + used())] = word;
            state() += one_used;
        }
        constexpr void pop() noexcept {
            const std::size_t old = oldest();
            words_[old] = none;
            state() -= one_used;
            state() = (state() & ~std::uint32_t{15}) | static_cast<std::uint32_t>(wrapped(old + 1));
        }
        constexpr void let_pass(unsigned group) noexcept {
            state() += passed(group) == passed_max ? 0 : 1U << shift_of(group);
        }
        constexpr void take_back_pass(unsigned group) noexcept {
            state() -= passed(group) == passed_max ? 0 : 1U << shift_of(group);
        }

    private:
        using four [[gnu::vector_size(16)]] = std::uint32_t;

        static constexpr std::size_t length = 15;
        /// All ones, which is no place that a ring has.
        static constexpr std::uint32_t none = 0xffffffffU;
        static constexpr std::uint32_t one_used = 1U << 4U;

        [[nodiscard]] static constexpr unsigned shift_of(unsigned group) noexcept {
            return 8 + 4 * group;
        }
        [[nodiscard]] static constexpr std::size_t wrapped(std::size_t i) noexcept {
            return i >= length ? i - length : i;
        }
        [[nodiscard]] constexpr std::size_t oldest() const noexcept { return state() & 15U; }
        [[nodiscard]] constexpr std::uint32_t& state() noexcept { return words_[length]; }
        [[nodiscard]] constexpr std::uint32_t state() const noexcept { return words_[length]; }

        /// The state is no word.
        static constexpr std::array<std::uint32_t, length + 1> bits = {
            1U << 0U, 1U << 1U, 1U << 2U,  1U << 3U,  1U << 4U,  1U << 5U,  1U << 6U,  1U << 7U,
            1U << 8U, 1U << 9U, 1U << 10U, 1U << 11U, 1U << 12U, 1U << 13U, 1U << 14U, 0};

        std::array<std::uint32_t, length + 1> words_;
    };

    /// Whether one of the words of a line is the digest's. (Apart, as mostly nobody has to know.)
    [[nodiscard]] [[gnu::noinline]] constexpr bool is_in(const line& in,
                                                         const digest& wanted) const noexcept {
        for (std::uint32_t found = in.find(tag_of(wanted), ~place_mask_); found != 0;
             found &= found - 1) {
            const std::uint32_t place = in.word(std::countr_zero(found)) & place_mask_;
            if (place < capacity_ && slots_[place].is(wanted)) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] [[gnu::noinline]] constexpr bool is_behind_home(
        const digest& wanted) const noexcept {
        std::size_t at = home_of(wanted.hi);
        for (std::size_t tried = 0; tried < line_count_ + 4; ++tried) {
            at = next(at, tried, wanted.hi);
            const line& one = lines_[at];
            if (is_in(one, wanted)) {
                return true;
            }
            if (one.passed(group_of(wanted.hi)) == 0) {
                return false;
            }
        }
        return false;
    }

    /// The lines from which the oldest digests will be taken are known long before.
    [[gnu::always_inline]] constexpr void fetch_what_leaves_soon() const noexcept {
        if (!std::is_constant_evaluated() && size_ > fetched) {
            __builtin_prefetch(&lines_[home_of(slots_[place_of(fetched)].hi)], 1);
        }
    }

    /// The lowest bits, shifted above the place.
    [[nodiscard]] constexpr std::uint32_t tag_of(const digest& d) const noexcept {
        return static_cast<std::uint32_t>(d.lo << place_bits_);
    }

    /// A line, by 32 random bits.
    [[nodiscard]] constexpr std::size_t line_of(std::uint64_t bits) const noexcept {
        return static_cast<std::size_t>((bits * line_count_) >> 32U);
    }
    [[nodiscard]] constexpr std::size_t home_of(std::uint64_t hi) const noexcept {
        return line_of(hi >> 32U);
    }
    [[nodiscard]] static constexpr unsigned group_of(std::uint64_t hi) noexcept {
        return static_cast<unsigned>(((hi & 0xffffU) * groups) >> 16U);
    }
    /// The line to try after this one: its neighbour, a second one that is anywhere, the neighbour
    /// of that, and then all the others.
    [[nodiscard]] constexpr std::size_t next(std::size_t at, std::size_t tried,
                                             std::uint64_t hi) const noexcept {
        switch (tried) {
            case 0:
            case 2: return at ^ 1U;
            case 1: return line_of(hi & 0xffffffffU);
            default: return at + 1 == line_count_ ? 0 : at + 1;
        }
    }

    /// The place of the `i`-th oldest.
    [[nodiscard]] constexpr std::size_t place_of(std::size_t i) const noexcept {
        const std::size_t place = first_ + i;
        return place < capacity_ ? place : place - capacity_;
    }

    // Vectors would have to divide for their sizes, each time.
    std::size_t capacity_;
    std::vector<slot> slots_;
    std::vector<line> lines_;
    std::size_t line_count_;
    unsigned place_bits_;
    std::uint32_t place_mask_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace sinew::detail
