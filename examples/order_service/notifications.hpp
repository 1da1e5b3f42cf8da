// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The notifications: tell each customer what became of the order.
///
/// They read `stock`, and know nothing of the order desk. A service that really sends mail would
/// take these rows as its own outbox: what is sent within a handler cannot be taken back.

#include "order_events.hpp"

#include <sinew/sinew.hpp>

#include <string>

namespace shop {

inline constexpr const char* notifications_group = "notifications";

/// What the customer reads.
[[nodiscard]] inline std::string message_for(const stock_decision& made) {
    std::string text = "Your order ";
    text.append(made.order_number);
    if (made.is_reserved()) {
        const std::int64_t pence = made.total_pence % 100;
        text.append(" is on its way: ").append(std::to_string(made.total_pence / 100));
        return text.append(pence < 10 ? ".0" : ".")
            .append(std::to_string(pence))
            .append(" pounds.");
    }
    return text.append(" cannot be delivered: we have too little of ").append(made.missing) + ".";
}

// [notifications]
/// The notifications as a consumer: to be run, or stepped. `log` and `db` outlive it.
template <class Log, class Store>
[[nodiscard]] auto make_notifications(Log& log, Store& db) {
    const auto notify = [](const stock_decision& made, typename Store::transaction_type& tx) {
        tx.execute("INSERT INTO notifications(order_number, customer, message) VALUES ($1, $2, $3)",
                   made.order_number, made.customer, message_for(made));
    };
    return sinew::subscribe(log, {.topic = stock_topic, .group = notifications_group}) |
           sinew::in_sequence() |                   // what if they come out of order?
           sinew::dead_letter(db.dead_letters()) |  // what if one can never be told?
           sinew::retry() |                         // what if writing it fails?
           sinew::once(db) |                        // what if one comes twice?
           sinew::handle<stock_decision>(decision_codec{}, notify);
}
// [/notifications]

}  // namespace shop
