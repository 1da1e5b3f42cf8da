// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Finds the event that kills the process, though no handler ever returned.
///
/// In steady state nothing is written. Only when the process that had a partition before died with
/// it, the first deliveries of the partition are *suspects*: one of them may have been what killed
/// it. For a suspect the `attempt_log` notes durably that it begins, before its handler runs, and
/// that it ended, as soon as the handler has returned or thrown. What has begun too often without
/// an end goes to the dead letters.
///
/// **Guarantees.** An event that kills the process whenever it is handled is dead-lettered after at
/// most `deaths_max + 1` deaths: one before anything is recorded, and `deaths_max` that are. Its
/// neighbours never are, provided that the driver
///
/// 1. runs a suspect alone: beside no other handler, and in a batch of its own. Then each recorded
///    death has one author;
/// 2. calls `ended` of the log before it starts anything else, but not for what `judge` sends to
///    the dead letters: should the process die before that offset is committed, the event comes
///    again, and must not have all its deaths before it once more;
/// 3. sets `suspects_max` to no less than the number of records that can have been delivered beyond
///    the last offset that the source has *taken*, which is more than what is unfinished: finished
///    records whose commit is still to come are part of it;
/// 4. tells the log that a partition was `closed` only if `is_clear` says so, and after the offsets
///    are committed. Else a rebalance that comes between two deaths would forget the first;
/// 5. keeps one log for all members of a group.
///
/// The guard can't tell a death by the event from one that only came at the same time. A process
/// that is killed from outside `deaths_max` times in a row while the same suspect runs sends it to
/// the dead letters, whole, from where it can be replayed.
///
/// | call | before | after |
/// | --- | --- | --- |
/// | `opened(p, died)` | any | `died`: the next `suspects_max` deliveries of `p` are suspects |
/// | `delivered(p)` | suspects to come | one less to come, one more unsettled; the answer is true |
/// | `settled(p)` | suspects unsettled | one less |
/// | `closed(p)` | any | no suspects in `p` |

#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew {

/// Options of `crash_loop_guard`.
struct crash_loop_options {
    /// Dead letter after so many recorded starts that had no end.
    std::uint32_t deaths_max = 3;
    /// How many deliveries after an assignment may have begun before the crash.
    std::size_t suspects_max = 8192;
};

/// Refuses limits of 0.
///
/// **On failure.** Throws `usage_error` that names the option.
constexpr void check(const crash_loop_options& options) {
    if (options.deaths_max == 0) {
        throw usage_error("crash-loop guard: option deaths_max has to be at least 1");
    }
    if (options.suspects_max == 0) {
        throw usage_error("crash-loop guard: option suspects_max has to be at least 1");
    }
}

/// What becomes of a suspect.
enum class guard_verdict : std::uint8_t { run, dead_letter };

/// The guard of one consumer.
///
/// **Bounds.** One small entry per partition that has suspects.
class crash_loop_guard {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    constexpr explicit crash_loop_guard(crash_loop_options options = {}) : options_(options) {
        check(options_);
    }

    /// A partition became ours. `predecessor_died` is the answer of the `attempt_log`.
    constexpr void opened(partition_id partition, bool predecessor_died) {
        closed(partition);
        if (predecessor_died) {
            watched_.push_back({partition, options_.suspects_max, 0});
        }
    }

    /// A record of the partition was delivered. Whether it is a suspect, and stays one until it is
    /// finished.
    [[nodiscard]] constexpr bool delivered(partition_id partition) noexcept {
        for (auto& one : watched_) {
            if (one.partition == partition && one.to_come > 0) {
                --one.to_come;
                ++one.unsettled;
                return true;
            }
        }
        return false;
    }

    /// A suspect of the partition is over for good: applied, skipped or dead-lettered, and not
    /// merely taken away.
    constexpr void settled(partition_id partition) noexcept {
        for (auto& one : watched_) {
            if (one.partition == partition && one.unsettled > 0) {
                if (--one.unsettled == 0 && one.to_come == 0) {
                    closed(partition);
                }
                return;
            }
        }
    }

    /// Whether all suspects of the partition have come and are settled, so that the `attempt_log`
    /// may be told that it was closed.
    [[nodiscard]] constexpr bool is_clear(partition_id partition) const noexcept {
        for (const auto& one : watched_) {
            if (one.partition == partition) {
                return false;
            }
        }
        return true;
    }

    /// A partition is ours no more, in good order or not.
    constexpr void closed(partition_id partition) noexcept {
        for (auto& one : watched_) {
            if (one.partition == partition) {
                one = watched_.back();
                watched_.pop_back();
                return;
            }
        }
    }

    /// What becomes of a suspect that has begun `starts` times, this time included, and that never
    /// ended: the answer of `begun` of the `attempt_log`.
    [[nodiscard]] constexpr guard_verdict judge(std::uint32_t starts) const noexcept {
        return starts > options_.deaths_max ? guard_verdict::dead_letter : guard_verdict::run;
    }

    /// Whether any partition has suspects. False in steady state.
    [[nodiscard]] constexpr bool watches() const noexcept { return !watched_.empty(); }

    [[nodiscard]] constexpr const crash_loop_options& options() const noexcept { return options_; }

private:
    struct suspects {
        partition_id partition = 0;
        std::size_t to_come = 0;
        std::size_t unsettled = 0;
    };

    crash_loop_options options_;
    std::vector<suspects> watched_;
};

}  // namespace sinew
