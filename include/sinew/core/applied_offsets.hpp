// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Which records of a partition are applied: all up to a watermark, and some beyond it.
///
/// Kept in the same transaction as the effects, this recognises every redelivery by the broker in
/// constant space: what lies beyond the watermark is bounded by what a consumer may have in flight.
///
/// **Invariants.** Ranges are sorted, lie above `through`, and neither touch nor overlap.

#include <sinew/core/position.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace sinew {

/// Offsets from `first` to `last`, both included.
struct offset_range {
    log_offset first = 0;
    log_offset last = 0;

    friend bool operator==(const offset_range&, const offset_range&) = default;
};

/// The applied offsets of one partition.
class applied_offsets {
public:
    applied_offsets() = default;
    /// As a store kept it. Ranges that break the invariants are mended: they are added one by one.
    applied_offsets(log_offset through, const std::vector<offset_range>& beyond)
        : through_(through) {
        for (const auto& range : beyond) {
            add(range);
        }
    }

    /// Everything up to here, included, is finished; -1 at the beginning.
    [[nodiscard]] log_offset through() const noexcept { return through_; }
    [[nodiscard]] const std::vector<offset_range>& beyond() const noexcept { return beyond_; }

    [[nodiscard]] bool contains(log_offset offset) const noexcept {
        if (offset <= through_) {
            return true;
        }
        for (const auto& range : beyond_) {
            if (offset >= range.first && offset <= range.last) {
                return true;
            }
        }
        return false;
    }

    void add(log_offset offset) { add(offset_range{offset, offset}); }

    void add(offset_range range) {
        if (range.first > range.last || range.last <= through_) {
            return;
        }
        if (range.first <= through_) {
            range.first = through_ + 1;
        }
        std::vector<offset_range> merged;
        merged.reserve(beyond_.size() + 1);
        bool placed = false;
        for (const auto& one : beyond_) {
            if (one.last < range.first - 1) {
                merged.push_back(one);
            } else if (one.first - 1 > range.last) {
                if (!placed) {
                    merged.push_back(range);
                    placed = true;
                }
                merged.push_back(one);
            } else {
                range = {one.first < range.first ? one.first : range.first,
                         one.last > range.last ? one.last : range.last};
            }
        }
        if (!placed) {
            merged.push_back(range);
        }
        beyond_ = std::move(merged);
    }

    /// All up to `offset` is finished: ranges below it are forgotten.
    void raise(log_offset offset) {
        if (offset <= through_) {
            return;
        }
        through_ = offset;
        std::vector<offset_range> kept;
        for (const auto& range : beyond_) {
            if (range.last > through_) {
                kept.push_back({range.first > through_ ? range.first : through_ + 1, range.last});
            }
        }
        beyond_ = std::move(kept);
    }

    friend bool operator==(const applied_offsets&, const applied_offsets&) = default;

private:
    log_offset through_ = -1;
    std::vector<offset_range> beyond_;
};

}  // namespace sinew
