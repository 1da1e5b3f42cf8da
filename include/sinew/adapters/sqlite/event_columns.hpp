// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An event as columns of a row.
///
/// All of them are BLOBs: attributes, data and headers come from strangers, and a BLOB is never
/// checked or converted, whatever the encoding of the database. An empty attribute is NULL. To look
/// at one by hand: `SELECT CAST(id AS TEXT)`.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace sinew::sqlite::detail {

/// The columns, in the order in which they are bound and read.
inline constexpr std::string_view event_column_names =
    "id, source, type, subject, time, datacontenttype, dataschema, data, partitionkey, sequence, "
    "correlationid, causationid, traceparent, headers";
inline constexpr std::string_view event_column_types =
    "id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype BLOB, dataschema "
    "BLOB, data BLOB, partitionkey BLOB, sequence BLOB, correlationid BLOB, causationid BLOB, "
    "traceparent BLOB, headers BLOB";
inline constexpr std::string_view event_column_marks = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?";
inline constexpr int event_column_count = 14;

/// The attributes in the order of the columns; without the data and the headers.
template <class Event, class F>
void for_each_attribute(Event& e, F f) {
    f(0, e.id);
    f(1, e.source);
    f(2, e.type);
    f(3, e.subject);
    f(4, e.time);
    f(5, e.datacontenttype);
    f(6, e.dataschema);
    f(8, e.partitionkey);
    f(9, e.sequence);
    f(10, e.correlationid);
    f(11, e.causationid);
    f(12, e.traceparent);
}
inline constexpr int data_column = 7;
inline constexpr int key_column = 8;
inline constexpr int headers_column = 13;

/// Binds an event from parameter `first` on, in a statement that was bound nothing there yet.
/// `headers` is room for the headers' bytes, and has to live until the statement has run.
inline void bind_event(statement& to, int first, const event_view& e, std::string& headers) {
    // An empty attribute is NULL, as is what was not bound.
    const auto bind = [&](int at, std::string_view value) {
        if (!value.empty()) {
            to.bind_at(first + at, blob{value});
        }
    };
    for_each_attribute(e, bind);
    bind(data_column, e.text());
    if (!e.headers.empty()) {
        encode(headers, e.headers);
        bind(headers_column, headers);
    }
}

/// Reads an event that owns its parts from column `first` on.
[[nodiscard]] inline event read_event(const statement& from, int first) {
    event e{.id = {}, .source = {}, .type = {}};
    for_each_attribute(
        e, [&](int at, std::string& value) { value = column_bytes(from.handle(), first + at); });
    e.data = column_bytes(from.handle(), first + data_column);
    decode_headers(column_bytes(from.handle(), first + headers_column), e.headers);
    return e;
}

}  // namespace sinew::sqlite::detail
