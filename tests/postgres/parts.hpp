// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the PostgreSQL adapter share: places of their own on one server, instants.

#include "support/postgres_server.hpp"
#include "support/test.hpp"

#include <sinew/adapters/postgres/store.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

namespace sinew::test {

/// A schema that no other test has, which is also where unqualified names go.
struct place {
    explicit place(postgres_server& on = postgres_server::shared()) {
        static int count = 0;
        schema = "t" + std::to_string(++count);
        conninfo = on.conninfo("options='-c search_path=" + schema + "'");
    }

    [[nodiscard]] postgres::store_options options() const {
        return {.schema = schema, .lock_timeout = std::chrono::milliseconds(100)};
    }
    [[nodiscard]] postgres::store open() const { return postgres::store(conninfo, options()); }
    [[nodiscard]] postgres::store open(postgres::store_options with) const {
        with.schema = schema;
        return postgres::store(conninfo, with);
    }

    std::string schema;
    std::string conninfo;
};

/// A connection as a service would make it.
struct own_connection {
    explicit own_connection(const std::string& conninfo) : handle(PQconnectdb(conninfo.c_str())) {}
    own_connection(const own_connection&) = delete;
    own_connection& operator=(const own_connection&) = delete;
    ~own_connection() { PQfinish(handle); }

    /// The first value that a statement answers with, or what is wrong.
    std::string ask(const std::string& sql) const {
        PGresult* got = PQexec(handle, sql.c_str());
        std::string out = PQresultStatus(got) == PGRES_TUPLES_OK && PQntuples(got) > 0
                              ? PQgetvalue(got, 0, 0)
                              : PQresultErrorMessage(got);
        PQclear(got);
        return out;
    }

    PGconn* handle;
};

/// The server's process of a store's connection, asked without taking the handle.
inline int session_of(postgres::store& db) {
    return std::get<0>(*db.connection().query_one<int>("SELECT pg_backend_pid()"));
}

/// The server ends the session of that process of its own, and has done so on return.
inline void end_session(const place& here, int pid) {
    own_connection(here.conninfo)
        .ask("SELECT pg_terminate_backend(" + std::to_string(pid) + ", 5000)");
}

inline steady_time in(duration span) { return later(machine_clock::now().steady, span); }

/// An instant of the calendar.
inline constexpr wall_time at(std::int64_t seconds) {
    return wall_time(std::chrono::seconds(seconds));
}

inline event make_event(std::string id, std::string key = {}, std::string data = "data") {
    return {.id = std::move(id),
            .source = "/test",
            .type = "test.happened",
            .data = std::move(data),
            .partitionkey = std::move(key)};
}

}  // namespace sinew::test
