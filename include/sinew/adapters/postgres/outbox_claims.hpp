// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a relay claims: the statements, and how entries are read from their rows.
///
/// One statement looks into several shards. It reads of the first what waits there, then of the
/// next, and stops at the limit, so what it costs is what it shows.
///
/// An entry that nothing has happened to is told by its number, when it was added, and its event:
/// all else of it is as it was made. What has changed since comes in one further value, and the
/// events of a bundle in another.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/outbox_bundles.hpp>
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

/// The largest event of which many are claimed without counting their bytes. The schema has an
/// index of those above it that wait.
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
        entry,    ///< or a bundle of them
        held,     ///< the keys that are held back
        nothing,  ///< the lease has ended; of `claim_large`: there is nothing
        large,    ///< a shard has large events, which `claim` does not show
    };

    static constexpr int columns = 5;  ///< in front of those of the event

    [[nodiscard]] static kind kind_of(const PGresult* from, int row) {
        return PQgetisnull(from, row, 1) == 0   ? kind::entry
               : PQgetisnull(from, row, 3) == 0 ? kind::held
               : PQgetisnull(from, row, 2) == 0 ? kind::large
                                                : kind::nothing;
    }
    /// Which of the leases it belongs to: 0, 1, ...
    [[nodiscard]] static std::size_t lease_of(const PGresult* from, int row) {
        return static_cast<std::size_t>(number_at(from, row, 0)) - 1;
    }

    [[nodiscard]] static std::int64_t number_of(const PGresult* from, int row) {
        return number_at(from, row, 1);
    }
    /// Empty, if the row is one entry.
    [[nodiscard]] static std::string_view bundle_of(const PGresult* from, int row) {
        return column_bytes(from, row, 4);
    }
    [[nodiscard]] static std::string_view held_of(const PGresult* from, int row) {
        return column_bytes(from, row, 3);
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
        "pg_catalog.int8send(coalesce(wait_from, 0)) || pg_catalog.int8send(coalesce(wait_due, 0)) "
        "|| coalesce(failure, '') END";

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

/// A row of a claim, and the lease it belongs to.
struct row_of_lease {
    std::int64_t number;
    std::size_t lease;
};

/// Goes along the rows of a claim.
///
/// A bundle that would go beyond the limits is left for the next claim, unless nothing was shown
/// yet: so it is marked as a whole.
class claim_reader {
public:
    explicit claim_reader(claim_limits limits) noexcept : limits_(limits) {}

    shown_entries out;
    /// Bundles with entries that are held back. They have to be split before anything is shown.
    std::vector<row_of_lease> to_split;

    /// Whether a limit was reached: there may be more.
    [[nodiscard]] bool is_cut() const noexcept { return cut_; }
    [[nodiscard]] std::size_t shown() const noexcept { return shown_; }
    /// In how many rows that lay.
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] claim_limits left() const noexcept {
        return {limits_.entries - shown_, bytes_ < limits_.bytes ? limits_.bytes - bytes_ : 0};
    }

    void hold_back(std::string_view keys) { held_.read(keys); }

    /// Takes a row that has entries, of the lease at that place in `out`.
    void take(const PGresult* rows, int row, std::size_t lease) {
        auto& to = *out.at(lease);
        if (is_full()) {
            return cut(lease);
        }
        ++rows_;
        const auto bundle = claimed_row::bundle_of(rows, row);
        if (!bundle.empty()) {
            return take_bundle(rows, row, lease, bundle, to);
        }
        if (to.empty()) {
            const auto more = static_cast<std::size_t>(PQntuples(rows) - row);
            const auto left = limits_.entries - shown_;
            to.reserve(more < left ? more : left);
        }
        claimed_row::read(rows, row, to.emplace_back());
        count(to.back().what.view().size_bytes());
    }

private:
    [[nodiscard]] bool is_full() const noexcept {
        return shown_ >= limits_.entries || bytes_ >= limits_.bytes;
    }
    void count(std::size_t bytes) noexcept {
        ++shown_;
        bytes_ += bytes;
    }
    /// Nothing behind the last that was shown was looked at.
    void cut(std::size_t lease) {
        if (!cut_) {
            out.resize(out[lease]->empty() && lease != 0 ? lease : lease + 1);
        }
        cut_ = true;
    }

    void take_bundle(const PGresult* rows, int row, std::size_t lease, std::string_view bundle,
                     std::vector<outbox_entry>& to) {
        const std::int64_t number = claimed_row::number_of(rows, row);
        if (!held_.empty() && held_.hold_some_of(bundle, number)) {
            to_split.push_back({number, lease});
            return;
        }
        bundle_reader in(bundle);
        if (shown_ != 0 && (in.entries() > limits_.entries - shown_ ||
                            in.event_bytes() > limits_.bytes - bytes_)) {
            --rows_;
            return cut(lease);
        }
        if (to.capacity() - to.size() < in.entries()) {
            to.reserve(2 * to.size() + in.entries());
        }
        const wall_time added = instant_at(rows, row, 2);
        event_parts parts;
        for (std::size_t i = 0; i < in.entries(); ++i) {
            if (is_full()) {
                return cut(lease);
            }
            in.next(parts);
            auto& entry = to.emplace_back();
            entry.number = number + static_cast<std::int64_t>(i);
            entry.version = 1;
            entry.added = added;
            std::size_t bytes = 0;
            for (const auto part : parts) {
                bytes += part.size();
            }
            assign(entry.what, parts);
            count(bytes);
        }
    }

    claim_limits limits_;
    held_keys held_;
    std::size_t shown_ = 0;
    std::size_t rows_ = 0;
    std::size_t bytes_ = 0;
    bool cut_ = false;
};

/// What `claim_statements::plain` shows, if that is all: a limit was reached, and each lease up to
/// there shows something.
[[nodiscard]] inline bool reads_plainly(claim_reader& to, const PGresult* rows,
                                        std::size_t row_limit) {
    const int count = PQntuples(rows);
    if (count == 0) {
        return false;
    }
    to.out.assign(claimed_row::lease_of(rows, count - 1) + 1, std::vector<outbox_entry>());
    for (int row = 0; row < count && !to.is_cut(); ++row) {
        to.take(rows, row, claimed_row::lease_of(rows, row));
    }
    if (!to.is_cut() && static_cast<std::size_t>(count) < row_limit) {
        return false;
    }
    for (const auto& one : to.out) {
        if (one->empty()) {
            return false;
        }
    }
    return true;
}

/// What `claim_statements::some` shows. Answers false if the shards have to be looked at one by
/// one: there are large events, or a lease that has ended took the place of an entry.
[[nodiscard]] inline bool reads_some(claim_reader& to, const PGresult* rows, std::size_t leases,
                                     std::size_t row_limit) {
    const int count = PQntuples(rows);
    int row = 0;
    if (count != 0 && claimed_row::kind_of(rows, 0) == claimed_row::kind::held) {
        to.hold_back(claimed_row::held_of(rows, row++));
    }
    const bool is_full = static_cast<std::size_t>(count - row) >= row_limit;
    if (is_full) {
        leases = count == row ? 1 : claimed_row::lease_of(rows, count - 1) + 1;
    }
    to.out.assign(leases, std::vector<outbox_entry>());
    for (; row < count; ++row) {
        const auto kind = claimed_row::kind_of(rows, row);
        if (kind == claimed_row::kind::large || (kind == claimed_row::kind::nothing && is_full)) {
            return false;
        }
        const auto lease = claimed_row::lease_of(rows, row);
        if (kind == claimed_row::kind::nothing) {
            to.out.at(lease).reset();
        } else {
            to.take(rows, row, lease);
        }
        if (to.is_cut()) {
            break;
        }
    }
    return true;
}

/// Whether claims are likely to reach their limit, in shards where nothing is held back: then the
/// plain statement is tried first. And how many entries a row is likely to have.
class claim_pace {
public:
    [[nodiscard]] bool is_behind() const noexcept { return is_behind_ && skip_ == 0; }
    /// What the plain statement showed was all. If not, the next ones are not tried: twice as many
    /// each time.
    void tried(bool was_all) noexcept {
        skip_ = was_all ? 0 : next_skip_;
        next_skip_ = was_all ? 1 : next_skip_ < skipped_max ? 2 * next_skip_ : skipped_max;
    }
    /// What the other one showed.
    void saw(bool was_full) noexcept {
        is_behind_ = was_full;
        skip_ -= skip_ > 0 ? 1 : 0;
    }

    /// How many rows have about so many entries: rows that are read and not shown cost as much as
    /// others. A claim of few takes no chances.
    [[nodiscard]] std::size_t rows_for(std::size_t entries) const noexcept {
        if (entries <= few) {
            return entries;
        }
        const double rows = static_cast<double>(entries) / entries_per_row_;
        return static_cast<std::size_t>(rows) + 1 < entries ? static_cast<std::size_t>(rows) + 1
                                                            : entries;
    }
    /// What was read of so many rows, of so many at most. Answers false if that was so much less
    /// than the limit that it is worth while to ask again.
    [[nodiscard]] bool counted(const claim_reader& read, std::size_t rows, std::size_t row_limit,
                               std::size_t limit) noexcept {
        const bool is_short = rows >= row_limit && row_limit < limit && !read.is_cut() &&
                              read.to_split.empty() && read.shown() < limit - limit / 4;
        if (is_short) {
            entries_per_row_ = 1;
        } else if (read.shown() != 0) {
            entries_per_row_ = static_cast<double>(read.shown()) / static_cast<double>(read.rows());
        }
        return !is_short;
    }

private:
    static constexpr int skipped_max = 8;
    static constexpr std::size_t few = 16;

    double entries_per_row_ = 1;
    bool is_behind_ = false;
    int skip_ = 0;
    int next_skip_ = 1;
};

/// The statements of a claim. $1 is the box, and in all but the first $4 is the time.
struct claim_statements {
    explicit claim_statements(const naming& named)
        : plain(named(plain_text())),
          plain_one(named(plain_one_text())),
          some(named(some_text())),
          large(named(large_text())) {}

    /// Of several shards; $2 and $3 are their numbers and epochs, $4 is how many entries. Rows come
    /// lease by lease, in their order. It shows no entries of a shard in which any is parked, was
    /// put off, or is large, and does not tell why it shows none. To a relay that is behind it
    /// tells all there is to know, for half of what the others cost.
    prepared plain;
    /// The same of one shard, $2 under epoch $3, for four fifths of that.
    prepared plain_one;

    /// The same, of whatever shards; $5 is how many entries. A lease that has ended has one row of
    /// `kind::nothing`, which counts for the limit like the others.
    ///
    /// To count bytes costs a third of a claim, as whole rows go through a store of their own.
    /// Where no entry of a shard is above `small_max`, a limit of entries is one of bytes as well;
    /// if one is, there are rows of `kind::large` and no entries.
    prepared some;
    /// Of one shard, $2 under epoch $3, where bytes are counted; $5 and $6 are the limits. No row
    /// without the lease.
    prepared large;

private:
    /// What holds back its key, by the index of those few. The sums keep the planner from looking
    /// for them among all that wait.
    static constexpr std::string_view holds_back =
        "(wait_due IS NOT NULL OR state = 1) AND ((state + 0 = 1 AND following = 1) OR (state + 0 "
        "= 0 AND wait_from <= $4 AND $4 < wait_due))";

    [[nodiscard]] static std::string held(std::string_view in_shard) {
        return std::string(
                   "WITH held AS MATERIALIZED (SELECT partitionkey AS key, number FROM "
                   "~outbox_rows WHERE box = $1 AND ")
            .append(in_shard)
            .append(" AND partitionkey <> '' AND ")
            .append(holds_back)
            .append(")");
    }
    /// A row of `kind::held`, if there are any: for the keys of bundles.
    [[nodiscard]] static std::string held_row() {
        std::string sql(
            "(SELECT 1::bigint, NULL::bigint, NULL::bigint, (SELECT "
            "pg_catalog.string_agg(pg_catalog.int8send(number) || "
            "pg_catalog.int4send(pg_catalog.octet_length(key)) || key, '') FROM held)");
        for (int i = 0; i < 1 + event_columns_count; ++i) {
            sql.append(", NULL::bytea");
        }
        return sql.append(" WHERE EXISTS (SELECT 1 FROM held)) UNION ALL (");
    }

    /// From where a claim takes entries. The keys that are held back are read once, into a hash
    /// table. Only of an entry of one of them that was added before the last of those which hold
    /// back it is asked, by index, whether it stands behind: so a claim takes time for what it
    /// looks at, not for that times the number of keys.
    [[nodiscard]] static std::string claimable(std::string_view shard) {
        return std::string(" FROM ~outbox_rows e WHERE box = $1 AND shard = ")
            .append(shard)
            .append(
                " AND state = 0 AND (wait_due IS NULL OR $4 < wait_from OR $4 >= wait_due) AND "
                "(partitionkey NOT IN (SELECT key FROM held) OR (number < (SELECT max(number) FROM "
                "held) AND NOT EXISTS (SELECT 1 FROM ~outbox_rows WHERE box = $1 AND shard = ")
            .append(shard)
            .append(
                " AND ~key_of(partitionkey) = ~key_of(e.partitionkey) AND number < e.number AND ")
            .append(holds_back)
            .append(")))");
    }

    /// What stands for no entry: the lease has ended, or there are large events.
    [[nodiscard]] static std::string no_entry() {
        std::string sql("SELECT NULL::bigint, CASE WHEN lease.holds THEN 1::bigint END, NULL");
        for (int i = 0; i < 1 + event_columns_count; ++i) {
            sql.append(", NULL");
        }
        return sql.append(" WHERE NOT lease.holds OR (SELECT found FROM large)");
    }

    static constexpr std::string_view leases_given =
        "unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS w(shard, epoch, at)";
    static constexpr std::string_view holds =
        "EXISTS (SELECT 1 FROM ~outbox_leases l WHERE l.box = $1 AND l.shard = w.shard AND l.epoch "
        "= w.epoch AND l.owner <> '')";

    /// What waits in a shard where nothing is parked, put off or large.
    [[nodiscard]] static std::string plain_of(std::string_view shard, std::string_view holds_it) {
        const std::string here =
            std::string(" FROM ~outbox_rows WHERE box = $1 AND shard = ").append(shard);
        return std::string("number, added, ")
            .append(claimed_row::changes)
            .append(", events, ")
            .append(event_columns)
            .append(here)
            .append(" AND state = 0 AND ")
            .append(holds_it)
            .append(" AND NOT EXISTS (SELECT 1")
            .append(here)
            .append(" AND (wait_due IS NOT NULL OR state = 1)) AND NOT EXISTS (SELECT 1")
            .append(here)
            .append(" AND state + 0 = 0 AND size > ")
            .append(std::to_string(small_max))
            .append(") ORDER BY number LIMIT $4");
    }
    [[nodiscard]] static std::string plain_text() {
        return std::string("SELECT w.at, found.* FROM ")
            .append(leases_given)
            .append(" CROSS JOIN LATERAL (SELECT ")
            .append(plain_of("w.shard", holds))
            .append(") found LIMIT $4");
    }
    [[nodiscard]] static std::string plain_one_text() {
        return std::string("SELECT 1::bigint, ")
            .append(plain_of("$2",
                             "EXISTS (SELECT 1 FROM ~outbox_leases WHERE box = $1 AND shard = $2 "
                             "AND epoch = $3 AND owner <> '')"));
    }

    /// Nothing may be planned in another order than it is written (OFFSET 0): rows come by the
    /// order of the leases, and the limit ends the reading.
    [[nodiscard]] static std::string some_text() {
        return held("shard + 0 = ANY($2)")
            .append(
                ", large AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM ~outbox_rows WHERE box = $1 "
                "AND shard + 0 = ANY($2) AND state + 0 = 0 AND size > ")
            .append(std::to_string(small_max))
            .append(") AS found) ")
            .append(held_row())
            .append("SELECT w.at, found.* FROM ")
            .append(leases_given)
            .append(" CROSS JOIN LATERAL (SELECT ")
            .append(holds)
            .append(" AS holds OFFSET 0) lease CROSS JOIN LATERAL ((SELECT number, added, ")
            .append(claimed_row::changes)
            .append(", events, ")
            .append(event_columns)
            .append(claimable("w.shard"))
            .append(
                " AND lease.holds AND NOT (SELECT found FROM large) ORDER BY number LIMIT $5) "
                "UNION ALL (")
            .append(no_entry())
            .append(")) found LIMIT $5)");
    }

    [[nodiscard]] static std::string large_text() {
        return held("shard = $2")
            .append(" ")
            .append(held_row())
            .append(
                "SELECT 1::bigint, e.* FROM ~outbox_leases l LEFT JOIN LATERAL (SELECT number, "
                "added, ")
            .append(claimed_row::changes)
            .append(", events, ")
            .append(event_columns)
            .append(
                " FROM (SELECT *, sum(size) OVER (ORDER BY number ROWS UNBOUNDED PRECEDING) - size "
                "AS before")
            .append(claimable("$2"))
            .append(
                " ORDER BY number LIMIT $5) chosen WHERE before < $6) e ON true WHERE l.box = $1 "
                "AND l.shard = $2 AND l.epoch = $3 AND l.owner <> '')");
    }
};

}  // namespace sinew::postgres::detail
