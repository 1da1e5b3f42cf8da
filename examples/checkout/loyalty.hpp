// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The loyalty programme: books points when it is told to, and answers what came of it.
///
/// It knows nothing of sagas. It takes commands once (`once` knows a command that is sent again by
/// its id), and names the command as the cause of its reply, which is how the reply finds its step.
/// A removal that comes before its addition is the word that nothing is to be added.

#include "cart.hpp"
#include "shop_floor.hpp"
#include "topics.hpp"

#include <sinew/publish/emitter.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace checkout {

inline constexpr std::string_view points_add = "points.add";
inline constexpr std::string_view points_remove = "points.remove";
inline constexpr std::string_view points_reply = "points.reply";
/// What the reply says.
inline constexpr std::string_view points_done = "done";
inline constexpr std::string_view points_refused = "refused";

/// How many points an order brought; nothing if it was never booked.
template <class Tx>
[[nodiscard]] std::optional<std::int64_t> booked_points(const cart& of, Tx& tx) {
    const auto row = tx.template query_one<std::int64_t, std::int64_t>(
        "SELECT count(*), coalesce(sum(points), 0) FROM points WHERE order_number = $1", of.number);
    const auto [rows, sum] = row.value();
    return rows == 0 ? std::nullopt : std::optional(sum);
}

/// Books an order's points. False: the customer is barred, or it was called off.
template <class Tx>
[[nodiscard]] bool add_points(const cart& of, Tx& tx) {
    if (troubles_of(of.number).is_barred_from_loyalty || booked_points(of, tx)) {
        return false;
    }
    book_points(of, of.points(), tx);
    return true;
}

/// Takes an order's points back, or sees to it that they are never booked.
template <class Tx>
void remove_points(const cart& of, Tx& tx) {
    book_points(of, -booked_points(of, tx).value_or(0), tx);
}

// [loyalty]
/// The programme as a consumer of commands.
template <class Log, class Store>
[[nodiscard]] auto make_loyalty(Log& log, Store& db) {
    const auto obey = [emit = sinew::emitter(db.outbox(replies_topic))](
                          const cart& of, const sinew::event_view& command,
                          typename Store::transaction_type& tx) mutable {
        bool is_done = true;
        if (command.type == points_add) {
            is_done = add_points(of, tx);
        } else if (command.type == points_remove) {
            remove_points(of, tx);
        } else {
            throw sinew::permanent_error("unknown_type", "no command of the loyalty programme");
        }
        const sinew::event reply{.id = {},
                                 .source = "/loyalty",
                                 .type = std::string(points_reply),
                                 .data = std::string(is_done ? points_done : points_refused),
                                 .partitionkey = of.number};
        emit.add(tx, reply, command);
    };
    return sinew::subscribe(log, {.topic = commands_topic, .group = "loyalty"}) |
           sinew::in_sequence() | sinew::dead_letter(db.dead_letters()) | sinew::retry() |
           sinew::once(db) | sinew::handle<cart>(cart_codec{}, obey);
}
// [/loyalty]

}  // namespace checkout
