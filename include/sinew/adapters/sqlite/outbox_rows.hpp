// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables of outboxes in SQLite, and how an entry lies in them.
///
/// | table | key | what it keeps |
/// | --- | --- | --- |
/// | `outboxes` | number | an outbox, its shards, its first stream, and how far numbers are drawn |
/// | `outbox_keys` | box, key | the last sequence of the key, and whether it is held back |
/// | `outbox_shards` | stream | who holds the shard (epoch, beat, owner), and what is to be moved |
/// | `outbox_waiting` | place | an entry that is to be published, put off included |
/// | `outbox_bundles` | slot | several of a shard that were added together (`outbox_bundles`) |
/// | `outbox_freed` | stream, key | a key whose entries behind are to be moved back |
/// | `outbox_parked` | slot | an entry for somebody to decide |
/// | `outbox_settled` | | an entry that was published or discarded, until it is purged |
///
/// Each shard is a stream with a number of its own. The place of an entry is its stream and its
/// number in one, which is the row's key: what waits in a shard lies side by side in the order in
/// which it was added, and nothing else lies there. So adding an entry, claiming it and taking it
/// out cost one look into one tree, without an index, however much was published before. A bundle
/// has the places of its entries for itself. Bundles lie in the order in which they were added,
/// whatever their shards, so that those of one transaction share pages; an
/// index of a few bytes each finds those of a shard.
///
/// What waits for a parked entry of its key may do so for days, so it lies behind, out of the way
/// of claims: at the same place with the sign bit set, and in an index by key (`outbox_behind`).
///
/// **Invariants.** A number is drawn once in an outbox, and never again. Of one key, what lies
/// behind has higher numbers than what lies before, and the key's row says that it is held back.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

// What a claim looks at without showing it comes first in a row, and the data last: a row that does
// not fit into a page goes on elsewhere.
// From version 1 to 2. A relay that knows nothing of bundles must not claim any more, or it would
// pass them: it finds its leases no more.
inline constexpr std::string_view outbox_upgrades[] = {R"(
CREATE TABLE ~outbox_bundles(
    slot INTEGER PRIMARY KEY, place INTEGER NOT NULL, entries INTEGER NOT NULL,
    added INTEGER NOT NULL, events BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX ~outbox_bundles_by_place ON ~outbox_bundles(place, entries);
ALTER TABLE ~outbox_leases RENAME TO ~outbox_shards;
)"};
inline constexpr schema_part outbox_schema{"outbox", 2, R"(
CREATE TABLE ~outboxes(
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, shards INTEGER NOT NULL,
    first_stream INTEGER NOT NULL, drawn INTEGER NOT NULL, drawer INTEGER NOT NULL) STRICT;
CREATE TABLE ~outbox_keys(
    box INTEGER NOT NULL, key BLOB NOT NULL, last INTEGER NOT NULL,
    behind INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(box, key)) STRICT, WITHOUT ROWID;
CREATE TABLE ~outbox_shards(
    stream INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, beat INTEGER NOT NULL,
    owner TEXT NOT NULL, unswept INTEGER NOT NULL DEFAULT 0, freed INTEGER NOT NULL DEFAULT 0)
    STRICT;
CREATE TABLE ~outbox_freed(
    stream INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY(stream, key)) STRICT, WITHOUT ROWID;
CREATE TABLE ~outbox_waiting(
    place INTEGER PRIMARY KEY, partitionkey BLOB, waits_from INTEGER, waits_due INTEGER,
    version INTEGER NOT NULL, attempts INTEGER NOT NULL, added INTEGER NOT NULL, note BLOB,
    id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype BLOB,
    dataschema BLOB, sequence BLOB, correlationid BLOB, causationid BLOB, traceparent BLOB,
    headers BLOB, data BLOB) STRICT;
CREATE TABLE ~outbox_bundles(
    slot INTEGER PRIMARY KEY, place INTEGER NOT NULL, entries INTEGER NOT NULL,
    added INTEGER NOT NULL, events BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX ~outbox_bundles_by_place ON ~outbox_bundles(place, entries);
CREATE INDEX ~outbox_behind ON ~outbox_waiting(partitionkey, place) WHERE place < 0;
CREATE TABLE ~outbox_parked(
    slot INTEGER PRIMARY KEY, place INTEGER NOT NULL, following INTEGER NOT NULL,
    partitionkey BLOB, version INTEGER NOT NULL, attempts INTEGER NOT NULL,
    added INTEGER NOT NULL, note BLOB,
    id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype BLOB,
    dataschema BLOB, sequence BLOB, correlationid BLOB, causationid BLOB, traceparent BLOB,
    headers BLOB, data BLOB) STRICT;
CREATE INDEX ~outbox_parked_holds ON ~outbox_parked(place, partitionkey)
    WHERE following = 1 AND partitionkey IS NOT NULL;
CREATE TABLE ~outbox_settled(
    box INTEGER NOT NULL, number INTEGER NOT NULL, state INTEGER NOT NULL,
    settled INTEGER NOT NULL, version INTEGER NOT NULL, attempts INTEGER NOT NULL,
    added INTEGER NOT NULL, note BLOB,
    id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype BLOB,
    dataschema BLOB, partitionkey BLOB, sequence BLOB, correlationid BLOB, causationid BLOB,
    traceparent BLOB, headers BLOB, data BLOB) STRICT;
CREATE INDEX ~outbox_settled_by_time ON ~outbox_settled(box, settled);
)",
                                           outbox_upgrades};

/// How many bits of a place are the number: 10^12 entries of each outbox, four million shards.
inline constexpr unsigned number_bits = 40;
inline constexpr std::int64_t numbers_max = (std::int64_t{1} << number_bits) - 1;
inline constexpr std::int64_t outbox_streams_max = std::int64_t{1} << (62U - number_bits);

[[nodiscard]] constexpr std::int64_t place_of(std::int64_t stream, std::int64_t number) noexcept {
    return stream << number_bits | number;
}
/// Where an entry lies that waits for a parked one.
[[nodiscard]] constexpr std::int64_t behind(std::int64_t place) noexcept {
    return place | std::numeric_limits<std::int64_t>::min();
}
[[nodiscard]] constexpr std::int64_t number_of(std::int64_t place) noexcept {
    return place & numbers_max;
}

/// The columns of an entry as they are read, but for what was parked.
inline constexpr std::string_view waiting_columns =
    "place, version, attempts, added, note, waits_from, waits_due, ";
inline constexpr std::string_view parked_columns =
    "slot, version, attempts, added, note, following, NULL, ";
inline constexpr int entry_event_column = 7;

/// What only reads. A connection that reads beside an open transaction has statements of its own.
struct outbox_reads {
    explicit outbox_reads(const naming& named)
        : holder(named("SELECT epoch, beat, owner, unswept, freed FROM ~outbox_shards "
                       "WHERE stream = ?")),
          waiting(named(select(waiting_columns,
                               "~outbox_waiting WHERE place BETWEEN ? AND ? "
                               "ORDER BY place"))),
          holds(named("SELECT partitionkey, place FROM ~outbox_parked "
                      "INDEXED BY ~outbox_parked_holds WHERE place BETWEEN ? AND ? AND "
                      "following = 1 AND partitionkey IS NOT NULL ORDER BY place")),
          parked(named(select(parked_columns,
                              "~outbox_parked WHERE slot BETWEEN ? AND ? "
                              "ORDER BY slot LIMIT ?"))),
          bundles(named("SELECT place, entries, added, events FROM ~outbox_bundles "
                        "WHERE place BETWEEN ? AND ? ORDER BY place")),
          any(named("SELECT 1 WHERE "
                    "EXISTS(SELECT 1 FROM ~outbox_waiting WHERE place BETWEEN ?1 AND ?2) OR "
                    "EXISTS(SELECT 1 FROM ~outbox_bundles WHERE place BETWEEN ?1 AND ?2)")),
          lag(named("SELECT (SELECT count(*) FROM ~outbox_parked WHERE slot BETWEEN ?3 AND ?4), "
                    "coalesce(sum(entries), 0), min(added) FROM ("
                    "SELECT 1 AS entries, added FROM ~outbox_waiting "
                    "WHERE place BETWEEN ?1 AND ?2 UNION ALL "
                    "SELECT 1, added FROM ~outbox_waiting WHERE place BETWEEN ?5 AND ?6 UNION ALL "
                    "SELECT entries, added FROM ~outbox_bundles WHERE place BETWEEN ?1 AND ?2)")),
          snapshot(named("SELECT 1 FROM ~outboxes")) {}

    [[nodiscard]] static std::string select(std::string_view columns, std::string_view rest) {
        return std::string("SELECT ")
            .append(columns)
            .append(event_column_names)
            .append(" FROM ")
            .append(rest);
    }

    prepared holder;
    prepared waiting;
    prepared holds;
    prepared parked;
    prepared bundles;
    prepared any;
    prepared lag;
    prepared snapshot;  ///< while it runs, all that is read is read as of its beginning
};

/// What SQL's function `sinew_kept` saw last on this thread. It answers its first argument, so a
/// statement can tell what it computes on its way.
struct kept_values {
    std::int64_t number = 0;
    bool is_behind = false;
};
inline kept_values& kept() noexcept {
    thread_local kept_values values;
    return values;
}
inline void add_kept_number(sqlite3* db) {
    const auto keep = [](sqlite3_context* to, int, sqlite3_value** values) {
        kept() = {sqlite3_value_int64(values[0]), sqlite3_value_int64(values[1]) != 0};
        sqlite3_result_int64(to, kept().number);
    };
    if (sqlite3_create_function(db, "sinew_kept", 2, SQLITE_UTF8 | SQLITE_DIRECTONLY, nullptr, keep,
                                nullptr, nullptr) != SQLITE_OK) {
        raise(db, "making the function sinew_kept");
    }
}

struct outbox_writes {
    explicit outbox_writes(const naming& named)
        : drawn(named("SELECT drawn, drawer FROM ~outboxes WHERE number = ?")),
          draw(named("UPDATE ~outboxes SET drawn = ?2, drawer = ?3 WHERE number = ?1")),
          // Not with RETURNING: that costs a temporary table each time.
          count(named("UPDATE ~outbox_keys SET last = sinew_kept(last + ?, behind) "
                      "WHERE box = ? AND key = ?")),
          first_sequence(named("INSERT INTO ~outbox_keys(last, box, key) VALUES (?, ?, ?)")),
          insert(named("INSERT INTO ~outbox_waiting(place, version, attempts, added, " + events() +
                       ") VALUES (?, 1, 0, ?, " + std::string(event_column_marks) + ")")),
          bundle(named("INSERT INTO ~outbox_bundles(slot, place, entries, added, events) "
                       "VALUES (?, ?, ?, ?, ?)")),
          bundle_before(named("SELECT place, entries, added, events FROM ~outbox_bundles "
                              "WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1")),
          bundle_places(named("SELECT place, entries FROM ~outbox_bundles WHERE place BETWEEN "
                              "coalesce((SELECT max(place) FROM ~outbox_bundles WHERE place "
                              "BETWEEN ?1 AND ?2), ?2) AND ?3 ORDER BY place")),
          forget_bundles(named("DELETE FROM ~outbox_bundles WHERE place BETWEEN ? AND ?")),
          settle_new(named("INSERT INTO ~outbox_settled(box, number, state, settled, version, "
                           "attempts, added, " +
                           events() + ") VALUES (?, ?, 2, ?, 2, 0, ?, " +
                           std::string(event_column_marks) + ")")),
          leases(named, "~outbox_shards"),
          places(named("SELECT place FROM ~outbox_waiting WHERE place BETWEEN ? AND ? "
                       "ORDER BY place LIMIT ?")),
          forget(named("DELETE FROM ~outbox_waiting WHERE place BETWEEN ? AND ?")),
          settle(named(move(
              "~outbox_settled(box, number, state, settled, ",
              "?3, place & " + std::to_string(numbers_max) + ", 2, ?4, version + 1, attempts, note",
              "~outbox_waiting WHERE place BETWEEN ?1 AND ?2"))),
          put_off(named("UPDATE ~outbox_waiting SET version = version + 1, "
                        "attempts = min(attempts + ?, 4294967295), note = ?, waits_from = ?, "
                        "waits_due = ? WHERE place = ?")),
          park(named(move("~outbox_parked(slot, place, following, ",
                          "?2, place & 9223372036854775807, ?3, version + 1, "
                          "min(attempts + ?4, 4294967295), ?5",
                          "~outbox_waiting WHERE place = ?1"))),
          to_decide(named("SELECT place, partitionkey, following = 1 "
                          "FROM ~outbox_parked WHERE slot = ? AND version = ?")),
          unpark(named(move("~outbox_waiting(place, ", "?3, version + 1, attempts, note",
                            "~outbox_parked WHERE slot = ?1 AND version = ?2"))),
          discard(named(move("~outbox_settled(box, number, state, settled, ",
                             "?3, ?4, 3, ?5, version + 1, attempts, ?6",
                             "~outbox_parked WHERE slot = ?1 AND version = ?2"))),
          forget_parked(named("DELETE FROM ~outbox_parked WHERE slot = ?")),
          held_key(named("SELECT partitionkey FROM ~outbox_parked WHERE slot = ? AND "
                         "following = 1 AND partitionkey IS NOT NULL")),
          set_behind(named("UPDATE ~outbox_keys SET behind = ? WHERE box = ? AND key = ?")),
          set_unswept(named("UPDATE ~outbox_shards SET unswept = ? WHERE stream = ?")),
          unswept(named("SELECT place, partitionkey FROM ~outbox_waiting "
                        "WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT ?")),
          push_behind(named("UPDATE ~outbox_waiting SET place = ? WHERE place = ?")),
          free_key(named("INSERT INTO ~outbox_freed(stream, key) VALUES (?, ?) "
                         "ON CONFLICT DO NOTHING")),
          freed_key(named("SELECT key FROM ~outbox_freed WHERE stream = ? LIMIT 1")),
          forget_freed(named("DELETE FROM ~outbox_freed WHERE stream = ? AND key = ?")),
          set_freed(named("UPDATE ~outbox_shards SET freed = ? WHERE stream = ?")),
          is_behind(named("SELECT 1 FROM ~outbox_waiting INDEXED BY ~outbox_behind WHERE "
                          "place < 0 AND partitionkey = ? AND place BETWEEN ? AND ? LIMIT 1")),
          pull_before(named(
              "UPDATE ~outbox_waiting SET place = place & 9223372036854775807 WHERE place IN "
              "(SELECT place FROM ~outbox_waiting INDEXED BY ~outbox_behind WHERE place < 0 AND "
              "partitionkey = ? AND place BETWEEN ? AND ? ORDER BY place LIMIT ?)")),
          purge(named("DELETE FROM ~outbox_settled WHERE rowid IN (SELECT rowid FROM "
                      "~outbox_settled WHERE box = ? AND settled < ? ORDER BY settled LIMIT ?)")) {}

    [[nodiscard]] static std::string events() { return std::string(event_column_names); }
    /// Copies an entry from one table into another.
    [[nodiscard]] static std::string move(std::string_view to, std::string_view values,
                                          std::string_view from) {
        return std::string("INSERT INTO ")
            .append(to)
            .append("version, attempts, note, added, ")
            .append(event_column_names)
            .append(") SELECT ")
            .append(values)
            .append(", added, ")
            .append(event_column_names)
            .append(" FROM ")
            .append(from);
    }

    prepared drawn;
    prepared draw;
    prepared count;
    prepared first_sequence;
    prepared insert;
    prepared bundle;
    prepared bundle_before;
    prepared bundle_places;  ///< those that have entries in a range
    prepared forget_bundles;
    prepared settle_new;
    lease_writes leases;
    prepared places;
    prepared forget;
    prepared settle;
    prepared put_off;
    prepared park;
    prepared to_decide;
    prepared unpark;
    prepared discard;
    prepared forget_parked;
    prepared held_key;
    prepared set_behind;
    prepared set_unswept;
    prepared unswept;
    prepared push_behind;
    prepared free_key;
    prepared freed_key;
    prepared forget_freed;
    prepared set_freed;
    prepared is_behind;
    prepared pull_before;
    prepared purge;
};

/// The bytes of a note, as they are kept.
[[nodiscard]] inline std::string encode_note(const failure_note& note) {
    std::string bytes;
    pack(bytes, std::vector<failure_note>{kept_note(note)});
    return bytes;
}

/// What the current row has in both tables.
[[nodiscard]] inline outbox_entry read_outbox_entry(const statement& from) {
    outbox_entry entry;
    entry.number = number_of(from.column<std::int64_t>(0));
    entry.version = from.column<std::uint64_t>(1);
    entry.attempts = from.column<std::uint32_t>(2);
    entry.added = from.column<wall_time>(3);
    if (auto notes = decode_history(from.column<blob_or_null>(4).bytes); !notes.empty()) {
        entry.last_failure = std::move(notes.front());
    }
    entry.what = read_event(from, entry_event_column);
    return entry;
}

/// The key in the current row.
[[nodiscard]] inline std::string_view entry_key(const statement& from) {
    return column_bytes(from.handle(), entry_event_column + key_column);
}

/// The wait in the current row of those that wait.
[[nodiscard]] inline std::optional<put_off_until> read_wait(const statement& from) {
    const auto due = from.column<std::optional<wall_time>>(6);
    return due ? std::optional(put_off_until{from.column<wall_time>(5), *due}) : std::nullopt;
}

[[nodiscard]] inline outbox_entry read_waiting(const statement& from) {
    outbox_entry entry = read_outbox_entry(from);
    entry.waits = read_wait(from);
    return entry;
}

[[nodiscard]] inline outbox_entry read_parked(const statement& from) {
    outbox_entry entry = read_outbox_entry(from);
    entry.state = outbox_state::parked;
    entry.following =
        checked(from.column<std::uint8_t>(5), following::park, "a parked entry of an outbox");
    return entry;
}

}  // namespace sinew::sqlite::detail
