// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox in SQLite as somebody writes it by hand for speed alone: one table, prepared
/// statements, one relay. No sequence, no leases, no attempts, no shards.

#include "orders.hpp"
#include "raw_sqlite.hpp"

#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::bench {

/// A folder that is gone afterwards.
class scratch_folder {
public:
    scratch_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "sinew-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder");
        }
        path_ = name;
    }
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// Whether published rows are deleted, or marked and kept.
enum class settling : std::uint8_t { deletes, marks };

class plain_sqlite {
public:
    plain_sqlite(const std::string& file, bool is_durable, settling how)
        : writer_(file, is_durable), reader_(file, is_durable), how_(how) {
        const bool marks = how == settling::marks;
        writer_.run(
            "CREATE TABLE outbox(number INTEGER PRIMARY KEY, added INTEGER NOT NULL, published "
            "INTEGER, id BLOB, source BLOB, type BLOB, subject BLOB, time BLOB, datacontenttype "
            "BLOB, dataschema BLOB, data BLOB, partitionkey BLOB, sequence BLOB, correlationid "
            "BLOB, causationid BLOB, traceparent BLOB, headers BLOB) STRICT");
        if (marks) {
            writer_.run("CREATE INDEX waiting ON outbox(number) WHERE published IS NULL");
        }
        begin_ = writer_.prepare("BEGIN IMMEDIATE");
        commit_ = writer_.prepare("COMMIT");
        insert_ = writer_.prepare(
            "INSERT INTO outbox(added, id, source, type, subject, time, datacontenttype, "
            "dataschema, data, partitionkey, sequence, correlationid, causationid, traceparent, "
            "headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        read_begin_ = reader_.prepare("BEGIN IMMEDIATE");
        read_commit_ = reader_.prepare("COMMIT");
        select_ = reader_.prepare(
            std::string("SELECT number, id, source, type, subject, time, datacontenttype, "
                        "dataschema, data, partitionkey, sequence, correlationid, causationid, "
                        "traceparent, headers FROM outbox ") +
            (marks ? "WHERE published IS NULL " : "") + "ORDER BY number LIMIT ?");
        settle_ = reader_.prepare(marks ? "UPDATE outbox SET published = ?2 WHERE number = ?1"
                                        : "DELETE FROM outbox WHERE number = ?1");
    }

    /// One transaction.
    void add(std::span<const event> events, wall_time now) {
        step(begin_);
        for (const auto& e : events) {
            sqlite3_stmt* to = insert_.get();
            sqlite3_bind_int64(to, 1, now.time_since_epoch().count());
            const std::string_view columns[] = {e.id,         e.source,        e.type,
                                                e.subject,    e.time,          e.datacontenttype,
                                                e.dataschema, e.data,          e.partitionkey,
                                                e.sequence,   e.correlationid, e.causationid,
                                                e.traceparent};
            int at = 1;
            for (const auto one : columns) {
                if (one.empty()) {
                    sqlite3_bind_null(to, ++at);
                } else {
                    sqlite3_bind_blob64(to, ++at, one.data(), one.size(), SQLITE_STATIC);
                }
            }
            step(insert_);
        }
        step(commit_);
    }

    /// Publishes all that is there, in batches of so many.
    void relay(std::size_t batch, null_sink& sink) {
        std::vector<std::int64_t> numbers;
        do {
            numbers.clear();
            sqlite3_stmt* from = select_.get();
            sqlite3_bind_int64(from, 1, static_cast<sqlite3_int64>(batch));
            while (sqlite3_step(from) == SQLITE_ROW) {
                numbers.push_back(sqlite3_column_int64(from, 0));
                static_cast<void>(sink.publish(view_of(from), never));
            }
            sqlite3_reset(from);
            if (!numbers.empty()) {
                settle(numbers);
            }
        } while (numbers.size() == batch);
    }

    /// Between rounds.
    void tidy() {
        if (how_ == settling::marks) {
            writer_.run("DELETE FROM outbox");
        }
    }

private:
    /// The row as it lies in SQLite's page: nothing is copied.
    [[nodiscard]] static event_view view_of(sqlite3_stmt* from) {
        const auto text = [from](int at) {
            const void* start = sqlite3_column_blob(from, at);
            return std::string_view(static_cast<const char*>(start),
                                    static_cast<std::size_t>(sqlite3_column_bytes(from, at)));
        };
        return {.id = text(1),
                .source = text(2),
                .type = text(3),
                .subject = text(4),
                .time = text(5),
                .datacontenttype = text(6),
                .dataschema = text(7),
                .data = as_bytes(text(8)),
                .partitionkey = text(9),
                .sequence = text(10),
                .correlationid = text(11),
                .causationid = text(12),
                .traceparent = text(13)};
    }

    void settle(const std::vector<std::int64_t>& numbers) {
        const std::int64_t now = machine_clock::now().wall.time_since_epoch().count();
        step(read_begin_);
        for (const auto number : numbers) {
            sqlite3_bind_int64(settle_.get(), 1, number);
            if (how_ == settling::marks) {
                sqlite3_bind_int64(settle_.get(), 2, now);
            }
            step(settle_);
        }
        step(read_commit_);
    }

    raw_sqlite writer_;
    raw_sqlite reader_;
    settling how_;
    prepared begin_;
    prepared commit_;
    prepared insert_;
    prepared read_begin_;
    prepared read_commit_;
    prepared select_;
    prepared settle_;
};

}  // namespace sinew::bench
