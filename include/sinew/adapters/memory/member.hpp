// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A member of a consumer group that reads a log in memory.
///
/// **Guarantees.** Every numbered sentence of `source` holds. A member keeps its log's contents
/// alive, also when the `log` object is gone.
///
/// **Bounds.** A poll allocates nothing.

#include <sinew/adapters/memory/group.hpp>
#include <sinew/adapters/memory/log_state.hpp>
#include <sinew/adapters/memory/notices.hpp>
#include <sinew/adapters/memory/record.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace sinew::memory {

/// A member of a consumer group; models `source`. Made by `log::join`.
///
/// A member that is destroyed leaves its group as a crash would: it commits nothing.
class member {
public:
    using message = memory::message;

    /// Whoever is told may act at once; see `patient_source`.
    static constexpr bool lets_listeners_act = true;

    member(member&& other) noexcept
        : state_(std::move(other.state_)),
          group_(other.group_),
          seat_(std::exchange(other.seat_, nullptr)) {}
    member& operator=(member&& other) noexcept {
        if (this != &other) {
            leave();
            state_ = std::move(other.state_);
            group_ = other.group_;
            seat_ = std::exchange(other.seat_, nullptr);
        }
        return *this;
    }
    member(const member&) = delete;
    member& operator=(const member&) = delete;
    ~member() { leave(); }

    [[nodiscard]] member_id id() const noexcept { return seat_->id; }

    /// Tells what happened, then delivers from the member's partitions in turn, one record each.
    ///
    /// **On failure.** A message at which the listener throws is delivered again.
    /// **Order.** As `source` says. A member that was kicked hears `lost` and is a member again.
    /// **Bounds.** Both limits are kept; with `bytes` 0 nothing is delivered. The listener may call
    /// this member and the log.
    template <class Listener>
        requires source_listener<Listener, message>
    void poll(poll_limits limits, steady_time /*until: nothing waits here*/, Listener& listener) {
        group_->keep(*seat_);
        std::size_t bytes = 0;
        for (std::size_t events = 0;; ++events) {
            tell(listener);
            if (events >= limits.events || bytes >= limits.bytes) {
                return;
            }
            const auto next = group_->next(*seat_);
            if (next.what == nullptr) {
                return;
            }
            bytes += (*next.what)->size_bytes();
            deliver(next, listener);
        }
    }

    commit_result commit(partition_id partition, epoch_number epoch, log_offset through,
                         steady_time /*until*/) {
        return group_->commit(seat_->id, partition, epoch, through);
    }

    /// Gives a partition back, revoked or not. Alone in its group, a member gets it again.
    void release(partition_id partition, epoch_number epoch) {
        group_->release(seat_->id, partition, epoch);
    }

    void pause(partition_id partition) noexcept { group_->set_paused(seat_->id, partition, true); }
    void resume(partition_id partition) noexcept {
        group_->set_paused(seat_->id, partition, false);
    }

    /// Reading of a partition that is ours goes on at `offset`: what was delivered comes again.
    void seek(partition_id partition, log_offset offset) noexcept {
        group_->seek(seat_->id, partition, offset);
    }

    /// How many records retention took before this group had finished them.
    [[nodiscard]] std::uint64_t skipped_by_retention() const noexcept { return group_->skipped(); }

private:
    friend class log;

    member(std::shared_ptr<detail::log_state> state, detail::group& group)
        : state_(std::move(state)), group_(&group), seat_(&group.join(++state_->last_member)) {}

    template <class Listener>
    void tell(Listener& listener) {
        using kind = detail::notice::kind;
        while (!seat_->news.empty()) {
            const auto one = seat_->news.take();
            switch (one.what) {
                case kind::assigned: listener.assigned(assignment{one.partition, one.epoch}); break;
                case kind::revoked:
                    listener.revoked(revocation{one.partition, one.epoch, one.until});
                    break;
                case kind::lost: listener.lost(assignment{one.partition, one.epoch}); break;
            }
        }
    }

    template <class Listener>
    void deliver(const detail::group::delivery& next, Listener& listener) {
        const position where = (*next.what)->where();
        try {
            listener.message(message(*next.what, next.epoch));
        } catch (...) {
            if (group_->holds(seat_->id, where.partition, next.epoch) &&
                group_->at(where.partition).cursor == where.offset + 1) {
                seek(where.partition, next.was_at);
            }
            throw;
        }
    }

    void leave() noexcept {
        if (seat_ != nullptr) {
            group_->leave(seat_->id);
        }
    }

    std::shared_ptr<detail::log_state> state_;
    detail::group* group_;
    detail::seat* seat_;
};

}  // namespace sinew::memory
