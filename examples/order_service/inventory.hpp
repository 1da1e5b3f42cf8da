// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The inventory: reserves goods for orders, and tells what came of it.
///
/// It reads `orders` and writes `stock`. What it reads, what it does and what it says of it are one
/// transaction: the event counts as applied, the goods are reserved and the answer is in the
/// outbox, or none of the three.

#include "order.hpp"
#include "order_events.hpp"

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace shop {

inline constexpr const char* inventory_group = "inventory";

/// Decides about orders.
template <class Store>
class stock_keeper {
public:
    using transaction = typename Store::transaction_type;

    explicit stock_keeper(Store& db) : emit_(db.outbox(stock_topic)) {}

    // [reserve]
    void operator()(const order& wanted, const sinew::event_view& cause, transaction& tx) {
        const stock_decision made{.order_number = wanted.number,
                                  .customer = wanted.customer,
                                  .total_pence = total_pence(wanted),
                                  .missing = find_missing(wanted, tx)};
        if (made.is_reserved()) {
            reserve(wanted, tx);
        }
        tx.execute("INSERT INTO decisions(order_number, missing) VALUES ($1, $2)",
                   made.order_number, made.missing);
        emit_.add(tx, event_of(made), cause);
    }
    // [/reserve]

private:
    /// The first article that is not there in the number wanted; empty if all are.
    [[nodiscard]] static std::string find_missing(const order& wanted, transaction& tx) {
        for (const auto& [stock_code, units] : units_of(wanted)) {
            const auto there = tx.template query_one<std::int64_t>(
                "SELECT received - reserved FROM stock WHERE stock_code = $1", stock_code);
            if (!there || std::get<0>(*there) < units) {
                return stock_code;
            }
        }
        return {};
    }

    static void reserve(const order& wanted, transaction& tx) {
        for (const auto& [stock_code, units] : units_of(wanted)) {
            tx.execute("UPDATE stock SET reserved = reserved + $1 WHERE stock_code = $2", units,
                       stock_code);
        }
    }

    sinew::emitter<typename Store::outbox_type> emit_;
};

/// Puts goods into the stock: all of them, or none.
///
/// **On failure.** Throws `sinew::unavailable_error`. With the reason `unknown` they may be there:
/// nothing here names a delivery, so that it could be told from a second one.
template <class Store>
void receive_goods(Store& db, const std::vector<order_line>& goods, sinew::steady_time until) {
    auto tx = db.begin(until);
    for (const auto& one : goods) {
        tx.execute(
            "INSERT INTO stock(stock_code, received, reserved) VALUES ($1, $2, 0) ON CONFLICT "
            "(stock_code) DO UPDATE SET received = stock.received + excluded.received",
            one.stock_code, one.quantity);
    }
    switch (tx.commit()) {
        case sinew::commit_result::committed: return;
        case sinew::commit_result::aborted:
            throw sinew::unavailable_error("aborted", "the goods could not be put into the stock");
        case sinew::commit_result::unknown:
            throw sinew::unavailable_error("unknown",
                                           "the goods may be in the stock; look before you put "
                                           "them there again");
    }
}

// [inventory]
/// The inventory as a consumer: to be run, or stepped. `log` and `db` outlive it.
template <class Log, class Store>
[[nodiscard]] auto make_inventory(Log& log, Store& db) {
    return sinew::subscribe(log, {.topic = orders_topic, .group = inventory_group}) |
           sinew::in_sequence() |                   // what if orders come out of order?
           sinew::dead_letter(db.dead_letters()) |  // what if one can never be decided about?
           sinew::retry() |                         // what if deciding fails?
           sinew::once(db) |                        // what if one comes twice?
           sinew::handle<order>(order_codec{}, stock_keeper<Store>(db));
}
// [/inventory]

}  // namespace shop
