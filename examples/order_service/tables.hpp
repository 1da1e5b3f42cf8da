// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables of the services. Statements are written once, for SQLite and PostgreSQL: with types
/// that both know, and with `$1`, `$2`, ... in the order in which they first occur.
///
/// Each service has tables of its own, and reads nobody else's. They share one database here to
/// keep the example short; each could have a database of its own, and nothing but the audit would
/// change.

#include <sinew/adapters/postgres.hpp>
#include <sinew/adapters/sqlite.hpp>

#include <string>

namespace shop {

// `decisions` and `notifications` have no key that would refuse a second row for one order: what
// keeps a second one away is `sinew::once`, and the audit is to see if it does not.
inline constexpr const char* tables = R"(
CREATE TABLE IF NOT EXISTS orders(
    number text PRIMARY KEY, customer text NOT NULL);
CREATE TABLE IF NOT EXISTS order_lines(
    order_number text NOT NULL, line bigint NOT NULL, stock_code text NOT NULL,
    quantity bigint NOT NULL, price_pence bigint NOT NULL, PRIMARY KEY(order_number, line));

CREATE TABLE IF NOT EXISTS stock(
    stock_code text PRIMARY KEY, received bigint NOT NULL, reserved bigint NOT NULL,
    CHECK (reserved BETWEEN 0 AND received));
CREATE TABLE IF NOT EXISTS decisions(
    order_number text NOT NULL, missing text NOT NULL);

CREATE TABLE IF NOT EXISTS notifications(
    order_number text NOT NULL, customer text NOT NULL, message text NOT NULL);
)";

inline void make_tables(sinew::sqlite::store& db) { db.connection().execute_script(tables); }

/// Of several processes that begin at once, PostgreSQL would let one fail over a table that another
/// is just making; so they take turns.
inline void make_tables(sinew::postgres::store& db) {
    db.connection().execute_script("SELECT pg_advisory_xact_lock(20101201);" + std::string(tables));
}

}  // namespace shop
