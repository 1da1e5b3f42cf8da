// SPDX-License-Identifier: BSL-1.0
//
// What the store does when the disk below it fails, on a simulated disk: each test goes through all
// moments at which that can happen.

#include "support/test.hpp"

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/testing/sqlite_disk.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace sinew::testing;

/// A store on a simulated disk: that of a process which meets faults, or of one which does not.
struct life {
    template <class... Where>
    explicit life(Where&... where)
        : disk(where...), db(disk.uri("x.db"), {.busy_timeout = duration::zero()}) {
        sqlite_disk::never_wait(db.connection().handle());
        db.connection().execute_script("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY)");
    }

    commit_result add_row() {
        auto tx = db.begin();
        tx.execute("INSERT INTO t DEFAULT VALUES");
        return tx.commit();
    }
    [[nodiscard]] int rows() {
        return std::get<0>(*db.connection().query_one<int>("SELECT count(*) FROM t"));
    }
    [[nodiscard]] std::string mode() {
        return std::get<0>(*db.connection().query_one<std::string>("PRAGMA journal_mode"));
    }

    sqlite_disk disk;
    sqlite::store db;
};

/// A world in which nobody is stepped.
struct scene {
    scene(const std::vector<std::uint8_t>& tape, fault_set faults, const simulated_disk& disk = {})
        : machine(disk, faults) {
        run.start(tape, false);
    }

    /// How many rows there are if the power fails now and takes along all that is not safe.
    [[nodiscard]] int safe_rows() {
        computer copy(machine.disk().after_the_worst());
        return life(copy).rows();
    }

    trial run;
    world time{run};
    process first{time, 0, "first"};
    computer machine;
};

/// Calls `check(scene)` with a fault at each moment of `act`, in each way; answers how often.
unsigned at_each_moment(fault_set faults, const simulated_disk& disk,
                        const std::function<void(scene&)>& act) {
    scene without({}, faults, disk);
    act(without);
    const auto moments = without.run.choices.made();
    unsigned schedules = 0;
    for (std::size_t at = 0; at < moments.size(); ++at) {
        for (unsigned way = 1; way < moments[at].arity; ++way) {
            std::vector<std::uint8_t> tape(at + 1, 0);
            tape.back() = static_cast<std::uint8_t>(way);
            scene s(tape, faults, disk);
            CAPTURE(at, way);
            act(s);
            ++schedules;
        }
    }
    return schedules;
}

/// A disk on which the file is made.
simulated_disk made_disk() {
    scene s({}, {});
    {
        life maker(s.machine);
        REQUIRE(maker.add_row() == commit_result::committed);
    }
    s.machine.lose_power({});
    return s.machine.disk();
}

}  // namespace

TEST_CASE(
    "sqlite: what a process did not sync before it died is safe once its successor reads it") {
    unsigned died_unsynced = 0;
    at_each_moment({fault::crash_before}, made_disk(), [&](scene& s) {
        try {
            static_cast<void>(life(s.first, s.machine).add_row());
        } catch (const unavailable_error&) {
        }
        const int safe_before = s.safe_rows();
        life successor(s.machine);
        const int read = successor.rows();
        died_unsynced += read > safe_before ? 1 : 0;
        REQUIRE(s.safe_rows() == read);
    });
    REQUIRE(died_unsynced > 0);
}

TEST_CASE(
    "sqlite: whichever write or sync fails, a file is in WAL mode or the store says why not") {
    unsigned refused = 0;
    at_each_moment({fault::sync_failed, fault::disk_full}, {}, [&](scene& s) {
        try {
            life opened(s.first, s.machine);
            REQUIRE(opened.mode() == "wal");
        } catch (const unavailable_error& e) {
            REQUIRE((e.reason() == "io_error" || e.reason() == "disk_full"));
            ++refused;
        }
        life again(s.machine);
        REQUIRE(again.mode() == "wal");
        REQUIRE(again.add_row() == commit_result::committed);
        REQUIRE(again.rows() == 1);
    });
    REQUIRE(refused > 10);
}

TEST_CASE("sqlite: a loss of power while the file is made undoes nothing that is committed later") {
    const auto schedules = at_each_moment({fault::lost_writes, fault::torn_tail}, {}, [](scene& s) {
        try {
            const life opened(s.first, s.machine);
        } catch (const unavailable_error&) {
        }
        {
            life again(s.machine);
            REQUIRE(again.add_row() == commit_result::committed);
        }
        REQUIRE(s.safe_rows() == 1);
    });
    REQUIRE(schedules > 50);
}

TEST_CASE("sqlite: a statement that writes and answers a row tells if its commit failed") {
    unsigned told = 0;
    at_each_moment({fault::sync_failed, fault::disk_full}, made_disk(), [&](scene& s) {
        int rows = 1;
        try {
            life opened(s.first, s.machine);
            const auto number =
                opened.db.connection().query_one<int>("INSERT INTO t DEFAULT VALUES RETURNING n");
            REQUIRE(number == std::tuple(2));
            rows = 2;
        } catch (const unavailable_error&) {
            ++told;
        }
        REQUIRE(life(s.machine).rows() == rows);
    });
    REQUIRE(told > 2);
}
