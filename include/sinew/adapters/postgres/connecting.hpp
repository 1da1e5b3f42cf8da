// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Opening a connection to the server, with an end: libpq without its blocking calls.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/round_trip.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <memory>
#include <new>
#include <string>

namespace sinew::postgres::detail {

struct connection_closer {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
/// A connection of our own.
using connection_owner = std::unique_ptr<PGconn, connection_closer>;

/// **On failure.** Throws `usage_error` for a connection string that libpq cannot read.
inline void check_conninfo(const std::string& conninfo) {
    char* says = nullptr;
    PQconninfoOption* parsed = PQconninfoParse(conninfo.c_str(), &says);
    PQfreemem(says);  // it may quote a password
    if (parsed == nullptr) {
        throw usage_error(
            "postgres: the connection string cannot be read. Write it as key=value pairs or as "
            "postgresql://user@host/database; it is not shown here, as it may hold a password");
    }
    PQconninfoFree(parsed);
}

/// What is said of a connection that could not be opened.
[[nodiscard]] inline std::string explain_connecting(const PGconn* to, const std::string& says) {
    return explain(place_of(to), says, {}, "connect",
                   "Is the server running, is the address right, and does it let this role in?");
}

/// A connection that does not block. `place` gets where it leads, also if it cannot be opened.
///
/// **On failure.** Throws `deadline_error`, `cannot_connect_error` or `std::bad_alloc`.
[[nodiscard]] inline connection_owner open_connection(const std::string& conninfo,
                                                      steady_time until, std::string& place) {
    // What the string does not say. A string in place of a name is taken apart by libpq.
    const char* keys[] = {"dbname", "fallback_application_name", "client_encoding", nullptr};
    const char* values[] = {conninfo.c_str(), "sinew", "UTF8", nullptr};
    connection_owner out(PQconnectStartParams(keys, values, 1));
    if (!out) {
        throw std::bad_alloc();
    }
    PGconn* const to = out.get();
    PQsetNoticeProcessor(to, [](void*, const char*) {}, nullptr);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(to) != CONNECTION_BAD && next != PGRES_POLLING_OK &&
           next != PGRES_POLLING_FAILED) {
        if (!wait_for(PQsocket(to), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until)) {
            place = place_of(to);
            throw deadline_error(explain_connecting(to, "no answer before the deadline"));
        }
        next = PQconnectPoll(to);
    }
    place = place_of(to);
    if (PQstatus(to) != CONNECTION_OK) {
        throw cannot_connect_error(explain_connecting(to, one_line(PQerrorMessage(to))));
    }
    PQsetnonblocking(to, 1);
    return out;
}

}  // namespace sinew::postgres::detail
