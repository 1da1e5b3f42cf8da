// SPDX-License-Identifier: BSL-1.0
//
// The laws of long work with the journal in SQLite on a simulated disk: full disks, failed syncs,
// lost and torn writes. Every single fault here; pairs of them when SINEW_FAULTS asks for three.

#include "laws/scenarios/processes_disk.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: a saga with its journal in SQLite goes all the way on a disk that fails") {
    sinew::laws::prove("sqlite_saga_completes", sinew::laws::sqlite_saga_completes, 1);
}

TEST_CASE("laws: a saga with its journal in SQLite goes all the way back on a disk that fails") {
    sinew::laws::prove("sqlite_saga_goes_back", sinew::laws::sqlite_saga_goes_back, 1);
}

TEST_CASE("laws: a saga in SQLite with a rollback journal on a disk whose power fails") {
    sinew::laws::prove("sqlite_saga_journal", sinew::laws::sqlite_saga_journal, 1);
}

TEST_CASE("laws: with synchronous OFF a step acts before the one before it is safe") {
    const auto report = sinew::testing::every_fault(sinew::laws::sqlite_saga_synchronous_off, 0);
    CHECK(report.example_of(sinew::testing::law::no_commit_ahead) != nullptr);
}
