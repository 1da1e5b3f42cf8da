// SPDX-License-Identifier: BSL-1.0
//
// The laws of publishing with the spool in SQLite on a simulated disk: full disks, failed syncs,
// lost and torn writes. Every single fault here; pairs of them when SINEW_FAULTS asks for three.

#include "laws/scenarios/spool_disk.hpp"
#include "laws/prove.hpp"

TEST_CASE("laws: what a spool in SQLite took outlives a disk that fails") {
    sinew::laws::prove("sqlite_spool", sinew::laws::sqlite_spool, 1);
    sinew::laws::try_at_random(sinew::laws::sqlite_spool);
}
