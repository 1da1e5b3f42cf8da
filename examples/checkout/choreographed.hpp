// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The same checkout without anybody who leads it: five services that react to each other's events,
/// and undo what they did when they hear that it came to nothing.
///
/// ```
/// cart.placed ---> inventory ---> stock.reserved ---> payments ---> payment.taken ---> loyalty
///                     |                                  |                               |
///               stock.refused                     payment.refused            points.booked, -.refused
///                                                                                        |
///    order desk <--- parcel.fetched, parcel.refused <--- shipping <----------------------+
/// ```
///
/// Who has to undo something listens for every refusal behind it in the chain. That list is spread
/// over the services, and nobody but the reader puts it together.

#include "cart.hpp"
#include "loyalty.hpp"
#include "outside.hpp"
#include "shop_floor.hpp"
#include "topics.hpp"

#include <sinew/core/error.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/sinew.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace checkout {

namespace said {

inline constexpr std::string_view cart_placed = "cart.placed";
inline constexpr std::string_view stock_reserved = "stock.reserved";
inline constexpr std::string_view stock_refused = "stock.refused";
inline constexpr std::string_view payment_taken = "payment.taken";
inline constexpr std::string_view payment_refused = "payment.refused";
inline constexpr std::string_view points_booked = "points.booked";
inline constexpr std::string_view points_not_booked = "points.refused";
inline constexpr std::string_view parcel_fetched = "parcel.fetched";
inline constexpr std::string_view parcel_refused = "parcel.refused";

}  // namespace said

/// What every service of the choreography is made of: a reaction to events about carts, which
/// answers what is to be said of it. An empty text: nothing.
template <class Log, class Store, class Reaction>
[[nodiscard]] auto make_service(Log& log, Store& db, const std::string& group, Reaction react) {
    const auto hear = [react = std::move(react), emit = sinew::emitter(db.outbox(events_topic)),
                       source = "/" + group](const cart& of, const sinew::event_view& heard,
                                             typename Store::transaction_type& tx) mutable {
        const std::string_view says = react(of, heard.type, tx);
        if (!says.empty()) {
            emit.add(tx, event_of(of, says, source), heard);
        }
    };
    return sinew::subscribe(log, {.topic = events_topic, .group = group}) | sinew::in_sequence() |
           sinew::dead_letter(db.dead_letters()) |
           sinew::retry({.max_attempts = 1000, .cap = std::chrono::seconds(1)}) | sinew::once(db) |
           sinew::handle<cart>(cart_codec{}, hear);
}

/// Calls another firm, and says what came of it. What is refused for good is an answer like any
/// other; anything else is tried again, under the same key.
template <class Call>
[[nodiscard]] std::string_view ask(Call call, std::string_view done, std::string_view refused) {
    try {
        call();
        return done;
    } catch (const sinew::permanent_error&) {
        return refused;
    }
}

[[nodiscard]] inline sinew::steady_time soon() {
    return sinew::later(sinew::machine_clock::now().steady, std::chrono::seconds(10));
}

// [services]
template <class Log, class Store>
[[nodiscard]] auto make_inventory(Log& log, Store& db) {
    return make_service(log, db, "inventory", [](const cart& of, std::string_view heard, auto& tx) {
        if (heard == said::cart_placed) {
            return ask([&] { reserve(of, tx); }, said::stock_reserved, said::stock_refused);
        }
        if (heard == said::payment_refused || heard == said::points_not_booked ||
            heard == said::parcel_refused) {
            release(of, tx);
        }
        return std::string_view();
    });
}

template <class Log, class Store>
[[nodiscard]] auto make_payments(Log& log, Store& db, payment_provider& provider) {
    return make_service(
        log, db, "payments", [&provider](const cart& of, std::string_view heard, auto&) {
            if (heard == said::stock_reserved) {
                return ask([&] { provider.charge(of.number, of.number, of.total_pence, soon()); },
                           said::payment_taken, said::payment_refused);
            }
            if (heard == said::points_not_booked || heard == said::parcel_refused) {
                provider.refund(of.number, of.number, soon());
            }
            return std::string_view();
        });
}

template <class Log, class Store>
[[nodiscard]] auto make_points(Log& log, Store& db) {
    return make_service(log, db, "points", [](const cart& of, std::string_view heard, auto& tx) {
        if (heard == said::payment_taken) {
            return add_points(of, tx) ? said::points_booked : said::points_not_booked;
        }
        if (heard == said::parcel_refused) {
            remove_points(of, tx);
        }
        return std::string_view();
    });
}

template <class Log, class Store>
[[nodiscard]] auto make_shipping(Log& log, Store& db, carrier& parcels) {
    return make_service(log, db, "shipping",
                        [&parcels](const cart& of, std::string_view heard, auto&) {
                            return heard == said::points_booked
                                       ? ask([&] { parcels.fetch(of.number, of.number, soon()); },
                                             said::parcel_fetched, said::parcel_refused)
                                       : std::string_view();
                        });
}

template <class Log, class Store>
[[nodiscard]] auto make_order_desk(Log& log, Store& db) {
    return make_service(log, db, "desk", [](const cart& of, std::string_view heard, auto& tx) {
        if (heard == said::parcel_fetched) {
            set_order_state(of, "shipped", tx);
            send_mail(of, "Your parcel is on its way.", tx);
        } else if (heard.ends_with(".refused")) {
            set_order_state(of, "cancelled", tx);
            send_mail(of, "We are sorry: your order was cancelled.", tx);
        }
        return std::string_view();
    });
}
// [/services]

}  // namespace checkout
