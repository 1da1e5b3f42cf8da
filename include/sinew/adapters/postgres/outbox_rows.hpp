// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An entry of an outbox as a row: its statements, and how an entry is read from it.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/outbox_claims.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// The columns, in the order in which they are read.
inline constexpr std::string_view entry_columns =
    "number, version, state, following, attempts, added, settled, wait_from, wait_due, failure, ";

inline constexpr int entry_columns_count = 10;

/// From which number to which the entries lie that a call marks.
struct number_range {
    explicit number_range(std::span<const std::int64_t> numbers) noexcept {
        for (const auto number : numbers) {
            first = number < first ? number : first;
            last = number > last ? number : last;
        }
    }

    /// Whether little else lies between them. Numbers of all shards and outboxes are drawn together,
    /// so those of one lie apart.
    [[nodiscard]] bool is_dense(std::size_t count) const noexcept {
        constexpr std::uint64_t apart = 64;
        return static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) < apart * count;
    }

    std::int64_t first = INT64_MAX;
    std::int64_t last = INT64_MIN;
};

/// The statements of an outbox. Each begins with the number of the box; those under a lease go on
/// with shard and epoch.
struct outbox_statements {
    explicit outbox_statements(const naming& named)
        : make(
              named("WITH made AS (INSERT INTO ~outboxes(name, shards) VALUES ($1, $2) ON CONFLICT "
                    "DO NOTHING RETURNING box, shards), leases AS (INSERT INTO ~outbox_leases(box, "
                    "shard, epoch, beat, owner) SELECT box, generate_series(0, shards - 1), 0, 0, "
                    "'' FROM made) SELECT box, shards FROM made")),
          open(named("SELECT box, shards FROM ~outboxes WHERE ~key_of(name) = ~key_of($1)")),
          leases(named, {"~outbox_leases", "box", "shard"}),
          claim(named),
          mark_all(named(under_leases(marked("$8"), each_of_list))),
          mark_ranges(named(under_leases(marked("$8"), each_in_ranges))),
          forget_all(named(under_leases("DELETE FROM ~outbox_entries", each_of_list))),
          forget_ranges(named(under_leases("DELETE FROM ~outbox_entries", each_in_ranges))),
          mark(named(under_lease(marked("$7"), listed))),
          mark_range(named(under_lease(marked("$7"), in_range))),
          forget(named(under_lease("DELETE FROM ~outbox_entries", listed))),
          forget_range(named(under_lease("DELETE FROM ~outbox_entries", in_range))),
          put_off(named(under_lease("UPDATE ~outbox_entries SET version = version + 1, attempts = "
                                    "least(attempts + $5, 4294967295), failure = $6, wait_from = "
                                    "$7, wait_due = $8",
                                    named_alone))),
          park(named(under_lease("UPDATE ~outbox_entries SET state = 1, version = version + 1, "
                                 "attempts = least(attempts + $5, 4294967295), failure = $6, "
                                 "following = $7, wait_from = NULL, wait_due = NULL",
                                 named_alone))),
          lag(named("SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = 1), "
                    "min(added) FILTER (WHERE state = 0) FROM ~outbox_entries WHERE box = $1 AND "
                    "state < 2")),
          purge(named("WITH gone AS (DELETE FROM ~outbox_entries WHERE ctid = ANY(ARRAY(SELECT "
                      "ctid FROM ~outbox_entries WHERE box = $1 AND state > 1 AND settled < $2 "
                      "ORDER BY settled LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1) SELECT "
                      "count(*) FROM gone")),
          parked(named(std::string("SELECT ")
                           .append(entry_columns)
                           .append(event_columns)
                           .append(" FROM ~outbox_entries WHERE box + 0 = $1 AND state = 1 AND "
                                   "number + 0 > $2 ORDER BY number + 0 LIMIT $3"))),
          unpark(named("UPDATE ~outbox_entries SET state = 0, version = version + 1 WHERE box + 0 "
                       "= $1 AND number + 0 = $2 AND version = $3 AND state = 1 RETURNING 1")),
          discard(
              named("UPDATE ~outbox_entries SET state = 3, version = version + 1, settled = $4, "
                    "failure = $5 WHERE box + 0 = $1 AND number + 0 = $2 AND version = $3 AND "
                    "state = 1 RETURNING 1")) {}

    prepared make;
    prepared open;
    lease_statements leases;
    claim_statements claim;
    /// Of several shards: $2 and $3 are their numbers and epochs, $4 and $5 the entries' numbers and
    /// shards, $6 and $7 each shard's first and last. They answer the shards whose lease holds.
    prepared mark_all;
    prepared mark_ranges;
    prepared forget_all;
    prepared forget_ranges;
    prepared mark;
    prepared mark_range;
    prepared forget;
    prepared forget_range;
    prepared put_off;
    prepared park;
    prepared lag;
    prepared purge;
    prepared parked;
    prepared unpark;
    prepared discard;

private:
    static constexpr std::string_view published =
        "UPDATE ~outbox_entries SET state = 2, version = version + 1, wait_from = NULL, wait_due = "
        "NULL, settled = ";
    [[nodiscard]] static std::string marked(std::string_view when) {
        return std::string(published).append(when);
    }

    /// Which entries a write means: one; those of a list between two numbers, where little else lies
    /// between (IS TRUE makes PostgreSQL hash the list); or those of any list. Each of these is looked
    /// up by itself (OFFSET 0 keeps the planner from reading all that wait to find a few), and then
    /// taken by its place: nobody else changes an entry that waits, as long as the lease is locked.
    static constexpr std::string_view named_alone =
        "box = $1 AND shard = $2 AND number = $4 AND state = 0 AND EXISTS (SELECT 1 FROM held)";
    static constexpr std::string_view in_range =
        "box = $1 AND shard = $2 AND number >= $5 AND number <= $6 AND state = 0 AND (number IN "
        "(SELECT unnest($4))) IS TRUE AND EXISTS (SELECT 1 FROM held)";
    static constexpr std::string_view listed =
        "ctid = ANY(ARRAY(SELECT one.place FROM unnest($4) AS list(number), LATERAL (SELECT ctid "
        "AS place FROM ~outbox_entries WHERE box = $1 AND shard = $2 AND number = list.number AND "
        "state = 0 OFFSET 0) one WHERE EXISTS (SELECT 1 FROM held))) AND state + 0 = 0";

    /// A change of entries that wait, under a lease; it answers a row if the lease holds. The lease
    /// is locked first, so whoever takes it waits until the change is committed, and after that
    /// nothing is changed any more.
    [[nodiscard]] static std::string under_lease(std::string_view change, std::string_view which) {
        return std::string(
                   "WITH held AS MATERIALIZED (SELECT 1 FROM ~outbox_leases WHERE box = $1 "
                   "AND shard = $2 AND epoch = $3 AND owner <> '' FOR SHARE), changed AS (")
            .append(change)
            .append(" WHERE ")
            .append(which)
            .append(") SELECT 1 FROM held");
    }

    /// The same for several shards, of which little else or much may lie between the first and the
    /// last entry.
    static constexpr std::string_view each_in_ranges =
        "held JOIN unnest($2::bigint[], $6::bigint[], $7::bigint[]) AS range(shard, first, last) "
        "ON "
        "range.shard = held.shard, LATERAL (SELECT ctid AS place FROM ~outbox_entries WHERE box = "
        "$1 AND shard = held.shard AND number >= range.first AND number <= range.last AND state = "
        "0 AND ((number, shard::bigint) IN (SELECT unnest($4::bigint[]), unnest($5::bigint[]))) IS "
        "TRUE OFFSET 0) one";
    static constexpr std::string_view each_of_list =
        "unnest($4::bigint[], $5::bigint[]) AS list(number, shard), LATERAL (SELECT ctid AS place "
        "FROM ~outbox_entries WHERE box = $1 AND shard = list.shard AND number = list.number AND "
        "state = 0 OFFSET 0) one WHERE list.shard IN (SELECT shard FROM held) AND $6 IS NOT NULL "
        "AND $7 IS NOT NULL";

    [[nodiscard]] static std::string under_leases(std::string_view change, std::string_view each) {
        return std::string(
                   "WITH held AS MATERIALIZED (SELECT l.shard FROM unnest($2::bigint[], "
                   "$3::bigint[]) AS w(shard, epoch), LATERAL (SELECT shard FROM ~outbox_leases "
                   "WHERE box = $1 AND shard = w.shard AND epoch = w.epoch AND owner <> '' FOR "
                   "SHARE) l), changed AS (")
            .append(change)
            .append(" WHERE ctid = ANY(ARRAY(SELECT one.place FROM ")
            .append(each)
            .append(")) AND state + 0 = 0) SELECT shard::bigint FROM held");
    }
};

/// The time in a column that may be NULL.
[[nodiscard]] inline std::optional<wall_time> time_at(const PGresult* from, int row, int at) {
    const auto stamp = column<std::optional<std::int64_t>>(from, row, at);
    return stamp ? std::optional(wall_time(wall_time::duration(*stamp))) : std::nullopt;
}

/// The entry in a row of `entry_columns` and `event_columns`.
[[nodiscard]] inline outbox_entry read_outbox_entry(const PGresult* from, int row) {
    outbox_entry entry;
    entry.number = number_at(from, row, 0);
    entry.version = static_cast<std::uint64_t>(number_at(from, row, 1));
    entry.state = checked(number_at(from, row, 2), outbox_state::discarded, "an outbox's entry");
    entry.following = checked(number_at(from, row, 3), following::park, "an outbox's entry");
    entry.attempts = column<std::uint32_t>(from, row, 4);
    entry.added = instant_at(from, row, 5);
    entry.settled = time_at(from, row, 6).value_or(wall_time());
    if (const auto begin = time_at(from, row, 7)) {
        entry.waits = put_off_until{*begin, time_at(from, row, 8).value_or(*begin)};
    }
    if (PQgetisnull(from, row, 9) == 0) {
        entry.last_failure = decode_note(column_bytes(from, row, 9));
    }
    entry.what = read_event(from, row, entry_columns_count);
    return entry;
}

}  // namespace sinew::postgres::detail
