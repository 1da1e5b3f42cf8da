// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Where a key stands in its sequence: what was applied, and what was given up.
///
/// **Guarantees.** From this alone one can tell, for each sequence number, whether it was applied,
/// is expected, is ahead, or comes too late. It is a value; a store keeps it beside the effects.
///
/// Sequence numbers are those that `parse_sequence` yields: from 1 to 2⁶⁴ − 2.
///
/// **Invariants.** Gaps lie below `next`, are sorted, and neither touch nor overlap; there are at
/// most `gaps_max` of them.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// Sequence numbers that were not there when the key went on, both ends included.
struct sequence_gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    friend bool operator==(const sequence_gap&, const sequence_gap&) = default;
};

/// What a sequence number is to a key.
enum class standing : std::uint8_t {
    expected,   ///< the next one
    ahead,      ///< something before it is missing
    applied,    ///< a duplicate
    late,       ///< it was given up, and surely not applied
    uncertain,  ///< given up or applied: its gap had to be merged with a neighbour
};

[[nodiscard]] constexpr std::string_view to_string(standing s) noexcept {
    switch (s) {
        case standing::expected: return "expected";
        case standing::ahead: return "ahead";
        case standing::applied: return "applied";
        case standing::late: return "late";
        case standing::uncertain: return "uncertain";
    }
    return "invalid";
}

/// The progress of one key.
class key_progress {
public:
    /// How many gaps are told apart. Beyond it the two nearest are merged, and numbers between them
    /// become uncertain; they are never lost, and never taken for applied.
    static constexpr std::size_t gaps_max = 16;

    key_progress() = default;
    explicit key_progress(std::uint64_t next) noexcept : next_(next) {}
    /// As a store kept it. Gaps that break the invariants are mended to the safe side (uncertain).
    key_progress(std::uint64_t next, std::vector<sequence_gap> gaps, bool merged)
        : next_(next), gaps_(std::move(gaps)), merged_(merged) {
        mend();
        limit();
    }

    /// The number that is expected next; 0 while nothing is known of the key.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
    [[nodiscard]] bool is_known() const noexcept { return next_ != 0; }
    [[nodiscard]] const std::vector<sequence_gap>& gaps() const noexcept { return gaps_; }
    [[nodiscard]] bool has_merged_gaps() const noexcept { return merged_; }

    [[nodiscard]] standing stand(std::uint64_t sequence) const noexcept {
        if (sequence == next_) {
            return standing::expected;
        }
        if (sequence > next_) {
            return standing::ahead;
        }
        for (const auto& gap : gaps_) {
            if (sequence >= gap.first && sequence <= gap.last) {
                return merged_ ? standing::uncertain : standing::late;
            }
        }
        return standing::applied;
    }

    /// Goes past `sequence`. What lay between `next()` and it becomes a gap; for a key of which
    /// nothing is known, all that lies below it.
    void advance_past(std::uint64_t sequence) {
        if (sequence < next_) {
            return;
        }
        const std::uint64_t first = is_known() ? next_ : 1;
        if (sequence > first) {
            // As a store kept it, the last gap may end right below the next number.
            if (!gaps_.empty() && gaps_.back().last == first - 1) {
                gaps_.back().last = sequence - 1;
            } else {
                gaps_.push_back({first, sequence - 1});
                limit();
            }
        }
        next_ = sequence == UINT64_MAX ? UINT64_MAX : sequence + 1;
    }

    friend bool operator==(const key_progress&, const key_progress&) = default;

private:
    /// Restores the invariants of what a store kept. Where it has to guess, it notes so.
    void mend() {
        for (auto& gap : gaps_) {
            if (gap.first > gap.last) {
                std::swap(gap.first, gap.last);
                merged_ = true;
            }
            if (gap.last >= next_) {
                gap.last = next_ == 0 ? 0 : next_ - 1;
                merged_ = true;
            }
            if (gap.first == 0) {
                gap.first = 1;
            }
        }
        std::erase_if(gaps_, [](const sequence_gap& gap) { return gap.first > gap.last; });
        for (std::size_t i = 1; i < gaps_.size(); ++i) {
            for (std::size_t k = i; k > 0 && gaps_[k].first < gaps_[k - 1].first; --k) {
                std::swap(gaps_[k], gaps_[k - 1]);
            }
        }
        for (std::size_t i = 1; i < gaps_.size();) {
            if (gaps_[i].first - 1 > gaps_[i - 1].last) {
                ++i;
                continue;
            }
            if (gaps_[i].last > gaps_[i - 1].last) {
                gaps_[i - 1].last = gaps_[i].last;
            }
            gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    /// Merges the two nearest gaps while there are too many.
    void limit() {
        while (gaps_.size() > gaps_max) {
            std::size_t nearest = 1;
            for (std::size_t i = 2; i < gaps_.size(); ++i) {
                if (gaps_[i].first - gaps_[i - 1].last <
                    gaps_[nearest].first - gaps_[nearest - 1].last) {
                    nearest = i;
                }
            }
            gaps_[nearest - 1].last = gaps_[nearest].last;
            gaps_.erase(gaps_.begin() + static_cast<std::ptrdiff_t>(nearest));
            merged_ = true;
        }
    }

    std::uint64_t next_ = 0;
    std::vector<sequence_gap> gaps_;
    bool merged_ = false;
};

}  // namespace sinew
