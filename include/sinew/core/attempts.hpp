// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a durable record of attempts, by which an event that kills the process is found.

#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>

namespace sinew {

/// An `attempt_log` survives the process.
///
/// 1. `opened(consumer, topic, partition)` notes that the partition is being worked on, and answers
///    whether it was noted so before, without `closed`: then whoever had it died.
/// 2. `closed(...)` notes that the partition was given back in good order, and forgets its
///    attempts.
/// 3. `begun(consumer, topic, where, now)` adds one to the starts of the event at `where`, durably,
///    and answers how many there are now.
/// 4. `ended(consumer, topic, where)` forgets the starts of that event.
///
/// **On failure.** Each throws `unavailable_error`.
template <class A>
concept attempt_log =
    requires(A& log, std::string_view text, partition_id partition, position where, wall_time now) {
        { log.opened(text, text, partition) } -> std::same_as<bool>;
        log.closed(text, text, partition);
        { log.begun(text, text, where, now) } -> std::same_as<std::uint32_t>;
        log.ended(text, text, where);
    };

}  // namespace sinew
