// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What stands between the services: the topics, and the relays that carry events to them.
///
/// The topics are an embedded log, so no broker is needed. Any other log of the library could stand
/// here: the services name it only as a template parameter.

#include "order_events.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/core/run.hpp>
#include <sinew/publish/relay.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace shop {

/// Opens the file with the topics, and makes them if they are not there.
///
/// **On failure.** Throws `sinew::unavailable_error`, with what to do about it.
[[nodiscard]] inline sinew::sqlite::log open_topics(const std::string& file,
                                                    std::string member = {}) {
    constexpr std::uint32_t partitions = 4;
    sinew::sqlite::log log(file,
                           {.topic = {.partitions = partitions}, .member = std::move(member)});
    log.create_topic(orders_topic, {.partitions = partitions});
    log.create_topic(stock_topic, {.partitions = partitions});
    return log;
}

/// Whether the group has finished all that is in the topic.
[[nodiscard]] inline bool is_read_to_its_end(const sinew::sqlite::log& log,
                                             const std::string& topic, const std::string& group) {
    for (sinew::partition_id one = 0; one < log.partitions(topic); ++one) {
        if (log.committed(topic, group, one) + 1 < log.end(topic, one)) {
            return false;
        }
    }
    return true;
}

// [relay]
/// Carries what stands in the outbox of that name to the topic of that name, until it is to stop.
/// `name` is the relay's own: it stays the same over restarts, and no two live relays have one.
template <class Store, sinew::stop_signal Stop>
sinew::run_end relay_to(const std::string& topic, Store& db, const sinew::sqlite::log& log,
                        const std::string& name, const Stop& stop) {
    auto to = log.producer(topic);
    sinew::relay carry(db.outbox(topic), to, {.owner = name});
    return sinew::run(carry, stop);
}
// [/relay]

}  // namespace shop
