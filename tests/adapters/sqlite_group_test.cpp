// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_log_parts.hpp"
#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/log.hpp>
#include <sinew/adapters/sqlite/store.hpp>

#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using namespace sinew::test::sqlite_log;
using sinew::test::at;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::no_waiting;
using sinew::test::process;
using sinew::test::temp_folder;

}  // namespace

TEST_CASE("sqlite group: a commit under an epoch that has ended changes nothing") {
    fixture f;
    f.publish("0");
    f.publish("1");
    auto member = f.join();
    listener hears;
    member.poll(plenty, no_waiting, hears);
    const auto epoch = hears.epochs[0];
    REQUIRE(member.commit(0, epoch + 1, 0, no_waiting) == commit_result::aborted);
    REQUIRE(member.commit(1, epoch, 0, no_waiting) == commit_result::aborted);
    REQUIRE(member.commit(0, epoch, 0, no_waiting) == commit_result::committed);
    REQUIRE(member.commit(0, epoch, 0, no_waiting) == commit_result::committed);
    member.release(0, epoch);
    REQUIRE(member.commit(0, epoch, 1, no_waiting) == commit_result::aborted);
    REQUIRE(f.committed() == 0);
    // Alone in its group it gets the partition again, under a higher epoch, from the commit on.
    listener again;
    member.poll(plenty, no_waiting, again);
    REQUIRE(again.story == "+0");
    REQUIRE(again.epochs[0] > epoch);
    REQUIRE(again.ids() == ids{"1"});
    REQUIRE(member.commit(0, epoch, 1, no_waiting) == commit_result::aborted);
    REQUIRE(member.commit(0, again.epochs[0], 1, no_waiting) == commit_result::committed);
}

TEST_CASE("sqlite group: a second member gets its share once it was revoked and released") {
    fixture f(4);
    auto first = f.join();
    listener one;
    first.poll(plenty, no_waiting, one);
    REQUIRE(one.owned.size() == 4);
    auto second = f.join();
    listener two;
    second.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.empty());
    for (int i = 0; i < 4; ++i) {
        f.publish("x", static_cast<partition_id>(i));
    }
    one.story.clear();
    first.poll(plenty, no_waiting, one);
    REQUIRE(one.story == "!2!3");
    REQUIRE(one.last_revocation->until == later(f.time->steady, 30s));
    REQUIRE(one.got.size() == 2);  // the revoked ones deliver nothing more
    // Still ours until the release: what was finished can be committed.
    REQUIRE(first.commit(2, one.epochs[2], 0, no_waiting) == commit_result::committed);
    first.release(2, one.epochs[2]);
    second.poll(plenty, no_waiting, two);
    REQUIRE(two.owned == std::set<partition_id>{2});
    REQUIRE(two.epochs[2] > one.epochs[2]);
    REQUIRE(two.got.empty());  // it was finished before it moved
    REQUIRE(first.commit(2, one.epochs[2], 0, no_waiting) == commit_result::aborted);
    first.release(3, one.epochs[3]);
    second.poll(plenty, no_waiting, two);
    REQUIRE(two.owned == std::set<partition_id>{2, 3});
    REQUIRE(two.ids() == ids{"x"});
}

TEST_CASE("sqlite group: a revoked partition that is not released in time is lost") {
    fixture f(2);
    auto first = f.join();
    listener one;
    first.poll(plenty, no_waiting, one);
    auto second = f.join();
    listener two;
    second.poll(plenty, no_waiting, two);
    first.poll(plenty, no_waiting, one);
    REQUIRE(one.story == "+0+1!1");
    for (int i = 0; i < 8; ++i) {
        f.pass(4s);  // the leases are kept meanwhile
        if (i < 7) {
            first.poll(plenty, no_waiting, one);
            second.poll(plenty, no_waiting, two);
            REQUIRE(one.story == "+0+1!1");
        }
    }
    SECTION("the member itself notices") {
        first.poll(plenty, no_waiting, one);
        REQUIRE(one.story == "+0+1!1-1");
        REQUIRE(first.commit(1, one.epochs[1], 0, no_waiting) == commit_result::aborted);
        second.poll(plenty, no_waiting, two);
        REQUIRE(two.story == "+1");
    }
    SECTION("another member notices") {
        second.poll(plenty, no_waiting, two);
        REQUIRE(two.story == "+1");
        REQUIRE(two.epochs[1] > one.epochs[1]);
        REQUIRE(first.commit(1, one.epochs[1], 0, no_waiting) == commit_result::aborted);
        first.poll(plenty, no_waiting, one);
        REQUIRE(one.story == "+0+1!1-1");
    }
}

TEST_CASE("sqlite group: a member that is silent for its lease loses its partitions to another") {
    fixture f(2);
    f.publish("0", 1);
    auto silent = f.join();
    listener one;
    silent.poll(plenty, no_waiting, one);
    auto other = f.join();
    listener two;
    f.pass(9s);
    other.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.empty());
    f.pass(4s);
    other.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.size() == 2);
    REQUIRE(two.ids() == ids{"0"});
    REQUIRE(other.commit(1, two.epochs[1], 0, no_waiting) == commit_result::committed);
    // The silent one wakes: it can commit nothing, hears of it, and is a member again.
    REQUIRE(silent.commit(1, one.epochs[1], 0, no_waiting) == commit_result::aborted);
    one.story.clear();
    silent.poll(plenty, no_waiting, one);
    REQUIRE(one.story == "-0-1");
    other.poll(plenty, no_waiting, two);
    REQUIRE(two.last_revocation.has_value());
}

TEST_CASE("sqlite group: a silent member that nobody missed goes on under its epochs") {
    fixture f;
    f.publish("0");
    auto member = f.join();
    listener hears;
    member.poll(plenty, no_waiting, hears);
    f.pass(60s);
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.story == "+0");
    REQUIRE(member.commit(0, hears.epochs[0], 0, no_waiting) == commit_result::committed);
}

TEST_CASE("sqlite group: a lease from before the machine was started again has ended") {
    fixture f;
    f.pass(1000h);
    auto before = f.join();
    listener one;
    before.poll(plenty, no_waiting, one);
    REQUIRE(one.owned.size() == 1);
    f.pass(-999h);  // the steady clock starts anew
    auto after = f.join();
    listener two;
    after.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.size() == 1);
    REQUIRE(two.epochs[0] > one.epochs[0]);
}

TEST_CASE("sqlite group: a member that leaves gives its partitions away at once") {
    fixture f(2);
    auto first = std::make_unique<sqlite::member>(f.join());
    auto second = f.join();
    listener one;
    listener two;
    first->poll(plenty, no_waiting, one);
    second.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.empty());
    first.reset();
    second.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.size() == 2);
}

TEST_CASE("sqlite group: who joins under the same member name takes over at once") {
    fixture f(2);
    f.publish("0");
    auto killed = f.join("node-1");
    listener one;
    killed.poll(plenty, no_waiting, one);
    REQUIRE(killed.name() == "node-1");
    auto restarted = f.join("node-1");
    listener two;
    restarted.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.size() == 2);
    REQUIRE(two.ids() == ids{"0"});
    REQUIRE(two.epochs[0] > one.epochs[0]);
    // The former holder is shut out, for good.
    REQUIRE(killed.commit(0, one.epochs[0], 0, no_waiting) == commit_result::aborted);
    killed.poll(plenty, no_waiting, one);
    REQUIRE(one.owned.empty());
    f.pass(5s);
    for (int i = 0; i < 2; ++i) {
        try {
            killed.poll(plenty, no_waiting, one);
            FAIL("another has its name");
        } catch (const permanent_error& e) {
            REQUIRE(e.reason() == "member_replaced");
        }
    }
    restarted.poll(plenty, no_waiting, two);
    REQUIRE(restarted.commit(0, two.epochs[0], 0, no_waiting) == commit_result::committed);
    REQUIRE(two.story == "+0+1");
}

TEST_CASE(
    "sqlite group: who was replaced under its name stays out, also when the later one is gone") {
    fixture f;
    auto frozen = f.join("node-1");
    listener one;
    frozen.poll(plenty, no_waiting, one);
    auto replacement = f.join("node-1");
    listener two;
    replacement.poll(plenty, no_waiting, two);
    f.pass(60s);  // both are silent, and a third one finds that out
    auto third = f.join("node-3");
    listener three;
    third.poll(plenty, no_waiting, three);
    REQUIRE(three.owned.size() == 1);
    REQUIRE_THROWS_AS(frozen.poll(plenty, no_waiting, one), permanent_error);
    REQUIRE(one.story == "+0-0");
    REQUIRE_NOTHROW(replacement.poll(plenty, no_waiting, two));
    REQUIRE(two.story == "+0-0");
}

TEST_CASE("sqlite group: a revocation of a predecessor under the same name is carried out") {
    fixture f(2);
    auto killed = f.join("node-1");
    listener one;
    killed.poll(plenty, no_waiting, one);
    auto other = f.join("node-2");
    listener two;
    other.poll(plenty, no_waiting, two);
    REQUIRE(two.owned.empty());
    auto restarted = f.join("node-1");
    listener three;
    restarted.poll(plenty, no_waiting, three);
    other.poll(plenty, no_waiting, two);
    REQUIRE(three.owned.size() == 1);
    REQUIRE(two.owned.size() == 1);
}

TEST_CASE("sqlite group: a poll in steady state writes nothing") {
    fixture f(4);
    auto member = f.join();
    listener hears;
    member.poll(plenty, no_waiting, hears);
    sqlite::connection watch(f.folder.file());
    const auto version = [&] {
        return std::get<0>(*watch.query_one<std::int64_t>("PRAGMA data_version"));
    };
    const auto before = version();
    for (int i = 0; i < 100; ++i) {
        member.poll(plenty, no_waiting, hears);
    }
    f.pass(3s);
    member.poll({0, 0}, no_waiting, hears);
    REQUIRE(version() == before);
    f.pass(1s);
    member.poll({0, 0}, no_waiting, hears);
    REQUIRE(version() != before);
}

TEST_CASE("sqlite group: a store's open transaction in the same file holds up no poll") {
    fixture f(2);
    f.publish("0", 0);
    f.publish("1", 1);
    sqlite::store db(f.folder.file(), {.synchronous = sqlite::synchronous::normal});
    auto member = f.join();
    listener hears;
    {
        // Not even the first poll waits; it joins at the next one.
        auto tx = db.begin();
        member.poll(plenty, no_waiting, hears);
        REQUIRE(hears.story.empty());
    }
    member.poll({0, 0}, no_waiting, hears);
    REQUIRE(hears.owned.size() == 2);
    auto tx = db.begin();
    f.pass(5s);
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.got.size() == 2);
    REQUIRE(tx.remember("stock", hears.got[0].view().identity(), at(1)));
    REQUIRE_THROWS_AS(member.commit(0, hears.epochs[0], 0, no_waiting), sqlite::busy_error);
    // What is given back meanwhile is written down later.
    const auto epoch = hears.epochs[1];
    member.release(1, epoch);
    REQUIRE(member.commit(1, epoch, 0, no_waiting) == commit_result::aborted);
    member.poll(plenty, no_waiting, hears);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(member.commit(0, hears.epochs[0], 0, no_waiting) == commit_result::committed);
    member.poll(plenty, no_waiting, hears);
    REQUIRE(hears.epochs[1] > epoch);
    REQUIRE(hears.story == "+0+1+1");
}

TEST_CASE(
    "sqlite group: two processes share the partitions, and one that is killed is taken over") {
    temp_folder folder;
    const sqlite::log_options options{
        .topic = {4}, .lease = 2s, .synchronous = sqlite::synchronous::normal};
    sqlite::log log(folder.file(), options);
    log.create_topic("orders", {.partitions = 4});
    struct releasing : listener {
        void revoked(revocation r) {
            owned.erase(r.partition);
            to_release.push_back(r);
        }
        void poll(sqlite::member& from) {
            from.poll(plenty, in(10ms), *this);
            for (const auto& one : std::exchange(to_release, {})) {
                from.release(one.partition, one.epoch);
            }
        }
        std::vector<revocation> to_release;
    };
    process other([&](process&) -> bool {
        sqlite::log same(folder.file(), options);
        auto member = same.join("orders", "stock");
        releasing hears;
        for (;;) {
            hears.poll(member);
            for (const auto& one : hears.got) {
                static_cast<void>(
                    member.commit(one.where().partition, one.epoch(), one.where().offset, in(5s)));
            }
            hears.got.clear();
        }
    });
    auto member = log.join("orders", "stock");
    releasing hears;
    const auto poll = [&] { hears.poll(member); };
    // Whoever came first has all of it until the other comes: both go on until they are even.
    const auto held_by_another = [&] {
        sqlite::connection look(folder.file());
        return std::get<0>(*look.query_one<int>(
                   "SELECT count(*) FROM sinew_assignments WHERE instance IS NOT NULL AND "
                   "revoke_end IS NULL")) == 4 &&
               hears.owned.size() == 2;
    };
    const auto give_up = in(60s);
    while (!held_by_another() && machine_clock::now().steady < give_up) {
        poll();
    }
    REQUIRE(hears.owned.size() == 2);
    for (partition_id i = 0; i < 4; ++i) {
        log.append("orders", i, make_event(std::to_string(i)).view());
    }
    const auto finished = [&] {
        int count = 0;
        for (partition_id i = 0; i < 4; ++i) {
            count += log.committed("orders", "stock", i) == 0 ? 1 : 0;
        }
        return count;
    };
    while ((finished() < 2 || hears.got.size() < 2) && machine_clock::now().steady < give_up) {
        poll();
    }
    REQUIRE(hears.got.size() == 2);
    REQUIRE(finished() == 2);  // by the other one
    other.kill();
    while (hears.owned.size() != 4 && machine_clock::now().steady < give_up) {
        poll();
    }
    REQUIRE(hears.owned.size() == 4);
    REQUIRE(hears.got.size() == 2);  // what was committed does not come again
}
