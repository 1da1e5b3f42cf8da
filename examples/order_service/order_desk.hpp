// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The order desk: takes orders. An order and the event that tells of it are written in one
/// transaction, so there is never the one without the other.

#include "order.hpp"
#include "order_events.hpp"

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/emitter.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

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
    /// for one that is too large (`payload_too_large`), and `sinew::unavailable_error` if the
    /// database cannot be reached, or nothing was committed by `until`.
    placing place(const order& wanted, sinew::steady_time until) {
        check(wanted);
        bool may_be_there = false;
        for (;;) {
            try {
                // [three_ends]
                auto tx = db_->begin(until);
                if (!write(wanted, tx)) {
                    return may_be_there ? placing::placed : placing::was_there;
                }
                switch (tx.commit()) {
                    case sinew::commit_result::committed: return placing::placed;
                    case sinew::commit_result::aborted: break;  // again
                    case sinew::commit_result::unknown:         // again: its number tells
                        may_be_there = true;
                        break;
                }
                // [/three_ends]
            } catch (const sinew::transient_error&) {
                // Another transaction was in the way: again.
            }
            pause_or_give_up(until);
        }
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

    void pause_or_give_up(sinew::steady_time until) const {
        if (sinew::machine_clock::now().steady >= until) {
            const auto& why = db_->last_commit_failure();
            throw sinew::unavailable_error("not_placed",
                                           "the order could not be committed in time" +
                                               (why ? ": " + why->detail : std::string()));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }

    Store* db_;
    sinew::emitter<typename Store::outbox_type> emit_;
};

}  // namespace shop
