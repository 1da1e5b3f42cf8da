// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An entry of an outbox as a row: its statements, and how an entry is read from it.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/outbox_bundles.hpp>
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

/// The rows of one call that marks entries: their numbers, shards and how many entries each is
/// thought to have, and from where to where they lie in each shard.
struct marked_rows {
    array_writer numbers = array_of_numbers();
    array_writer shards = array_of_numbers();
    array_writer counts = array_of_numbers();
    array_writer firsts = array_of_numbers();
    array_writer lasts = array_of_numbers();
    bool are_dense = true;

    void add(shard_id shard, std::span<const std::int64_t> of) {
        std::int64_t first = INT64_MAX;
        std::int64_t last = INT64_MIN;
        std::uint64_t rows = 0;
        for_each_run(of, [&](const entry_run& run) {
            numbers.add(run.number);
            shards.add(std::int64_t{shard});
            counts.add(run.entries);
            first = run.number < first ? run.number : first;
            last = run.number > last ? run.number : last;
            ++rows;
        });
        firsts.add(first);
        lasts.add(last);
        // Numbers of all shards and outboxes are drawn together, so those of one lie apart.
        constexpr std::uint64_t apart = 64 * std::uint64_t{numbers_apart};
        are_dense =
            are_dense && rows >= few &&
            static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) < apart * rows;
    }

private:
    /// So few are as quickly found one by one.
    static constexpr std::uint64_t few = 16;
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
          mark_rows(named(under_leases(marked("$9"), each_of_list))),
          mark_ranges(named(under_leases(marked("$9"), each_in_ranges))),
          mark_listed(named(listed_under_leases(marked("$6")))),
          mark_one(named(alone_under_lease(marked("$5")))),
          mark_one_and_say(named(under_lease(marked("$5"), "bundled < 2"))),
          forget_rows(named(under_leases("DELETE FROM ~outbox_rows", each_of_list))),
          forget_ranges(named(under_leases("DELETE FROM ~outbox_rows", each_in_ranges))),
          forget_listed(named(listed_under_leases("DELETE FROM ~outbox_rows"))),
          forget_one(named(alone_under_lease("DELETE FROM ~outbox_rows"))),
          forget_one_and_say(named(under_lease("DELETE FROM ~outbox_rows", "bundled < 2"))),
          split(named(split_text())),
          split_settled(named(split_settled_text())),
          put_off(named(under_lease(
              "UPDATE ~outbox_rows SET version = version + 1, attempts = least(attempts + $5, "
              "4294967295), failure = $6, wait_from = $7, wait_due = $8",
              "bundled = 0"))),
          park(named(under_lease(
              "UPDATE ~outbox_rows SET state = 1, version = version + 1, attempts = least(attempts "
              "+ $5, 4294967295), failure = $6, following = $7, wait_from = NULL, wait_due = NULL",
              "bundled = 0"))),
          lag(named("SELECT coalesce(sum(greatest(bundled, 1)) FILTER (WHERE state = 0), "
                    "0)::bigint, count(*) FILTER (WHERE state = 1), min(added) FILTER (WHERE state "
                    "= 0) FROM ~outbox_rows WHERE box = $1 AND state < 2")),
          purge(named("WITH old AS (SELECT ctid AS place, settled, greatest(bundled, 1) AS entries "
                      "FROM ~outbox_rows WHERE box = $1 AND state > 1 AND settled < $2 ORDER BY "
                      "settled LIMIT $3 FOR UPDATE SKIP LOCKED), counted AS (SELECT place, "
                      "sum(entries) OVER (ORDER BY settled ROWS UNBOUNDED PRECEDING) AS through "
                      "FROM old), gone AS (DELETE FROM ~outbox_rows WHERE ctid = ANY(ARRAY(SELECT "
                      "place FROM counted WHERE through <= $3)) RETURNING greatest(bundled, 1) AS "
                      "entries) SELECT coalesce(sum(entries), 0)::bigint FROM gone")),
          parked(named(std::string("SELECT ")
                           .append(entry_columns)
                           .append(event_columns)
                           .append(" FROM ~outbox_rows WHERE box + 0 = $1 AND state = 1 AND number "
                                   "+ 0 > $2 ORDER BY number + 0 LIMIT $3"))),
          unpark(named("UPDATE ~outbox_rows SET state = 0, version = version + 1 WHERE box + 0 = "
                       "$1 AND number + 0 = $2 AND version = $3 AND state = 1 RETURNING 1")),
          discard(named("UPDATE ~outbox_rows SET state = 3, version = version + 1, settled = $4, "
                        "failure = $5 WHERE box + 0 = $1 AND number + 0 = $2 AND version = $3 AND "
                        "state = 1 RETURNING 1")) {}

    prepared make;
    prepared open;
    lease_statements leases;
    claim_statements claim;
    /// Of several shards: $2 and $3 are their numbers and epochs, $4 to $6 the rows' numbers,
    /// shards and how many entries each has, $7 and $8 each shard's first and last. They answer the
    /// shards whose lease holds, and whether all the rows are there as they were thought to be; if
    /// not, nothing is changed.
    prepared mark_rows;
    prepared mark_ranges;
    /// Of several shards: $2 and $3 are their numbers and epochs, $4 and $5 the numbers and shards
    /// of entries, of which none is in a bundle. They answer the shards whose lease holds.
    prepared mark_listed;
    /// The entry of that number, if it has a row of its own. The first changes no row if there is
    /// none, or if the lease has ended; the second says which of the two it is, and costs twice as
    /// much.
    prepared mark_one;
    prepared mark_one_and_say;
    prepared forget_rows;
    prepared forget_ranges;
    prepared forget_listed;
    prepared forget_one;
    prepared forget_one_and_say;
    /// Gives each entry of those bundles a row of its own; as `mark_listed`.
    prepared split;
    /// Does so with the bundle that was published first; $2 is before when.
    prepared split_settled;
    prepared put_off;
    prepared park;
    prepared lag;
    prepared purge;
    prepared parked;
    prepared unpark;
    prepared discard;

private:
    static constexpr std::string_view published =
        "UPDATE ~outbox_rows SET state = 2, version = version + 1, wait_from = NULL, wait_due = "
        "NULL, settled = ";
    [[nodiscard]] static std::string marked(std::string_view when) {
        return std::string(published).append(when);
    }

    /// A change of one entry that waits, $4, under a lease; it answers a row if the lease holds,
    /// and whether anything was changed. The lease is locked first, so whoever takes it waits until
    /// the change is committed, and after that nothing is changed any more.
    [[nodiscard]] static std::string under_lease(std::string_view change, std::string_view which) {
        return std::string(
                   "WITH held AS MATERIALIZED (SELECT 1 FROM ~outbox_leases WHERE box = $1 AND "
                   "shard = $2 AND epoch = $3 AND owner <> '' FOR SHARE), changed AS (")
            .append(change)
            .append(" WHERE box = $1 AND shard = $2 AND number = $4 AND state = 0 AND ")
            .append(which)
            .append(
                " AND EXISTS (SELECT 1 FROM held) RETURNING 1) SELECT (SELECT count(*) FROM "
                "changed) FROM held");
    }

    /// The same, for an entry in a row of its own, without an answer: the number of rows tells it.
    [[nodiscard]] static std::string alone_under_lease(std::string_view change) {
        return std::string(change).append(
            " WHERE box = $1 AND shard = $2 AND number = $4 AND state = 0 AND bundled < 2 AND "
            "EXISTS (SELECT 1 FROM ~outbox_leases WHERE box = $1 AND shard = $2 AND epoch = $3 AND "
            "owner <> '' FOR SHARE)");
    }

    static constexpr std::string_view held_leases =
        "WITH held AS MATERIALIZED (SELECT l.shard FROM unnest($2::bigint[], $3::bigint[]) AS "
        "w(shard, epoch), LATERAL (SELECT shard FROM ~outbox_leases WHERE box = $1 AND shard = "
        "w.shard AND epoch = w.epoch AND owner <> '' FOR SHARE) l)";

    /// The rows between the first and the last, where little else lies between (IS TRUE makes
    /// PostgreSQL hash the list); or each looked up by itself (OFFSET 0 keeps the planner from
    /// reading all that wait to find a few). They are then taken by their place: nobody else
    /// changes an entry that waits, as long as the lease is locked.
    static constexpr std::string_view each_in_ranges =
        "held JOIN unnest($2::bigint[], $7::bigint[], $8::bigint[]) AS range(shard, first, last) "
        "ON range.shard = held.shard, LATERAL (SELECT ctid AS place FROM ~outbox_rows WHERE box = "
        "$1 AND shard = held.shard AND number >= range.first AND number <= range.last AND state = "
        "0 AND ((number, shard::bigint, greatest(bundled, 1)::bigint) IN (SELECT "
        "unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]))) IS TRUE OFFSET 0) one";
    static constexpr std::string_view each_of_list =
        "unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS list(number, shard, entries), LATERAL "
        "(SELECT ctid AS place FROM ~outbox_rows WHERE box = $1 AND shard = list.shard AND number "
        "= list.number AND state = 0 AND greatest(bundled, 1) = list.entries OFFSET 0) one WHERE "
        "list.shard IN (SELECT shard FROM held) AND $7 IS NOT NULL AND $8 IS NOT NULL";

    [[nodiscard]] static std::string under_leases(std::string_view change, std::string_view each) {
        return std::string(held_leases)
            .append(", found AS MATERIALIZED (SELECT one.place FROM ")
            .append(each)
            .append(
                "), whole AS MATERIALIZED (SELECT (SELECT count(*) FROM found) = (SELECT count(*) "
                "FROM unnest($5::bigint[]) AS list(shard) WHERE list.shard IN (SELECT shard FROM "
                "held)) AS is_whole), changed AS (")
            .append(change)
            .append(
                " WHERE ctid = ANY(ARRAY(SELECT place FROM found WHERE (SELECT is_whole FROM "
                "whole))) AND state + 0 = 0) SELECT shard::bigint, (SELECT is_whole FROM whole) "
                "FROM held");
    }

    static constexpr std::string_view listed =
        "ctid = ANY(ARRAY(SELECT one.place FROM unnest($4::bigint[], $5::bigint[]) AS list(number, "
        "shard), LATERAL (SELECT ctid AS place FROM ~outbox_rows WHERE box = $1 AND shard = "
        "list.shard AND number = list.number AND state = 0 OFFSET 0) one WHERE list.shard IN "
        "(SELECT shard FROM held))) AND state + 0 = 0";

    [[nodiscard]] static std::string listed_under_leases(std::string_view change) {
        return std::string(held_leases)
            .append(", changed AS (")
            .append(change)
            .append(" WHERE ")
            .append(listed)
            .append(") SELECT shard::bigint FROM held");
    }

    static constexpr std::string_view unpacked =
        " RETURNING number, version, added, settled, box, shard, state, events) INSERT INTO "
        "~outbox_rows(number, version, added, settled, box, shard, state, size, ";
    [[nodiscard]] static std::string rows_of_gone() {
        std::string sql(unpacked);
        sql.append(event_columns)
            .append(
                ") OVERRIDING SYSTEM VALUE SELECT gone.number + one.at, version, added, settled, "
                "box, shard, state, one.size");
        for (int i = 1; i <= event_columns_count; ++i) {
            sql.append(", one.parts[").append(std::to_string(i)).append("]");
        }
        return sql.append(" FROM gone, LATERAL ~outbox_unpacked(gone.events) AS one");
    }
    [[nodiscard]] static std::string split_text() {
        return std::string(held_leases)
            .append(", gone AS (DELETE FROM ~outbox_rows WHERE ")
            .append(listed)
            .append(" AND bundled > 0")
            .append(rows_of_gone());
    }
    [[nodiscard]] static std::string split_settled_text() {
        return std::string(
                   "WITH gone AS (DELETE FROM ~outbox_rows WHERE ctid = ANY(ARRAY(SELECT ctid FROM "
                   "~outbox_rows WHERE box = $1 AND state > 1 AND settled < $2 ORDER BY settled "
                   "LIMIT 1 FOR UPDATE SKIP LOCKED)) AND bundled > 0")
            .append(rows_of_gone());
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
