// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a runner and people write what became of an instance in SQLite. Within a write transaction.
///
/// A write that only appends records is one insertion for each: its condition is the claim, and its
/// key keeps it from happening twice. Where there is more to be done (the claim ends, there is
/// progress, a reply may have to go, people have to be told, or others may claim the instance) the
/// instance's row is read and written.

#include <sinew/adapters/sqlite/journal_codec.hpp>
#include <sinew/adapters/sqlite/journal_instances.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_rows.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

class journal_appends {
public:
    journal_appends(session& s, const book_state& book) noexcept
        : to_(s, book), known_(&s.journal->known) {}

    [[nodiscard]] write_result write(const journal_write& one, wall_time now) const {
        check_room(one.known, one.records);
        if (is_plain(one) && insert_all(one, now)) {
            return {fenced_result::done, false};
        }
        auto row = to_.rows().find(one.claim.number);
        if (!row || row->what.epoch != one.claim.epoch || !row->is_claimed()) {
            return {fenced_result::stale, false};
        }
        if (one.known > row->records) {
            refuse_unknown();
        }
        change(*row, one, now);
        return {fenced_result::done, row->what.cancelled.has_value()};
    }

    /// What people decide; whether the instance still is as they saw it.
    [[nodiscard]] bool decide(std::int64_t number, epoch_number epoch,
                              const desk_decision& decision, wall_time now) const {
        auto row = to_.rows().find(number);
        if (!row || row->what.epoch != epoch || has_ended(row->what.state) ||
            decision.known.value_or(row->records) != row->records) {
            return false;
        }
        auto& what = row->what;
        const auto before = what.state;
        check_room(row->records, decision.records);
        append(*row, decision.records, now);
        end_claim(*row);
        what.state = decision.becomes;
        what.since = now;
        if (what.state == instance_state::open) {
            what.why.reset();
            what.progress = begun_anew(std::move(what.progress));
            row->is_woken = true;
        } else {
            what.why = decision.why;
            what.wait.reset();
        }
        to_.sort_replies(*row);
        to_.keep(*row, before);
        return true;
    }

private:
    /// Whether appending is all that there is to do, if the instance is plain too.
    [[nodiscard]] static bool is_plain(const journal_write& one) noexcept {
        return one.end == claim_end::none && !one.progress && !one.records.empty();
    }
    /// Inserts the records of a plain write. Answers false, without having changed anything, if it
    /// is not plain, or was done before.
    [[nodiscard]] bool insert_all(const journal_write& one, wall_time now) const {
        const std::int64_t first = record_place(one.claim.number, one.known);
        for (std::size_t i = 0; i < one.records.size(); ++i) {
            const std::string why = pack_note(one.records[i].why);
            auto sql = to_.use(to_.writes().record);
            bind_record(sql, first + static_cast<std::int64_t>(i), one.records[i], why, now);
            sql.bind_at(11, one.claim.number);
            sql.bind_at(12, one.claim.epoch);
            sql.bind_at(13, to_.book().number);
            if (sql.run() == 0) {
                return false;
            }
        }
        if (!known_->has(one.claim.number, one.known) &&
            !to_.rows().has_record(one.claim.number, one.known - 1)) {
            to_.use(to_.writes().forget_records)
                .bind(first, record_place(one.claim.number, records_max))
                .run();
            refuse_unknown();
        }
        return true;
    }
    /// What is not bound is NULL: the time of writing is kept where it is another than the
    /// record's.
    static void bind_record(statement& sql, std::int64_t place, const step_record& record,
                            const std::string& why, wall_time now) {
        sql.bind_at(1, place);
        sql.bind_at(2, number_of_kind(record.where.phase));
        sql.bind_at(3, number_of_kind(record.kind));
        sql.bind_at(4, record.attempts);
        sql.bind_at(5, record.begun);
        sql.bind_at(6, record.at);
        if (record.at != now) {
            sql.bind_at(7, now);
        }
        sql.bind_at(8, blob{record.where.step});
        if (!why.empty()) {
            sql.bind_at(9, blob{why});
        }
        sql.bind_at(10, blob_or_null{record.result});
    }

    /// Appends records to an instance whose row will be written.
    void append(instance_row& row, std::span<const step_record> records, wall_time now) const {
        for (const auto& record : records) {
            const std::string why = pack_note(record.why);
            auto sql = to_.use(to_.writes().record_by_hand);
            bind_record(sql, record_place(row.what.number, row.records++), record, why, now);
            sql.run();
            row.what.since = now;
            row.what.progress.reset();
            row.what.wait.reset();
            row.unsettled = 0;
            if (row.has_replies && record.kind != record_kind::retried) {
                to_.drop_reply(row.what.type, row.what.id, record.where);
            }
        }
    }

    /// What a write does to an instance, if it is not plain.
    void change(instance_row& row, const journal_write& one, wall_time now) const {
        const std::span<const step_record> records(one.records);
        const std::size_t there = row.records - one.known;
        const auto more = there < records.size() ? records.subspan(there) : records.last(0);
        if (more.empty() && !one.progress && one.end == claim_end::none) {
            return;
        }
        append(row, more, now);
        auto& what = row.what;
        if (one.progress) {
            what.progress = one.progress;
        }
        if (one.end != claim_end::none) {
            end_claim(row);
            row.unsettled = 0;
            what.wait = one.end == claim_end::released ? one.wait : std::nullopt;
            what.state = state_after(one.end);
        }
        if (what.state != instance_state::open) {
            what.since = now;
            what.why = one.why;
        }
        to_.sort_replies(row);
        to_.keep(row, instance_state::open);
    }
    static void end_claim(instance_row& row) noexcept {
        ++row.what.epoch;
        row.held.reset();
        row.seat_epoch = 0;
    }
    [[nodiscard]] static instance_state state_after(claim_end end) noexcept {
        switch (end) {
            case claim_end::none:
            case claim_end::released: return instance_state::open;
            case claim_end::parked: return instance_state::parked;
            case claim_end::completed: return instance_state::completed;
            case claim_end::compensated: return instance_state::compensated;
        }
        return instance_state::parked;
    }

    static void check_room(std::size_t known, const std::vector<step_record>& more) {
        if (known > records_max || more.size() > records_max - known) {
            throw usage_error("sqlite: an instance has at most " + std::to_string(records_max) +
                              " records");
        }
    }
    [[noreturn]] static void refuse_unknown() {
        throw usage_error("journal: a write knows more records than there are");
    }

    journal_instances to_;
    const known_records* known_;
};

}  // namespace sinew::sqlite::detail
