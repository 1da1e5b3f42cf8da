// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What happens to the shop's own tables. Both programs, the saga and the choreography, call these
/// and no others, so that what they differ in is who decides what comes next.
///
/// Each is a part of the caller's transaction, and none looks whether it was called before: whoever
/// calls twice, is found out by the audit.

#include "cart.hpp"

#include <sinew/core/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace checkout {

// No keys that would refuse a second row: what keeps it away is the library, and the audit is to
// see if it does not.
inline constexpr const char* tables = R"(
CREATE TABLE IF NOT EXISTS orders(number text NOT NULL, state text NOT NULL);
CREATE TABLE IF NOT EXISTS stock(
    article text PRIMARY KEY, received bigint NOT NULL, reserved bigint NOT NULL,
    CHECK (reserved BETWEEN 0 AND received));
CREATE TABLE IF NOT EXISTS mails(order_number text NOT NULL, message text NOT NULL);
CREATE TABLE IF NOT EXISTS points(
    order_number text NOT NULL, customer text NOT NULL, points bigint NOT NULL);
)";

template <class Tx>
void create_order(const cart& one, Tx& tx) {
    tx.execute("INSERT INTO orders VALUES ($1, 'placed')", one.number);
}
template <class Tx>
void set_order_state(const cart& one, std::string_view state, Tx& tx) {
    tx.execute("UPDATE orders SET state = $1 WHERE number = $2", state, one.number);
}

/// **On failure.** Throws `sinew::permanent_error` if there are too few pieces.
template <class Tx>
void reserve(const cart& one, Tx& tx) {
    const auto changed = tx.execute(
        "UPDATE stock SET reserved = reserved + $1 WHERE article = $2 AND received - reserved >= "
        "$1",
        one.pieces, one.article);
    if (changed == 0) {
        throw sinew::permanent_error("out_of_stock", "there are too few pieces of " + one.article);
    }
}
template <class Tx>
void release(const cart& one, Tx& tx) {
    tx.execute("UPDATE stock SET reserved = reserved - $1 WHERE article = $2", one.pieces,
               one.article);
}

template <class Tx>
void book_points(const cart& one, std::int64_t points, Tx& tx) {
    tx.execute("INSERT INTO points VALUES ($1, $2, $3)", one.number, one.customer, points);
}

template <class Tx>
void send_mail(const cart& one, std::string_view message, Tx& tx) {
    tx.execute("INSERT INTO mails VALUES ($1, $2)", one.number, message);
}

}  // namespace checkout
