// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Leases of shards in a table of an SQLite file, as outboxes and journals keep them.
///
/// A table of leases has the columns `stream` (its key), `epoch`, `beat` and `owner`, and what its
/// user adds. The shards of one outbox are streams with consecutive numbers.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/shard_lease.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::sqlite::detail {

/// The statements that change a lease. `take` has to find the epoch and the beat that were seen;
/// the others are for whoever has made sure of the epoch in the same transaction.
struct lease_writes {
    lease_writes(const naming& named, std::string_view table)
        : take(named(update(table).append("epoch = epoch + 1, beat = 0, owner = ? WHERE stream = ? "
                                          "AND epoch = ? AND beat = ?"))),
          renew(named(update(table).append("beat = beat + 1 WHERE stream = ?"))),
          release(named(update(table).append("owner = '' WHERE stream = ?"))) {}

    [[nodiscard]] static std::string update(std::string_view table) {
        return std::string("UPDATE ").append(table).append(" SET ");
    }

    prepared take;
    prepared renew;
    prepared release;
};

/// Makes leases that nobody holds. In a transaction.
inline void make_leases(connection& db, const naming& named, std::string_view table,
                        std::int64_t first_stream, shard_id count) {
    db.execute(named(std::string("WITH RECURSIVE streams(stream) AS (SELECT ?1 UNION ALL SELECT "
                                 "stream + 1 FROM streams WHERE stream + 1 < ?1 + ?2) INSERT INTO ")
                         .append(table)
                         .append("(stream, epoch, beat, owner) SELECT stream, 0, 0, '' "
                                 "FROM streams")),
               first_stream, count);
}

/// The lease in the current row, which begins with epoch, beat and owner.
[[nodiscard]] inline shard_lease read_lease(const statement& from, shard_id shard) {
    return {shard, from.column<epoch_number>(0), from.column<std::uint64_t>(1),
            from.column<std::string>(2)};
}

/// Whether what a lease was given for still holds.
[[nodiscard]] inline bool is_held(const shard_lease& held, const shard_lease& lease) noexcept {
    return held.epoch == lease.epoch && !held.owner.empty();
}

}  // namespace sinew::sqlite::detail
