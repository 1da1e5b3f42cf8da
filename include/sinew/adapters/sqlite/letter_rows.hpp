// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A dead letter as a row: its statements, and how an entry is read from it.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/event_columns.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::sqlite::detail {

inline constexpr std::string_view letter_columns =
    "number, version, state, consumer, topic, partition, \"offset\", reason, kind, attempts, "
    "first_failure, last_failure, history, ";

struct letter_statements {
    explicit letter_statements(const naming& named)
        : by_identity(named(select("WHERE consumer = ? AND source = ? AND id = ?"))),
          by_place(named(select("WHERE consumer = ? AND topic = ? AND partition = ? AND "
                                "\"offset\" = ? AND (source IS NULL OR id IS NULL)"))),
          by_number(named(select("WHERE number = ?"))),
          first_in_state(named(select("WHERE consumer = ? AND state = ? ORDER BY number LIMIT 1"))),
          // Without the hint the planner takes the index by state, and walks along all that waits.
          holds(
              named("SELECT 1 FROM ~dead_letters INDEXED BY ~dead_letters_held WHERE consumer = ? "
                    "AND partitionkey IS ? AND state < 3 LIMIT 1")),
          insert(named(
              "INSERT INTO ~dead_letters(version, state, consumer, topic, partition, "
              "\"offset\", reason, kind, attempts, first_failure, last_failure, history, " +
              std::string(event_column_names) + ") VALUES (1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " +
              std::string(event_column_marks) + ")")),
          change(named("UPDATE ~dead_letters SET version = version + 1, state = ?, reason = ?, "
                       "kind = ?, attempts = ?, first_failure = ?, last_failure = ?, history = ? "
                       "WHERE number = ? AND version = ?")) {}

    [[nodiscard]] static std::string select(std::string_view rest) {
        return std::string("SELECT ")
            .append(letter_columns)
            .append(event_column_names)
            .append(" FROM ~dead_letters ")
            .append(rest);
    }

    /// A statement that is put together of conditions. The last one is kept: a consumer asks the
    /// same question again and again, and to prepare it is dearer than to run it. The one before
    /// must have ended.
    [[nodiscard]] prepared& question(std::string text) {
        if (!last_question || last_question->text() != text) {
            last_question.emplace(std::move(text));
        }
        return *last_question;
    }

    std::optional<prepared> last_question;
    prepared by_identity;
    prepared by_place;
    prepared by_number;
    prepared first_in_state;
    prepared holds;
    prepared insert;
    prepared change;
};

/// The state of an entry, as it stands in a column.
[[nodiscard]] inline dead_letter_state read_state(const statement& from, int at) {
    return checked(from.column<std::uint8_t>(at), dead_letter_state::discarded, "a dead letter");
}

/// The entry in the current row.
[[nodiscard]] inline dead_letter_entry read_entry(const statement& from) {
    dead_letter_entry entry;
    entry.number = from.column<std::int64_t>(0);
    entry.version = from.column<std::uint64_t>(1);
    entry.state = read_state(from, 2);
    auto& letter = entry.letter;
    letter.consumer = from.column<std::string>(3);
    letter.topic = from.column<std::string>(4);
    letter.where = {from.column<partition_id>(5), from.column<log_offset>(6)};
    letter.reason = from.column<std::string>(7);
    letter.kind = checked(from.column<std::uint8_t>(8), failure_class::unknown, "a dead letter");
    letter.attempts = from.column<std::uint32_t>(9);
    letter.first_failure = from.column<wall_time>(10);
    letter.last_failure = from.column<wall_time>(11);
    letter.history = decode_history(from.column<blob_or_null>(12).bytes);
    letter.original = read_event(from, 13);
    return entry;
}

}  // namespace sinew::sqlite::detail
