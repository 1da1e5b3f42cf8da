// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The order desk: takes orders. An order and the event that tells of it are written in one
/// transaction, so there is never the one without the other.

#include "order.hpp"
#include "order_events.hpp"

#include <sinew/core/commit_within.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/emitter.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace shop {

/// The largest order that is taken, as an event. Readers take more than that.
inline constexpr std::size_t order_bytes_max = std::size_t{256} << 10U;

/// What became of an order.
enum class placing : std::uint8_t {
    placed,     ///< it is written
    was_there,  ///< one of that number was written before; nothing was done
};

/// **On crash.** After the commit the order will be published; before it, nothing is there, and the
/// order can be placed again under its number.
template <class Store>
class order_desk {
public:
    explicit order_desk(Store& db)
        : db_(&db), emit_(db.outbox(orders_topic, {.event_bytes_max = order_bytes_max})) {}

    /// Places an order, and again if another transaction was in the way.
    ///
    /// **On failure.** Throws `sinew::permanent_error` for what is no order (`malformed_order`) and
    /// for one that is too large (`payload_too_large`), `sinew::unavailable_error` if nothing
    /// was committed by `until`, and an error of class unknown if it may have been.
    placing place(const order& wanted, sinew::steady_time until) {
        check(wanted);
        // [three_ends]
        return sinew::commit_within(*db_, until, [&](auto& tx, bool in_doubt) {
            const bool is_new = write(wanted, tx);
            return is_new || in_doubt ? placing::placed : placing::was_there;
        });
        // [/three_ends]
    }

private:
    // [place]
    /// False: an order of that number is there.
    template <class Tx>
    bool write(const order& wanted, Tx& tx) {
        const auto added = tx.execute(
            "INSERT INTO orders(number, customer) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            wanted.number, wanted.customer);
        if (added == 0) {
            return false;
        }
        std::int64_t number = 0;
        for (const auto& line : wanted.lines) {
            tx.execute("INSERT INTO order_lines VALUES ($1, $2, $3, $4, $5)", wanted.number,
                       ++number, line.stock_code, line.quantity, line.price_pence);
        }
        emit_.add(tx, event_of(wanted));
        return true;
    }
    // [/place]

    Store* db_;
    sinew::emitter<typename Store::outbox_type> emit_;
};

}  // namespace shop
