// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What stands between the services: topics in an embedded log, and the relays that carry events to
/// them. An outbox has the name of the topic that its events go to.

#include "cart.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/run.hpp>
#include <sinew/publish/relay.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace checkout {

/// What the saga asks of the loyalty programme, and what that answers.
inline constexpr const char* commands_topic = "loyalty-commands";
inline constexpr const char* replies_topic = "loyalty-replies";
/// What the services of the choreography tell each other.
inline constexpr const char* events_topic = "checkout-events";

/// **On failure.** Throws `sinew::unavailable_error`, with what to do about it.
[[nodiscard]] inline sinew::sqlite::log open_topics(const std::string& file, std::string member) {
    sinew::sqlite::log log(file, {.member = std::move(member)});
    for (const char* topic : {commands_topic, replies_topic, events_topic}) {
        log.create_topic(topic, {.partitions = 4});
    }
    return log;
}

/// Carries what stands in the outbox of that name to the topic of that name.
template <sinew::stop_signal Stop>
sinew::run_end relay_to(const std::string& topic, sinew::sqlite::store& db,
                        const sinew::sqlite::log& log, const Stop& stop) {
    auto to = log.producer(topic);
    sinew::relay carry(db.outbox(topic), to, {.owner = "relay of " + topic});
    return sinew::run(carry, stop);
}

/// An event about a cart, which has the whole cart in it. Events of one order stay in order.
[[nodiscard]] inline sinew::event event_of(const cart& one, std::string_view type,
                                           std::string_view source) {
    return {.id = {},
            .source = std::string(source),
            .type = std::string(type),
            .datacontenttype = "application/json",
            .data = to_text(one),
            .partitionkey = one.number};
}

struct cart_codec {
    /// **On failure.** Throws what the JSON library throws; the event becomes a dead letter.
    [[nodiscard]] cart decode(const sinew::event_view& e) const { return to_cart(e.text()); }
};

}  // namespace checkout
