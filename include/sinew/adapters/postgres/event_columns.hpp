// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An event as columns of a row, the same wherever one is kept.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// The columns, in the order in which they are bound and read.
inline constexpr std::string_view event_columns =
    "id, source, type, subject, time, datacontenttype, dataschema, data, partitionkey, sequence, "
    "correlationid, causationid, traceparent, headers";
inline constexpr int event_columns_count = 14;

/// A number of the library's own, as it stands in a column.
[[nodiscard]] inline std::int64_t number_at(const PGresult* from, int row, int at) {
    return column<std::int64_t>(from, row, at);
}

[[nodiscard]] inline wall_time instant_at(const PGresult* from, int row, int at) {
    return wall_time(wall_time::duration(number_at(from, row, at)));
}

/// An event that owns its parts, from column `first` on.
[[nodiscard]] inline event read_event(const PGresult* from, int row, int first) {
    int at = first;
    const auto next = [&] { return std::string(column_bytes(from, row, at++)); };
    event e{.id = next(), .source = next(), .type = next()};
    e.subject = next();
    e.time = next();
    e.datacontenttype = next();
    e.dataschema = next();
    e.data = next();
    e.partitionkey = next();
    e.sequence = next();
    e.correlationid = next();
    e.causationid = next();
    e.traceparent = next();
    e.headers = decode_headers(column_bytes(from, row, at));
    return e;
}

}  // namespace sinew::postgres::detail
