// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables of a spool in SQLite: one row for each entry, with a checksum, and one for what
/// became of it.
///
/// **Guarantees.** A row that was damaged by a flipped bit is recognised: its checksum covers the
/// number, the time and every byte of the event. It is meant for accidents, not for attackers.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

namespace sinew::sqlite::detail {

inline constexpr std::int64_t spool_version = 1;

/// The script that makes the tables. It is always the same, so that their first pages are too.
[[nodiscard]] inline std::string spool_script() {
    return "CREATE TABLE entries(number INTEGER PRIMARY KEY, added INTEGER NOT NULL, sum INTEGER "
           "NOT NULL, " +
           std::string(event_column_types) +
           ") STRICT;"
           "CREATE TABLE marks(number INTEGER PRIMARY KEY, version INTEGER NOT NULL, state INTEGER "
           "NOT NULL, following INTEGER NOT NULL, attempts INTEGER NOT NULL, at INTEGER NOT NULL, "
           "kind INTEGER NOT NULL, attempt INTEGER NOT NULL, reason BLOB, detail BLOB, sum INTEGER "
           "NOT NULL) STRICT;"
           "CREATE TABLE about(version INTEGER NOT NULL, writes INTEGER NOT NULL, sum INTEGER NOT "
           "NULL) STRICT;";
}

/// Numbers as bytes, for a checksum.
class summed {
public:
    template <class... Numbers>
    explicit summed(Numbers... numbers) : bytes_{} {
        (add(static_cast<std::uint64_t>(numbers)), ...);
    }
    [[nodiscard]] std::string_view view() const noexcept { return bytes_; }

private:
    void add(std::uint64_t number) {
        for (int i = 0; i < 8; ++i, number >>= 8U) {
            bytes_ += static_cast<char>(number & 0xffU);
        }
    }
    std::string bytes_;
};

template <class... Parts>
[[nodiscard]] std::int64_t spool_sum(const Parts&... parts) {
    constexpr hash_seed fixed{0x73696e6577207370ULL, 0x6f6f6c2073756d31ULL};
    return static_cast<std::int64_t>(digest_of(fixed, parts...).lo);
}

[[nodiscard]] inline std::int64_t entry_sum(std::int64_t number, wall_time added,
                                            const event_view& e) {
    std::string headers;
    encode(headers, e.headers);
    return spool_sum(summed(number, added.time_since_epoch().count()).view(), e.id, e.source,
                     e.type, e.subject, e.time, e.datacontenttype, e.dataschema, e.text(),
                     e.partitionkey, e.sequence, e.correlationid, e.causationid, e.traceparent,
                     headers);
}
[[nodiscard]] inline std::int64_t mark_sum(const spool_entry& one) {
    const auto& note = *one.last_failure;
    return spool_sum(summed(one.number, one.version, one.state, one.following, one.attempts,
                            note.at.time_since_epoch().count(), note.kind, note.attempt)
                         .view(),
                     note.reason, note.detail);
}
[[nodiscard]] inline std::int64_t about_sum(std::int64_t version) {
    return spool_sum(summed(version).view(), std::string_view("sinew spool"));
}

/// The tables through one connection.
class spool_table {
public:
    explicit spool_table(connection& db) : db_(&db) {}

    /// Whether the tables are there. A file that is not new and has none is damaged.
    ///
    /// **On failure.** Throws `schema_error` for tables of a newer version.
    [[nodiscard]] bool is_there() {
        if (std::get<0>(*db_->query_one<std::int64_t>("SELECT count(*) FROM sqlite_schema")) == 0) {
            if (std::get<0>(*db_->query_one<std::int64_t>("PRAGMA page_count")) > 1) {
                refuse_damaged("the list of tables");
            }
            return false;
        }
        const auto about =
            db_->query_one<std::int64_t, std::int64_t>("SELECT version, sum FROM about");
        if (!about || std::get<1>(*about) != about_sum(std::get<0>(*about))) {
            refuse_damaged("the version");
        }
        if (std::get<0>(*about) > spool_version) {
            throw schema_error("spool: " + file_of(db_->handle()) + ": it is of version " +
                               std::to_string(std::get<0>(*about)) + ", and this program knows " +
                               std::to_string(spool_version) +
                               ". Run a program that was built with the newer sinew.");
        }
        return true;
    }

    /// Makes the tables in a new file.
    void make() {
        in_transaction([&] {
            db_->execute_script(spool_script());
            db_->execute("INSERT INTO about VALUES (?, 0, ?)", spool_version,
                         about_sum(spool_version));
        });
    }

    void insert(std::int64_t number, wall_time added, const event_view& e) {
        statement run(db_->handle(), insert_);
        run.bind_at(1, number);
        run.bind_at(2, added);
        run.bind_at(3, entry_sum(number, added, e));
        bind_event(run, 4, e, headers_);
        run.run();
    }

    void write_mark(const spool_entry& one) {
        const auto& note = *one.last_failure;
        db_->execute("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     one.number, one.version, static_cast<int>(one.state),
                     static_cast<int>(one.following), one.attempts, note.at,
                     static_cast<int>(note.kind), note.attempt, blob_or_null{note.reason},
                     blob_or_null{note.detail}, mark_sum(one));
    }

    void erase(std::span<const std::int64_t> numbers) {
        in_transaction([&] {
            for (const auto number : numbers) {
                db_->execute("DELETE FROM entries WHERE number = ?", number);
                db_->execute("DELETE FROM marks WHERE number = ?", number);
            }
        });
    }

    /// A write that changes no entry: what an earlier one left without an answer is then undone.
    void settle() { db_->execute("UPDATE about SET writes = (writes + 1) % 1000000"); }

    /// The entry of that number. Nothing if there is none.
    ///
    /// **On failure.** Throws `corrupt_error` if it is damaged.
    [[nodiscard]] std::optional<spool_entry> read(std::int64_t number) {
        statement run(db_->handle(), read_);
        run.bind(number);
        if (!run.step()) {
            return std::nullopt;
        }
        auto out = row(run);
        if (!out || out->number != number) {
            refuse_damaged("an entry");
        }
        read_mark(*out);
        return out;
    }

    /// Calls `f` with each entry above `after`, by number: the entry, or nothing where its row is
    /// there and damaged; and its number; as long as it answers true.
    template <class F>
    void each(std::int64_t after, F f) {
        statement run(db_->handle(), each_);
        run.bind(after);
        while (run.step()) {
            // In a damaged tree a row may stand at a wrong place.
            if (const auto number = run.column<std::int64_t>(0); number > after) {
                after = number;
            } else {
                refuse_damaged("the order of entries");
            }
            auto out = row(run);
            if (out) {
                read_mark(*out);
            }
            if (!f(after, out)) {
                return;
            }
        }
    }

private:
    template <class F>
    void in_transaction(F f) {
        db_->execute("BEGIN IMMEDIATE");
        try {
            f();
            db_->execute("COMMIT");
        } catch (...) {
            if (db_->is_in_transaction()) {
                sqlite3_exec(db_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
            }
            throw;
        }
    }

    [[nodiscard]] static std::optional<spool_entry> row(const statement& from) {
        try {
            spool_entry out;
            out.number = from.column<std::int64_t>(0);
            out.added = from.column<wall_time>(1);
            out.what = read_event(from, 3);
            const bool whole =
                from.column<std::int64_t>(2) == entry_sum(out.number, out.added, out.what.view());
            return whole ? std::optional(std::move(out)) : std::nullopt;
        } catch (const error&) {
            return std::nullopt;
        }
    }

    /// A mark that is damaged is as good as none: the entry waits, and is refused again.
    void read_mark(spool_entry& to) {
        try {
            statement run(db_->handle(), mark_);
            run.bind(to.number);
            if (!run.step()) {
                return;
            }
            spool_entry found;
            found.number = to.number;
            found.version = run.column<std::uint64_t>(1);
            found.state = checked(run.column<std::uint8_t>(2), spool_state::parked, "a mark");
            found.following = checked(run.column<std::uint8_t>(3), following::park, "a mark");
            found.attempts = run.column<std::uint32_t>(4);
            found.last_failure = {
                run.column<wall_time>(5),
                checked(run.column<std::uint8_t>(6), failure_class::unknown, "a mark"),
                run.column<std::uint32_t>(7), std::string(column_bytes(run.handle(), 8)),
                std::string(column_bytes(run.handle(), 9))};
            if (run.column<std::int64_t>(10) == mark_sum(found)) {
                found.what = std::move(to.what);
                found.added = to.added;
                to = std::move(found);
            }
        } catch (const corrupt_error&) {
        } catch (const sql_error&) {
        }
    }

    connection* db_;
    std::string headers_;
    prepared insert_{"INSERT INTO entries(number, added, sum, " + std::string(event_column_names) +
                     ") VALUES (?, ?, ?, " + std::string(event_column_marks) + ")"};
    prepared read_{"SELECT number, added, sum, " + std::string(event_column_names) +
                   " FROM entries WHERE number = ?"};
    prepared each_{"SELECT number, added, sum, " + std::string(event_column_names) +
                   " FROM entries WHERE number > ? ORDER BY number"};
    prepared mark_{"SELECT * FROM marks WHERE number = ?"};
};

}  // namespace sinew::sqlite::detail
