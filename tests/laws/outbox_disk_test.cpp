// SPDX-License-Identifier: BSL-1.0
//
// The laws of publishing with the outbox in SQLite on a simulated disk: full disks, failed syncs,
// lost and torn writes. Every single fault here; pairs of them when SINEW_FAULTS asks for three.

#include "laws/scenarios/outbox_disk.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: an outbox in SQLite with a write-ahead log on a disk that fails") {
    sinew::laws::prove("sqlite_outbox", sinew::laws::sqlite_outbox, 1);
}

TEST_CASE("laws: an outbox in SQLite with a rollback journal on a disk whose power fails") {
    sinew::laws::prove("sqlite_outbox_journal", sinew::laws::sqlite_outbox_journal, 1);
}

TEST_CASE("laws: with synchronous OFF an event is published before its transaction is safe") {
    const auto report = sinew::testing::every_fault(sinew::laws::sqlite_outbox_synchronous_off, 0);
    CHECK(report.example_of(sinew::testing::law::only_committed) != nullptr);
}
