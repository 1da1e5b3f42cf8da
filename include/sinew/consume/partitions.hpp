// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The partitions that a consumer has, from assignment to release.
///
/// | state | enters by | admits events | leaves by |
/// | --- | --- | --- | --- |
/// | ours | assignment | yes | revocation, loss |
/// | leaving | revocation | no | the last running handler, or the deadline |
/// | gone | release, loss | no | a new assignment, with a higher epoch |

#include <sinew/consume/offset_tracker.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

enum class partition_state : std::uint8_t { ours, leaving, gone };

struct partition {
    partition_id id = 0;
    partition_state state = partition_state::gone;
    offset_tracker tracker;
    steady_time until = never;  ///< of the revocation
    log_offset committed = -1;  ///< the last offset that the source has taken
    log_offset announced = -1;  ///< the last one that counts as finished before its handler ran
    std::size_t beyond = 0;     ///< records delivered beyond what the source has taken
    std::size_t running = 0;    ///< handlers under way
    std::size_t older = 0;      ///< events under way that were read under an epoch before
    std::uint64_t run = 0;      ///< the run of events in which one of it went straight last
    bool noted = false;         ///< the attempt log knows that it is ours
    bool paused = false;        ///< its window is full
    bool refused = false;       ///< the last commit did not work

    partition(partition_id number, std::size_t window_max) : id(number), tracker(window_max) {}
};

/// The table of partitions; small, so it is searched. Who has all of a topic finds each at once.
class partitions {
public:
    explicit partitions(std::size_t window_max) : window_max_(window_max) {
        all_.reserve(some);  // so that the first ones do not move each other while events wait
    }

    /// The partition's entry, or null if it was never ours.
    [[nodiscard]] partition* find(partition_id id) noexcept {
        if (id < count_ && all_[id].id == id) {
            return &all_[id];
        }
        if (last_ < all_.size() && all_[last_].id == id) {
            return &all_[last_];
        }
        for (std::size_t i = 0; i < all_.size(); ++i) {
            if (all_[i].id == id) {
                last_ = i;
                return &all_[i];
            }
        }
        return nullptr;
    }

    partition& assign(partition_id id, epoch_number epoch) {
        partition* entry = find(id);
        if (entry == nullptr) {
            entry = &all_.emplace_back(id, window_max_);
            ++count_;
        }
        entry->state = partition_state::ours;
        entry->tracker.start(epoch);
        entry->until = never;
        entry->committed = -1;
        entry->announced = -1;
        entry->beyond = 0;
        entry->running = 0;
        entry->older = 0;
        entry->run = 0;
        entry->noted = false;
        entry->paused = false;
        entry->refused = false;
        return *entry;
    }

    [[nodiscard]] auto begin() noexcept { return all_.begin(); }
    [[nodiscard]] auto end() noexcept { return all_.end(); }
    [[nodiscard]] auto begin() const noexcept { return all_.begin(); }
    [[nodiscard]] auto end() const noexcept { return all_.end(); }

private:
    static constexpr std::size_t some = 8;

    std::vector<partition> all_;
    std::size_t count_ = 0;  ///< of them: known without a division
    std::size_t window_max_;
    std::size_t last_ = 0;
};

}  // namespace sinew::detail
