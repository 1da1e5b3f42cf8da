// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Which database the services use: a choice at run time, of which their code knows nothing.

#include "tables.hpp"

#include <sinew/adapters/postgres/store.hpp>
#include <sinew/adapters/sqlite/store.hpp>

#include <string>
#include <utility>

namespace shop {

/// Where the services keep their tables.
struct database {
    std::string file = "shop.db";  ///< SQLite
    std::string conninfo{};        ///< PostgreSQL instead; empty: not
    bool create = true;            ///< whether it is made if it is not there
};

// [choose]
/// Opens the database, makes the tables, and calls `use(store)`: with a type for each database, so
/// that whatever it calls is compiled for each.
///
/// **On failure.** Throws `sinew::usage_error` for a connection string that cannot be read, and
/// `sinew::unavailable_error`, with what to do about it, if the database cannot be reached.
template <class F>
decltype(auto) with_store(const database& where, F&& use) {
    if (!where.conninfo.empty()) {
        sinew::postgres::store db(where.conninfo, {.create = where.create});
        make_tables(db);
        return std::forward<F>(use)(db);
    }
    sinew::sqlite::store db(where.file, {.create = where.create});
    make_tables(db);
    return std::forward<F>(use)(db);
}
// [/choose]

}  // namespace shop
