// SPDX-License-Identifier: BSL-1.0
//
// What a journal says and keeps when the disk below it fails, on a simulated disk: a process of
// three steps meets a fault at each moment, dies of it, loses the power, and is finished by a
// successor.

#include "support/test.hpp"

#include <sinew/adapters/sqlite/store.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/testing/sqlite_disk.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace sinew::testing;

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr std::string_view type = "order";

/// What was answered to whoever asked.
struct promises {
    bool is_started = false;
    std::size_t records = 0;
    bool has_ended = false;
};

/// A service and a runner in one process, on a simulated disk.
struct life_with_journal {
    template <class... Where>
    explicit life_with_journal(Where&... where)
        : disk(where...), db(disk.uri("x.db"), {.busy_timeout = duration::zero()}) {
        sqlite_disk::never_wait(db.connection().handle());
        db.connection().execute_script("CREATE TABLE IF NOT EXISTS effects(n INTEGER PRIMARY KEY)");
    }

    [[nodiscard]] int effects() {
        return std::get<0>(*db.connection().query_one<int>("SELECT count(*) FROM effects"));
    }

    /// Starts the instance and takes it to its end, from wherever it stands.
    void work(sqlite::journal& book, promises& said) {
        auto tx = db.begin();
        const std::vector<step_entry> steps{{"effect", step_kind::retriable},
                                            {"plain", step_kind::retriable}};
        static_cast<void>(book.start(tx, {type, "1", steps, "input"}, day));
        if (tx.commit() != commit_result::committed) {
            return;
        }
        said.is_started = true;
        const auto lease = book.take(book.holder(0), "runner");
        if (!lease) {
            return;
        }
        const auto some = book.claim(*lease, {&type, 1}, day, 10);
        if (!some || some->empty()) {
            return;
        }
        const auto& entry = some->front();
        journal_write one{.claim = claim_of(entry.what), .known = entry.history.size()};
        if (one.known == 0 && !take_step(book, one, said)) {
            return;
        }
        if (one.known == 1) {
            one.records = {record("plain")};
            if (book.write({&one, 1}, day).at(0).how != fenced_result::done) {
                return;
            }
            said.records = ++one.known;
        }
        one.records.clear();
        one.end = claim_end::completed;
        said.has_ended = book.write({&one, 1}, day).at(0).how == fenced_result::done;
    }

    sqlite_disk disk;
    sqlite::store db;

private:
    /// A step whose effect is in the same transaction as its record.
    bool take_step(sqlite::journal& book, journal_write& one, promises& said) {
        auto tx = db.begin();
        tx.execute("INSERT INTO effects DEFAULT VALUES");
        one.records = {record("effect")};
        const auto came = book.write(tx, one, day).how;
        if (came != fenced_result::done || tx.commit() != commit_result::committed) {
            return false;
        }
        said.records = ++one.known;
        return true;
    }
    [[nodiscard]] static step_record record(std::string step) {
        return {.where = {std::move(step), step_phase::act}, .at = day, .result = "ok"};
    }
};

struct journal_scene_on_disk {
    journal_scene_on_disk(const std::vector<std::uint8_t>& tape, fault_set faults,
                          const simulated_disk& disk = {})
        : machine(disk, faults) {
        run.start(tape, false);
    }

    trial run;
    world time{run};
    process first{time, 0, "first"};
    computer machine;
};

simulated_disk disk_with_journal() {
    journal_scene_on_disk s({}, {});
    {
        life_with_journal maker(s.machine);
        static_cast<void>(maker.db.journal("orders"));
    }
    s.machine.lose_power({});
    return s.machine.disk();
}

/// One life with the fault, a loss of power, and the successor. Answers whether the first life came
/// to its end.
bool live_and_die(journal_scene_on_disk& s) {
    promises said;
    try {
        life_with_journal first(s.first, s.machine);
        auto book = first.db.journal("orders");
        first.work(book, said);
    } catch (const unavailable_error&) {
    }
    computer after(s.machine.disk().after_the_worst());
    life_with_journal next(after);
    auto book = next.db.journal("orders");
    const auto found = book.find(type, "1");
    REQUIRE((found.has_value() || !said.is_started));
    const std::size_t records = found ? found->history.size() : 0;
    REQUIRE(records >= said.records);
    REQUIRE(next.effects() == (records > 0 ? 1 : 0));
    REQUIRE((!said.has_ended || found->what.state == instance_state::completed));
    promises said_next;
    next.work(book, said_next);
    const auto last = book.find(type, "1").value();
    REQUIRE(last.what.state == instance_state::completed);
    REQUIRE(last.history.size() == 2);
    REQUIRE(last.history[0].where.step == "effect");
    REQUIRE(last.history[1].where.step == "plain");
    REQUIRE(next.effects() == 1);
    return said.has_ended;
}

/// Lives and dies with a fault at each moment, in each way; answers how often a first life did not
/// come to its end.
unsigned die_at_each_moment(fault_set faults) {
    const auto disk = disk_with_journal();
    journal_scene_on_disk without({}, faults, disk);
    REQUIRE(live_and_die(without));
    const auto moments = without.run.choices.made();
    unsigned cut_short = 0;
    for (std::size_t at = 0; at < moments.size(); ++at) {
        for (unsigned way = 1; way < moments[at].arity; ++way) {
            std::vector<std::uint8_t> tape(at + 1, 0);
            tape.back() = static_cast<std::uint8_t>(way);
            journal_scene_on_disk s(tape, faults, disk);
            CAPTURE(at, way);
            cut_short += live_and_die(s) ? 0 : 1;
        }
    }
    return cut_short;
}

}  // namespace

TEST_CASE("sqlite: whenever its process dies, an instance goes on with each effect once") {
    REQUIRE(die_at_each_moment({fault::crash_before}) > 5);
}

TEST_CASE("sqlite: whichever write or sync fails, what a journal answered is there after it") {
    REQUIRE(die_at_each_moment({fault::sync_failed, fault::disk_full}) > 5);
}
