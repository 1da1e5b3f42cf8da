// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a claim reads an outbox in SQLite.
///
/// **Guarantees.** What is committed is read, and nothing else: while the
/// store's own transaction is open, through another connection.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

/// The connection and the statements to read with, until a deadline.
class outbox_reading {
public:
    outbox_reading(session& s, steady_time until)
        : db_(s.is_open ? &s.beside().db : &s.db),
          sql_(s.is_open ? &beside(s) : &s.outbox->reads),
          wait_(*db_, until) {}

    [[nodiscard]] sqlite3* db() const noexcept { return db_->handle(); }
    [[nodiscard]] outbox_reads& sql() const noexcept { return *sql_; }

private:
    [[nodiscard]] static outbox_reads& beside(session& s) {
        auto& kept = s.outbox->reads_beside;
        return kept ? *kept : kept.emplace(s.named);
    }

    connection* db_;
    outbox_reads* sql_;
    connection::deadline wait_;
};

/// The place of the first parked entry of each key behind which the key stays.
using held_keys = std::unordered_map<std::string, std::int64_t>;

[[nodiscard]] inline held_keys read_held_keys(sqlite3* db, prepared& holds, const box_state& box,
                                              shard_id shard) {
    held_keys out;
    statement sql(db, holds);
    sql.bind(box.place(shard, 0), box.place(shard, numbers_max));
    while (sql.step()) {
        out.emplace(sql.column<std::string>(0), sql.column<std::int64_t>(1));
    }
    return out;
}

/// Goes along what waits in a shard, and knows which keys are held back.
class outbox_claim {
public:
    explicit outbox_claim(held_keys held) : held_(std::move(held)) {}

    /// How many rows were passed because their key is held back.
    [[nodiscard]] std::size_t passed() const noexcept { return passed_; }

    /// What can be published, from the current row of those that wait.
    [[nodiscard]] std::vector<outbox_entry> take(statement& rows, wall_time now,
                                                 claim_limits limits) {
        std::vector<outbox_entry> out;
        std::size_t bytes = 0;
        do {
            if (out.size() >= limits.entries || bytes >= limits.bytes) {
                break;
            }
            if (is_shown(rows, now)) {
                out.push_back(read_waiting(rows));
                bytes += out.back().what.view().size_bytes();
            }
        } while (rows.step());
        return out;
    }

private:
    /// Not if its key is held back, or it is not due and so holds its key back.
    [[nodiscard]] bool is_shown(const statement& row, wall_time now) {
        const auto wait = read_wait(row);
        const bool due = !wait || outbox_entry{.waits = wait}.is_due(now);
        if (due && held_.empty()) {
            return true;
        }
        std::string key(entry_key(row));
        if (key.empty()) {
            return due;
        }
        const auto place = row.column<std::int64_t>(0);
        const auto held = held_.find(key);
        if (held != held_.end() && held->second < place) {
            ++passed_;
            return false;
        }
        if (!due) {
            held_.insert_or_assign(std::move(key), place);
        }
        return due;
    }

    held_keys held_;
    std::size_t passed_ = 0;
};

}  // namespace sinew::sqlite::detail
