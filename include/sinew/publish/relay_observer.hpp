// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Seeing what a relay does: hook functions that are called as things happen.
///
/// Derive from `null_relay_observer` and hide the hooks of interest; what is left costs nothing.
/// The structs hold no payload, no key and no header value, so they can go to logs and metrics as
/// they are. Names follow the OpenTelemetry conventions where those have one:
///
/// | field | OpenTelemetry attribute |
/// | --- | --- |
/// | `relay` | `messaging.client.id` |
/// | `id` | `messaging.message.id` |
/// | `type` | `cloudevents.event_type` |
/// | `source` | `cloudevents.event_source` |
/// | `shard` | `messaging.destination.partition.id` |
/// | `reason` | `error.type` |

#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sinew {

/// What is told of an entry. The texts are valid during the call alone.
struct relay_entry_note {
    std::string_view relay;
    shard_id shard = 0;
    std::string_view id;
    std::string_view source;
    std::string_view type;
    std::uint32_t attempts = 0;           ///< that failed so far, and count
    duration waited{};                    ///< since it was added
    std::string_view reason{};            ///< where it was refused, or got no answer
    std::optional<failure_class> kind{};  ///< likewise
    std::optional<duration> retry_in{};   ///< where it will be tried again
};

/// What is told of a port that is left alone for a while, or answers again.
struct relay_pause_note {
    std::string_view relay;
    std::string_view port;               ///< `sink` or `store`
    std::string_view reason{};           ///< what it failed with
    std::optional<duration> retry_in{};  ///< where it is left alone
};

/// What is told of a lease. Reasons are `free`, `own`, `expired` and `share` where it is taken,
/// `stale` where it is lost, and `share` and `shut_down` where it is released.
struct relay_lease_note {
    std::string_view relay;
    shard_id shard = 0;
    epoch_number epoch = 0;
    std::string_view reason{};
};

/// What is told of what is still to be done, in all shards.
struct relay_lag_note {
    std::string_view relay;
    std::uint64_t waiting = 0;
    std::uint64_t parked = 0;
    duration age{};  ///< of the oldest that waits
};

/// What is told of a purge.
struct relay_purge_note {
    std::string_view relay;
    std::size_t entries = 0;
};

/// Hooks that do nothing.
struct null_relay_observer {
    void on_published(const relay_entry_note&) {}  ///< accepted by the sink
    void on_put_off(const relay_entry_note&) {}    ///< will be tried again
    void on_parked(const relay_entry_note&) {}     ///< waits for somebody to decide
    void on_paused(const relay_pause_note&) {}
    void on_resumed(const relay_pause_note&) {}
    void on_lease_taken(const relay_lease_note&) {}
    void on_lease_lost(const relay_lease_note&) {}
    void on_lease_released(const relay_lease_note&) {}
    void on_lag(const relay_lag_note&) {}
    void on_purged(const relay_purge_note&) {}
};

/// A `relay_observer` has all the hooks of `null_relay_observer`. A hook must not throw, and should
/// return soon: it runs on the relay's thread.
template <class O>
concept relay_observer = std::move_constructible<O> &&
                         requires(O& o, const relay_entry_note& entry,
                                  const relay_pause_note& pause, const relay_lease_note& lease,
                                  const relay_lag_note& lag, const relay_purge_note& purge) {
                             o.on_published(entry);
                             o.on_put_off(entry);
                             o.on_parked(entry);
                             o.on_paused(pause);
                             o.on_resumed(pause);
                             o.on_lease_taken(lease);
                             o.on_lease_lost(lease);
                             o.on_lease_released(lease);
                             o.on_lag(lag);
                             o.on_purged(purge);
                         };

}  // namespace sinew
