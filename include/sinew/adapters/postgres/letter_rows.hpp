// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A dead letter as a row: its statements, and how an entry is read from it.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// The columns, in the order in which they are bound (behind `state`) and read.
inline constexpr std::string_view letter_columns =
    "number, version, state, consumer, topic, partition, \"offset\", reason, kind, attempts, "
    "first_failure, last_failure, history, id, source, type, subject, time, datacontenttype, "
    "dataschema, data, partitionkey, sequence, correlationid, causationid, traceparent, headers";

struct letter_statements {
    explicit letter_statements(const naming& named)
        : by_identity(named(select("WHERE consumer = $1 AND ~key_of(source) = ~key_of($2) AND "
                                   "~key_of(id) = ~key_of($3) AND source <> '' AND id <> ''"))),
          by_place(named(select("WHERE consumer = $1 AND topic = $2 AND partition = $3 AND "
                                "\"offset\" = $4 AND (source = '' OR id = '')"))),
          by_number(named(select("WHERE number = $1"))),
          first_in_state(
              named(select("WHERE consumer = $1 AND state = $2 ORDER BY number LIMIT 1"))),
          holds(named("SELECT 1 FROM ~dead_letters WHERE consumer = $1 AND ~key_of(partitionkey) = "
                      "~key_of($2) AND state < 3 LIMIT 1")),
          insert(named("INSERT INTO ~dead_letters(version, state, consumer, topic, partition, "
                       "\"offset\", reason, kind, attempts, first_failure, last_failure, history, "
                       "id, source, type, subject, time, datacontenttype, dataschema, data, "
                       "partitionkey, sequence, correlationid, causationid, traceparent, headers) "
                       "VALUES (1, 0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
                       "$14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24) "
                       "ON CONFLICT DO NOTHING")),
          change(named("UPDATE ~dead_letters SET version = version + 1, state = $1, reason = $2, "
                       "kind = $3, attempts = $4, first_failure = $5, last_failure = $6, history = "
                       "$7 WHERE number = $8 AND version = $9")),
          purge(named("WITH gone AS (DELETE FROM ~dead_letters WHERE number IN (SELECT number FROM "
                      "~dead_letters WHERE state >= 3 AND last_failure < $1 ORDER BY number LIMIT "
                      "$2 FOR UPDATE SKIP LOCKED) RETURNING 1) SELECT count(*) FROM gone")) {}

    [[nodiscard]] static std::string select(std::string_view rest) {
        return std::string("SELECT ")
            .append(letter_columns)
            .append(" FROM ~dead_letters ")
            .append(rest);
    }

    prepared by_identity;
    prepared by_place;
    prepared by_number;
    prepared first_in_state;
    prepared holds;
    prepared insert;
    prepared change;
    prepared purge;
};

/// The state of an entry, as it stands in a column.
[[nodiscard]] inline dead_letter_state read_state(const PGresult* from, int row, int at) {
    return checked(number_at(from, row, at), dead_letter_state::discarded, "a dead letter");
}

/// The entry in a row.
[[nodiscard]] inline dead_letter_entry read_entry(const PGresult* from, int row) {
    dead_letter_entry entry;
    entry.number = number_at(from, row, 0);
    entry.version = static_cast<std::uint64_t>(number_at(from, row, 1));
    entry.state = read_state(from, row, 2);
    auto& letter = entry.letter;
    letter.consumer = column_bytes(from, row, 3);
    letter.topic = column_bytes(from, row, 4);
    letter.where = {column<partition_id>(from, row, 5), number_at(from, row, 6)};
    letter.reason = column_bytes(from, row, 7);
    letter.kind = checked(number_at(from, row, 8), failure_class::unknown, "a dead letter");
    letter.attempts = column<std::uint32_t>(from, row, 9);
    letter.first_failure = instant_at(from, row, 10);
    letter.last_failure = instant_at(from, row, 11);
    letter.history = decode_history(column_bytes(from, row, 12));
    letter.original = read_event(from, row, 13);
    return entry;
}

}  // namespace sinew::postgres::detail
