// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a member of a group has to be told at its next poll.
///
/// **Guarantees.** Notices are told in the order in which things happened. An assignment that ended
/// before it was told is not told at all.
///
/// **Bounds.** At most three for each partition: that an epoch is revoked, that it is lost, and
/// that another one began.

#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::memory::detail {

struct notice {
    enum class kind : std::uint8_t { assigned, revoked, lost };
    kind what = kind::assigned;
    partition_id partition = 0;
    epoch_number epoch = 0;
    steady_time until = never;
};

class notices {
public:
    [[nodiscard]] bool empty() const noexcept { return told_ == waiting_.size(); }

    void add(notice one) { waiting_.push_back(one); }

    /// The oldest notice, which is told from now on.
    [[nodiscard]] notice take() noexcept {
        const notice out = waiting_[told_++];
        if (empty()) {
            waiting_.clear();
            told_ = 0;
        }
        return out;
    }

    /// Takes back what was not told yet of an epoch.
    void withdraw(partition_id partition, epoch_number epoch) noexcept {
        std::size_t kept = told_;
        for (std::size_t i = told_; i < waiting_.size(); ++i) {
            if (waiting_[i].partition != partition || waiting_[i].epoch != epoch) {
                waiting_[kept++] = waiting_[i];
            }
        }
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(kept), waiting_.end());
    }

    /// Whether an assignment was told. If not, its member can't be at work on the partition.
    [[nodiscard]] bool knows(partition_id partition, epoch_number epoch) const noexcept {
        for (std::size_t i = told_; i < waiting_.size(); ++i) {
            const auto& one = waiting_[i];
            if (one.what == notice::kind::assigned && one.partition == partition &&
                one.epoch == epoch) {
                return false;
            }
        }
        return true;
    }

private:
    std::vector<notice> waiting_;
    std::size_t told_ = 0;
};

}  // namespace sinew::memory::detail
