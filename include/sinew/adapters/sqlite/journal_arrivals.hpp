// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What services write into a journal in SQLite: starts, replies, cancellations. Within a write
/// transaction.

#include <sinew/adapters/sqlite/journal_codec.hpp>
#include <sinew/adapters/sqlite/journal_instances.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_rows.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sinew::sqlite::detail {

class journal_arrivals {
public:
    journal_arrivals(session& s, const book_state& book) noexcept
        : to_(s, book), db_(s.db.handle()) {}

    start_result start(const new_instance& one, wall_time now) const {
        const std::int64_t kind = kind_of(one.type);
        {
            auto taken = to_.use(to_.writes().taken);
            if (taken.bind(blob{one.input}, kind, blob{one.id}).step()) {
                return taken.column<bool>(0) ? start_result::was_there : start_result::differs;
            }
        }
        to_.use(to_.writes().start)
            .bind(to_.book().number, kind, blob{one.id}, now, blob{one.type})
            .run();
        const std::int64_t number = sqlite3_last_insert_rowid(db_);
        if (number >= instances_max) {
            throw unavailable_error("journal_exhausted",
                                    "sqlite: the file's journals have no numbers left");
        }
        const std::string steps = pack_steps(one.steps);
        to_.use(to_.writes().add_input).bind(number, blob{steps}, blob{one.input}).run();
        return start_result::started;
    }

    reply_result reply(const process_reply& one, wall_time now,
                       std::size_t early_replies_max) const {
        auto its = to_.rows().find(one.type, one.id);
        if (its &&
            (has_ended(its->what.state) || to_.rows().has_record(its->what.number, one.to))) {
            return reply_result::late;
        }
        if (to_.rows().reply(one.type, one.id, one.to)) {
            return reply_result::duplicate;
        }
        const bool is_awaited = its && its->awaits(one.to);
        if (!is_awaited && early_replies() >= early_replies_max) {
            return reply_result::refused;
        }
        to_.use(to_.writes().add_reply)
            .bind(to_.book().number, blob{one.type}, blob{one.id}, blob{one.to.step},
                  number_of_kind(one.to.phase), !is_awaited, now, blob_or_null{one.data})
            .run();
        to_.count_early(is_awaited ? 0 : 1);
        if (its && !its->has_replies) {
            to_.use(to_.writes().note_reply).bind(its->what.number).run();
            its->has_replies = true;
        }
        if (is_awaited && !its->held) {
            to_.keep(*its, its->what.state);
        }
        return is_awaited ? reply_result::awaited : reply_result::early;
    }

    bool cancel(std::string_view type, std::string_view id, const failure_note& note) const {
        auto its = to_.rows().find(type, id);
        if (!its || has_ended(its->what.state)) {
            return false;
        }
        if (!its->what.cancelled) {
            its->what.cancelled = note;
            its->is_woken = true;
            to_.keep(*its, its->what.state);
        }
        return true;
    }

private:
    /// The number of a type of process, which is given one at its first start.
    [[nodiscard]] std::int64_t kind_of(std::string_view type) const {
        if (const auto kind = to_.rows().kind(type)) {
            return *kind;
        }
        to_.use(to_.writes().add_kind).bind(to_.book().number, blob{type}).run();
        return sqlite3_last_insert_rowid(db_);
    }
    [[nodiscard]] std::size_t early_replies() const {
        auto row = to_.use(to_.writes().early);
        if (!row.bind(to_.book().number).step()) {
            refuse_damaged("a journal");
        }
        return row.column<std::size_t>(0);
    }

    journal_instances to_;
    sqlite3* db_;
};

}  // namespace sinew::sqlite::detail
