// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An entry of an outbox as a row: its statements, and how an entry is read from it.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
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
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// The columns, in the order in which they are read.
inline constexpr std::string_view entry_columns =
    "number, version, state, following, attempts, added, settled, wait_from, wait_due, failure, ";

inline constexpr int entry_columns_count = 10;

/// The largest event of which many are claimed without counting their bytes. The schema has an index
/// of those above it that wait.
inline constexpr std::size_t small_max = 8'192;

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
          holder(named("SELECT epoch, beat, owner FROM ~outbox_leases WHERE box = $1 AND shard = "
                       "$2")),
          take(named("UPDATE ~outbox_leases SET epoch = epoch + 1, beat = 0, owner = $5 WHERE box "
                     "= $1 AND shard = $2 AND epoch = $3 AND beat = $4 RETURNING epoch")),
          renew(named("UPDATE ~outbox_leases SET beat = beat + 1 WHERE box = $1 AND shard = $2 AND "
                      "epoch = $3 AND owner <> '' RETURNING 1")),
          release(named("UPDATE ~outbox_leases SET owner = '' WHERE box = $1 AND shard = $2 AND "
                        "epoch = $3 AND owner <> '' RETURNING 1")),
          claim(named(claim_text(false))),
          claim_large(named(claim_text(true))),
          mark(named(under_lease(published, listed))),
          mark_range(named(under_lease(published, in_range))),
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
    prepared holder;
    prepared take;
    prepared renew;
    prepared release;
    prepared claim;
    prepared claim_large;
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
        "UPDATE ~outbox_entries SET state = 2, version = version + 1, settled = $7, wait_from = "
        "NULL, wait_due = NULL";
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

    /// What holds back its key, by the index of those few. The sums keep the planner from looking for
    /// them among all that wait.
    static constexpr std::string_view holds_back =
        "(wait_due IS NOT NULL OR state = 1) AND ((state + 0 = 1 AND following = 1) OR (state + 0 "
        "= "
        "0 AND wait_from <= $4 AND $4 < wait_due))";

    /// From where a claim takes entries. The keys that are held back are read once, into a hash table.
    /// Only of an entry of one of them that was added before the last of those which hold back it is
    /// asked, by index, whether it stands behind: so a claim takes time for what it looks at, not for
    /// that times the number of keys.
    [[nodiscard]] static std::string claimable() {
        return std::string(
                   " FROM ~outbox_entries w WHERE box = $1 AND shard = $2 AND state = 0 AND "
                   "(wait_due IS NULL OR $4 < wait_from OR $4 >= wait_due) AND (partitionkey NOT "
                   "IN "
                   "(SELECT key FROM held) OR (number < (SELECT max(number) FROM held) AND NOT "
                   "EXISTS (SELECT 1 FROM ~outbox_entries WHERE box = $1 AND shard = $2 AND "
                   "~key_of(partitionkey) = ~key_of(w.partitionkey) AND number < w.number AND ")
            .append(holds_back)
            .append(")))");
    }

    /// One row of NULLs if there is nothing to claim, and no row at all without the lease. $4 is the
    /// time, $5 and $6 the limits.
    ///
    /// To count bytes costs a third of a claim, as whole rows go through a store of their own. Where
    /// no entry of the shard is above `small_max`, a limit of entries is one of bytes as well; if one
    /// is, the last column says so, and nothing else is shown.
    [[nodiscard]] static std::string claim_text(bool counts_bytes) {
        std::string sql(
            "WITH held AS MATERIALIZED (SELECT partitionkey AS key, number FROM ~outbox_entries "
            "WHERE box = $1 AND shard = $2 AND partitionkey <> '' AND ");
        sql.append(holds_back);
        if (counts_bytes) {
            sql.append(") SELECT e.*, false");
        } else {
            sql.append(
                   "), large AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM ~outbox_entries "
                   "WHERE box = $1 AND shard = $2 AND state + 0 = 0 AND size > ")
                .append(std::to_string(small_max))
                .append(") AS found) SELECT e.*, (SELECT found FROM large)");
        }
        sql.append(" FROM ~outbox_leases l LEFT JOIN LATERAL (SELECT ")
            .append(entry_columns)
            .append(event_columns);
        if (counts_bytes) {
            sql.append(
                   " FROM (SELECT *, sum(size) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) "
                   "- size AS before")
                .append(claimable())
                .append(" ORDER BY number LIMIT $5) chosen WHERE before < $6");
        } else {
            sql.append(claimable())
                .append(" AND NOT (SELECT found FROM large) ORDER BY number LIMIT $5");
        }
        return sql.append(
            ") e ON true WHERE l.box = $1 AND l.shard = $2 AND l.epoch = $3 AND l.owner <> ''");
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
        auto history = decode_history(column_bytes(from, row, 9));
        if (history.size() != 1) {
            refuse_damaged("an outbox's entry");
        }
        entry.last_failure = std::move(history.front());
    }
    entry.what = read_event(from, row, entry_columns_count);
    return entry;
}

}  // namespace sinew::postgres::detail
