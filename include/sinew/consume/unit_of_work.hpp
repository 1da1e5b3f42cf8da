// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One transaction of `once`: the events in it, and what it writes down about them.
///
/// **Invariants.** While it is open, nothing else in the store is written. Its members are in the
/// order in which they ran; those of the part that is open are the last of them. What it knows of
/// an event is read in the transaction itself, so that two consumers that meet over one event
/// cannot both commit.

#include <sinew/consume/duplicates.hpp>
#include <sinew/consume/part_sizes.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/classify.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// What the store says of an event before it is handled.
enum class ruling : std::uint8_t {
    fresh,      ///< handle it; it is written down
    duplicate,  ///< it was applied
    put_back,   ///< something before it in its key was not
    late,       ///< its key has gone past it
    uncertain,  ///< its key has gone past it, and it may have been applied
};

/// Who is asking, and about what.
struct application {
    std::string_view consumer;
    std::string_view topic;
    std::string_view stream;  ///< whose keys have an order: the consumer and the topic
    event_identity who;
    std::string_view key;
    position where;
    std::uint64_t sequence = 0;  ///< 0: by id or offset
    std::uint64_t gap_from = 0;
    bool by_id = true;  ///< write the identity down
    bool by_offset = false;
};

/// How an event stands to the others of its transaction.
enum class company : std::uint8_t {
    shares_part,  ///< with its neighbours
    has_part,     ///< a part for itself, undone alone
    is_alone,     ///< the transaction for itself
};

/// The offsets of one partition within a transaction.
struct touched_partition {
    partition_id partition = 0;
    applied_offsets offsets;
    std::vector<log_offset> fresh;  ///< added by the part that is open
    bool changed = false;
};

template <class Store>
class unit_of_work {
public:
    using transaction_type = typename Store::transaction_type;

    explicit unit_of_work(Store& store, std::size_t part_max, std::size_t members_max)
        : store_(&store), sizes_(part_max) {
        members_.reserve(members_max);
    }

    [[nodiscard]] bool is_open() const noexcept { return tx_.has_value(); }
    [[nodiscard]] const std::vector<slot_id>& members() const noexcept { return members_; }
    [[nodiscard]] transaction_type& transaction() noexcept { return *tx_; }
    [[nodiscard]] steady_time opened() const noexcept { return opened_; }
    [[nodiscard]] Store& store() noexcept { return *store_; }

    void open(steady_time now, steady_time until) {
        tx_.emplace(store_->begin(until));
        opened_ = now;
    }

    /// An event begins: within the part that is open, if it may share it, or else within a new one.
    /// An event that has the transaction for itself needs none: what is undone then is the
    /// transaction.
    void enter(company with) {
        if constexpr (nestable_transaction<transaction_type>) {
            if (nested_ && with != company::shares_part) {
                end_part();
            }
            if (!nested_ && with != company::is_alone) {
                tx_->nest();
                nested_ = true;
            }
        }
    }

    /// The event that began last ended well.
    void keep(slot_id member, company with) {
        const std::size_t size = part().size() + 1;
        const bool is_last = with != company::shares_part || size >= sizes_.size();
        if (is_last) {
            keep_part(size);
        }
        members_.push_back(member);
        if (is_last) {
            part_begin_ = members_.size();
        }
    }

    /// The event that began last wrote nothing.
    void leave() {
        if (!nested_) {
            abandon();
        }
    }

    /// The event that began last failed: its part is undone, and with it what the others in it did.
    /// These are `part()` still, until it is forgotten.
    void undo() {
        for (auto& one : touched_) {
            one.fresh.clear();
        }
        if constexpr (nestable_transaction<transaction_type>) {
            if (std::exchange(nested_, false)) {
                sizes_.undone();
                tx_->undo_nested();
                return;
            }
        }
        abandon();
    }

    /// The members that share the part that is open, or that was undone just now.
    [[nodiscard]] std::span<const slot_id> part() const noexcept {
        return std::span(members_).subspan(part_begin_);
    }
    void forget_part() noexcept { members_.resize(part_begin_); }

    /// Whether the event is to be handled; if so, that it is gets written down.
    [[nodiscard]] ruling rule(const application& a, std::uint64_t first, wall_time now) {
        if (a.sequence != 0) {
            const ruling by_sequence = rule_by_sequence(a, first);
            if (by_sequence != ruling::fresh) {
                return by_sequence;
            }
        }
        if (a.by_offset && a.sequence == 0) {
            auto& partition = touch(a);
            if (partition.offsets.contains(a.where.offset)) {
                return ruling::duplicate;
            }
            for (const log_offset offset : partition.fresh) {
                if (offset == a.where.offset) {
                    return ruling::duplicate;
                }
            }
            partition.fresh.push_back(a.where.offset);
        }
        if (a.by_id && !tx_->remember(a.consumer, a.who, now)) {
            return ruling::duplicate;
        }
        return ruling::fresh;
    }

    /// Commits. `committed_through(partition)` is the offset that the source has taken.
    template <class CommittedThrough>
    [[nodiscard]] commit_result close(std::string_view consumer, std::string_view topic,
                                      CommittedThrough committed_through) {
        why_.reset();
        try {
            end_part();
            for (auto& one : touched_) {
                if (one.changed) {
                    one.offsets.raise(committed_through(one.partition));
                    tx_->set_offsets(consumer, topic, one.partition, one.offsets);
                }
            }
        } catch (...) {
            why_ = classify_current_exception();
            why_->kind = failure_class::unavailable;
            abandon();
            return commit_result::aborted;
        }
        const commit_result result = tx_->commit();
        touched_.clear();
        tx_.reset();
        return result;
    }

    /// The key's progress by which an event was put back.
    [[nodiscard]] const key_progress& progress_seen() const noexcept { return seen_; }

    /// Gives the transaction up. The members are still listed.
    void abandon() noexcept {
        nested_ = false;
        touched_.clear();
        if (tx_) {
            tx_->rollback();
            tx_.reset();
        }
    }

    /// Why the last commit aborted, as far as the store says (`last_commit_failure()`). A store
    /// that does not say aborts for reasons of its own, and the event is not to blame.
    [[nodiscard]] failure why_aborted() const {
        if (why_) {
            return *why_;
        }
        if constexpr (requires {
                          {
                              store_->last_commit_failure()
                          } -> std::convertible_to<std::optional<failure>>;
                      }) {
            if (const std::optional<failure> why = store_->last_commit_failure()) {
                return *why;
            }
        }
        return {failure_class::unavailable, "commit_aborted",
                "the store did not commit the transaction", std::nullopt};
    }

    void forget_members() noexcept {
        members_.clear();
        part_begin_ = 0;
    }

private:
    /// The part that is open, with so many events, joins the transaction.
    void keep_part(std::size_t events) {
        for (auto& one : touched_) {
            for (const log_offset offset : one.fresh) {
                one.offsets.add(offset);
                one.changed = true;
            }
            one.fresh.clear();
        }
        if constexpr (nestable_transaction<transaction_type>) {
            if (std::exchange(nested_, false)) {
                tx_->keep_nested();
                sizes_.kept(events);
            }
        }
    }
    void end_part() {
        keep_part(part().size());
        part_begin_ = members_.size();
    }

    [[nodiscard]] ruling rule_by_sequence(const application& a, std::uint64_t first) {
        key_progress progress = tx_->progress(a.stream, a.key);
        if (!progress.is_known()) {
            progress = key_progress(first);
        }
        switch (progress.stand(a.sequence)) {
            case standing::applied: return ruling::duplicate;
            case standing::late: return ruling::late;
            case standing::uncertain: return ruling::uncertain;
            case standing::ahead:
                if (a.gap_from == 0 || progress.next() < a.gap_from) {
                    seen_ = std::move(progress);
                    return ruling::put_back;
                }
                break;
            case standing::expected: break;
        }
        progress.advance_past(a.sequence);
        tx_->set_progress(a.stream, a.key, progress);
        return ruling::fresh;
    }

    [[nodiscard]] touched_partition& touch(const application& a) {
        for (auto& one : touched_) {
            if (one.partition == a.where.partition) {
                return one;
            }
        }
        touched_.push_back(
            {a.where.partition, tx_->offsets(a.consumer, a.topic, a.where.partition), {}, false});
        return touched_.back();
    }

    Store* store_;
    std::optional<transaction_type> tx_;
    part_sizes sizes_;
    std::vector<slot_id> members_;
    std::size_t part_begin_ = 0;  ///< in `members_`: where the part that is open begins
    std::vector<touched_partition> touched_;
    std::optional<failure> why_;  ///< if it was aborted before the store was asked to commit
    key_progress seen_;
    steady_time opened_{};
    bool nested_ = false;
};

}  // namespace sinew::detail
