// SPDX-License-Identifier: BSL-1.0
//
// The laws with SQLite on a simulated disk: full disks, failed syncs, lost and torn writes. Every
// single fault here; pairs of them when SINEW_FAULTS asks for three.

#include "laws/scenarios/disk.hpp"
#include "laws/prove.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sinew::testing;

/// The scenario promises less than the laws ask for: it has to be found out.
void find_out(void (*scenario)(trial&), std::string_view law, unsigned faults) {
    const auto report = every_fault(scenario, faults);
    REQUIRE(report.complete);
    const auto* found = report.example_of(law);
    REQUIRE(found != nullptr);
    CHECK(found->faults <= faults);
    // Nothing that SQLite promises was broken.
    CHECK(report.example_of(sinew::laws::law::file_whole) == nullptr);
}

/// A run with SQLite takes a millisecond, so there are fewer of them than of others.
void prove_on_disk(std::string_view name, void (*scenario)(trial&), unsigned faults_max = 1) {
    sinew::laws::prove(name, scenario, faults_max);
    const auto tapes = sinew::laws::number_from("SINEW_TAPES", sinew::laws::usual_tapes) / 20;
    const sinew::laws::stopwatch watch;
    const auto report = random_tapes(scenario, {.tapes = tapes, .like = {.length_max = 200}});
    const double took = watch.seconds();
    sinew::laws::covered().add(report, took);
    std::printf("%-30s %s\n", "", summary(report, took).c_str());
    if (!report.all_hold()) {
        FAIL(explain(scenario, report.runs, "sinew::laws::" + std::string(name)));
    }
}

}  // namespace

TEST_CASE("laws: SQLite with a write-ahead log on a disk that fails") {
    prove_on_disk("sqlite_wal", sinew::laws::sqlite_wal);
}

TEST_CASE("laws: SQLite that writes its log back after each commit") {
    prove_on_disk("sqlite_checkpoints", sinew::laws::sqlite_checkpoints);
}

TEST_CASE("laws: SQLite with a rollback journal on a disk whose power fails") {
    // It has 200,000 pairs of faults, so it stays one fault behind the others.
    prove_on_disk("sqlite_journal", sinew::laws::sqlite_journal, 0);
}

TEST_CASE("laws: an SQLite file that is made while the disk fails") {
    prove_on_disk("sqlite_new_file", sinew::laws::sqlite_new_file);
}

TEST_CASE("laws: two processes with one SQLite file and one power supply") {
    prove_on_disk("sqlite_two_processes", sinew::laws::sqlite_two_processes);
}

TEST_CASE("laws: a disk that is full for longer than there are attempts") {
    sinew::laws::prove("sqlite_full_disk", sinew::laws::sqlite_full_disk, 1);
}

TEST_CASE("laws: with synchronous OFF or NORMAL a loss of power loses what was committed") {
    // The worst case alone is enough: no commit is safe by the time its offset is.
    find_out(sinew::laws::sqlite_synchronous_off, law::no_commit_ahead, 0);
    find_out(sinew::laws::sqlite_synchronous_normal, law::no_commit_ahead, 0);
    // And a loss of power shows it.
    find_out(sinew::laws::sqlite_synchronous_off, law::nothing_lost, 1);
    find_out(sinew::laws::sqlite_synchronous_normal, law::nothing_lost, 1);
}

TEST_CASE("laws: a rollback journal with synchronous FULL can come back and undo the commit") {
    find_out(sinew::laws::sqlite_journal_full, law::no_commit_ahead, 0);
    find_out(sinew::laws::sqlite_journal_full, law::nothing_lost, 1);
}

TEST_CASE("laws: a rollback journal with EXTRA is not safe where its removal cannot be synced") {
    find_out(sinew::laws::sqlite_journal_with_all_faults, law::no_commit_ahead, 1);
}

TEST_CASE(
    "laws: a disk that forgets failed syncs is survived alone, and not with a death after it") {
    const auto alone = every_fault(sinew::laws::sqlite_forgotten_syncs, 1);
    CHECK(alone.all_hold());
    // A sync fails, the process dies, and its successor reads what is not safe and never will be.
    const auto sync_failed_then_death = [](std::size_t sync, std::uint8_t way) {
        std::vector<std::uint8_t> tape(sync + 1, 0);
        tape[sync] = way;
        const auto first = run_tape(sinew::laws::sqlite_forgotten_syncs, tape, false);
        const auto& made = first.choices.made();
        if (made[sync].answer != to_string(fault::sync_failed)) {
            return false;
        }
        std::size_t death = sync;
        while (death < made.size() && made[death].label != "delivery") {
            ++death;
        }
        tape.resize(death + 1, 0);
        tape[death] = 1;
        return !run_tape(sinew::laws::sqlite_forgotten_syncs, tape, false).found.all_hold();
    };
    unsigned lost = 0;
    const auto plain = run_tape(sinew::laws::sqlite_forgotten_syncs, std::vector<std::uint8_t>());
    for (std::size_t i = 0; i < plain.choices.made().size(); ++i) {
        const auto& one = plain.choices.made()[i];
        for (std::uint8_t way = 1; one.label == "disk sync" && way < one.arity; ++way) {
            lost += sync_failed_then_death(i, way) ? 1 : 0;
        }
    }
    CHECK(lost > 0);
}
