// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a journal in SQLite is read.
///
/// **Guarantees.** What is committed is read, and nothing else: while the store's own transaction
/// is open, through another connection. Within a transaction, what that one sees.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/journal_codec.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

/// An instance's row, without its steps and its input.
struct instance_row {
    process_instance what{};
    std::size_t records = 0;  ///< how many there are
    std::uint32_t unsettled = 0;
    std::optional<std::int64_t> held{};  ///< under which seat's stream; nothing if it is free
    epoch_number seat_epoch = 0;         ///< of the claim that has not ended; 0: there is none
    bool is_woken = false;
    bool has_replies = false;  ///< there may be some for it

    [[nodiscard]] bool is_claimed() const noexcept { return seat_epoch != 0; }
    [[nodiscard]] bool awaits(const step_address& to) const noexcept {
        return what.state == instance_state::open && what.wait && what.wait->reply == to;
    }
};

/// The reply to a step.
struct reply_row {
    wall_time at{};
    std::string data{};
};

/// An enumeration as it is kept.
template <class Enum>
[[nodiscard]] std::uint8_t number_of_kind(Enum one) noexcept {
    return static_cast<std::uint8_t>(one);
}

/// Reads a journal through one connection.
class journal_rows {
public:
    journal_rows(sqlite3* db, journal_reads& sql, const book_state& book) noexcept
        : db_(db), sql_(&sql), book_(&book) {}

    [[nodiscard]] shard_lease lease(shard_id seat) const {
        auto row = use(sql_->holder);
        if (!row.bind(book_->stream(seat)).step()) {
            refuse_damaged("a lease of a journal");
        }
        return read_lease(row, seat);
    }

    /// The number of a type of process; nothing if there is no instance of it.
    [[nodiscard]] std::optional<std::int64_t> kind(std::string_view type) const {
        auto row = use(sql_->kind);
        return row.bind(book_->number, blob{type}).step()
                   ? std::optional(row.column<std::int64_t>(0))
                   : std::nullopt;
    }

    [[nodiscard]] std::optional<instance_row> find(std::int64_t number) const {
        auto row = use(sql_->by_number);
        return row.bind(number, book_->number).step() ? std::optional(read(row)) : std::nullopt;
    }
    [[nodiscard]] std::optional<instance_row> find(std::string_view type,
                                                   std::string_view id) const {
        auto row = use(sql_->by_id);
        return row.bind(book_->number, blob{type}, blob{id}).step() ? std::optional(read(row))
                                                                    : std::nullopt;
    }

    [[nodiscard]] std::vector<step_record> history(std::int64_t number) const {
        std::vector<step_record> out;
        auto row = use(sql_->history);
        row.bind(record_place(number, 0), record_place(number, records_max));
        while (row.step()) {
            out.push_back(read_record(row));
        }
        return out;
    }

    /// Whether a step has a record that was not taken back.
    [[nodiscard]] bool has_record(std::int64_t number, const step_address& where) const {
        auto row = use(sql_->last_word);
        row.bind(record_place(number, 0), record_place(number, records_max), blob{where.step},
                 number_of_kind(where.phase));
        return row.step() && read_kind(row, 0) != record_kind::retried;
    }
    /// Whether the instance has a record with so many before it.
    [[nodiscard]] bool has_record(std::int64_t number, std::size_t before) const {
        return use(sql_->has_record).bind(record_place(number, before)).step();
    }

    [[nodiscard]] std::optional<reply_row> reply(std::string_view type, std::string_view id,
                                                 const step_address& to) const {
        auto row = use(sql_->reply);
        row.bind(book_->number, blob{type}, blob{id}, blob{to.step}, number_of_kind(to.phase));
        if (!row.step()) {
            return std::nullopt;
        }
        return reply_row{row.column<wall_time>(0), std::string(row.column<blob_or_null>(1).bytes)};
    }
    /// The reply that an instance waits for, if it is there.
    [[nodiscard]] std::optional<reply_row> awaited_reply(const instance_row& row) const {
        const auto& what = row.what;
        const bool may_be =
            row.has_replies && what.state == instance_state::open && what.wait && what.wait->reply;
        return may_be ? reply(what.type, what.id, *what.wait->reply) : std::nullopt;
    }

    /// Reads steps and input.
    void read_input(process_instance& what) const {
        auto row = use(sql_->input);
        if (!row.bind(what.number).step()) {
            refuse_damaged("the input of an instance");
        }
        what.steps = unpack_steps(row.column<blob_or_null>(0).bytes);
        what.input = row.column<blob_or_null>(1).bytes;
    }

    /// An instance as it is shown.
    [[nodiscard]] journal_entry entry(instance_row row) const {
        journal_entry out;
        if (auto there = awaited_reply(row)) {
            out.reply = std::move(there->data);
        }
        out.history = history(row.what.number);
        out.unsettled = row.unsettled;
        out.what = std::move(row.what);
        read_input(out.what);
        return out;
    }

    /// The row that a statement with the columns of `journal_reads::select` is at.
    [[nodiscard]] instance_row read(const statement& from) const {
        instance_row row;
        auto& what = row.what;
        what.number = from.column<std::int64_t>(0);
        what.epoch = from.column<epoch_number>(1);
        what.type = from.column<blob_or_null>(2).bytes;
        what.id = from.column<blob_or_null>(3).bytes;
        what.state = checked(from.column<std::uint8_t>(4), instance_state::abandoned, damaged);
        what.started = from.column<wall_time>(5);
        what.since = from.column<wall_time>(6);
        row.records = from.column<std::size_t>(7);
        row.unsettled = from.column<std::uint32_t>(8);
        row.held = from.column<std::optional<std::int64_t>>(9);
        row.seat_epoch = from.column<epoch_number>(10);
        row.is_woken = from.column<bool>(11);
        row.has_replies = from.column<bool>(12);
        what.cancelled = unpack_note(from.column<blob_or_null>(18).bytes);
        what.why = unpack_note(from.column<blob_or_null>(19).bytes);
        if (!has_moved_on(row)) {
            what.wait = read_instance_wait(from);
            what.progress = unpack_progress(from.column<blob_or_null>(17).bytes);
        }
        return row;
    }

private:
    static constexpr std::string_view damaged = "an instance of a journal";

    /// Counts the records. Whether there are some that the row does not know, which have ended its
    /// wait and its progress.
    [[nodiscard]] bool has_moved_on(instance_row& row) const {
        auto last = use(sql_->last_record);
        last.bind(record_place(row.what.number, 0), record_place(row.what.number, records_max));
        const std::size_t known = row.records;
        row.records = last.step() ? before(last.column<std::int64_t>(0)) + 1 : 0;
        if (row.records <= known) {
            return false;
        }
        row.what.since = last.column<wall_time>(1);
        row.unsettled = 0;
        return true;
    }
    [[nodiscard]] static std::size_t before(std::int64_t place) noexcept {
        return static_cast<std::size_t>(place) & records_max;
    }
    [[nodiscard]] static std::optional<instance_wait> read_instance_wait(const statement& from) {
        const auto due = from.column<std::optional<wall_time>>(14);
        if (!due) {
            return std::nullopt;
        }
        instance_wait wait{{from.column<wall_time>(13), *due}, std::nullopt};
        if (const auto phase = from.column<std::optional<std::uint8_t>>(16)) {
            wait.reply = step_address{std::string(from.column<blob_or_null>(15).bytes),
                                      checked(*phase, step_phase::undo, damaged)};
        }
        return wait;
    }
    [[nodiscard]] static record_kind read_kind(const statement& from, int at) {
        return checked(from.column<std::uint8_t>(at), record_kind::retried,
                       "a record of a journal");
    }
    [[nodiscard]] static step_record read_record(const statement& from) {
        step_record one;
        one.where.phase =
            checked(from.column<std::uint8_t>(0), step_phase::undo, "a record of a journal");
        one.kind = read_kind(from, 1);
        one.attempts = from.column<std::uint32_t>(2);
        one.begun = from.column<wall_time>(3);
        one.at = from.column<wall_time>(4);
        one.where.step = from.column<blob_or_null>(6).bytes;
        one.why = unpack_note(from.column<blob_or_null>(7).bytes);
        one.result = from.column<blob_or_null>(8).bytes;
        return one;
    }
    [[nodiscard]] statement use(prepared& kept) const { return statement(db_, kept); }

    sqlite3* db_;
    journal_reads* sql_;
    const book_state* book_;
};

/// The connection and the statements to read with, until a deadline.
class journal_reading {
public:
    journal_reading(session& s, const book_state& book, steady_time until)
        : db_(s.is_open ? &s.beside().db : &s.db),
          sql_(s.is_open ? &beside(s) : &s.journal->reads),
          book_(&book),
          wait_(*db_, until) {}

    [[nodiscard]] sqlite3* db() const noexcept { return db_->handle(); }
    [[nodiscard]] journal_reads& sql() const noexcept { return *sql_; }
    [[nodiscard]] journal_rows rows() const noexcept { return {db(), *sql_, *book_}; }

private:
    [[nodiscard]] static journal_reads& beside(session& s) {
        auto& kept = s.journal->reads_beside;
        return kept ? *kept : kept.emplace(s.named);
    }

    connection* db_;
    journal_reads* sql_;
    const book_state* book_;
    connection::deadline wait_;
};

}  // namespace sinew::sqlite::detail
