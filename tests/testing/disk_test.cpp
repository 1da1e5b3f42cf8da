// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/disk.hpp>
#include <sinew/testing/faulty_disk.hpp>
#include <sinew/testing/sqlite_disk.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace sinew;
using namespace sinew::testing;

namespace {

using loss = power_loss::kind;

std::string content(const simulated_disk& disk, std::string_view name) {
    const auto file = disk.find(name);
    return file ? std::string(disk.read(*file, 0, SIZE_MAX)) : "no such file";
}

/// A disk with the file "f", which holds those bytes for good.
simulated_disk disk_with(std::string_view bytes, disk_options options = {}) {
    simulated_disk disk(options);
    const auto f = disk.open("f");
    REQUIRE(disk.write(f, 0, bytes));
    disk.sync(f);
    return disk;
}

/// What the file "f" can be after a loss of power.
std::set<std::string> outcomes(const simulated_disk& disk) {
    std::set<std::string> all;
    for (const auto how : disk.losses()) {
        simulated_disk copy = disk;
        copy.lose_power(how);
        all.insert(content(copy, "f"));
    }
    return all;
}

/// A world with one process that was never stepped: somebody whose calls the tape can end.
struct scene {
    explicit scene(const std::vector<std::uint8_t>& tape, fault_set faults = disk_faults,
                   simulated_disk disk = {})
        : machine(std::move(disk), faults) {
        run.start(tape, true);
    }

    trial run;
    world time{run};
    process one{time, 0, "one"};
    process two{time, 0, "two"};
    computer machine;
};

}  // namespace

TEST_CASE("a file on a simulated disk is a plain file as long as the power lasts") {
    sinew::test::prop("whatever is done to it", [] {
        simulated_disk disk;
        const auto f = disk.open("f");
        std::string model;
        const auto steps = *rc::gen::inRange(1, 30);
        for (int i = 0; i < steps; ++i) {
            const auto at = *rc::gen::inRange<std::size_t>(0, 2000);
            const auto size = *rc::gen::inRange<std::size_t>(0, 1500);
            switch (*rc::gen::inRange(0, 4)) {
                case 0:
                    RC_ASSERT(disk.resize(f, at));
                    model.resize(at);
                    break;
                case 1: disk.sync(f); break;
                case 2: disk.fail_sync(f); break;
                default:
                    const std::string bytes(size, static_cast<char>('a' + i % 26));
                    RC_ASSERT(disk.write(f, at, bytes));
                    model.resize(std::max(model.size(), size == 0 ? 0 : at + size));
                    model.replace(std::min(at, model.size()), size, bytes);
            }
            RC_ASSERT(disk.size(f) == model.size());
            RC_ASSERT(disk.read(f, 0, SIZE_MAX) == model);
            RC_ASSERT(disk.read(f, at, size) ==
                      (at < model.size() ? model.substr(at, size) : std::string()));
        }
    });
}

TEST_CASE("what was synced survives every loss of power, and nothing else is sure") {
    sinew::test::prop("whatever was written", [] {
        simulated_disk disk;
        const auto f = disk.open("f");
        std::string safe;
        for (int i = 0, steps = *rc::gen::inRange(1, 20); i < steps; ++i) {
            const auto at = *rc::gen::inRange<std::size_t>(0, 3000);
            RC_ASSERT(disk.write(f, at, std::string(700, static_cast<char>('a' + i))));
            if (*rc::gen::inRange(0, 3) == 0) {
                disk.sync(f);
                safe = content(disk, "f");
                RC_ASSERT(disk.losses().size() == 1U);
            }
        }
        simulated_disk worst = disk.after_the_worst();
        RC_ASSERT((safe.empty() || content(worst, "f") == safe));
        for (const auto how : disk.losses()) {
            simulated_disk after = disk;
            after.lose_power(how);
            RC_ASSERT(after.unsynced() == 0U);
            RC_ASSERT((how.what != loss::nothing || content(after, "f") == content(disk, "f")));
            // What nobody wrote to since it was synced is as it was.
            if (disk.unsynced() == 0) {
                RC_ASSERT(content(after, "f") == safe);
            }
        }
    });
}

TEST_CASE("what was not synced is lost in exactly the ways that the tape can choose") {
    simulated_disk disk = disk_with("....");
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 0, "a"));
    REQUIRE(disk.write(f, 1, "b"));
    REQUIRE(disk.write(f, 2, "c"));
    SECTION("in any order") {
        REQUIRE(outcomes(disk) ==
                std::set<std::string>{"....", "a...", "ab..", "abc.", ".bc.", "a.c."});
    }
    SECTION("in the order in which it was written, where the disk promises that") {
        disk.set_options({.keeps_order = true});
        REQUIRE(outcomes(disk) == std::set<std::string>{"....", "a...", "ab..", "abc."});
    }
    SECTION("not at all, once it is synced") {
        disk.sync(f);
        REQUIRE(outcomes(disk) == std::set<std::string>{"abc."});
    }
    REQUIRE(content(disk, "f") == "abc.");
}

TEST_CASE("a torn write leaves its first sectors, and never a part of one") {
    simulated_disk disk = disk_with(std::string(4096, '.'));
    const auto f = *disk.find("f");
    SECTION("a write of several sectors") {
        REQUIRE(disk.write(f, 1000, std::string(1600, 'x')));
        // Sectors 1 to 5 are written; the border in the middle is that of sectors 3 and 4.
        REQUIRE(disk.tear(1000, 1600) == 3 * 512 - 1000);
        disk.lose_power({loss::torn, 0});
        REQUIRE(content(disk, "f") ==
                std::string(1000, '.') + std::string(536, 'x') + std::string(2560, '.'));
    }
    SECTION("a write within one sector is whole or not there") {
        REQUIRE(disk.write(f, 512, std::string(512, 'x')));
        REQUIRE(disk.tear(512, 512) == 0);
        for (const auto how : disk.losses()) {
            REQUIRE(how.what != loss::torn);
        }
    }
    SECTION("what is before the torn write is there, and what is after it is not") {
        REQUIRE(disk.write(f, 0, "a"));
        REQUIRE(disk.write(f, 512, std::string(1024, 'x')));
        REQUIRE(disk.write(f, 4000, "c"));
        disk.lose_power({loss::torn, 1});
        REQUIRE(content(disk, "f") ==
                "a" + std::string(511, '.') + std::string(512, 'x') + std::string(3072, '.'));
    }
}

TEST_CASE("a file that was lost from the middle has zeros there") {
    simulated_disk disk = disk_with("");
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 0, "a"));
    REQUIRE(disk.write(f, 3, "d"));
    disk.lose_power({loss::one, 0});
    REQUIRE(content(disk, "f") == std::string("\0\0\0d", 4));
}

TEST_CASE("a name is safe when its file is synced, or the folder") {
    simulated_disk disk = disk_with("old");
    SECTION("a new file that nobody synced is gone") {
        REQUIRE(disk.write(disk.open("g"), 0, "new"));
        disk.lose_power({loss::tail, 0});
        REQUIRE_FALSE(disk.find("g"));
    }
    SECTION("one whose folder was synced is there, without what was written") {
        REQUIRE(disk.write(disk.open("g"), 0, "new"));
        disk.sync_folder();
        disk.lose_power({loss::tail, 0});
        REQUIRE(content(disk, "g").empty());
    }
    SECTION("a file that was removed is back") {
        REQUIRE(disk.remove("f"));
        REQUIRE_FALSE(disk.remove("f"));
        disk.lose_power({loss::tail, 0});
        REQUIRE(content(disk, "f") == "old");
    }
    SECTION("but not after the folder was synced") {
        REQUIRE(disk.remove("f"));
        disk.sync_folder();
        disk.lose_power({loss::tail, 0});
        REQUIRE_FALSE(disk.find("f"));
    }
    SECTION("nor after another new file was, because names are made safe in their order") {
        REQUIRE(disk.remove("f"));
        disk.sync(disk.open("g"));
        disk.lose_power({loss::tail, 0});
        REQUIRE_FALSE(disk.find("f"));
        REQUIRE(disk.find("g"));
    }
    SECTION("who has a removed file open still reads it") {
        const auto f = *disk.find("f");
        REQUIRE(disk.remove("f"));
        REQUIRE(disk.read(f, 0, 3) == "old");
        REQUIRE(content(disk, "f") == "no such file");
        REQUIRE(disk.open("f") != f);
    }
}

TEST_CASE("a full disk takes nothing that makes a file longer, and all else") {
    simulated_disk disk = disk_with("12345", {.capacity = 8});
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 5, "678"));
    REQUIRE_FALSE(disk.write(f, 8, "9"));
    REQUIRE_FALSE(disk.resize(f, 9));
    REQUIRE_FALSE(disk.write(disk.open("g"), 0, "1"));
    REQUIRE(disk.write(f, 0, "abc"));
    REQUIRE(disk.used() == 8);
    REQUIRE(disk.resize(f, 7));
    REQUIRE(disk.write(disk.open("g"), 0, "1"));
    REQUIRE(content(disk, "f") == "abc4567");
}

TEST_CASE("what a sync failed to make safe is forgotten by some disks and not by others") {
    const bool forgets = GENERATE(true, false);
    simulated_disk disk = disk_with("old", {.forgets_failed_syncs = forgets});
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 0, "new"));
    disk.fail_sync(f);
    REQUIRE(content(disk, "f") == "new");
    disk.sync(f);
    disk.lose_power({loss::nothing, 0});
    REQUIRE(content(disk, "f") == (forgets ? "old" : "new"));
}

TEST_CASE("a write can find no room, or only for its first half") {
    const auto way = GENERATE(as<std::uint8_t>(), 0, 1, 2);
    scene s({way}, {fault::disk_full});
    faulty_disk disk(s.one, s.machine);
    const auto f = disk.open("f");
    const auto how = disk.write(f, 0, std::string(1024, 'x'));
    REQUIRE(how == (way == 0 ? disk_result::done : disk_result::full));
    REQUIRE(disk.size(f) == (way == 0 ? 1024U : way == 1 ? 0U : 512U));
    REQUIRE(s.run.found.happened[static_cast<std::size_t>(fault::disk_full)] ==
            (way == 0 ? 0U : 1U));
    REQUIRE(s.run.found.offered()[static_cast<std::size_t>(fault::disk_full)] == 1U);
}

TEST_CASE("a sync can end in each of its ways") {
    // All lost; the last is lost; the first is lost; the sync failed; dead before; dead after.
    struct expected {
        std::uint8_t way;
        std::string_view left;
        bool dies;
    };
    const auto want = GENERATE(values<expected>({{0, "ab", false},
                                                 {1, "..", true},
                                                 {2, std::string_view(".b"), true},
                                                 {3, "a.", true},
                                                 {4, "ab", false},
                                                 {5, "ab", true},
                                                 {6, "ab", true}}));
    CAPTURE(int(want.way));
    scene s({want.way}, disk_faults.without({fault::disk_full}), disk_with(".."));
    s.machine.disk().set_options({.forgets_failed_syncs = false});
    faulty_disk disk(s.one, s.machine);
    faulty_disk neighbour(s.two, s.machine);
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 0, "a") == disk_result::done);
    REQUIRE(disk.write(f, 1, "b") == disk_result::done);
    disk_result how = disk_result::full;
    bool died = false;
    try {
        how = disk.sync(f);
    } catch (const process_died&) {
        died = true;
    }
    REQUIRE(died == want.dies);
    REQUIRE(s.one.is_alive() == !want.dies);
    REQUIRE(content(s.machine.disk(), "f") == want.left);
    if (want.way == 0 || want.way == 4) {
        REQUIRE(how == (want.way == 0 ? disk_result::done : disk_result::failed));
    }
    // A loss of power is one for all; a death is one's own, and leaves the rest unsynced.
    REQUIRE(s.two.is_alive() == (want.way == 0 || want.way >= 4));
    REQUIRE(s.machine.disk().unsynced() == (want.way == 4 || want.way == 5 ? 2U : 0U));
    if (died) {
        REQUIRE_THROWS_AS(disk.write(f, 0, "zz"), process_died);
        REQUIRE_THROWS_AS(disk.sync(f), process_died);
        REQUIRE(content(s.machine.disk(), "f") == want.left);
    }
}

TEST_CASE("the power can fail whenever the world was stirred, and is not asked about twice") {
    scene s({}, {fault::lost_writes, fault::torn_tail}, disk_with(".."));
    faulty_disk disk(s.one, s.machine);
    const auto f = *disk.find("f");
    REQUIRE(disk.write(f, 0, "a") == disk_result::done);
    const auto asked = [&] { return s.run.choices.made().size(); };
    REQUIRE(asked() == 0U);
    REQUIRE(disk.size(f) == 2U);
    REQUIRE(asked() == 0U);
    s.time.stir();
    REQUIRE(disk.size(f) == 2U);
    REQUIRE(asked() == 1U);
    REQUIRE(disk.size(f) == 2U);
    REQUIRE(asked() == 1U);
}

TEST_CASE("an onlooker meets no faults") {
    scene s({1, 1, 1, 1, 1, 1});
    faulty_disk disk(s.machine);
    const auto f = disk.open("f");
    REQUIRE(disk.write(f, 0, "bytes") == disk_result::done);
    REQUIRE(disk.sync(f) == disk_result::done);
    REQUIRE(s.run.choices.made().empty());
    REQUIRE(content(s.machine.disk().after_the_worst(), "f") == "bytes");
}

TEST_CASE("what programs share in memory is gone after a loss of power") {
    computer machine;
    *machine.memory<int>() = 7;
    REQUIRE(*machine.memory<int>() == 7);
    REQUIRE(machine.memory<std::string>()->empty());
    machine.lose_power({});
    REQUIRE(*machine.memory<int>() == 0);
}
