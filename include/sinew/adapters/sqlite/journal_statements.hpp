// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The statements of journals in SQLite, each prepared at its first use.

#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>

#include <string>
#include <string_view>

namespace sinew::sqlite::detail {

/// What only reads. A connection that reads beside an open transaction has statements of its own.
struct journal_reads {
    explicit journal_reads(const naming& named)
        : holder(named("SELECT epoch, beat, owner FROM ~journal_leases WHERE stream = ?")),
          kind(named("SELECT number FROM ~journal_types WHERE journal = ? AND type = ?")),
          ready(named("SELECT ready, number FROM ~journal_instances INDEXED BY ~journal_ready "
                      "WHERE kind = ? AND ready IS NOT NULL ORDER BY ready, number LIMIT ?")),
          due(named("SELECT due, number FROM ~journal_instances INDEXED BY ~journal_due "
                    "WHERE kind = ? AND due <= ? ORDER BY due, number LIMIT ?")),
          due_from(named("SELECT due, number FROM ~journal_instances "
                         "INDEXED BY ~journal_due_from WHERE kind = ? AND due_from > ? "
                         "ORDER BY due, number LIMIT ?")),
          unswept(named("SELECT stream, epoch, owner = '' FROM ~journal_leases "
                        "INDEXED BY ~journal_unswept "
                        "WHERE unswept = 1 AND stream BETWEEN ? AND ? ORDER BY stream")),
          by_number(named(select("i.number = ? AND i.journal = ?"))),
          by_id(named(select("i.kind = (SELECT number FROM ~journal_types WHERE journal = ? AND "
                             "type = ?) AND i.id = ?"))),
          last_record(named("SELECT place, coalesce(written, at) FROM ~journal_records "
                            "WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1")),
          history(named("SELECT phase, kind, attempts, begun, at, written, step, why, result "
                        "FROM ~journal_records WHERE place BETWEEN ? AND ? ORDER BY place")),
          last_word(named("SELECT kind FROM ~journal_records WHERE place BETWEEN ? AND ? AND "
                          "step = ? AND phase = ? ORDER BY place DESC LIMIT 1")),
          has_record(named("SELECT 1 FROM ~journal_records WHERE place = ?")),
          input(named("SELECT steps, input FROM ~journal_inputs WHERE number = ?")),
          reply(named("SELECT at, data FROM ~journal_replies WHERE journal = ? AND type = ? AND "
                      "id = ? AND step = ? AND phase = ?")),
          live(named(select("i.journal = ? AND i.state < 2 AND i.number > ? ORDER BY i.number",
                            "i INDEXED BY ~journal_live"))),
          counts(named("SELECT (SELECT count(*) FROM ~journal_instances "
                       "INDEXED BY ~journal_live WHERE journal = ?1 AND state < 2), "
                       "(SELECT count(*) FROM ~journal_instances "
                       "INDEXED BY ~journal_parked WHERE journal = ?1 AND state = 1), "
                       "early FROM ~journals WHERE number = ?1")) {}

    [[nodiscard]] static std::string select(std::string_view which, std::string_view from = "i") {
        return std::string("SELECT i.number, i.epoch, t.type, i.id, i.state, i.started, i.since, ")
            .append("i.known, i.unsettled, i.held, i.seat_epoch, i.woken, i.replies, i.wait_from, ")
            .append("i.wait_due, i.wait_step, i.wait_phase, i.progress, i.cancelled, i.why ")
            .append("FROM ~journal_instances ")
            .append(from)
            .append(" CROSS JOIN ~journal_types t ON t.number = i.kind WHERE ")
            .append(which);
    }

    prepared holder;
    prepared kind;
    prepared ready;
    prepared due;
    prepared due_from;
    prepared unswept;
    prepared by_number;
    prepared by_id;
    prepared last_record;
    prepared history;
    prepared last_word;
    prepared has_record;
    prepared input;
    prepared reply;
    prepared live;
    prepared counts;
};

struct journal_writes {
    explicit journal_writes(const naming& named)
        : leases(named, "~journal_leases"),
          set_unswept(named("UPDATE ~journal_leases SET unswept = ? WHERE stream = ?")),
          held(named("SELECT number FROM ~journal_instances INDEXED BY ~journal_held "
                     "WHERE held = ? AND seat_epoch <= ? LIMIT ?")),
          add_kind(named("INSERT INTO ~journal_types(journal, type) VALUES (?, ?)")),
          taken(named("SELECT n.input = ? FROM ~journal_instances i CROSS JOIN ~journal_inputs n "
                      "ON n.number = i.number WHERE i.kind = ? AND i.id = ?")),
          start(named(
              "INSERT INTO ~journal_instances(journal, kind, id, started, since, ready, epoch, "
              "seat_epoch, known, unsettled, woken, state, replies) "
              "VALUES (?1, ?2, ?3, ?4, ?4, ?4, 0, 0, 0, 0, 0, 0, EXISTS(SELECT 1 FROM "
              "~journal_replies WHERE journal = ?1 AND type = ?5 AND id = ?3))")),
          add_input(named("INSERT INTO ~journal_inputs(number, steps, input) VALUES (?, ?, ?)")),
          // Under a claim alone, and once. A constraint that fails is not to be undone by itself:
          // that would cost a savepoint for each record.
          record(named("INSERT OR FAIL INTO ~journal_records(" + std::string(record_columns) +
                       ") SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM ~journal_instances "
                       "WHERE number = ?11 AND plain = ?12 AND journal = ?13 "
                       "ON CONFLICT(place) DO NOTHING")),
          record_by_hand(named("INSERT INTO ~journal_records(" + std::string(record_columns) +
                               ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")),
          keep(named(update("WHERE number = ?1"))),
          keep_state(named(update(", state = ?19 WHERE number = ?1"))),
          add_reply(named("INSERT INTO ~journal_replies(journal, type, id, step, phase, early, at, "
                          "data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")),
          note_reply(named("UPDATE ~journal_instances SET replies = 1, plain = NULL "
                           "WHERE number = ?")),
          forget_reply(named("DELETE FROM ~journal_replies WHERE journal = ? AND type = ? AND "
                             "id = ? AND step = ? AND phase = ? AND early = ?")),
          forget_replies(named("DELETE FROM ~journal_replies WHERE journal = ? AND type = ? AND "
                               "id = ? AND early = ?")),
          set_early(named("UPDATE ~journal_replies SET early = 1 WHERE journal = ?1 AND "
                          "type = ?2 AND id = ?3 AND early = 0 AND (?4 IS NULL OR step <> ?4 OR "
                          "phase <> ?5)")),
          set_awaited(named("UPDATE ~journal_replies SET early = 0 WHERE journal = ? AND "
                            "type = ? AND id = ? AND early = 1 AND step = ? AND phase = ?")),
          early(named("SELECT early FROM ~journals WHERE number = ?")),
          count_early(named("UPDATE ~journals SET early = early + ? WHERE number = ?")),
          ended(named("SELECT number FROM ~journal_instances INDEXED BY ~journal_ended "
                      "WHERE journal = ? AND state > 1 AND since < ? ORDER BY since LIMIT ?")),
          forget_records(named("DELETE FROM ~journal_records WHERE place BETWEEN ? AND ?")),
          purge_input(named("DELETE FROM ~journal_inputs WHERE number = ?")),
          purge(named("DELETE FROM ~journal_instances WHERE number = ?")),
          purge_replies(named(
              "DELETE FROM ~journal_replies WHERE number IN (SELECT number FROM "
              "~journal_replies INDEXED BY ~journal_replies_early WHERE journal = ? AND early = 1 "
              "AND at < ? ORDER BY at LIMIT ?)")) {}

    static constexpr std::string_view record_columns =
        "place, phase, kind, attempts, begun, at, written, step, why, result";

    /// Writes all of a row that changes, but for what more says: the state, which other indexes are
    /// made of.
    [[nodiscard]] static std::string update(std::string_view more) {
        return std::string("UPDATE ~journal_instances SET epoch = ?2, since = ?3, known = ?4, ")
            .append("unsettled = ?5, held = ?6, seat_epoch = ?7, woken = ?8, wait_from = ?9, ")
            .append("wait_due = ?10, wait_step = ?11, wait_phase = ?12, progress = ?13, ")
            .append("cancelled = ?14, why = ?15, ready = ?16, due = ?17, plain = ?18, ")
            .append("due_from = CASE WHEN ?17 IS NULL THEN NULL ELSE ?9 END ")
            .append(more);
    }

    lease_writes leases;
    prepared set_unswept;
    prepared held;
    prepared add_kind;
    prepared taken;
    prepared start;
    prepared add_input;
    prepared record;
    prepared record_by_hand;
    prepared keep;
    prepared keep_state;
    prepared add_reply;
    prepared note_reply;
    prepared forget_reply;
    prepared forget_replies;
    prepared set_early;
    prepared set_awaited;
    prepared early;
    prepared count_early;
    prepared ended;
    prepared forget_records;
    prepared purge_input;
    prepared purge;
    prepared purge_replies;
};

}  // namespace sinew::sqlite::detail
