// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The partitions that a member holds, as far as it knows, and what it has still to tell of them.
///
/// It compares what it knows with the group's rows, and so turns a state that others change into
/// news in their order. It touches no file.
///
/// **Invariants.** A partition is held at most once. Of each assignment that was told, exactly one
/// end follows: given back by the member itself, or told as lost.
///
/// | known | the row says | news |
/// | --- | --- | --- |
/// | not held | ours | assigned |
/// | not held | ours, to be revoked | none; it is given back, as nobody here knows of it |
/// | held | ours, to be revoked | revoked, once |
/// | held | another's, or another epoch | lost |
/// | held, revoked | its time is up | lost; it is given back |

#include <sinew/adapters/sqlite/balance.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

namespace sinew::sqlite::detail {

/// A partition that is ours.
struct holding {
    partition_id partition = 0;
    epoch_number epoch = 0;
    log_offset cursor = -1;  ///< the last one delivered
    steady_time until = never;
    bool revoking = false;
    bool paused = false;
    bool at_end = false;  ///< nothing more was there when the file last changed

    [[nodiscard]] bool delivers() const noexcept { return !revoking && !paused; }
};

/// A partition that its member has given back, though the file may not say so yet.
struct given_back {
    partition_id partition = 0;
    epoch_number epoch = 0;
};

/// What the listener has to be told.
struct lost_notice {
    assignment what;
};
using notice = std::variant<assignment, revocation, lost_notice>;

class holdings {
public:
    [[nodiscard]] std::size_t size() const noexcept { return held_.size(); }
    [[nodiscard]] holding& operator[](std::size_t index) noexcept { return held_[index]; }

    [[nodiscard]] holding* find(partition_id partition) noexcept {
        for (auto& one : held_) {
            if (one.partition == partition) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] holding* find(partition_id partition, epoch_number epoch) noexcept {
        auto* found = find(partition);
        return found != nullptr && found->epoch == epoch ? found : nullptr;
    }

    /// The file has changed: there may be more to read.
    void look_again() noexcept {
        for (auto& one : held_) {
            one.at_end = false;
        }
    }

    /// Ends an epoch of ours; false if it is none.
    bool give_back(partition_id partition, epoch_number epoch) {
        if (find(partition, epoch) == nullptr) {
            return false;
        }
        back_.push_back({partition, epoch});
        erase(partition);
        return true;
    }

    /// Gives back what was revoked and not released in time.
    void give_up_overdue(steady_time now) {
        for (std::size_t i = held_.size(); i > 0; --i) {
            const holding one = held_[i - 1];
            if (one.revoking && now >= one.until) {
                give_back(one.partition, one.epoch);
                news_.push_back(lost_notice{{one.partition, one.epoch}});
            }
        }
    }

    void lose_all() {
        for (const auto& one : held_) {
            news_.push_back(lost_notice{{one.partition, one.epoch}});
        }
        held_.clear();
    }

    /// Compares what is held with what the file says.
    void compare(const std::vector<assignment_row>& rows, member_number self) {
        for (const auto& row : rows) {
            const bool is_ours = row.member == self;
            auto* known = find(row.partition);
            if (known != nullptr && (!is_ours || known->epoch != row.epoch)) {
                news_.push_back(lost_notice{{known->partition, known->epoch}});
                erase(row.partition);
                known = nullptr;
            }
            if (!is_ours || is_given_back(row)) {
                continue;
            }
            if (known == nullptr && row.revoke_end) {
                back_.push_back({row.partition, row.epoch});
            } else if (known == nullptr) {
                held_.push_back(
                    {.partition = row.partition, .epoch = row.epoch, .cursor = row.through});
                news_.push_back(assignment{row.partition, row.epoch});
            } else if (row.revoke_end && !known->revoking) {
                known->revoking = true;
                known->until = *row.revoke_end;
                news_.push_back(revocation{row.partition, row.epoch, *row.revoke_end});
            }
        }
    }

    /// What was given back and is not written down yet.
    [[nodiscard]] const std::vector<given_back>& back() const noexcept { return back_; }
    void written_down() noexcept { back_.clear(); }

    /// The oldest news, which is then told.
    [[nodiscard]] std::optional<notice> next_news() {
        if (news_.empty()) {
            return std::nullopt;
        }
        const notice first = news_.front();
        news_.erase(news_.begin());
        return first;
    }

private:
    void erase(partition_id partition) noexcept {
        std::erase_if(held_, [&](const holding& one) { return one.partition == partition; });
    }

    [[nodiscard]] bool is_given_back(const assignment_row& row) const noexcept {
        for (const auto& one : back_) {
            if (one.partition == row.partition && one.epoch == row.epoch) {
                return true;
            }
        }
        return false;
    }

    std::vector<holding> held_;
    std::vector<given_back> back_;
    std::vector<notice> news_;
};

}  // namespace sinew::sqlite::detail
