// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the scenarios of the producing side share. They include nothing of the consuming side, so
/// that a mutant of the producing side is compiled in seconds.

#include "laws/scenarios/named.hpp"

#include <sinew/publish/relay.hpp>
#include <sinew/testing/producer_world.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::laws {

using namespace std::chrono_literals;

/// Options of a relay with the small limits that make a limit matter, and with nothing random in
/// it.
[[nodiscard]] inline relay_options relaying(std::string_view owner) {
    return {.owner = std::string(owner),
            .batch_max = 4,
            .batch_bytes_max = 1000,
            .max_attempts = 50,
            .base = 200ms,
            .cap = 1s,
            .lease = 8s,
            .heartbeat = 3s,
            .look_interval = 2s,
            .poll_interval = 500ms,
            .retention = 1h,
            .purge_interval = 5s,
            .purge_max = 2,
            .call_timeout = 5s,
            .publish_timeout = 5s,
            .seed = 7};
}

/// A relay that publishes one event at a time.
[[nodiscard]] inline auto one_by_one(relay_options options) {
    return [options](relay_ports& p) {
        p.keeps_to(relay_bounds::of(options));
        return relay(p.box(), p.topic, options);
    };
}

/// A relay that publishes in batches.
[[nodiscard]] inline auto in_batches(relay_options options) {
    return [options](relay_ports& p) {
        p.keeps_to(relay_bounds::of(options));
        return relay(p.box(), p.batches, options);
    };
}

/// Remembers the most that was seen of each count, over all lives of a relay.
[[nodiscard]] inline auto watch(relay_counts& most) {
    return [&most](relay_ports&, const auto& one, moment) {
        const auto raise = [](auto& to, auto seen) { to = seen > to ? seen : to; };
        const relay_counts& now = one.counts();
        raise(most.published, now.published);
        raise(most.marked, now.marked);
        raise(most.put_off, now.put_off);
        raise(most.parked, now.parked);
        raise(most.unknown, now.unknown);
        raise(most.refused_unavailable, now.refused_unavailable);
        raise(most.sink_pauses, now.sink_pauses);
        raise(most.marks_stale, now.marks_stale);
        raise(most.marks_unknown, now.marks_unknown);
        raise(most.marks_refused, now.marks_refused);
        raise(most.purged, now.purged);
        raise(most.purges_failed, now.purges_failed);
        raise(most.leases_taken, now.leases_taken);
        raise(most.leases_lost, now.leases_lost);
        raise(most.leases_released, now.leases_released);
    };
}

[[nodiscard]] inline event order(std::string_view key, std::string_view id) {
    return producer_world::make_event(key, id);
}

/// Whether an event was published more than once.
[[nodiscard]] inline bool was_repeated(const producer_world& w) {
    return std::any_of(w.facts().arrived.begin(), w.facts().arrived.end(),
                       [](const auto& one) { return !one.first; });
}

/// Where an event stands among those that arrived; their number, if it did not.
[[nodiscard]] inline std::size_t place_of(const producer_world& w, std::string_view id) {
    const auto& arrived = w.facts().arrived;
    std::size_t at = 0;
    while (at < arrived.size() && w.facts().committed[arrived[at].which].what.id != id) {
        ++at;
    }
    return at;
}

/// Where an event stands among those that are committed.
[[nodiscard]] inline std::size_t commit_of(const producer_world& w, std::string_view id) {
    return w.facts().index_of(id);
}

}  // namespace sinew::laws
