// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a store, its transactions, its dead letters, its attempts, its outboxes and its journals
/// share: one connection, the tables of the consuming side, and their statements.
///
/// | table | key | what it keeps |
/// | --- | --- | --- |
/// | `inbox` | consumer, source, id | when the event was applied |
/// | `progress` | consumer, key | where the key stands in its sequence |
/// | `offsets` | consumer, topic, partition | what of the partition was applied |
/// | `dead_letters` | number | the letter, whole |
/// | `open_partitions` | consumer, topic, partition | somebody works on it |
/// | `attempts` | consumer, topic, partition, offset | how often the event was begun |
///
/// What comes from events (source, id, key, reason) is kept as BLOB, what the service names
/// (consumer, topic) as TEXT. 64-bit unsigned numbers are kept by their bit pattern.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/inbox_statement.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinew::sqlite {

/// Options of a store.
struct store_options {
    /// What the names of the library's tables begin with.
    std::string prefix = "sinew_";
    /// How long a call waits for a lock, where the caller gives no deadline.
    duration busy_timeout = std::chrono::seconds(5);
    /// What a commit waits for. Has no effect on a connection that the service handed over.
    sqlite::synchronous synchronous = sqlite::synchronous::full;
    /// Whether the file is made if it is not there.
    bool create = true;
};

namespace detail {

// The inbox has no index on `at`: it would be a second copy of each identity, written for each
// event, to save the purge a look at rows that it passes at millions a second.
inline constexpr schema_part consumer_schema{"consumer", 1, R"(
CREATE TABLE ~inbox(
    consumer TEXT NOT NULL, source BLOB NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(consumer, source, id)) STRICT, WITHOUT ROWID;
CREATE TABLE ~progress(
    consumer TEXT NOT NULL, key BLOB NOT NULL, next INTEGER NOT NULL, merged INTEGER NOT NULL,
    gaps BLOB, PRIMARY KEY(consumer, key)) STRICT, WITHOUT ROWID;
CREATE TABLE ~offsets(
    consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    through INTEGER NOT NULL, beyond BLOB, PRIMARY KEY(consumer, topic, partition))
    STRICT, WITHOUT ROWID;
CREATE TABLE ~dead_letters(
    number INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL, state INTEGER NOT NULL,
    consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, reason BLOB NOT NULL, kind INTEGER NOT NULL,
    attempts INTEGER NOT NULL, first_failure INTEGER NOT NULL, last_failure INTEGER NOT NULL,
    history BLOB, id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype BLOB,
    dataschema BLOB, data BLOB, partitionkey BLOB, sequence BLOB, correlationid BLOB,
    causationid BLOB, traceparent BLOB, headers BLOB) STRICT;
CREATE UNIQUE INDEX ~dead_letters_by_identity ON ~dead_letters(consumer, source, id)
    WHERE source IS NOT NULL AND id IS NOT NULL;
CREATE UNIQUE INDEX ~dead_letters_by_place ON ~dead_letters(consumer, topic, partition, "offset")
    WHERE source IS NULL OR id IS NULL;
CREATE INDEX ~dead_letters_by_state ON ~dead_letters(consumer, state, number);
CREATE INDEX ~dead_letters_held ON ~dead_letters(consumer, partitionkey) WHERE state < 3;
CREATE TABLE ~open_partitions(
    consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    PRIMARY KEY(consumer, topic, partition)) STRICT, WITHOUT ROWID;
CREATE TABLE ~attempts(
    consumer TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, starts INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(consumer, topic, partition, "offset")) STRICT, WITHOUT ROWID;
)"};

/// The statements of a transaction, each prepared at its first use.
struct transaction_statements {
    explicit transaction_statements(const naming& named)
        : inbox(named),
          progress(
              named("SELECT next, gaps, merged FROM ~progress WHERE consumer = ? AND key = ?")),
          set_progress(
              named("INSERT INTO ~progress(consumer, key, next, gaps, merged) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                    "next = excluded.next, gaps = excluded.gaps, merged = excluded.merged")),
          offsets(named("SELECT through, beyond FROM ~offsets "
                        "WHERE consumer = ? AND topic = ? AND partition = ?")),
          set_offsets(named("INSERT INTO ~offsets(consumer, topic, partition, through, beyond) "
                            "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                            "through = excluded.through, beyond = excluded.beyond")) {}

    prepared begin{"BEGIN IMMEDIATE"};
    prepared commit{"COMMIT"};
    prepared rollback{"ROLLBACK"};
    prepared nest{"SAVEPOINT sinew_nested"};
    prepared keep_nested{"RELEASE sinew_nested"};
    prepared undo_nested{"ROLLBACK TO sinew_nested"};
    inbox_statement inbox;
    prepared progress;
    prepared set_progress;
    prepared offsets;
    prepared set_offsets;
};

/// A second connection to the same file, which reads what is committed while the first one has a
/// transaction open.
struct side_reader {
    side_reader(const std::string& file, const connection_options& options, const char* vfs,
                const naming& named)
        : db(file, options, vfs),
          progress(
              named("SELECT next, gaps, merged FROM ~progress WHERE consumer = ? AND key = ?")) {}

    connection db;
    prepared progress;
};

/// The progress that a statement finds.
[[nodiscard]] inline key_progress read_progress(sqlite3* db, prepared& sql,
                                                std::string_view consumer, std::string_view key) {
    statement run(db, sql);
    if (!run.bind(consumer, blob{key}).step()) {
        return {};
    }
    return decode_progress(run.column<std::uint64_t>(0), run.column<blob_or_null>(1).bytes,
                           run.column<bool>(2));
}

/// The state behind a store and the handles that were made of it.
struct session {
    session(const std::string& file, const store_options& options)
        : named(options.prefix),
          busy_timeout(options.busy_timeout),
          db(file, {options.busy_timeout, options.synchronous, options.create, false}),
          sql(named) {
        ensure_schema(db, named, consumer_schema);
    }
    session(sqlite3* borrowed, const store_options& options)
        : named(options.prefix),
          busy_timeout(options.busy_timeout),
          db(borrowed, {options.busy_timeout, options.synchronous, options.create, false}),
          sql(named) {
        ensure_schema(db, named, consumer_schema);
    }

    /// The connection that reads beside an open transaction.
    [[nodiscard]] side_reader& beside() {
        if (!reader) {
            const std::string file = db.file();
            if (file.empty()) {
                throw usage_error(
                    "sqlite: committed progress cannot be read beside an open "
                    "transaction in a database without a file; give the store a "
                    "file");
            }
            sqlite3_vfs* vfs = nullptr;
            sqlite3_file_control(db.handle(), "main", SQLITE_FCNTL_VFS_POINTER, &vfs);
            reader.emplace(file, connection_options{busy_timeout, synchronous::full, false, true},
                           vfs == nullptr ? nullptr : vfs->zName, named);
        }
        return *reader;
    }

    /// For writes that are no part of a transaction: one that is open would swallow them.
    void check_idle(const char* what) const {
        if (is_open) {
            throw unavailable_error("transaction_open",
                                    std::string("sqlite: ") + what +
                                        " has to wait until the store's open transaction has "
                                        "ended, or be called with it");
        }
    }

    /// Why the last commit did not commit, to be thrown.
    [[nodiscard]] unavailable_error why() const {
        return why_not ? unavailable_error(why_not->reason, why_not->detail)
                       : unavailable_error("transaction_lost", "sqlite: the commit failed");
    }

    naming named;
    duration busy_timeout;
    connection db;
    transaction_statements sql;
    std::optional<side_reader> reader;
    /// Made when an outbox is asked for.
    std::optional<outbox_part> outbox;
    /// Made when a journal is asked for.
    std::optional<journal_part> journal;
    /// Why the last commit did not commit.
    std::optional<failure> why_not;
    /// Room for encoded lists, used again and again.
    std::string scratch;
    bool is_open = false;
};

}  // namespace detail

}  // namespace sinew::sqlite
