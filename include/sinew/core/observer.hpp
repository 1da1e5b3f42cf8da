// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Seeing what a consumer does: hook functions that are called as things happen.
///
/// Derive from `null_observer` and hide the hooks of interest; what is left costs nothing. The
/// structs hold no payload, no key and no header value, so they can go to logs and metrics as they
/// are. Names follow the OpenTelemetry messaging conventions where those have one:
///
/// | field | OpenTelemetry attribute |
/// | --- | --- |
/// | `consumer` | `messaging.consumer.group.name` |
/// | `topic` | `messaging.destination.name` |
/// | `where.partition` | `messaging.destination.partition.id` |
/// | `where.offset` | `messaging.kafka.offset` |
/// | `id` | `messaging.message.id` |
/// | `type` | `cloudevents.event_type` |
/// | `source` | `cloudevents.event_source` |
/// | `reason` | `error.type` |

#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sinew {

/// What is told of an event. The texts are valid during the call alone.
struct event_note {
    std::string_view consumer;
    std::string_view topic;
    position where{};
    std::string_view id;
    std::string_view source;
    std::string_view type;
    std::uint32_t attempt = 0;            ///< attempts that failed so far, and count
    duration took{};                      ///< of the handler, where it ran
    std::optional<duration> event_age{};  ///< since the event's `time`, where it has one
    std::string_view reason{};            ///< where something went wrong, or was skipped
    std::optional<failure_class> kind{};  ///< where something went wrong
    std::optional<duration> retry_in{};   ///< where it will be tried again
};

/// What is told of a partition.
struct partition_note {
    std::string_view consumer;
    std::string_view topic;
    partition_id partition = 0;
    epoch_number epoch = 0;
    log_offset through = -1;  ///< the last finished record, where one was committed
};

/// What is told of a gap in a key's sequence.
struct gap_note {
    std::string_view consumer;
    std::string_view topic;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::string_view reason;  ///< `time` or `count`: the limit that was reached
};

/// What is told of a pause of the whole source. Reasons are `in_flight`, `bytes`, `unavailable`,
/// `dead_letters`, `keys` and `halted`. A partition whose window is full is paused alone, untold.
struct pause_note {
    std::string_view consumer;
    std::string_view topic;
    std::string_view reason;
};

/// Hooks that do nothing.
struct null_observer {
    void on_received(const event_note&) {}       ///< delivered by the source
    void on_applied(const event_note&) {}        ///< its effects are committed
    void on_duplicate(const event_note&) {}      ///< recognised, and not applied again
    void on_skipped(const event_note&) {}        ///< the handler had nothing to do with it
    void on_discarded(const event_note&) {}      ///< dropped by `discard`
    void on_dead_lettered(const event_note&) {}  ///< in the dead-letter place
    void on_retry(const event_note&) {}          ///< an attempt failed, another will follow
    void on_unavailable(const event_note&) {}    ///< a dependency is down; does not count
    void on_held(const event_note&) {}           ///< waits for something before it in its sequence
    void on_late(const event_note&) {}           ///< came after its gap was given up
    void on_halted(const event_note&) {}         ///< the consumer stops here
    void on_replayed(const event_note&) {}       ///< a dead letter was replayed and applied
    void on_gap(const gap_note&) {}              ///< a gap was given up
    void on_paused(const pause_note&) {}
    void on_resumed(const pause_note&) {}
    void on_assigned(const partition_note&) {}
    void on_revoked(const partition_note&) {}
    void on_lost(const partition_note&) {}
    void on_committed(const partition_note&) {}
};

/// An `observer` has all the hooks of `null_observer`. A hook must not throw, and should return
/// soon: it runs on the consumer's thread.
template <class O>
concept observer = std::move_constructible<O> &&
                   requires(O& o, const event_note& event, const gap_note& gap,
                            const pause_note& pause, const partition_note& partition) {
                       o.on_received(event);
                       o.on_applied(event);
                       o.on_duplicate(event);
                       o.on_skipped(event);
                       o.on_discarded(event);
                       o.on_dead_lettered(event);
                       o.on_retry(event);
                       o.on_unavailable(event);
                       o.on_held(event);
                       o.on_late(event);
                       o.on_halted(event);
                       o.on_replayed(event);
                       o.on_gap(gap);
                       o.on_paused(pause);
                       o.on_resumed(pause);
                       o.on_assigned(partition);
                       o.on_revoked(partition);
                       o.on_lost(partition);
                       o.on_committed(partition);
                   };

}  // namespace sinew
