// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Who of a group gets which partition: a decision over rows, without any file.
///
/// **Guarantees.** Members differ by one partition at most once all that is revoked was released.
/// As little as possible moves, and what moves is revoked first: it changes hands when it was
/// released, or its time is up. Each assignment has a higher epoch than the one before. The same
/// rows give the same answer, whoever asks.
///
/// | partition | what is found | becomes |
/// | --- | --- | --- |
/// | held | its member is gone | free |
/// | revoking | its member is gone, or its time is up | free |
/// | held | its member has more than its share | revoking |
/// | free | a member has less than its share | held, epoch + 1 |

#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sinew::sqlite::detail {

/// One life of a member: drawn at random each time that it joins.
using member_number = std::int64_t;

/// A partition, as its group sees it.
struct assignment_row {
    partition_id partition = 0;
    std::optional<member_number> member;
    epoch_number epoch = 0;
    log_offset through = -1;
    std::optional<steady_time> revoke_end;
    bool changed = false;

    [[nodiscard]] bool is_held_by(member_number who) const noexcept {
        return member == who && !revoke_end;
    }

    void free() {
        member.reset();
        revoke_end.reset();
        changed = true;
    }
};

/// A member and how much it has.
struct share {
    member_number who = 0;
    std::size_t held = 0;
    std::size_t due = 0;
};

/// What each member has and what it is to have: those that have most already get the odd ones.
[[nodiscard]] inline std::vector<share> shares_of(const std::vector<member_number>& members,
                                                  const std::vector<assignment_row>& rows) {
    std::vector<share> shares;
    for (const member_number who : members) {
        share one{who, 0, rows.size() / members.size()};
        for (const auto& row : rows) {
            one.held += row.is_held_by(who) ? 1U : 0U;
        }
        shares.push_back(one);
    }
    for (std::size_t odd = rows.size() % members.size(); odd > 0; --odd) {
        share* most = nullptr;
        for (auto& one : shares) {
            if (one.due == rows.size() / members.size() &&
                (most == nullptr || one.held > most->held)) {
                most = &one;
            }
        }
        ++most->due;
    }
    return shares;
}

/// Decides, and marks the rows that changed. `rows` are in the order of partitions, `members` are
/// those that live.
inline void balance(const std::vector<member_number>& members, std::vector<assignment_row>& rows,
                    steady_time now, duration revoke_timeout) {
    for (auto& row : rows) {
        bool lives = false;
        for (const member_number who : members) {
            lives = lives || row.member == who;
        }
        // An end that lies further ahead than any can was written before the machine was started
        // again, and its clock with it.
        const bool is_over = row.revoke_end && (now >= *row.revoke_end ||
                                                *row.revoke_end > later(now, revoke_timeout));
        if (row.member && (!lives || is_over)) {
            row.free();
        }
    }
    if (members.empty()) {
        return;
    }
    auto shares = shares_of(members, rows);
    for (auto& one : shares) {
        for (auto row = rows.rbegin(); row != rows.rend() && one.held > one.due; ++row) {
            if (row->is_held_by(one.who)) {
                row->revoke_end = later(now, revoke_timeout);
                row->changed = true;
                --one.held;
            }
        }
    }
    for (auto& row : rows) {
        if (row.member) {
            continue;
        }
        share* least = nullptr;
        for (auto& one : shares) {
            if (one.held < one.due && (least == nullptr || one.held < least->held)) {
                least = &one;
            }
        }
        if (least != nullptr) {
            row.member = least->who;
            ++row.epoch;
            ++least->held;
            row.changed = true;
        }
    }
}

}  // namespace sinew::sqlite::detail
