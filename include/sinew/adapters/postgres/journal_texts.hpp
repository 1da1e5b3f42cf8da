// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The longer statements of a journal. What each rests on stands in `journal_statements.hpp`.

#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// How many instances of dead runners one claim sets free.
inline constexpr std::string_view swept_at_once = "1000";

/// Whether instance `s` waits for reply `r`. A record ends a wait for a reply with its own update,
/// so such a wait is never out of date.
inline constexpr std::string_view is_awaited =
    "(s.state = 0 AND s.wait_phase IS NOT DISTINCT FROM r.phase AND s.wait_step IS NOT DISTINCT "
    "FROM r.step)";

/// Takes the row of an instance for writing.
inline constexpr std::string_view take_row =
    "INSERT INTO ~journal_states AS s(number, epoch, kind, due, due_from, since, book, state";

/// Instances as rows, from `mine`: 10 numbers, 9 texts, and where the row of its state lies.
inline constexpr std::string_view instance_rows =
    "SELECT s.number, -1 AS place, s.epoch AS n1, s.state::bigint AS n2, s.records::bigint AS n3, "
    "s.since AS n4, s.unsettled AS n5, i.started AS n6, s.wait_from AS n7, s.wait_due AS n8, "
    "s.wait_phase::bigint AS n9, s.due AS n10, i.type AS b1, i.id AS b2, i.steps AS b3, i.input AS "
    "b4, s.progress AS b5, s.wait_step AS b6, s.cancelled AS b7, s.why AS b8, r.data AS b9, "
    "pg_catalog.tidsend(s.row_place) AS b10 FROM mine s JOIN ~journal_instances i ON i.number = "
    "s.number LEFT JOIN ~journal_replies r ON "
    "s.state = 0 AND r.number = s.number AND r.phase = s.wait_phase AND ~key_of(r.step) = "
    "~key_of(s.wait_step)";

/// Their records, in the same columns.
inline constexpr std::string_view record_rows =
    " UNION ALL SELECT r.number, r.place, r.written, r.phase, r.kind, r.attempts, r.begun, r.at, "
    "NULL, NULL, NULL, NULL, r.step, r.result, r.why, NULL, NULL, NULL, NULL, NULL, NULL, NULL "
    "FROM mine s JOIN ~journal_records r ON r.number = s.number";

/// What a seat's lease adds to that: whether there are instances of dead runners.
inline constexpr std::string_view lease_row =
    " UNION ALL SELECT 0, -2, CASE WHEN EXISTS (SELECT 1 FROM ~journal_seats WHERE book = $1 AND "
    "unswept > 0) THEN 1 ELSE 0 END, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
    "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM ~journal_seats WHERE book = $1 AND "
    "seat = $2 AND epoch = $3 AND owner <> ''";

/// Keeps a reply: $1 the instance, $2 the book, then the reply, whether it is awaited, and how many
/// may be kept that are not. Answers whether it is kept now, and whether its step has a record. The
/// second count, which looks at each reply, is made only if the first does not settle it.
inline constexpr std::string_view reply_text =
    "WITH last AS MATERIALIZED (SELECT kind FROM ~journal_records WHERE number = $1 AND phase = $3 "
    "AND step = $4 ORDER BY place DESC LIMIT 1), one AS (INSERT INTO ~journal_replies(number, at, "
    "book, phase, step, data) SELECT $1, $5, $2, $3, $4, $6 WHERE NOT EXISTS (SELECT 1 FROM last "
    "WHERE kind <> 3) AND ($7 OR (SELECT count(*) FROM (SELECT 1 FROM ~journal_replies WHERE book "
    "= $2 LIMIT $8) a) < $8 OR (SELECT count(*) FROM (SELECT 1 FROM ~journal_replies r JOIN "
    "~journal_states s ON s.number = r.number WHERE r.book = $2 AND NOT (s.state = 0 AND "
    "s.wait_phase IS NOT DISTINCT FROM r.phase AND s.wait_step IS NOT DISTINCT FROM r.step) LIMIT "
    "$8) b) < $8) ON CONFLICT DO NOTHING RETURNING 1), noted AS (INSERT INTO ~journal_states AS "
    "s(number, epoch, kind, due, due_from, since, book, state) SELECT $1, 0, 0, $5, $5, 0, $2, 9 "
    "FROM one ON CONFLICT (number) DO UPDATE SET replied = true, due = CASE WHEN $7 AND s.seat IS "
    "NULL AND NOT s.woken THEN excluded.due ELSE s.due END, due_from = CASE WHEN $7 AND s.seat IS "
    "NULL AND NOT s.woken THEN excluded.due ELSE s.due_from END) SELECT EXISTS (SELECT 1 FROM "
    "one), EXISTS (SELECT 1 FROM last WHERE kind <> 3)";

/// Records of instances that are held and of which nothing else is to be changed: one insertion. $1
/// the book, $2 the time, then an array for each column. Answers the instances of those that it
/// added.
inline constexpr std::string_view add_text =
    "INSERT INTO ~journal_records(number, written, begun, at, attempts, place, phase, kind, step, "
    "result, why) SELECT s.number, $2, r.begun, r.at, r.attempts, r.place, r.phase, r.kind, "
    "r.step, "
    "r.result, nullif(r.why, '') FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bytea[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], "
    "$12::bigint[], $13::bytea[], $14::bytea[]) AS r(number, epoch, known, place, step, phase, "
    "kind, attempts, begun, at, result, why), LATERAL (SELECT s.number FROM ~journal_states s "
    "WHERE s.number = r.number AND s.book + 0 = $1 AND s.epoch = r.epoch AND s.claimed AND s.seat "
    "+ 0 IS NOT NULL AND NOT s.replied AND s.wait_step IS NULL AND s.cancelled IS NULL AND "
    "(r.known <= s.records OR (SELECT b.place FROM ~journal_records b WHERE b.number = s.number "
    "AND b.place = r.known - 1) IS NOT NULL) FOR NO KEY UPDATE OF s) s ON CONFLICT DO NOTHING "
    "RETURNING number";

/// Which instance gets one record and no more: $1 the book, $3 and $4 number and epoch, $5 how many
/// records the writer knows, $14 whether that is known to be right.
inline constexpr std::string_view is_plainly_held =
    "s.number = $3 AND s.book + 0 = $1 AND s.epoch = $4 AND s.claimed AND s.seat + 0 IS NOT NULL "
    "AND NOT s.replied AND s.wait_step IS NULL AND s.cancelled IS NULL AND ($14 OR $5 <= "
    "s.records)";

/// One record: $2 the time, then its columns. It answers no rows, and a record that is there
/// already is an error: `RETURNING` and `ON CONFLICT` would cost the server more.
[[nodiscard]] inline std::string add_one_text() {
    return std::string(
               "INSERT INTO ~journal_records(number, written, begun, at, attempts, place, phase, "
               "kind, step, result, why) SELECT s.number, $2, $9, $10, $8, $5, $6, $7, $11, $12, "
               "nullif($13::bytea, '') FROM ~journal_states s WHERE ")
        .append(is_plainly_held)
        .append(" FOR NO KEY UPDATE OF s");
}

/// The same, and with it the instance has ended: $15 its state.
[[nodiscard]] inline std::string end_one_text() {
    return std::string(
               "WITH ended AS (UPDATE ~journal_states s SET epoch = s.epoch + 1, claimed = false, "
               "seat = NULL, state = $15, ended = $2, since = $2, due = $2, due_from = $2, records "
               "= $5 + 1, unsettled = 0, progress = NULL, wait_from = NULL, wait_due = NULL, "
               "wait_phase = NULL, why = NULL WHERE ")
        .append(is_plainly_held)
        .append(
            " RETURNING s.number) INSERT INTO ~journal_records(number, written, begun, at, "
            "attempts, place, phase, kind, step, result, why) SELECT e.number, $2, $9, $10, $8, "
            "$5, $6, $7, $11, $12, nullif($13::bytea, '') FROM ended e");
}

/// The row of an instance of which it is known where it lay when it was claimed, and how many
/// records there are: $1 its place, $2 and $3 number and epoch. A row that was written since then
/// lies elsewhere.
inline constexpr std::string_view lies_there =
    "s.ctid = $1 AND s.number = $2 AND s.epoch = $3 AND s.seat IS NOT NULL AND NOT s.replied AND "
    "s.wait_step IS NULL AND s.cancelled IS NULL";

/// As `add_one_text` and `end_one_text` of such an instance, without a look into an index.
[[nodiscard]] inline std::string add_there_text() {
    return std::string(
               "INSERT INTO ~journal_records(number, written, begun, at, attempts, place, phase, "
               "kind, step, result, why) SELECT s.number, $8, $9, $10, $7, $4, $5, $6, $11, $12, "
               "nullif($13::bytea, '') FROM ~journal_states s WHERE ")
        .append(lies_there)
        .append(" FOR NO KEY UPDATE OF s");
}
[[nodiscard]] inline std::string end_there_text() {
    return std::string(
               "WITH ended AS (UPDATE ~journal_states s SET epoch = s.epoch + 1, claimed = false, "
               "seat = NULL, state = $14, ended = $8, since = $8, due = $8, due_from = $8, records "
               "= $4 + 1, unsettled = 0, progress = NULL, wait_from = NULL, wait_due = NULL, "
               "wait_phase = NULL, why = NULL WHERE ")
        .append(lies_there)
        .append(
            " RETURNING s.number) INSERT INTO ~journal_records(number, written, begun, at, "
            "attempts, place, phase, kind, step, result, why) SELECT e.number, $8, $9, $10, $7, "
            "$4, $5, $6, $11, $12, nullif($13::bytea, '') FROM ended e");
}

/// One record in a service's transaction, where the row is taken for writing and not looked for.
/// Answers the state of that row.
inline constexpr std::string_view join_one_text =
    "WITH held AS (INSERT INTO ~journal_states AS s(number, epoch, kind, due, due_from, since, "
    "book, state, records) VALUES ($3, $4, 0, 0, 0, $2, $1, 9, $5 + 1) ON CONFLICT (number) DO "
    "UPDATE SET records = excluded.records, since = excluded.since, unsettled = 0, progress = "
    "NULL, wait_from = NULL, wait_due = NULL, wait_phase = NULL WHERE s.book = excluded.book AND "
    "s.epoch = excluded.epoch AND s.claimed AND s.seat IS NOT NULL AND NOT s.replied AND "
    "s.wait_step IS NULL AND s.cancelled IS NULL AND s.records <= $5 AND ($14 OR s.records = $5) "
    "RETURNING s.number, s.state), added AS (INSERT INTO ~journal_records(number, written, begun, "
    "at, attempts, place, phase, kind, step, result, why) SELECT h.number, $2, $9, $10, $8, $5, "
    "$6, $7, $11, $12, nullif($13::bytea, '') FROM held h WHERE h.state < 9 ON CONFLICT DO "
    "NOTHING) SELECT state FROM held";

/// Any writes. Each goes as the row that would be there if the instance were not: `records` is how
/// many there are after it, `tag` how many the writer knows, `seat_epoch` how it ends the claim (as
/// `claim_end`), `wait_phase` -2 where there is no wait and -1 where it waits for no reply. $1 the
/// book, $2 the time, $3 whether rows are not to be looked for; then the writes, then their
/// records. Answers those that were done.
///
/// `alone`: not arrays, but the values of one write with one record at most; of place -1 if it has
/// none. In a service's transaction the server chooses how it plans, and arrays, of which it cannot
/// tell the length, it plans anew at each call, which takes it a millisecond.
[[nodiscard]] inline std::string write_text(bool alone) {
    constexpr std::string_view moved = "excluded.records > s.records";
    const auto if_moved = [&](std::string_view column) {
        return std::string(column)
            .append(" = CASE WHEN excluded.seat_epoch > 0 THEN excluded.")
            .append(column)
            .append(" WHEN ")
            .append(moved)
            .append(" THEN NULL ELSE s.")
            .append(column)
            .append(" END, ");
    };
    const std::string since =
        std::string("CASE WHEN excluded.seat_epoch > 1 OR (excluded.records > excluded.tag AND ")
            .append(moved)
            .append(") THEN excluded.since WHEN ")
            .append(moved)
            .append(
                " THEN coalesce((SELECT b.written FROM ~journal_records b WHERE b.number = "
                "s.number AND b.place = excluded.records - 1), s.since) ELSE s.since END");
    const auto due = [&](std::string_view column, std::string_view by) {
        return std::string(column)
            .append(" = CASE WHEN excluded.seat_epoch = 0 AND (s.seat IS NOT NULL OR NOT ")
            .append(moved)
            .append(") THEN s.")
            .append(column)
            .append(" ELSE coalesce(CASE WHEN NOT s.woken AND excluded.seat_epoch > 0 THEN ")
            .append("excluded.")
            .append(by)
            .append(" END, ")
            .append(since)
            .append(") END, ");
    };
    return std::string(
               "WITH changed AS (INSERT INTO ~journal_states AS s(number, epoch, kind, due, "
               "due_from, since, book, state, tag, records, seat_epoch, wait_from, wait_due, "
               "wait_phase, wait_step, progress, why) SELECT w.number, w.epoch, 0, 0, 0, $2, $1, "
               "9, w.known, w.total, w.ending, CASE WHEN w.phase > -2 THEN w.wait_from END, CASE "
               "WHEN w.phase > -2 THEN w.wait_due END, CASE WHEN w.phase >= 0 THEN w.phase END, "
               "CASE WHEN w.phase >= 0 THEN w.step END, nullif(w.progress, ''), nullif(w.why, '') "
               "FROM ")
        .append(alone ? "(VALUES ($4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::bigint, "
                        "$9::bigint, $10::bigint, $11::bigint, $12::bytea, $13::bytea, $14::bytea))"
                      : "unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
                        "$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bytea[], "
                        "$13::bytea[], $14::bytea[])")
        .append(
            " AS w(number, epoch, known, total, ending, wait_from, wait_due, phase, "
            "step, progress, why) WHERE $3 OR (SELECT x.number FROM ~journal_states x WHERE "
            "x.number = w.number) IS NOT NULL ON CONFLICT (number) DO UPDATE SET epoch = "
            "s.epoch + CASE "
            "WHEN excluded.seat_epoch > 0 THEN 1 ELSE 0 END, claimed = excluded.seat_epoch = 0, "
            "seat = CASE WHEN excluded.seat_epoch > 0 THEN NULL ELSE s.seat END, state = "
            "greatest(excluded.seat_epoch - 1, 0), ended = CASE WHEN excluded.seat_epoch > 2 "
            "THEN excluded.since END, records = greatest(s.records, excluded.records), "
            "unsettled "
            "= CASE WHEN excluded.seat_epoch > 0 OR ")
        .append(moved)
        .append(" THEN 0 ELSE s.unsettled END, progress = CASE WHEN excluded.progress IS NOT NULL ")
        .append("THEN excluded.progress WHEN ")
        .append(moved)
        .append(" THEN NULL ELSE s.progress END, why = CASE WHEN excluded.seat_epoch > 1 THEN ")
        .append("excluded.why ELSE s.why END, ")
        .append(if_moved("wait_from"))
        .append(if_moved("wait_due"))
        .append(if_moved("wait_phase"))
        .append(if_moved("wait_step"))
        .append(due("due", "wait_due"))
        .append(due("due_from", "wait_from"))
        .append("since = ")
        .append(since)
        .append(
            " WHERE s.book = excluded.book AND s.epoch = excluded.epoch AND s.claimed AND "
            "(excluded.tag <= s.records OR (SELECT b.place FROM ~journal_records b WHERE "
            "b.number = s.number AND b.place = excluded.tag - 1) IS NOT NULL) RETURNING s.number, "
            "s.state, s.replied, "
            "s.cancelled IS NOT NULL AS is_cancelled), added AS (INSERT INTO "
            "~journal_records(number, written, begun, at, attempts, place, phase, kind, step, "
            "result, why) SELECT r.number, $2, r.begun, r.at, r.attempts, r.place, r.phase, "
            "r.kind, r.step, r.result, nullif(r.why, '') FROM ")
        .append(alone ? "(VALUES ($15::bigint, $16::bigint, $17::bytea, $18::bigint, $19::bigint, "
                        "$20::bigint, $21::bigint, $22::bigint, $23::bytea, $24::bytea))"
                      : "unnest($15::bigint[], $16::bigint[], $17::bytea[], $18::bigint[], "
                        "$19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], "
                        "$23::bytea[], $24::bytea[])")
        .append(
            " AS r(number, place, step, phase, kind, "
            "attempts, begun, at, result, why) JOIN changed c ON c.number = r.number WHERE c.state "
            "< 9 AND r.place >= 0 ON CONFLICT DO NOTHING), taken AS (DELETE FROM ~journal_replies "
            "p USING changed c "
            "WHERE c.replied AND p.number = c.number AND (c.state > 1 OR EXISTS (SELECT 1 FROM ")
        .append(alone ? "(VALUES ($15::bigint, $17::bytea, $18::bigint, $19::bigint))"
                      : "unnest($15::bigint[], $17::bytea[], $18::bigint[], $19::bigint[])")
        .append(
            " AS x(number, step, phase, kind) WHERE x.number = c.number AND x.kind <> 3 AND "
            "x.phase = p.phase AND "
            "x.step = p.step))) SELECT number, is_cancelled, state, replied FROM changed");
}

/// Sets free what was marked: by records and replies as they are since it is locked. What was
/// claimed and of which nothing more was heard is due, whatever it waits for: it was when it was
/// claimed.
inline constexpr std::string_view sweep_text =
    "UPDATE ~journal_states s SET seat = NULL, tag = 0, records = greatest(s.records, f.count), "
    "since = f.since, unsettled = CASE WHEN f.moved THEN 0 ELSE s.unsettled END, progress = CASE "
    "WHEN f.moved THEN NULL ELSE s.progress END, wait_from = CASE WHEN f.moved THEN NULL ELSE "
    "s.wait_from END, wait_due = CASE WHEN f.moved THEN NULL ELSE s.wait_due END, wait_phase = "
    "CASE WHEN f.moved THEN NULL ELSE s.wait_phase END, wait_step = CASE WHEN f.moved THEN NULL "
    "ELSE s.wait_step END, due = CASE WHEN s.woken OR f.moved OR s.wait_due IS NULL THEN f.since "
    "ELSE coalesce(f.at, f.since) END, due_from = CASE WHEN s.woken OR f.moved OR s.wait_due IS "
    "NULL THEN f.since ELSE coalesce(f.at, f.since) END FROM (SELECT m.number, "
    "coalesce(l.place + 1, 0) AS count, coalesce(l.place >= m.records, false) AS moved, CASE WHEN "
    "l.place >= m.records THEN l.written ELSE m.since END AS since, r.at FROM ~journal_states m "
    "LEFT JOIN LATERAL (SELECT place, written FROM ~journal_records WHERE number = m.number ORDER "
    "BY place DESC LIMIT 1) l ON true LEFT JOIN ~journal_replies r ON r.number = m.number AND "
    "r.phase = m.wait_phase AND ~key_of(r.step) = ~key_of(m.wait_step) WHERE m.book = $1 AND "
    "m.seat = -1 AND m.seat_epoch = 0 AND m.tag = $2) f WHERE s.number = f.number";

/// Claims: $1 book, $2 seat, $3 its epoch, $4 the time, the types by hash and name, how many, the
/// claim's tag, and whether what dead runners had was set free before: if not, and there is such,
/// it claims nothing. What is locked by others is theirs already. The second kind of what is due,
/// by a clock that was set back, has an index of its own.
[[nodiscard]] inline std::string take_text() {
    const auto due = [](std::string_view condition, std::string_view order) {
        return std::string(
                   "SELECT * FROM (SELECT s.number, s.due FROM ~journal_states s WHERE s.book = $1 "
                   "AND s.kind = t.kind AND s.state = 0 AND s.seat IS NULL AND ")
            .append(condition)
            .append(
                " AND EXISTS (SELECT 1 FROM lease) AND (SELECT i.type FROM "
                "~journal_instances i WHERE i.number = s.number) = t.type ORDER BY ")
            .append(order)
            .append(" LIMIT $7 FOR NO KEY UPDATE OF s SKIP LOCKED) ");
    };
    return std::string(
               "WITH lease AS MATERIALIZED (SELECT 1 FROM ~journal_seats WHERE book = $1 AND seat "
               "= $2 AND epoch = $3 AND owner <> '' AND ($9 OR NOT EXISTS (SELECT 1 FROM "
               "~journal_seats WHERE book = $1 AND unswept > 0)) FOR SHARE), chosen AS "
               "MATERIALIZED (SELECT "
               "d.number FROM unnest($5::bigint[], $6::bytea[]) AS t(kind, type), LATERAL (")
        .append(due("s.due <= $4", "s.due, s.number"))
        .append("a UNION ALL ")
        .append(due("s.due_from > $4 AND s.due > $4", "s.due_from"))
        .append(
            "b) d ORDER BY d.due, d.number LIMIT $7) UPDATE ~journal_states s SET epoch = s.epoch "
            "+ 1, unsettled = least(s.unsettled + 1, 4294967295), seat = $2, seat_epoch = $3, tag "
            "= $8, claimed = true, woken = false WHERE s.number = ANY(ARRAY(SELECT number FROM "
            "chosen))");
}

/// What has not moved since $2, by number above $3, in the columns of `instance_rows`.
inline constexpr std::string_view stuck_text =
    "SELECT s.number, -1, s.epoch, s.state::bigint, s.records::bigint, CASE WHEN l.place >= "
    "s.records THEN l.written ELSE s.since END, s.unsettled, i.started, CASE WHEN l.place >= "
    "s.records THEN NULL ELSE s.wait_from END, s.wait_due, s.wait_phase::bigint, s.due, i.type, "
    "i.id, i.steps, i.input, CASE WHEN l.place >= s.records THEN NULL ELSE s.progress END, "
    "s.wait_step, s.cancelled, s.why, NULL::bytea FROM ~journal_states s JOIN ~journal_instances i "
    "ON i.number = s.number LEFT JOIN LATERAL (SELECT place, written FROM ~journal_records WHERE "
    "number = s.number AND s.seat IS NOT NULL ORDER BY place DESC LIMIT 1) l ON true WHERE s.book "
    "= $1 AND s.number > $3 AND s.state < 2 AND CASE WHEN l.place >= s.records THEN l.written ELSE "
    "s.since END < $2 ORDER BY s.number LIMIT $4";

/// What people decide of an instance that is locked: $1 the book, $2 and $3 number and epoch, $4
/// the time, $5 the state, $6 why, $7 how many records; then their columns, and how many there have
/// to be, or -1.
inline constexpr std::string_view decide_text =
    "WITH one AS MATERIALIZED (SELECT number FROM ~journal_states WHERE number = $2 AND book = $1 "
    "AND epoch = $3 AND state < 2), c AS MATERIALIZED (SELECT coalesce(max(r.place) + 1, 0) AS "
    "count FROM one JOIN ~journal_records r ON r.number = one.number), s AS MATERIALIZED (SELECT "
    "one.number FROM one, c WHERE $16 < 0 OR c.count = $16), added AS (INSERT INTO "
    "~journal_records(number, written, begun, at, attempts, place, phase, kind, step, result, why) "
    "SELECT s.number, $4, r.begun, r.at, r.attempts, c.count + r.nth - 1, r.phase, r.kind, r.step, "
    "r.result, nullif(r.why, '') FROM s, c, unnest($8::bytea[], $9::bigint[], $10::bigint[], "
    "$11::bigint[], $12::bigint[], $13::bigint[], $14::bytea[], $15::bytea[]) WITH ORDINALITY AS "
    "r(step, phase, kind, attempts, begun, at, result, why, nth)), gone AS (DELETE FROM "
    "~journal_replies p USING s WHERE p.number = s.number AND ($5 > 1 OR EXISTS (SELECT 1 FROM "
    "unnest($8::bytea[], $9::bigint[], $10::bigint[]) AS x(step, phase, kind) WHERE x.kind <> 3 "
    "AND x.phase = p.phase AND x.step = p.step))) UPDATE ~journal_states t SET epoch = t.epoch + "
    "1, claimed = false, seat = NULL, state = $5, since = $4, due = $4, due_from = $4, ended = "
    "CASE WHEN $5 > 1 THEN $4 END, records = c.count + $7, unsettled = CASE WHEN c.count + $7 > "
    "t.records THEN 0 ELSE t.unsettled END, progress = CASE WHEN c.count + $7 > t.records THEN "
    "NULL WHEN $5 = 0 THEN overlay(t.progress placing '\\x000000000000000000000000'::bytea from 1 "
    "for 12) ELSE t.progress END, wait_from = CASE WHEN $5 = 0 AND c.count + $7 <= t.records THEN "
    "t.wait_from END, wait_due = CASE WHEN $5 = 0 AND c.count + $7 <= t.records THEN t.wait_due "
    "END, wait_phase = CASE WHEN $5 = 0 AND c.count + $7 <= t.records THEN t.wait_phase END, "
    "wait_step = CASE WHEN $5 = 0 AND c.count + $7 <= t.records THEN t.wait_step END, woken = "
    "t.woken OR $5 = 0, why = CASE WHEN $5 = 0 THEN NULL ELSE nullif($6::bytea, '') END FROM s, c "
    "WHERE "
    "t.number = s.number RETURNING 1";

}  // namespace sinew::postgres::detail
