// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Options of a relay, and what it has done in numbers.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/owner_name.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace sinew {

/// Options of a relay.
struct relay_options {
    /// Its name among the relays that live at the same time. Empty: made of host, process and
    /// chance. One that is always started under the same name goes on at once after a crash.
    std::string owner{};
    /// What becomes of a key's next entries while one of them is parked.
    following follow = following::park;
    /// How many entries are claimed at once, and how many bytes of them.
    std::size_t batch_max = 256;
    std::size_t batch_bytes_max = std::size_t{4} << 20U;
    /// How often an entry is published before it is parked. Only refusals count.
    std::uint32_t max_attempts = 10;
    /// About the first delay, and the longest one, of an entry that was refused; and of the sink,
    /// while it is unavailable.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    /// How long a lease lasts without a renewal, how often it is renewed, and how often the leases
    /// of others are looked at. A relay that was killed is replaced within a lease and a look.
    duration lease = std::chrono::seconds(30);
    duration heartbeat = std::chrono::seconds(10);
    duration look_interval = std::chrono::seconds(10);
    /// How often it looks for new entries without being woken.
    duration poll_interval = std::chrono::milliseconds(100);
    /// How long published entries are kept, how often they are looked for, how many go in one bite.
    duration retention = std::chrono::hours(24);
    duration purge_interval = std::chrono::seconds(10);
    std::size_t purge_max = 1000;
    /// How often the observer is told what is still to be done.
    duration lag_interval = std::chrono::seconds(10);
    /// How long one call to the outbox, and one to the sink, may take.
    duration call_timeout = std::chrono::seconds(5);
    duration publish_timeout = std::chrono::seconds(5);
    /// After how long a step goes back to its caller, if there is more to publish.
    duration step_time_max = std::chrono::milliseconds(200);
    /// From which jitter and the owner's name are made; 0: from the system's entropy.
    std::uint64_t seed = 0;
};

namespace detail {

inline void check_relay_number(bool holds, const char* what) {
    if (!holds) {
        throw usage_error(std::string("relay: option ").append(what));
    }
}

inline void check_relay_spans(const relay_options& o) {
    constexpr duration none = duration::zero();
    check_relay_number(o.base >= backoff_floor, "base has to be at least 1 ms");
    check_relay_number(o.cap >= o.base, "cap is below base");
    check_relay_number(o.lease > none, "lease has to be above 0");
    check_relay_number(o.heartbeat >= backoff_floor, "heartbeat has to be at least 1 ms");
    check_relay_number(
        o.heartbeat < o.lease / 2,
        "heartbeat has to be below half of lease, so that one renewal may be missed");
    check_relay_number(o.look_interval > none, "look_interval has to be above 0");
    check_relay_number(o.poll_interval >= std::chrono::milliseconds(1),
                       "poll_interval has to be at least 1 ms");
    check_relay_number(o.retention >= none, "retention is below 0");
    check_relay_number(o.purge_interval > none, "purge_interval has to be above 0");
    check_relay_number(o.lag_interval > none, "lag_interval has to be above 0");
    check_relay_number(o.call_timeout > none, "call_timeout has to be above 0");
    check_relay_number(o.publish_timeout > none, "publish_timeout has to be above 0");
    check_relay_number(o.step_time_max > none, "step_time_max has to be above 0");
}

}  // namespace detail

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const relay_options& o) {
    detail::check_relay_number(o.batch_max > 0, "batch_max has to be above 0");
    detail::check_relay_number(o.batch_bytes_max > 0, "batch_bytes_max has to be above 0");
    detail::check_relay_number(o.max_attempts > 0, "max_attempts has to be above 0");
    detail::check_relay_number(o.purge_max > 0, "purge_max has to be above 0");
    detail::check_relay_spans(o);
}

/// What a relay has done.
///
/// **Invariants.** `marked <= published`. The difference is published again by whoever holds the
/// shard, except for what waits to be marked.
struct relay_counts {
    std::uint64_t published = 0;            ///< accepted by the sink
    std::uint64_t marked = 0;               ///< recorded as published
    std::uint64_t batches = 0;              ///< claims that brought something
    std::uint64_t put_off = 0;              ///< recorded for a later attempt
    std::uint64_t parked = 0;               ///< recorded for somebody to decide
    std::uint64_t unknown = 0;              ///< publishes without an answer
    std::uint64_t refused_unavailable = 0;  ///< publishes that found the sink down
    std::uint64_t sink_pauses = 0;
    std::uint64_t store_pauses = 0;
    std::uint64_t marks_stale = 0;    ///< entries accepted whose lease had ended
    std::uint64_t marks_unknown = 0;  ///< marks without an answer; they are repeated
    std::uint64_t marks_refused = 0;  ///< marks that the outbox did not take; they are repeated
    std::uint64_t purged = 0;
    std::uint64_t purges_failed = 0;  ///< purges without success; they are tried again
    std::uint64_t leases_taken = 0;
    std::uint64_t leases_lost = 0;  ///< to another relay
    std::uint64_t leases_released = 0;
};

}  // namespace sinew
