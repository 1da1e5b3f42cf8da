// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The statements of a journal. Each begins with the number of the book, except those that know the
/// number of an instance already.
///
/// Two rules, both for what runs at the same time:
///
/// - What a statement sees is as old as its beginning, and a row that it had to wait for is newer.
///   So whoever decides by records or replies locks the instance with one statement and looks with
///   the next.
/// - Under serializable isolation PostgreSQL notes what was read by pages, and takes a write of
///   another row there for a conflict. So what runs in a service's transaction does not look for
///   the instance's row, but takes it for writing (`INSERT ... ON CONFLICT DO UPDATE`). Where the
///   row is not there that makes one, in state 9, which is forgotten at once.

#include <sinew/adapters/postgres/journal_texts.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/round_trip.hpp>
#include <sinew/adapters/postgres/schema.hpp>

#include <string>
#include <string_view>

namespace sinew::postgres::detail {

struct journal_statements {
    explicit journal_statements(const naming& named)
        : make(named("WITH made AS (INSERT INTO ~journals(name, seats) VALUES ($1, $2) ON CONFLICT "
                     "DO NOTHING RETURNING book, seats), empty AS (INSERT INTO "
                     "~journal_seats(book, seat, epoch, beat, owner) SELECT book, "
                     "generate_series(0, seats - 1), 0, 0, '' FROM made) SELECT book, seats FROM "
                     "made")),
          open(named("SELECT book, seats FROM ~journals WHERE ~key_of(name) = ~key_of($1)")),
          leases(named, {"~journal_seats", "book", "seat", "unswept = epoch + 1"}),
          // What services write.
          start(named(
              "WITH made AS (INSERT INTO ~journal_instances(book, type, id, steps, input, started) "
              "VALUES ($1, $3, $4, $5, $6, $7) ON CONFLICT (book, ~key_of(type), ~key_of(id)) DO "
              "NOTHING RETURNING number) INSERT INTO ~journal_states(number, epoch, kind, due, "
              "due_from, since, book, state) SELECT number, 0, $2, $7, $7, $7, $1, 0 FROM made "
              "RETURNING number")),
          known(named("SELECT i.number, i.input = $4, s.state FROM ~journal_instances i JOIN "
                      "~journal_states s ON s.number = i.number WHERE i.book = $1 AND "
                      "~key_of(i.type) = ~key_of($2) AND ~key_of(i.id) = ~key_of($3)")),
          bear(named("WITH born AS (UPDATE ~journal_instances SET steps = $2, input = $3, started "
                     "= $4 WHERE number = $1) UPDATE ~journal_states SET state = 0, since = $4, "
                     "due = $4, due_from = $4 WHERE number = $1 AND state = 5 RETURNING 1")),
          address(named(
              "WITH one AS (INSERT INTO ~journal_instances(book, type, id, steps, input, started) "
              "VALUES ($1, $3, $4, '', '', 0) ON CONFLICT (book, ~key_of(type), ~key_of(id)) DO "
              "UPDATE SET book = excluded.book RETURNING number) INSERT INTO ~journal_states AS "
              "s(number, epoch, kind, due, due_from, since, book, state) SELECT number, 0, $2, 0, "
              "0, 0, $1, 5 FROM one ON CONFLICT (number) DO UPDATE SET book = excluded.book "
              "RETURNING s.number, s.state, s.wait_step, s.wait_phase")),
          reply(named(reply_text)),
          has_reply(named("SELECT 1 FROM ~journal_replies WHERE number = $1 AND phase = $2 AND "
                          "~key_of(step) = ~key_of($3)")),
          drop_unborn(named("WITH none AS (DELETE FROM ~journal_states WHERE number = $1 AND state "
                            "= 5 AND NOT replied RETURNING number) DELETE FROM "
                            "~journal_instances WHERE number IN (SELECT number FROM none)")),
          cancel(named(std::string(take_row) +
                       ", cancelled) VALUES ($2, 0, 0, 0, 0, 0, $1, 9, $3) ON CONFLICT (number) DO "
                       "UPDATE SET "
                       "woken = s.woken OR s.cancelled IS NULL, due = CASE WHEN s.cancelled IS "
                       "NULL THEN s.since ELSE s.due END, due_from = CASE WHEN s.cancelled IS "
                       "NULL THEN s.since ELSE s.due_from END, cancelled = "
                       "coalesce(s.cancelled, excluded.cancelled) WHERE s.state < 2 RETURNING "
                       "s.state")),
          is_held(named("SELECT 1 FROM ~journal_states WHERE number = $1 AND book + 0 = $2 AND "
                        "epoch = $3 AND claimed")),
          forget(named("DELETE FROM ~journal_states WHERE number = $1 AND state = 9")),
          // What runners write.
          add(named(add_text)),
          add_one(named(add_one_text())),
          end_one(named(end_one_text())),
          add_there(named(add_there_text())),
          end_there(named(end_there_text())),
          join_one(named(join_one_text)),
          write(named(write_text(false))),
          write_one(named(write_text(true))),
          refresh(
              named("UPDATE ~journal_states s SET due = r.at, due_from = r.at FROM "
                    "~journal_replies r WHERE s.book + 0 = $1 AND s.number = ANY($2) AND s.state "
                    "+ 0 = 0 AND s.seat + 0 IS NULL AND NOT s.woken AND r.number = s.number AND "
                    "r.phase = s.wait_phase AND ~key_of(r.step) = ~key_of(s.wait_step)")),
          // Claiming.
          mark(named(std::string("UPDATE ~journal_states SET seat = -1, seat_epoch = 0, tag = $2 "
                                 "WHERE ctid = ANY(ARRAY(SELECT s.place FROM ~journal_seats l, "
                                 "LATERAL (SELECT ctid AS place FROM ~journal_states WHERE book = "
                                 "l.book AND seat = l.seat AND seat_epoch < l.unswept LIMIT ")
                         .append(swept_at_once)
                         .append(" FOR NO KEY UPDATE SKIP LOCKED) s WHERE l.book = $1 AND "
                                 "l.unswept > 0))"))),
          sweep(named(sweep_text)),
          clean(named(
              "WITH seen AS MATERIALIZED (SELECT seat, unswept FROM ~journal_seats l "
              "WHERE book = $1 AND unswept > 0 AND (SELECT seat FROM ~journal_states WHERE book = "
              "$1 AND seat = l.seat AND seat_epoch < l.unswept LIMIT 1) IS NULL) UPDATE "
              "~journal_seats l SET unswept = 0 FROM seen WHERE l.book "
              "= $1 AND l.seat = seen.seat AND l.unswept = seen.unswept")),
          take(named(take_text())),
          claimed(named(std::string("WITH mine AS MATERIALIZED (SELECT *, ctid AS row_place "
                                    "FROM ~journal_states WHERE book = $1 AND seat = $2 AND "
                                    "seat_epoch = $3 AND tag = "
                                    "$4) ")
                            .append(instance_rows)
                            .append(record_rows)
                            .append(lease_row))),
          // What people see and do.
          find(named(std::string("WITH mine AS MATERIALIZED (SELECT s.*, s.ctid AS row_place "
                                 "FROM ~journal_instances i JOIN ~journal_states s ON s.number = "
                                 "i.number WHERE i.book = "
                                 "$1 AND ~key_of(i.type) = ~key_of($2) AND ~key_of(i.id) = "
                                 "~key_of($3) AND s.state < 5) ")
                         .append(instance_rows)
                         .append(record_rows))),
          stuck(named(stuck_text)),
          lock(named("SELECT 1 FROM ~journal_states WHERE number = $1 FOR NO KEY UPDATE")),
          decide(named(decide_text)),
          counts(named("SELECT count(*) FILTER (WHERE state = 0), count(*) FILTER (WHERE state = "
                       "1), (SELECT count(*) FROM ~journal_replies r JOIN ~journal_states s ON "
                       "s.number = r.number WHERE r.book = $1 AND NOT " +
                       std::string(is_awaited) +
                       ") FROM ~journal_states WHERE book = $1 AND state < 2")),
          // Forgetting.
          purge(named(
              "WITH old AS MATERIALIZED (SELECT number FROM ~journal_states WHERE book = $1 AND "
              "ended < $2 ORDER BY ended LIMIT $3 FOR UPDATE SKIP LOCKED), gone AS (DELETE FROM "
              "~journal_states WHERE number IN (SELECT number FROM old)), gone_too AS (DELETE FROM "
              "~journal_instances WHERE number IN (SELECT number FROM old)), gone_with AS (DELETE "
              "FROM ~journal_records WHERE number IN (SELECT number FROM old)) SELECT count(*) "
              "FROM old")),
          mark_early(named(
              "UPDATE ~journal_states SET tag = $4 WHERE number IN (SELECT s.number FROM (SELECT "
              "DISTINCT number FROM (SELECT r.number FROM ~journal_replies r JOIN ~journal_states "
              "s ON s.number = r.number WHERE r.book = $1 AND r.at < $2 AND NOT " +
              std::string(is_awaited) +
              " ORDER BY r.at LIMIT $3) old) o JOIN ~journal_instances i ON i.number = o.number "
              "JOIN ~journal_states s ON s.number = o.number FOR UPDATE OF i, s SKIP LOCKED)")),
          purge_early(named(
              "WITH gone AS (DELETE FROM ~journal_replies WHERE ctid = ANY(ARRAY(SELECT r.ctid "
              "FROM ~journal_replies r JOIN ~journal_states s ON s.number = r.number WHERE r.book "
              "= $1 AND r.at < $2 AND s.tag = $4 AND NOT " +
              std::string(is_awaited) +
              " ORDER BY r.at LIMIT $3)) RETURNING 1) SELECT count(*) FROM gone")),
          drop_unused(named(
              "WITH none AS (DELETE FROM ~journal_states s WHERE book = $1 AND state = 5 AND tag = "
              "$2 AND NOT EXISTS (SELECT 1 FROM ~journal_replies r WHERE r.number = s.number) "
              "RETURNING number) DELETE FROM ~journal_instances WHERE number IN (SELECT number "
              "FROM none)")) {}

    prepared make;
    prepared open;
    lease_statements leases;
    prepared start;
    prepared known;
    prepared bear;
    prepared address;
    prepared reply;
    prepared has_reply;
    prepared drop_unborn;
    prepared cancel;
    prepared is_held;
    prepared forget;
    prepared add;
    prepared add_one;
    prepared end_one;
    prepared add_there;
    prepared end_there;
    prepared join_one;
    prepared write;
    prepared write_one;
    prepared refresh;
    prepared mark;
    prepared sweep;
    prepared clean;
    prepared take;
    prepared claimed;
    prepared find;
    prepared stuck;
    prepared lock;
    prepared decide;
    prepared counts;
    prepared purge;
    prepared mark_early;
    prepared purge_early;
    prepared drop_unused;
};

}  // namespace sinew::postgres::detail
