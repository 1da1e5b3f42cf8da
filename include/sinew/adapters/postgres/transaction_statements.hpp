// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The statements of a transaction, and how what it gathered is written.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/gathered.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/key_progress.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <string_view>
#include <tuple>

namespace sinew::postgres::detail {

/// The statements of a transaction.
struct transaction_statements {
    explicit transaction_statements(const naming& named)
        : remember(named("INSERT INTO ~inbox(consumer, source, id, at) VALUES ($1, ~key_of($2), "
                         "~key_of($3), $4) ON CONFLICT DO NOTHING")),
          progress(named("SELECT next, gaps, merged FROM ~progress WHERE consumer = $1 AND key = "
                         "~key_of($2)")),
          lock_progress(named(
              "INSERT INTO ~progress AS p(consumer, key, next, gaps, merged) VALUES ($1, "
              "~key_of($2), 0, '', false) ON CONFLICT (consumer, key) DO UPDATE SET next = p.next "
              "RETURNING next, gaps, merged")),
          set_progress(named(
              "INSERT INTO ~progress(consumer, key, next, gaps, merged) SELECT c, ~key_of(k), n, "
              "g, m FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], "
              "$5::boolean[]) AS t(c, k, n, g, m) ON CONFLICT (consumer, key) DO UPDATE SET "
              "next = excluded.next, gaps = excluded.gaps, merged = excluded.merged")),
          offsets(named("SELECT through, beyond FROM ~offsets "
                        "WHERE consumer = $1 AND topic = $2 AND partition = $3")),
          lock_offsets(named(
              "INSERT INTO ~offsets AS o(consumer, topic, partition, through, beyond) VALUES ($1, "
              "$2, $3, -1, '') ON CONFLICT (consumer, topic, partition) DO UPDATE SET through = "
              "o.through RETURNING through, beyond")),
          set_offsets(named(
              "INSERT INTO ~offsets(consumer, topic, partition, through, beyond) SELECT * FROM "
              "unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[]) "
              "ON CONFLICT (consumer, topic, partition) DO UPDATE SET "
              "through = excluded.through, beyond = excluded.beyond")) {}

    prepared remember;
    // Under serializable isolation PostgreSQL notes what was read by pages, and takes a write of
    // another row of the page for a conflict: two consumers of different keys gave way to each
    // other in half of their transactions. Taking the row for writing notes nothing, and it is
    // written in the end anyway.
    prepared progress;
    prepared lock_progress;
    prepared set_progress;
    prepared offsets;
    prepared lock_offsets;
    prepared set_offsets;
    prepared begin_committed{"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"};
    prepared begin_serializable{"BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"};
    prepared begin_repeatable_read{"BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE"};
    prepared commit{"COMMIT"};
    // With few rows in a table the planner prefers to read all of it. Under serializable isolation
    // that is a read of all rows, and each write of any of them a conflict.
    prepared no_seqscan{"SET LOCAL enable_seqscan = off"};
    prepared any_scan{"SET LOCAL enable_seqscan TO DEFAULT"};
    prepared nest{"SAVEPOINT sinew_nested"};
    prepared keep_nested{"RELEASE sinew_nested"};
};

/// Queues what a transaction has gathered.
inline void queue_all(wire& to, transaction_statements& sql, const progress_rows::rows& progress,
                      const offsets_rows::rows& offsets) {
    if (!progress.empty()) {
        auto consumers = array_of_bytes();
        auto keys = array_of_bytes();
        auto nexts = array_of_numbers();
        auto gaps = array_of_bytes();
        auto merged = array_of_bools();
        for (const auto& [name, one] : progress) {
            consumers.add(std::get<0>(name));
            keys.add(std::get<1>(name));
            nexts.add(static_cast<std::int64_t>(one.next()));
            gaps.add(encode(one.gaps()));
            merged.add_bool(one.has_merged_gaps());
        }
        to.queue(sql.set_progress, parameters(consumers.value(), keys.value(), nexts.value(),
                                              gaps.value(), merged.value()));
    }
    if (!offsets.empty()) {
        auto consumers = array_of_bytes();
        auto topics = array_of_bytes();
        auto partitions = array_of_numbers();
        auto throughs = array_of_numbers();
        auto beyonds = array_of_bytes();
        for (const auto& [name, one] : offsets) {
            consumers.add(std::get<0>(name));
            topics.add(std::get<1>(name));
            partitions.add(std::int64_t{std::get<2>(name)});
            throughs.add(std::int64_t{one.through()});
            beyonds.add(encode(one.beyond()));
        }
        to.queue(sql.set_offsets, parameters(consumers.value(), topics.value(), partitions.value(),
                                             throughs.value(), beyonds.value()));
    }
}

/// The progress that a statement found.
[[nodiscard]] inline key_progress read_progress(const PGresult* from) {
    if (PQntuples(from) == 0) {
        return {};
    }
    return decode_progress(column<std::int64_t>(from, 0, 0), column<std::string_view>(from, 0, 1),
                           column<bool>(from, 0, 2));
}

}  // namespace sinew::postgres::detail
