// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The records of a topic, partition by partition.
///
/// **Guarantees.** Offsets rise within a partition and are never used twice. What retention and
/// compaction take away leaves holes; what a reader holds stays whole.
///
/// **Invariants.** Records are sorted by offset and lie in [`begin`, `end`).

#include <sinew/adapters/memory/record.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/position.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::memory {

/// How a topic keeps its records.
struct topic_options {
    std::uint32_t partitions = 1;
    /// How many records a partition keeps. Beyond it the oldest are dropped, read or not.
    std::size_t records_max = SIZE_MAX;
    /// Whether `log::compact` may remove records that a later one of their key supersedes.
    bool compacted = false;
};

namespace detail {

/// One partition: a row of records with rising offsets.
class partition_records {
public:
    explicit partition_records(partition_id self) noexcept : self_(self) {}

    /// The lowest offset that is not dropped yet, and the one that the next record will have.
    [[nodiscard]] log_offset begin() const noexcept { return begin_; }
    [[nodiscard]] log_offset end() const noexcept { return end_; }
    [[nodiscard]] const std::deque<record_handle>& records() const noexcept { return records_; }

    position append(event what) {
        const position where{self_, end_};
        records_.push_back(std::make_shared<const record>(std::move(what), where));
        ++end_;
        return where;
    }

    position append_broken(std::string raw, std::string reason) {
        const position where{self_, end_};
        records_.push_back(
            std::make_shared<const record>(std::move(raw), std::move(reason), where));
        ++end_;
        return where;
    }

    /// Uses up offsets without a record, as the markers of a transaction do.
    void make_hole(log_offset count) noexcept { end_ += count; }

    /// The first record at `from` or after it, or nothing. Constant where there are no holes.
    [[nodiscard]] const record_handle* find(log_offset from) const noexcept {
        if (records_.empty() || from > offset_at(records_.size() - 1)) {
            return nullptr;
        }
        if (from <= offset_at(0)) {
            return &records_.front();
        }
        const auto guess = static_cast<std::size_t>(from - offset_at(0));
        if (guess < records_.size() && offset_at(guess) == from) {
            return &records_[guess];
        }
        std::size_t low = 0;
        std::size_t high = records_.size();
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            offset_at(middle) < from ? low = middle + 1 : high = middle;
        }
        return &records_[low];
    }

    /// Drops the records below `offset` and tells the offset of each.
    template <class F>
    void drop_before(log_offset offset, F dropped) {
        const log_offset to = offset < end_ ? offset : end_;
        while (!records_.empty() && offset_at(0) < to) {
            dropped(offset_at(0));
            records_.pop_front();
        }
        begin_ = begin_ < to ? to : begin_;
    }

    /// Keeps the last record of each key; those without a key, and broken ones, all stay. A
    /// tombstone stays once, so that readers hear of it, and goes with the next compaction.
    void compact() {
        std::map<std::string_view, log_offset> last;
        for (const auto& one : records_) {
            if (has_key(*one)) {
                last[one->view().partitionkey] = one->where().offset;
            }
        }
        std::deque<record_handle> kept;
        for (const auto& one : records_) {
            const bool superseded =
                has_key(*one) && last[one->view().partitionkey] != one->where().offset;
            const bool told = one->is_tombstone() && one->where().offset < compacted_to_;
            if (!superseded && !(has_key(*one) && told)) {
                kept.push_back(one);
            }
        }
        last.clear();  // its keys point into the records
        records_ = std::move(kept);
        compacted_to_ = end_;
    }

private:
    [[nodiscard]] static bool has_key(const record& one) noexcept {
        return !one.is_broken() && !one.view().partitionkey.empty();
    }
    [[nodiscard]] log_offset offset_at(std::size_t index) const noexcept {
        return records_[index]->where().offset;
    }

    std::deque<record_handle> records_;
    log_offset begin_ = 0;
    log_offset end_ = 0;
    log_offset compacted_to_ = 0;
    partition_id self_;
};

/// The partitions of a topic, and which of them an event goes to.
class topic_records {
public:
    explicit topic_records(topic_options options) : options_(options) {
        if (options.partitions == 0 || options.records_max == 0) {
            throw usage_error("a topic needs at least one partition and room for one record");
        }
        partitions_.reserve(options.partitions);
        for (partition_id i = 0; i < options.partitions; ++i) {
            partitions_.emplace_back(i);
        }
    }

    [[nodiscard]] const topic_options& options() const noexcept { return options_; }
    [[nodiscard]] const std::vector<partition_records>& partitions() const noexcept {
        return partitions_;
    }
    [[nodiscard]] partition_records& at(partition_id partition) {
        if (partition >= partitions_.size()) {
            throw usage_error("the topic has no partition " + std::to_string(partition));
        }
        return partitions_[partition];
    }

    /// Where a key lives: the same in each run and on each machine.
    [[nodiscard]] partition_id partition_of(std::string_view key) const noexcept {
        return static_cast<partition_id>(digest_of(hash_seed{}, key).lo % partitions_.size());
    }

    /// Where the next event goes: by its key, or to each partition in turn if it has none.
    [[nodiscard]] partition_id choose(std::string_view key) noexcept {
        if (!key.empty()) {
            return partition_of(key);
        }
        const partition_id chosen = turn_;
        turn_ = (turn_ + 1) % static_cast<partition_id>(partitions_.size());
        return chosen;
    }

private:
    topic_options options_;
    std::vector<partition_records> partitions_;
    partition_id turn_ = 0;
};

}  // namespace detail

}  // namespace sinew::memory
