// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What of one partition is finished, and how far it can be committed, under one assignment.
///
/// **Guarantees.** `committable` never passes a delivered record that is not finished. Finishing
/// twice, finishing what is not known, or finishing under an epoch that has ended changes nothing.
/// Only delivered offsets are ever named: holes in a log neither stall it nor are committed.
///
/// **Invariants.** The window holds the delivered records above the watermark in rising offset; its
/// first one is unfinished; it never holds more than `window_max`.
///
/// | state | `start` | `deliver` | `finish` | `stop` |
/// | --- | --- | --- | --- | --- |
/// | ended | running, empty | seen | false | ended |
/// | running | running, empty, new epoch | tracked, seen or full | true once for each record | ended |
///
/// **Bounds.** All memory is taken when it is made, and only so much of it is touched as records
/// were unfinished at once. Finishing takes constant time where offsets are dense, logarithmic time
/// where they have holes.

#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sinew {

/// The finished and unfinished records of one partition.
class offset_tracker {
public:
    /// What became of a delivery.
    enum class delivery : std::uint8_t {
        tracked,  ///< new: it is unfinished from now on
        seen,     ///< not above the highest delivered (or committed) one, or not of this epoch
        full,     ///< the window is full: nothing has changed, deliver it again later
    };

    explicit constexpr offset_tracker(std::size_t window_max)
        : mask_(ring_size(window_max) - 1),
          finished_(mask_ / word_bits + 1, 0),
          window_max_(window_max) {
        records_.reserve(mask_ + 1);
    }

    /// The partition is ours under `epoch`. Everything before is forgotten. Records up to
    /// `committed`, where it is known, are finished.
    constexpr void start(epoch_number epoch,
                         std::optional<log_offset> committed = std::nullopt) noexcept {
        clear();
        epoch_ = epoch;
        running_ = true;
        committed_ = watermark_ = highest_ = committed;
    }

    /// The epoch has ended: whatever is finished later changes nothing.
    constexpr void stop() noexcept {
        clear();
        running_ = false;
    }

    /// A record arrived at `now`, which must not go back.
    [[nodiscard]] constexpr delivery deliver(log_offset offset, epoch_number epoch,
                                             steady_time now) noexcept {
        if (!is_current(epoch) || (highest_ && offset <= *highest_)) {
            return delivery::seen;
        }
        if (full()) {
            return delivery::full;
        }
        const std::size_t place = place_of(size_++);
        if (place == records_.size()) {
            records_.push_back({offset, now});
        } else {
            records_[place] = {offset, now};
        }
        ++unfinished_;
        highest_ = offset;
        return delivery::tracked;
    }

    /// Whether `deliver` would track the record, and no other is unfinished: `pass` can stand for
    /// both `deliver` and `finish`.
    [[nodiscard]] constexpr bool can_pass(log_offset offset, epoch_number epoch) const noexcept {
        return size_ == 0 && is_current(epoch) && (!highest_ || offset > *highest_);
    }

    /// A record arrived and is finished. Only right after `can_pass` or `can_follow` said so.
    constexpr void pass(log_offset offset) noexcept {
        // Not one from the other: a processor waits where it reads what it has just written in
        // parts.
        watermark_ = offset;
        highest_ = offset;
    }

    /// `can_pass`, in fewer words: only if nothing but `pass` was done since a record passed.
    [[nodiscard]] constexpr bool can_follow(log_offset offset, epoch_number epoch) const noexcept {
        return epoch == epoch_ && offset > *highest_;
    }

    /// Everything that was to be done with a record is done. Answers whether that is news.
    [[nodiscard]] constexpr bool finish(log_offset offset, epoch_number epoch) noexcept {
        if (!is_current(epoch)) {
            return false;
        }
        const auto found = find(offset);
        if (!found || finished_at(*found)) {
            return false;
        }
        const std::size_t place = place_of(*found);
        finished_[place / word_bits] |= bit_of(place);
        --unfinished_;
        if (*found == 0) {
            raise_watermark();
        }
        return true;
    }

    /// Whether the record is finished, as far as this assignment knows.
    [[nodiscard]] constexpr bool is_finished(log_offset offset) const noexcept {
        if (watermark_ && offset <= *watermark_) {
            return true;
        }
        const auto found = find(offset);
        return found && finished_at(*found);
    }

    /// The highest delivered offset with nothing unfinished at or below it, if it is above what was
    /// committed last.
    [[nodiscard]] constexpr std::optional<log_offset> committable() const noexcept {
        return watermark_ && (!committed_ || *watermark_ > *committed_) ? watermark_ : std::nullopt;
    }

    /// `through` is committed. An older epoch, or an offset that is not finished, changes nothing.
    constexpr void committed(log_offset through, epoch_number epoch) noexcept {
        if (is_current(epoch) && watermark_ && through <= *watermark_ &&
            (!committed_ || through > *committed_)) {
            committed_ = through;
        }
    }

    /// When the oldest unfinished record was delivered.
    [[nodiscard]] constexpr std::optional<steady_time> oldest_unfinished() const noexcept {
        return size_ == 0 ? std::nullopt : std::optional<steady_time>(records_[first_].delivered);
    }

    /// How many records there are above the watermark, finished or not.
    [[nodiscard]] constexpr std::size_t window() const noexcept { return size_; }
    [[nodiscard]] constexpr std::size_t unfinished() const noexcept { return unfinished_; }
    [[nodiscard]] constexpr bool full() const noexcept { return size_ == window_max_; }
    /// Nothing is unfinished. Something may still be committable.
    [[nodiscard]] constexpr bool idle() const noexcept { return size_ == 0; }
    /// The epoch that runs, or the last one that did.
    [[nodiscard]] constexpr epoch_number epoch() const noexcept { return epoch_; }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::size_t open = 0;
        for (std::size_t i = 0; i < size_; ++i) {
            open += finished_at(i) ? 0U : 1U;
            if ((i > 0 && offset_at(i) <= offset_at(i - 1)) ||
                (i == 0 && (finished_at(0) || (watermark_ && offset_at(0) <= *watermark_)))) {
                return false;
            }
        }
        std::size_t bits = 0;
        for (const std::uint64_t word : finished_) {
            bits += static_cast<std::size_t>(std::popcount(word));
        }
        return bits == size_ - open && open == unfinished_ && size_ <= window_max_ &&
               (size_ != 0 || first_ == 0) && (running_ || size_ == 0) &&
               (size_ == 0 ? highest_ == watermark_ : highest_ == offset_at(size_ - 1)) &&
               (!committed_ || (watermark_ && *committed_ <= *watermark_));
    }

private:
    struct record {
        log_offset offset;
        steady_time delivered;
    };

    static constexpr std::size_t word_bits = 64;
    static constexpr std::uint64_t all_ones = ~std::uint64_t{0};

    /// The next power of two, so that places in the ring are found with a mask.
    [[nodiscard]] static constexpr std::size_t ring_size(std::size_t window_max) noexcept {
        std::size_t size = 1;
        while (size < window_max) {
            size *= 2;
        }
        return size;
    }

    [[nodiscard]] constexpr bool is_current(epoch_number epoch) const noexcept {
        return running_ && epoch == epoch_;
    }

    /// Where in the ring the `i`-th record of the window is.
    [[nodiscard]] constexpr std::size_t place_of(std::size_t i) const noexcept {
        return (first_ + i) & mask_;
    }
    [[nodiscard]] constexpr log_offset offset_at(std::size_t i) const noexcept {
        return records_[place_of(i)].offset;
    }
    [[nodiscard]] constexpr bool finished_at(std::size_t i) const noexcept {
        const std::size_t place = place_of(i);
        return (finished_[place / word_bits] & bit_of(place)) != 0;
    }
    [[nodiscard]] static constexpr std::uint64_t bit_of(std::size_t place) noexcept {
        return std::uint64_t{1} << place % word_bits;
    }

    /// The first record is finished: the window begins behind all that are without a gap. An empty
    /// one begins anew, where memory is near.
    constexpr void raise_watermark() noexcept {
        for (;;) {
            const unsigned from = first_ % word_bits;
            std::uint64_t& word = finished_[first_ / word_bits];
            const auto done = static_cast<unsigned>(std::countr_one(word >> from));
            if (done == 0) {
                return;
            }
            word &= ~(all_ones >> (word_bits - done) << from);
            watermark_ = offset_at(done - 1);
            size_ -= done;
            if (size_ == 0) {
                first_ = 0;
                return;
            }
            first_ = place_of(done);
        }
    }

    constexpr void clear() noexcept {
        committed_ = watermark_ = highest_ = std::nullopt;
        first_ = size_ = unfinished_ = 0;
        for (std::uint64_t& word : finished_) {
            word = 0;
        }
    }

    /// Where in the window a record is. Offsets rise by one at least, so the distances to the first
    /// and to the last bound its place from both sides; without holes these bounds meet.
    [[nodiscard]] constexpr std::optional<std::size_t> find(log_offset offset) const noexcept {
        if (size_ == 0 || offset < offset_at(0) || offset > *highest_) {
            return std::nullopt;
        }
        const std::uint64_t after_first = distance(offset_at(0), offset);
        const std::uint64_t before_last = distance(offset, *highest_);
        if (after_first + before_last == size_ - 1) {
            return after_first;  // no holes
        }
        std::size_t low = before_last < size_ ? size_ - 1 - before_last : 0;
        std::size_t high = after_first < size_ ? after_first : size_ - 1;
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (offset_at(middle) < offset) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return offset_at(low) == offset ? std::optional(low) : std::nullopt;
    }

    [[nodiscard]] static constexpr std::uint64_t distance(log_offset from, log_offset to) noexcept {
        return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
    }

    // A ring of records, and apart from them what is finished: where there are no holes, finishing
    // looks at the bits alone. What was never used of the ring is not there yet: places are used in
    // their order.
    std::size_t mask_;
    std::vector<record> records_;
    std::vector<std::uint64_t> finished_;  ///< a bit for each; 0 outside of the window
    std::size_t window_max_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
    std::size_t unfinished_ = 0;
    epoch_number epoch_ = 0;
    std::optional<log_offset> committed_;
    std::optional<log_offset> watermark_;
    std::optional<log_offset> highest_;
    bool running_ = false;
};

}  // namespace sinew
