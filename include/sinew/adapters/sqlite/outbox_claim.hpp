// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a claim reads an outbox in SQLite.
///
/// **Guarantees.** What is committed is read, and nothing else: while the
/// store's own transaction is open, through another connection.

#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/outbox_bundles.hpp>
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
///
/// A bundle that would go beyond the limits is left for the next claim, unless nothing was shown
/// yet: so it is marked as a whole.
class outbox_claim {
public:
    /// `splits`: whether a bundle is shown in part rather than nothing.
    outbox_claim(held_keys held, wall_time now, claim_limits limits, bool splits)
        : held_(std::move(held)), now_(now), limits_(limits), splits_(splits) {}

    /// How many rows were passed because their key is held back.
    [[nodiscard]] std::size_t passed() const noexcept { return passed_; }

    /// Whether a limit was reached.
    [[nodiscard]] bool is_cut() const noexcept { return cut_; }
    /// How many bytes were shown.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// What can be published, from the current rows of those that wait and of the bundles.
    [[nodiscard]] std::vector<outbox_entry> take(statement& rows, bool has_row, statement& bundles,
                                                 bool has_bundle) {
        while ((has_row || has_bundle) && !cut_) {
            if (is_full()) {
                cut_ = true;
            } else if (has_bundle &&
                       (!has_row || bundle_row(bundles).place < rows.column<std::int64_t>(0))) {
                take_bundle(bundles);
                has_bundle = bundles.step();
            } else {
                if (is_shown(rows)) {
                    out_.push_back(read_waiting(rows));
                    bytes_ += out_.back().what.view().size_bytes();
                }
                has_row = rows.step();
            }
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] bool is_full() const noexcept {
        return out_.size() >= limits_.entries || bytes_ >= limits_.bytes;
    }

    void take_bundle(const statement& from) {
        const bundle_row bundle(from);
        const std::string_view events = bundle_row::events(from);
        const auto entries = static_cast<std::size_t>(bundle.entries);
        const std::size_t left = limits_.entries - out_.size();
        if ((!out_.empty() || !splits_) &&
            (entries > left || bytes_ + events.size() > limits_.bytes)) {
            cut_ = true;
            return;
        }
        make_room(entries < left ? entries : left);
        const wall_time added = bundle_row::added(from);
        bundle_reader in(events);
        event_parts parts;
        for (std::int64_t at = bundle.place; at <= bundle.last(); ++at) {
            if (is_full()) {
                cut_ = true;
                return;
            }
            in.next(parts);
            if (is_held(parts[key_column], at)) {
                ++passed_;
                continue;
            }
            outbox_entry& entry = out_.emplace_back();
            entry.number = number_of(at);
            entry.version = 1;
            entry.added = added;
            assign(entry.what, parts);
            bytes_ += size_of(entry.what, parts);
        }
    }

    /// So that entries are moved seldom.
    void make_room(std::size_t more) {
        if (const auto wanted = out_.size() + more; wanted > out_.capacity()) {
            out_.reserve(wanted > 2 * out_.capacity() ? wanted : 2 * out_.capacity());
        }
    }

    [[nodiscard]] static std::size_t size_of(const event& what, const event_parts& parts) {
        if (!what.headers.empty()) {
            return what.view().size_bytes();
        }
        std::size_t sum = 0;
        for (const auto part : parts) {
            sum += part.size();
        }
        return sum;
    }

    /// Whether the key is held back at that place.
    [[nodiscard]] bool is_held(std::string_view key, std::int64_t place) const {
        if (held_.empty() || key.empty()) {
            return false;
        }
        const auto held = held_.find(std::string(key));
        return held != held_.end() && held->second < place;
    }

    /// Not if its key is held back, or it is not due and so holds its key back.
    [[nodiscard]] bool is_shown(const statement& row) {
        const auto wait = read_wait(row);
        const bool due = !wait || outbox_entry{.waits = wait}.is_due(now_);
        if (due && held_.empty()) {
            return true;
        }
        std::string key(entry_key(row));
        if (key.empty()) {
            return due;
        }
        const auto place = row.column<std::int64_t>(0);
        if (is_held(key, place)) {
            ++passed_;
            return false;
        }
        if (!due) {
            held_.insert_or_assign(std::move(key), place);
        }
        return due;
    }

    held_keys held_;
    wall_time now_;
    claim_limits limits_;
    bool splits_;
    std::vector<outbox_entry> out_{};
    std::size_t bytes_ = 0;
    std::size_t passed_ = 0;
    bool cut_ = false;
};

}  // namespace sinew::sqlite::detail
