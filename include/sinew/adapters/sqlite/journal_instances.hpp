// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How instances and replies of a journal in SQLite are changed. Within a write transaction.

#include <sinew/adapters/sqlite/journal_codec.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_rows.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sinew::sqlite::detail {

class journal_instances {
public:
    journal_instances(session& s, const book_state& book) noexcept
        : session_(&s), book_(&book), rows_(s.db.handle(), s.journal->reads, book) {}

    [[nodiscard]] const journal_rows& rows() const noexcept { return rows_; }

    /// Writes a row, and where it is found: see the file comment of journal_tables.hpp.
    void keep(const instance_row& row, instance_state state_before) const {
        const auto& what = row.what;
        const auto& wait = what.wait;
        const std::string progress = pack_progress(what.progress);
        const std::string cancelled = pack_note(what.cancelled);
        const std::string why = pack_note(what.why);
        const place_of_instance at = place(row);
        using time = std::optional<wall_time>;
        const auto run = [&](prepared& sql, const auto&... more) {
            use(sql)
                .bind(what.number, what.epoch, what.since, row.records, row.unsettled, row.held,
                      row.seat_epoch, row.is_woken, wait ? time(wait->time.from) : time(),
                      wait ? time(wait->time.due) : time(),
                      wait && wait->reply ? std::optional(blob{wait->reply->step}) : std::nullopt,
                      wait && wait->reply ? std::optional(number_of_kind(wait->reply->phase))
                                          : std::nullopt,
                      blob_or_null{progress}, blob_or_null{cancelled}, blob_or_null{why}, at.ready,
                      at.due, plain_epoch(row), more...)
                .run();
        };
        if (what.state == state_before) {
            run(writes().keep);
        } else {
            run(writes().keep_state, number_of_kind(what.state));
        }
    }

    /// Takes away the reply to a step.
    void drop_reply(std::string_view type, std::string_view id, const step_address& to) const {
        for (const bool early : {false, true}) {
            const auto gone = use(writes().forget_reply)
                                  .bind(book_->number, blob{type}, blob{id}, blob{to.step},
                                        number_of_kind(to.phase), early)
                                  .run();
            count_early(early ? -gone : 0);
        }
    }

    /// Makes the replies to an instance fit what it waits for now.
    void sort_replies(const instance_row& row) const {
        const auto& what = row.what;
        if (!row.has_replies) {
            return;
        }
        if (has_ended(what.state)) {
            for (const bool early : {false, true}) {
                const auto gone = use(writes().forget_replies)
                                      .bind(book_->number, blob{what.type}, blob{what.id}, early)
                                      .run();
                count_early(early ? -gone : 0);
            }
            return;
        }
        std::optional<blob> step;
        std::optional<std::uint8_t> phase;
        if (what.state == instance_state::open && what.wait && what.wait->reply) {
            step = blob{what.wait->reply->step};
            phase = number_of_kind(what.wait->reply->phase);
        }
        count_early(use(writes().set_early)
                        .bind(book_->number, blob{what.type}, blob{what.id}, step, phase)
                        .run());
        count_early(-use(writes().set_awaited)
                         .bind(book_->number, blob{what.type}, blob{what.id}, step, phase)
                         .run());
    }

    /// One reply more, or less, that no instance waits for.
    void count_early(std::int64_t more) const {
        if (more != 0) {
            use(writes().count_early).bind(more, book_->number).run();
        }
    }

    [[nodiscard]] journal_writes& writes() const noexcept { return session_->journal->writes; }
    [[nodiscard]] statement use(prepared& kept) const {
        return statement(session_->db.handle(), kept);
    }
    [[nodiscard]] const book_state& book() const noexcept { return *book_; }

private:
    struct place_of_instance {
        std::optional<wall_time> ready{};
        std::optional<wall_time> due{};
    };
    /// The epoch, if under the claim a record is its insertion and no more.
    [[nodiscard]] static std::optional<epoch_number> plain_epoch(const instance_row& row) noexcept {
        const bool is_plain =
            row.is_claimed() && row.held && !row.has_replies && !row.what.cancelled;
        return is_plain ? std::optional(row.what.epoch) : std::nullopt;
    }
    [[nodiscard]] place_of_instance place(const instance_row& row) const {
        const auto& what = row.what;
        if (what.state != instance_state::open || row.held) {
            return {};
        }
        if (row.is_woken || !what.wait) {
            return {what.since, std::nullopt};
        }
        if (const auto there = rows_.awaited_reply(row)) {
            return {there->at, std::nullopt};
        }
        if (row.unsettled != 0) {
            return {what.since, std::nullopt};  // due when whoever fell silent claimed it
        }
        return {std::nullopt, what.wait->time.due};
    }

    session* session_;
    const book_state* book_;
    journal_rows rows_;
};

}  // namespace sinew::sqlite::detail
