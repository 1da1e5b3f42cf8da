// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A consumer group: who holds which partition of a topic, and how far the group has come.
///
/// **Guarantees.** A partition has one holder at a time. Its epoch rises with each assignment, and
/// whoever acts under an older one changes nothing. Rebalancing is cooperative: only what moves is
/// revoked, and it moves once it was released or its time is up.
///
/// | partition | what happens | becomes |
/// | --- | --- | --- |
/// | free | `balance` | held, epoch + 1; `assigned` is told |
/// | held | another member is to have it | revoking; `revoked` is told |
/// | held, not told yet | another member is to have it | free; nothing is told |
/// | held, revoking | `release` | free |
/// | revoking | its time is up, or `expire` | free; `lost` is told |
/// | held, revoking | its member is kicked | free; `lost` is told at the member's next poll |
/// | held, revoking | its member leaves | free |
///
/// **Invariants.** While a member is there no partition is free between calls. The cursor of a free
/// partition stands behind its committed offset.

#include <sinew/adapters/memory/notices.hpp>
#include <sinew/adapters/memory/topic.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace sinew::memory {

/// Who a member is; 0 is nobody.
using member_id = std::uint64_t;

namespace detail {

/// A member's place in its group.
struct seat {
    member_id id = 0;
    bool active = true;    ///< false from `kick` until its next poll
    std::size_t load = 0;  ///< scratch of `balance`
    std::size_t turn = 0;  ///< the partition that is asked first
    notices news{};
};

/// A partition, as its group sees it.
struct holding {
    member_id owner = 0;
    member_id next_owner = 0;  ///< who is to have it afterwards, where that is decided
    epoch_number epoch = 0;
    log_offset committed = -1;
    log_offset cursor = 0;  ///< where reading goes on
    steady_time until = never;
    bool revoking = false;
    bool paused = false;
    std::vector<offset_range> gone{};  ///< delivered, not committed, and dropped since
};

class group {
public:
    /// What the next delivery is.
    struct delivery {
        const record_handle* what = nullptr;
        epoch_number epoch = 0;
        log_offset was_at = 0;
    };

    group(const topic_records& topic, duration revoke_timeout)
        : topic_(&topic), holdings_(topic.partitions().size()), revoke_timeout_(revoke_timeout) {}

    [[nodiscard]] const holding& at(partition_id partition) const {
        return holdings_.at(partition);
    }
    [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
    [[nodiscard]] const std::map<member_id, seat>& seats() const noexcept { return seats_; }

    seat& join(member_id id) {
        seat& mine = seats_.try_emplace(id).first->second;
        mine.id = id;
        balance();
        return mine;
    }

    /// The member is gone and hears nothing more. What it had delivered and not committed is
    /// delivered again, elsewhere.
    void leave(member_id id) {
        for (auto& one : holdings_) {
            if (one.owner == id) {
                end(one);
            }
        }
        seats_.erase(id);
        balance();
    }

    /// The group takes the member for dead. It does not know yet: it hears `lost` when it polls.
    void kick(member_id id) {
        const auto found = seats_.find(id);
        if (found == seats_.end()) {
            return;
        }
        found->second.active = false;
        lose_if([id](const holding& one) { return one.owner == id; });
    }

    /// A member that was kicked and polls is a member again.
    void keep(seat& mine) {
        if (!mine.active) {
            mine.active = true;
            balance();
        }
    }

    void expire(member_id id) {
        lose_if([id](const holding& one) { return one.owner == id && one.revoking; });
    }

    void tick(steady_time now) {
        now_ = now;
        lose_if([now](const holding& one) { return one.revoking && one.until <= now; });
    }

    /// Takes every partition from its holder and gives it to the next member in turn.
    void rotate() {
        for (partition_id i = 0; i < holdings_.size(); ++i) {
            if (auto& one = holdings_[i]; one.owner != 0 && !one.revoking) {
                one.next_owner = after(one.owner);
                revoke(i);
            }
        }
        balance();
    }

    [[nodiscard]] bool holds(member_id id, partition_id partition, epoch_number epoch) const {
        return partition < holdings_.size() && holdings_[partition].owner == id &&
               holdings_[partition].epoch == epoch;
    }

    commit_result commit(member_id id, partition_id partition, epoch_number epoch,
                         log_offset through) {
        if (!holds(id, partition, epoch)) {
            return commit_result::aborted;
        }
        auto& one = holdings_[partition];
        one.committed = through;
        std::size_t done = 0;
        while (done < one.gone.size() && one.gone[done].last <= through) {
            ++done;
        }
        one.gone.erase(one.gone.begin(), one.gone.begin() + static_cast<std::ptrdiff_t>(done));
        if (!one.gone.empty() && one.gone[0].first <= through) {
            one.gone[0].first = through + 1;
        }
        return commit_result::committed;
    }

    /// What the member was not told yet of that epoch, it is not told any more.
    void release(member_id id, partition_id partition, epoch_number epoch) {
        if (const auto found = seats_.find(id); found != seats_.end()) {
            found->second.news.withdraw(partition, epoch);
        }
        if (holds(id, partition, epoch)) {
            end(holdings_[partition]);
            balance();
        }
    }

    void set_paused(member_id id, partition_id partition, bool paused) noexcept {
        if (partition < holdings_.size() && holdings_[partition].owner == id) {
            holdings_[partition].paused = paused;
        }
    }

    void seek(member_id id, partition_id partition, log_offset offset) noexcept {
        if (partition < holdings_.size() && holdings_[partition].owner == id) {
            holdings_[partition].cursor = offset < 0 ? 0 : offset;
        }
    }

    /// The next record for that member, from its partitions in turn. The cursor goes past it.
    [[nodiscard]] delivery next(seat& mine) noexcept {
        const std::size_t count = holdings_.size();
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t at = mine.turn + i < count ? mine.turn + i : mine.turn + i - count;
            auto& one = holdings_[at];
            if (one.owner != mine.id || one.revoking || one.paused) {
                continue;
            }
            if (const auto* found = topic_->partitions()[at].find(one.cursor)) {
                const delivery out{found, one.epoch, one.cursor};
                one.cursor = (*found)->where().offset + 1;
                mine.turn = at + 1 < count ? at + 1 : 0;
                return out;
            }
        }
        return {};
    }

    /// Retention took a record. Unread ones are counted; delivered ones count once it is known that
    /// they will not be finished by whoever has them.
    void dropped(partition_id partition, log_offset offset) {
        auto& one = holdings_[partition];
        if (offset >= one.cursor) {
            ++skipped_;
        } else if (offset > one.committed) {
            if (!one.gone.empty() && one.gone.back().last + 1 == offset) {
                one.gone.back().last = offset;
            } else {
                one.gone.push_back({offset, offset});
            }
        }
    }

private:
    [[nodiscard]] seat* active_seat(member_id id) {
        const auto found = seats_.find(id);
        return found != seats_.end() && found->second.active ? &found->second : nullptr;
    }

    [[nodiscard]] seat* lightest() {
        seat* best = nullptr;
        for (auto& [id, one] : seats_) {
            if (one.active && (best == nullptr || one.load < best->load)) {
                best = &one;
            }
        }
        return best;
    }

    /// The active member that joined next after `id`, or `id` itself if it is alone.
    [[nodiscard]] member_id after(member_id id) const {
        member_id first = 0;
        for (const auto& [other, one] : seats_) {
            if (one.active && other > id) {
                return other;
            }
            if (one.active && first == 0) {
                first = other;
            }
        }
        return first;
    }

    /// The epoch of a partition ends.
    void end(holding& one) noexcept {
        for (const auto& range : one.gone) {
            skipped_ += static_cast<std::uint64_t>(range.last - range.first + 1);
        }
        one.gone.clear();
        one.owner = 0;
        one.revoking = false;
        one.paused = false;
        one.until = never;
        one.cursor = one.committed + 1;
    }

    void assign(partition_id partition, seat& to) {
        auto& one = holdings_[partition];
        to.news.add({notice::kind::assigned, partition, one.epoch + 1, never});
        ++one.epoch;
        ++to.load;
        one.owner = to.id;
        one.next_owner = 0;
        const log_offset first = topic_->partitions()[partition].begin();
        one.cursor = one.committed + 1 < first ? first : one.committed + 1;
    }

    void revoke(partition_id partition) {
        auto& one = holdings_[partition];
        auto& owner = seats_.at(one.owner);
        if (!owner.news.knows(partition, one.epoch)) {
            owner.news.withdraw(partition, one.epoch);
            end(one);
            return;
        }
        const steady_time until = now_ ? later(*now_, revoke_timeout_) : never;
        owner.news.add({notice::kind::revoked, partition, one.epoch, until});
        one.revoking = true;
        one.until = until;
    }

    template <class F>
    void lose_if(F wanted) {
        bool lost = false;
        for (partition_id i = 0; i < holdings_.size(); ++i) {
            auto& one = holdings_[i];
            if (one.owner == 0 || !wanted(one)) {
                continue;
            }
            auto& owner = seats_.at(one.owner);
            if (owner.news.knows(i, one.epoch)) {
                owner.news.add({notice::kind::lost, i, one.epoch, never});
            } else {
                owner.news.withdraw(i, one.epoch);
            }
            end(one);
            lost = true;
        }
        if (lost) {
            balance();
        }
    }

    /// Gives away what is free, and revokes as little as makes the members even.
    void balance() {
        for (auto& [id, one] : seats_) {
            one.load = 0;
        }
        if (lightest() == nullptr) {
            return;
        }
        for (auto& one : holdings_) {
            seat* next = active_seat(one.next_owner);
            if (one.owner != 0 && !one.revoking) {
                ++seats_.at(one.owner).load;
            } else if (next == nullptr) {
                one.next_owner = 0;
            } else if (one.revoking) {
                ++next->load;
            }
        }
        for (partition_id i = 0; i < holdings_.size(); ++i) {
            if (holdings_[i].owner == 0) {
                seat* next = active_seat(holdings_[i].next_owner);
                assign(i, next != nullptr ? *next : *lightest());
            }
        }
        for (const auto& one : holdings_) {
            if (one.revoking && one.next_owner == 0) {
                ++lightest()->load;
            }
        }
        while (move_one()) {
        }
    }

    /// Moves one partition from the member that has most to the one that has least; false if that
    /// would not make them more even.
    bool move_one() {
        seat& to = *lightest();
        std::optional<partition_id> chosen;
        std::size_t most = to.load + 1;
        for (partition_id i = 0; i < holdings_.size(); ++i) {
            const auto& one = holdings_[i];
            if (one.owner != 0 && !one.revoking && seats_.at(one.owner).load > most) {
                chosen = i;
                most = seats_.at(one.owner).load;
            }
        }
        if (!chosen) {
            return false;
        }
        auto& one = holdings_[*chosen];
        --seats_.at(one.owner).load;
        one.next_owner = to.id;
        revoke(*chosen);
        if (one.owner == 0) {
            assign(*chosen, to);
        } else {
            ++to.load;
        }
        return true;
    }

    const topic_records* topic_;
    std::vector<holding> holdings_;
    std::map<member_id, seat> seats_;
    std::optional<steady_time> now_;
    duration revoke_timeout_;
    std::uint64_t skipped_ = 0;
};

}  // namespace detail

}  // namespace sinew::memory
