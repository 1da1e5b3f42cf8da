// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a relay claims: the statements, and how entries are read from their rows.
///
/// One statement looks into several shards. It reads of the first what waits there, then of the next,
/// and stops at the limit, so what it costs is what it shows.
///
/// An entry that nothing has happened to is told by its number, when it was added, and its event: all
/// else of it is as it was made. What has changed since comes in one further value.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/put_off.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

/// The largest event of which many are claimed without counting their bytes. The schema has an index
/// of those above it that wait.
inline constexpr std::size_t small_max = 8'192;

/// The failure of an entry. **On failure.** Throws if the bytes are none.
[[nodiscard]] inline failure_note decode_note(std::string_view bytes) {
    auto history = decode_history(bytes);
    if (history.size() != 1) {
        refuse_damaged("an outbox's entry");
    }
    return std::move(history.front());
}

/// A row of a claim.
struct claimed_row {
    enum class kind : std::uint8_t {
        entry,
        nothing,  ///< the lease has ended; of `claim_large`: there is nothing
        large,    ///< a shard has large events, which `claim` does not show
    };

    static constexpr int columns = 4;  ///< in front of those of the event

    [[nodiscard]] static kind kind_of(const PGresult* from, int row) {
        return PQgetisnull(from, row, 1) == 0   ? kind::entry
               : PQgetisnull(from, row, 2) == 0 ? kind::large
                                                : kind::nothing;
    }
    /// Which of the leases it belongs to: 0, 1, ...
    [[nodiscard]] static std::size_t lease_of(const PGresult* from, int row) {
        return static_cast<std::size_t>(number_at(from, row, 0)) - 1;
    }

    static void read(const PGresult* from, int row, outbox_entry& to) {
        to.number = number_at(from, row, 1);
        to.version = 1;
        to.added = instant_at(from, row, 2);
        if (PQgetisnull(from, row, 3) == 0) {
            read_changes(column_bytes(from, row, 3), to);
        }
        to.what = read_event(from, row, columns);
    }

private:
    friend struct claim_statements;

    static constexpr std::size_t changes_size = 8 + 8 + 2 + 1 + 8 + 8;
    /// Version, attempts, following, whether it was put off and until when, the last failure.
    static constexpr std::string_view changes =
        "CASE WHEN version > 1 THEN pg_catalog.int8send(version) || pg_catalog.int8send(attempts) "
        "|| pg_catalog.int2send(following) || pg_catalog.boolsend(wait_from IS NOT NULL) || "
        "pg_catalog.int8send(coalesce(wait_from, 0)) || pg_catalog.int8send(coalesce(wait_due, "
        "0)) || coalesce(failure, '') END";

    static void read_changes(std::string_view bytes, outbox_entry& to) {
        if (bytes.size() < changes_size) {
            refuse_damaged("an outbox's entry");
        }
        const char* at = bytes.data();
        const auto instant = [](const char* from) {
            return wall_time(wall_time::duration(take_number<std::int64_t>(from)));
        };
        to.version = take_number<std::uint64_t>(at);
        to.attempts = checked_attempts(take_number<std::int64_t>(at + 8));
        to.following =
            checked(take_number<std::int16_t>(at + 16), following::park, "an outbox's entry");
        if (at[18] != 0) {
            to.waits = put_off_until{instant(at + 19), instant(at + 27)};
        }
        if (bytes.size() > changes_size) {
            to.last_failure = decode_note(bytes.substr(changes_size));
        }
    }
    [[nodiscard]] static std::uint32_t checked_attempts(std::int64_t value) {
        if (value < 0 || value > UINT32_MAX) {
            refuse_damaged("an outbox's entry");
        }
        return static_cast<std::uint32_t>(value);
    }
};

/// For each lease what it shows; nothing if it has ended.
using shown_entries = std::vector<std::optional<std::vector<outbox_entry>>>;

/// Adds the entry in a row to what its lease shows.
inline void show(shown_entries& to, const PGresult* rows, int row) {
    auto& of = to.at(claimed_row::lease_of(rows, row));
    if (of->empty()) {
        of->reserve(static_cast<std::size_t>(PQntuples(rows) - row));
    }
    claimed_row::read(rows, row, of->emplace_back());
}

/// What `claim_statements::plain` shows, if that is all: the limit was reached, and each lease up to
/// there shows something.
[[nodiscard]] inline std::optional<shown_entries> plainly_shown(const PGresult* rows,
                                                                std::size_t limit) {
    const int count = PQntuples(rows);
    if (count == 0 || static_cast<std::size_t>(count) < limit) {
        return std::nullopt;
    }
    shown_entries out(claimed_row::lease_of(rows, count - 1) + 1, std::vector<outbox_entry>());
    for (int row = 0; row < count; ++row) {
        show(out, rows, row);
    }
    for (const auto& one : out) {
        if (one->empty()) {
            return std::nullopt;
        }
    }
    return out;
}

/// What `claim_statements::some` shows; nothing if the shards have to be looked at one by one: there
/// are large events, or a lease that has ended took the place of an entry.
[[nodiscard]] inline std::optional<shown_entries> shown_by(const PGresult* rows, std::size_t leases,
                                                           std::size_t limit) {
    const int count = PQntuples(rows);
    const bool is_full = static_cast<std::size_t>(count) >= limit;
    if (is_full) {
        leases = count == 0 ? 1 : claimed_row::lease_of(rows, count - 1) + 1;
    }
    shown_entries out(leases, std::vector<outbox_entry>());
    for (int row = 0; row < count; ++row) {
        const auto kind = claimed_row::kind_of(rows, row);
        if (kind == claimed_row::kind::large || (kind == claimed_row::kind::nothing && is_full)) {
            return std::nullopt;
        }
        if (kind == claimed_row::kind::nothing) {
            out.at(claimed_row::lease_of(rows, row)).reset();
        } else {
            show(out, rows, row);
        }
    }
    return out;
}

/// Whether claims are likely to reach their limit, in shards where nothing is held back: then the
/// plain statement is tried first.
class claim_pace {
public:
    [[nodiscard]] bool is_behind() const noexcept { return is_behind_ && skip_ == 0; }
    /// What the plain statement showed was all.
    void tried(bool was_all) noexcept { skip_ = was_all ? 0 : skipped; }
    /// How many rows the other one had.
    void saw(std::size_t rows, std::size_t limit) noexcept {
        is_behind_ = rows >= limit;
        skip_ -= skip_ > 0 ? 1 : 0;
    }

private:
    static constexpr int skipped = 8;

    bool is_behind_ = false;
    int skip_ = 0;
};

/// The statements of a claim. $1 is the box, and in all but the first $4 is the time.
struct claim_statements {
    explicit claim_statements(const naming& named)
        : plain(named(plain_text())), some(named(some_text())), large(named(large_text())) {}

    /// Of several shards; $2 and $3 are their numbers and epochs, $4 is how many entries. Rows come
    /// lease by lease, in their order. It shows no entries of a shard in which any is parked, was put
    /// off, or is large, and does not tell why it shows none. To a relay that is behind it tells all
    /// there is to know, for half of what the others cost.
    prepared plain;

    /// The same, of whatever shards; $5 is how many entries. A lease that has ended has one row of
    /// `kind::nothing`, which counts for the limit like the others.
    ///
    /// To count bytes costs a third of a claim, as whole rows go through a store of their own. Where
    /// no entry of a shard is above `small_max`, a limit of entries is one of bytes as well; if one
    /// is, there are rows of `kind::large` and no entries.
    prepared some;
    /// Of one shard, $2 under epoch $3, where bytes are counted; $5 and $6 are the limits. No row
    /// without the lease.
    prepared large;

private:
    /// What holds back its key, by the index of those few. The sums keep the planner from looking for
    /// them among all that wait.
    static constexpr std::string_view holds_back =
        "(wait_due IS NOT NULL OR state = 1) AND ((state + 0 = 1 AND following = 1) OR (state + 0 "
        "= 0 AND wait_from <= $4 AND $4 < wait_due))";

    [[nodiscard]] static std::string held(std::string_view in_shard) {
        return std::string(
                   "WITH held AS MATERIALIZED (SELECT partitionkey AS key, number FROM "
                   "~outbox_entries WHERE box = $1 AND ")
            .append(in_shard)
            .append(" AND partitionkey <> '' AND ")
            .append(holds_back)
            .append(")");
    }

    /// From where a claim takes entries. The keys that are held back are read once, into a hash table.
    /// Only of an entry of one of them that was added before the last of those which hold back it is
    /// asked, by index, whether it stands behind: so a claim takes time for what it looks at, not for
    /// that times the number of keys.
    [[nodiscard]] static std::string claimable(std::string_view shard) {
        return std::string(" FROM ~outbox_entries e WHERE box = $1 AND shard = ")
            .append(shard)
            .append(
                " AND state = 0 AND (wait_due IS NULL OR $4 < wait_from OR $4 >= wait_due) AND "
                "(partitionkey NOT IN (SELECT key FROM held) OR (number < (SELECT max(number) FROM "
                "held) AND NOT EXISTS (SELECT 1 FROM ~outbox_entries WHERE box = $1 AND shard = ")
            .append(shard)
            .append(
                " AND ~key_of(partitionkey) = ~key_of(e.partitionkey) AND number < e.number AND ")
            .append(holds_back)
            .append(")))");
    }

    /// What stands for no entry: the lease has ended, or there are large events.
    [[nodiscard]] static std::string no_entry() {
        std::string sql("SELECT NULL::bigint, CASE WHEN lease.holds THEN 1::bigint END, NULL");
        for (int i = 0; i < event_columns_count; ++i) {
            sql.append(", NULL");
        }
        return sql.append(" WHERE NOT lease.holds OR (SELECT found FROM large)");
    }

    static constexpr std::string_view leases_given =
        "unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS w(shard, epoch, at)";
    static constexpr std::string_view holds =
        "EXISTS (SELECT 1 FROM ~outbox_leases l WHERE l.box = $1 AND l.shard = w.shard AND l.epoch "
        "= w.epoch AND l.owner <> '')";

    [[nodiscard]] static std::string plain_text() {
        return std::string("SELECT w.at, found.* FROM ")
            .append(leases_given)
            .append(" CROSS JOIN LATERAL (SELECT number, added, ")
            .append(claimed_row::changes)
            .append(", ")
            .append(event_columns)
            .append(" FROM ~outbox_entries WHERE box = $1 AND shard = w.shard AND state = 0 AND ")
            .append(holds)
            .append(
                " AND NOT EXISTS (SELECT 1 FROM ~outbox_entries WHERE box = $1 AND shard = w.shard "
                "AND (wait_due IS NOT NULL OR state = 1)) AND NOT EXISTS (SELECT 1 FROM "
                "~outbox_entries WHERE box = $1 AND shard = w.shard AND state + 0 = 0 AND size > ")
            .append(std::to_string(small_max))
            .append(") ORDER BY number LIMIT $4) found LIMIT $4");
    }

    /// Nothing may be planned in another order than it is written (OFFSET 0): rows come by the order
    /// of the leases, and the limit ends the reading.
    [[nodiscard]] static std::string some_text() {
        return held("shard + 0 = ANY($2)")
            .append(
                ", large AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM ~outbox_entries WHERE box = "
                "$1 AND shard + 0 = ANY($2) AND state + 0 = 0 AND size > ")
            .append(std::to_string(small_max))
            .append(") AS found) SELECT w.at, found.* FROM ")
            .append(leases_given)
            .append(" CROSS JOIN LATERAL (SELECT ")
            .append(holds)
            .append(" AS holds OFFSET 0) lease CROSS JOIN LATERAL ((SELECT number, added, ")
            .append(claimed_row::changes)
            .append(", ")
            .append(event_columns)
            .append(claimable("w.shard"))
            .append(
                " AND lease.holds AND NOT (SELECT found FROM large) ORDER BY number LIMIT $5) "
                "UNION ALL (")
            .append(no_entry())
            .append(")) found LIMIT $5");
    }

    [[nodiscard]] static std::string large_text() {
        return held("shard = $2")
            .append(
                " SELECT 1::bigint, e.* FROM ~outbox_leases l LEFT JOIN LATERAL (SELECT "
                "number, added, ")
            .append(claimed_row::changes)
            .append(", ")
            .append(event_columns)
            .append(
                " FROM (SELECT *, sum(size) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) - size "
                "AS before")
            .append(claimable("$2"))
            .append(
                " ORDER BY number LIMIT $5) chosen WHERE before < $6) e ON true WHERE l.box = $1 "
                "AND l.shard = $2 AND l.epoch = $3 AND l.owner <> ''");
    }
};

}  // namespace sinew::postgres::detail
