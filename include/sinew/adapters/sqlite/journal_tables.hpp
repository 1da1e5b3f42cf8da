// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The tables of journals in SQLite.
///
/// | table | key | what it keeps |
/// | --- | --- | --- |
/// | `journals` | number | a journal, its seats, its first stream, how many replies are early |
/// | `journal_leases` | stream | who has the seat (epoch, beat, owner), and what is to be swept |
/// | `journal_types` | number; journal, type | the processes that instances are of |
/// | `journal_instances` | number; kind, id | where an instance stands |
/// | `journal_inputs` | number | its steps and its input, which never change |
/// | `journal_records` | place | what became of a step |
/// | `journal_replies` | journal, type, id, step, phase | a reply to a step without a record |
///
/// The place of a record is its instance's number and its own in the history, in one, which is the
/// row's key. So a record is one insertion into one tree, its instance's history lies side by side,
/// and the key keeps a record from being made twice.
///
/// An instance's row notes how many records there were when it was written (`known`). Progress,
/// wait and the count of silent claims are void as soon as there are more, so a record ends them
/// without a write to the row. Where that is all that a record would do, `plain` is the epoch of
/// the claim.
///
/// | an open instance that | is found by |
/// | --- | --- |
/// | may be claimed, whatever the clock says | `journal_ready`, since when |
/// | waits for the clock | `journal_due`, and `journal_due_from` for a clock that was set back |
/// | is held under a seat | `journal_held`, which a sweep reads once the lease has ended |
///
/// **Invariants.** Each open instance is in exactly one of these, and none that is parked or has
/// ended is in any. Columns that indexes are made of are written when a claim begins or ends, and
/// not with a record. A number is never given to another instance, also after a purge.

#include <sinew/adapters/sqlite/schema.hpp>

#include <cstddef>
#include <cstdint>

namespace sinew::sqlite::detail {

// Large values come last in a row, and an input lies apart: an instance is written with each claim.
inline constexpr schema_part journal_schema{"journal", 1, R"(
CREATE TABLE ~journals(
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seats INTEGER NOT NULL,
    first_stream INTEGER NOT NULL, early INTEGER NOT NULL) STRICT;
CREATE TABLE ~journal_leases(
    stream INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, beat INTEGER NOT NULL,
    owner TEXT NOT NULL, unswept INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX ~journal_unswept ON ~journal_leases(stream) WHERE unswept = 1;
CREATE TABLE ~journal_types(
    number INTEGER PRIMARY KEY, journal INTEGER NOT NULL, type BLOB NOT NULL,
    UNIQUE(journal, type)) STRICT;
CREATE TABLE ~journal_instances(
    number INTEGER PRIMARY KEY AUTOINCREMENT, plain INTEGER, journal INTEGER NOT NULL,
    epoch INTEGER NOT NULL, seat_epoch INTEGER NOT NULL, held INTEGER, known INTEGER NOT NULL,
    replies INTEGER NOT NULL, unsettled INTEGER NOT NULL, woken INTEGER NOT NULL,
    state INTEGER NOT NULL, kind INTEGER NOT NULL, started INTEGER NOT NULL,
    since INTEGER NOT NULL, ready INTEGER, due INTEGER, due_from INTEGER, wait_from INTEGER,
    wait_due INTEGER, wait_phase INTEGER, wait_step BLOB, id BLOB NOT NULL, progress BLOB,
    cancelled BLOB, why BLOB) STRICT;
CREATE UNIQUE INDEX ~journal_ids ON ~journal_instances(kind, id);
CREATE INDEX ~journal_ready ON ~journal_instances(kind, ready) WHERE ready IS NOT NULL;
CREATE INDEX ~journal_due ON ~journal_instances(kind, due) WHERE due IS NOT NULL;
CREATE INDEX ~journal_due_from ON ~journal_instances(kind, due_from) WHERE due_from IS NOT NULL;
CREATE INDEX ~journal_held ON ~journal_instances(held, seat_epoch) WHERE held IS NOT NULL;
CREATE INDEX ~journal_live ON ~journal_instances(journal) WHERE state < 2;
CREATE INDEX ~journal_parked ON ~journal_instances(journal) WHERE state = 1;
CREATE INDEX ~journal_ended ON ~journal_instances(journal, since) WHERE state > 1;
CREATE TABLE ~journal_inputs(
    number INTEGER PRIMARY KEY, steps BLOB NOT NULL, input BLOB NOT NULL) STRICT;
CREATE TABLE ~journal_records(
    place INTEGER PRIMARY KEY, phase INTEGER NOT NULL, kind INTEGER NOT NULL,
    attempts INTEGER NOT NULL, begun INTEGER NOT NULL, at INTEGER NOT NULL, written INTEGER,
    step BLOB NOT NULL, why BLOB, result BLOB) STRICT;
CREATE TABLE ~journal_replies(
    number INTEGER PRIMARY KEY, journal INTEGER NOT NULL, early INTEGER NOT NULL,
    at INTEGER NOT NULL, phase INTEGER NOT NULL, type BLOB NOT NULL, id BLOB NOT NULL,
    step BLOB NOT NULL, data BLOB) STRICT;
CREATE UNIQUE INDEX ~journal_replies_by_step
    ON ~journal_replies(journal, type, id, step, phase);
CREATE INDEX ~journal_replies_early ON ~journal_replies(journal, at) WHERE early = 1;
)"};

/// How many bits of a place are the record's own: a million records of each instance.
inline constexpr unsigned record_bits = 20;
inline constexpr std::size_t records_max = (std::size_t{1} << record_bits) - 1;
inline constexpr std::int64_t instances_max = std::int64_t{1} << (62U - record_bits);

/// Where the record lies that has so many before it.
[[nodiscard]] constexpr std::int64_t record_place(std::int64_t number,
                                                  std::size_t before) noexcept {
    return number << record_bits | static_cast<std::int64_t>(before);
}

}  // namespace sinew::sqlite::detail
