// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/log.hpp>

#include "adapters/memory_test_parts.hpp"
#include "support/test.hpp"

#include <optional>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
namespace memory = sinew::memory;
using sinew::commit_result;
using sinew::never;
using sinew::test::in_memory::everything;
using sinew::test::in_memory::log_ear;
using sinew::test::in_memory::make_event;
using sinew::test::in_memory::nothing_at_all;
using sinew::test::in_memory::poll;
using sinew::test::in_memory::start;
using sinew::test::in_memory::texts;

namespace {

memory::log log_of(std::uint32_t partitions) {
    return memory::log({.topic = {.partitions = partitions}, .revoke_timeout = 10s});
}

void fill(memory::log& log, sinew::partition_id partition, int count) {
    for (int i = 0; i < count; ++i) {
        log.append("t", partition,
                   make_event("p" + std::to_string(partition) + "-" + std::to_string(i)).view());
    }
}

}  // namespace

TEST_CASE("memory: source 1: what happened is told in order, assignments before messages") {
    auto log = log_of(2);
    fill(log, 0, 2);
    auto member = log.join("t", "g");

    const auto ear = poll(member);

    REQUIRE(ear.heard == texts{"assigned 0", "assigned 1", "p0-0", "p0-1"});
    log.rebalance("t", "g");
    log.kick(member.id());
    REQUIRE(poll(member, nothing_at_all).heard ==
            texts{"revoked 0", "revoked 1", "lost 0", "lost 1", "assigned 0", "assigned 1"});
}

TEST_CASE("memory: source 1: a partition's messages come in rising offset, partitions take turns") {
    auto log = log_of(3);
    fill(log, 0, 3);
    fill(log, 2, 2);
    auto member = log.join("t", "g");

    REQUIRE(poll(member).ids() == texts{"p0-0", "p2-0", "p0-1", "p2-1", "p0-2"});
}

TEST_CASE("memory: source 1: partitions take turns across polls as well") {
    auto log = log_of(2);
    fill(log, 0, 2);
    fill(log, 1, 2);
    auto member = log.join("t", "g");
    texts ids;
    for (int i = 0; i < 4; ++i) {
        ids.push_back(poll(member, {.events = 1, .bytes = 1000}).ids().at(0));
    }
    REQUIRE(ids == texts{"p0-0", "p1-0", "p0-1", "p1-1"});
}

TEST_CASE(
    "memory: source 2: a partition starts at its beginning, and after the last committed offset") {
    auto log = log_of(1);
    fill(log, 0, 3);
    {
        auto member = log.join("t", "g");
        const auto ear = poll(member);
        REQUIRE(ear.ids() == texts{"p0-0", "p0-1", "p0-2"});
        REQUIRE(log.committed("t", "g", 0) == -1);
        REQUIRE(member.commit(0, ear.epoch_of(0), 1, never) == commit_result::committed);
        REQUIRE(log.committed("t", "g", 0) == 1);
    }
    auto next = log.join("t", "g");
    REQUIRE(poll(next).ids() == texts{"p0-2"});
    auto other = log.join("t", "another group");
    REQUIRE(poll(other).ids() == texts{"p0-0", "p0-1", "p0-2"});
}

TEST_CASE("memory: source 3: a poll returns at once, also with nothing to tell") {
    auto log = log_of(1);
    auto member = log.join("t", "g");
    poll(member);
    log_ear ear;
    member.poll(everything, sinew::steady_time::min(), ear);
    member.poll(everything, never, ear);
    REQUIRE(ear.heard.empty());
}

TEST_CASE("memory: source 4: limits hold, and what they held back comes next") {
    auto log = log_of(1);
    fill(log, 0, 4);
    auto member = log.join("t", "g");
    const auto one_event = make_event("p0-0").view().size_bytes();

    REQUIRE(poll(member, {.events = 0, .bytes = 1000}).heard == texts{"assigned 0"});
    REQUIRE(poll(member, {.events = 2, .bytes = 1000}).ids() == texts{"p0-0", "p0-1"});
    REQUIRE(poll(member, {.events = 9, .bytes = 0}).ids().empty());
    SECTION("one event may go beyond the bytes") {
        REQUIRE(poll(member, {.events = 9, .bytes = 1}).ids() == texts{"p0-2"});
    }
    SECTION("bytes are those of the view") {
        REQUIRE(poll(member, {.events = 9, .bytes = one_event}).ids() == texts{"p0-2"});
        REQUIRE(poll(member, {.events = 9, .bytes = one_event + 1}).ids() == texts{"p0-3"});
    }
    SECTION("together they allow as many as the bytes hold") {
        REQUIRE(poll(member, {.events = 9, .bytes = one_event + 1}).ids() == texts{"p0-2", "p0-3"});
    }
}

TEST_CASE("memory: source 5: a commit under an epoch that has ended changes nothing") {
    auto log = log_of(1);
    fill(log, 0, 3);
    auto member = log.join("t", "g");
    const auto first = poll(member).epoch_of(0);
    REQUIRE(member.commit(0, first, 0, never) == commit_result::committed);

    member.release(0, first);
    const auto second = poll(member).epoch_of(0);
    REQUIRE(second > first);
    REQUIRE(member.commit(0, first, 2, never) == commit_result::aborted);
    REQUIRE(log.committed("t", "g", 0) == 0);
    REQUIRE(member.commit(0, second, 2, never) == commit_result::committed);
    REQUIRE(log.committed("t", "g", 0) == 2);
    REQUIRE(member.commit(7, second, 2, never) == commit_result::aborted);
    REQUIRE(member.commit(0, second + 1, 2, never) == commit_result::aborted);
}

TEST_CASE(
    "memory: source 6: a revoked partition delivers nothing more, and stays ours until release") {
    auto log = log_of(2);
    fill(log, 0, 1);
    fill(log, 1, 1);
    auto first = log.join("t", "g");
    const auto mine = poll(first);
    auto second = log.join("t", "g");
    fill(log, 0, 1);
    fill(log, 1, 1);

    const auto told = poll(first);
    REQUIRE(told.heard == texts{"revoked 0", "p1-0"});
    REQUIRE(poll(first).heard.empty());
    REQUIRE(log.owner("t", "g", 0) == first.id());
    REQUIRE(poll(second).heard.empty());
    REQUIRE(first.commit(0, mine.epoch_of(0), 0, never) == commit_result::committed);

    first.release(0, mine.epoch_of(0));
    REQUIRE(log.owner("t", "g", 0) == second.id());
    REQUIRE(first.commit(0, mine.epoch_of(0), 0, never) == commit_result::aborted);
    const auto theirs = poll(second);
    REQUIRE(theirs.heard == texts{"assigned 0", "p0-0"});
    REQUIRE(theirs.messages[0].where().offset == 1);
    REQUIRE(theirs.epoch_of(0) > mine.epoch_of(0));
}

TEST_CASE("memory: source 6: a revocation that is not answered in time becomes a loss") {
    auto log = log_of(2);
    log.tick(start);
    auto first = log.join("t", "g");
    const auto mine = poll(first);
    log.tick(start + 1s);
    auto second = log.join("t", "g");

    const auto told = poll(first);
    REQUIRE(told.revocations.size() == 1);
    REQUIRE(told.revocations[0].until == start + 11s);
    const auto partition = told.revocations[0].partition;

    log.tick(start + 11s - 1ns);
    REQUIRE(poll(second).heard.empty());
    log.tick(start + 11s);
    REQUIRE(poll(first).heard == texts{"lost " + std::to_string(partition)});
    REQUIRE(first.commit(partition, mine.epoch_of(partition), 0, never) == commit_result::aborted);
    REQUIRE(poll(second).heard == texts{"assigned " + std::to_string(partition)});
}

TEST_CASE("memory: source 6: without a clock a revocation has no end, until it is made to expire") {
    auto log = log_of(2);
    auto first = log.join("t", "g");
    poll(first);
    auto second = log.join("t", "g");
    const auto told = poll(first);
    REQUIRE(told.revocations.at(0).until == never);

    log.expire(second.id());
    REQUIRE(poll(first).heard.empty());
    log.expire(first.id());
    REQUIRE(poll(first).losses.size() == 1);
    REQUIRE(poll(second).assignments.size() == 1);
}

TEST_CASE(
    "memory: source 7: an epoch ends with release and with loss, and the next one is higher") {
    auto log = log_of(1);
    auto member = log.join("t", "g");
    auto epoch = poll(member).epoch_of(0);
    SECTION("release") { member.release(0, epoch); }
    SECTION("a loss") { log.kick(member.id()); }
    SECTION("a revocation that is answered") {
        log.rebalance("t", "g");
        member.release(0, epoch);
    }
    SECTION("the member is gone") { member = log.join("t", "g"); }
    REQUIRE(member.commit(0, epoch, 0, never) == commit_result::aborted);
    REQUIRE(poll(member).epoch_of(0) > epoch);
}

TEST_CASE("memory: source 7: to release what is not ours does nothing") {
    auto log = log_of(1);
    auto first = log.join("t", "g");
    auto second = log.join("t", "g");
    const auto epoch = poll(first).epoch_of(0);
    second.release(0, epoch);
    first.release(0, epoch + 1);
    first.release(9, epoch);
    REQUIRE(log.owner("t", "g", 0) == first.id());
    REQUIRE(poll(first).heard.empty());
}

TEST_CASE("memory: source 8: a paused partition delivers nothing and resumes where it stood") {
    auto log = log_of(2);
    fill(log, 0, 2);
    fill(log, 1, 2);
    auto member = log.join("t", "g");
    REQUIRE(poll(member, {.events = 1, .bytes = 1000}).ids() == texts{"p0-0"});
    member.pause(0);
    member.pause(0);
    REQUIRE(poll(member).ids() == texts{"p1-0", "p1-1"});
    REQUIRE(log.owner("t", "g", 0) == member.id());
    member.resume(0);
    member.resume(0);
    member.resume(1);
    member.pause(77);
    member.resume(77);
    REQUIRE(poll(member).ids() == texts{"p0-1"});
}

TEST_CASE("memory: a pause ends with the assignment it was made in") {
    auto log = log_of(1);
    auto member = log.join("t", "g");
    const auto epoch = poll(member).epoch_of(0);
    member.pause(0);
    member.release(0, epoch);
    fill(log, 0, 1);
    REQUIRE(poll(member).ids() == texts{"p0-0"});
}

TEST_CASE("memory: source_message: a message shows its event, its place and its epoch") {
    auto log = log_of(2);
    log.append("t", 1, make_event("first").view());
    log.append("t", 1, make_event("second", "key", "data").view());
    auto member = log.join("t", "g");
    const auto ear = poll(member);
    const auto& m = ear.messages.at(1);
    REQUIRE(to_event(m.view()) == make_event("second", "key", "data"));
    REQUIRE(m.where() == sinew::position{1, 1});
    REQUIRE(m.epoch() == ear.epoch_of(1));
    REQUIRE_FALSE(m.broken().has_value());
}

TEST_CASE("memory: source_message: an unreadable record says why and shows its raw bytes") {
    auto log = log_of(1);
    log.append_broken("t", 0, sinew::as_bytes("{not json"), "not_json");
    auto member = log.join("t", "g");
    const auto ear = poll(member);
    REQUIRE(ear.messages.at(0).broken()->reason == "not_json");
    REQUIRE(ear.messages.at(0).view().text() == "{not json");
    REQUIRE(ear.messages.at(0).view().id.empty());
}

TEST_CASE(
    "memory: sink 1 and 5: an accepted event is delivered whole, and nothing of the view is kept") {
    memory::log log;
    auto producer = log.producer("t");
    auto e = make_event("one", "key", "data");
    e.headers.push_back({"h", "v"});
    const auto before = e;
    REQUIRE(producer.publish(e.view(), never).is_accepted());
    e.id = "overwritten";
    e.headers[0].value = "overwritten";
    auto member = log.join("t", "g");
    REQUIRE(to_event(poll(member).messages.at(0).view()) == before);
}

TEST_CASE(
    "memory: sink 3: events of one key lie in one partition, in the order they were accepted") {
    auto log = log_of(8);
    auto producer = log.producer("t");
    for (int i = 0; i < 20; ++i) {
        const auto key = "k" + std::to_string(i % 5);
        REQUIRE(producer.publish(make_event(std::to_string(i), key).view(), never).is_accepted());
    }
    for (int k = 0; k < 5; ++k) {
        const auto key = "k" + std::to_string(k);
        texts ids;
        log.visit("t", log.partition_of("t", key), [&](sinew::position, const auto& e) {
            if (e.partitionkey == key) {
                ids.emplace_back(e.id);
            }
        });
        REQUIRE(ids == texts{std::to_string(k), std::to_string(k + 5), std::to_string(k + 10),
                             std::to_string(k + 15)});
    }
}

TEST_CASE("memory: the partition of a key is the same in each run") {
    memory::log log;
    log.create_topic("t", {.partitions = 1000});
    REQUIRE(log.partition_of("t", "customer-7") == 131);
}

TEST_CASE("memory: events without a key go to each partition in turn") {
    auto log = log_of(3);
    auto one = log.producer("t");
    auto other = log.producer("t");
    for (int i = 0; i < 4; ++i) {
        REQUIRE((i % 2 == 0 ? one : other).publish(make_event("e").view(), never).is_accepted());
    }
    REQUIRE(log.size("t", 0) == 2);
    REQUIRE(log.size("t", 1) == 1);
    REQUIRE(log.size("t", 2) == 1);
}

TEST_CASE("memory: one key can be put on two partitions by force") {
    auto log = log_of(2);
    REQUIRE(log.append("t", 0, make_event("a", "k").view()) == sinew::position{0, 0});
    REQUIRE(log.append("t", 1, make_event("b", "k").view()) == sinew::position{1, 0});
    REQUIRE_THROWS_AS(log.append("t", 2, make_event("c", "k").view()), sinew::usage_error);
}

TEST_CASE("memory: members share partitions evenly, and only what moves is revoked") {
    auto log = log_of(6);
    auto a = log.join("t", "g");
    REQUIRE(poll(a).assignments.size() == 6);
    auto b = log.join("t", "g");
    const auto told = poll(a);
    REQUIRE(told.heard.size() == 3);
    REQUIRE(told.revocations.size() == 3);
    for (const auto& r : told.revocations) {
        a.release(r.partition, r.epoch);
    }
    REQUIRE(poll(a).heard.empty());
    REQUIRE(poll(b).assignments.size() == 3);
    {
        auto c = log.join("t", "g");
        for (auto* m : {&a, &b}) {
            const auto one = poll(*m);
            REQUIRE(one.heard.size() == 1);
            m->release(one.revocations.at(0).partition, one.revocations.at(0).epoch);
        }
        REQUIRE(poll(c).assignments.size() == 2);
    }
    REQUIRE(poll(a).assignments.size() == 1);
    REQUIRE(poll(b).assignments.size() == 1);
}

TEST_CASE("memory: an assignment that was not told yet moves without a word") {
    auto log = log_of(2);
    auto a = log.join("t", "g");
    auto b = log.join("t", "g");
    REQUIRE(poll(a).heard.size() == 1);
    REQUIRE(poll(b).heard.size() == 1);
}

TEST_CASE("memory: more members than partitions: the rest waits") {
    auto log = log_of(1);
    std::optional a(log.join("t", "g"));
    auto b = log.join("t", "g");
    REQUIRE(poll(*a).assignments.size() == 1);
    REQUIRE(poll(b).heard.empty());
    a.reset();
    REQUIRE(poll(b).heard == texts{"assigned 0"});
}

TEST_CASE(
    "memory: a member that is destroyed has committed nothing, and another gets its events again") {
    auto log = log_of(1);
    fill(log, 0, 2);
    std::optional a(log.join("t", "g"));
    auto b = log.join("t", "g");
    REQUIRE(poll(*a).ids() == texts{"p0-0", "p0-1"});
    a.reset();
    REQUIRE(log.committed("t", "g", 0) == -1);
    REQUIRE(poll(b).ids() == texts{"p0-0", "p0-1"});
}

TEST_CASE("memory: a zombie commits nothing, hears of its losses, and is a member again") {
    auto log = log_of(2);
    fill(log, 0, 2);
    auto zombie = log.join("t", "g");
    const auto before = poll(zombie);
    auto successor = log.join("t", "g");
    log.kick(zombie.id());

    REQUIRE(poll(successor).heard == texts{"assigned 0", "assigned 1", "p0-0", "p0-1"});
    REQUIRE(zombie.commit(0, before.epoch_of(0), 1, never) == commit_result::aborted);
    REQUIRE(zombie.commit(1, before.epoch_of(1), 1, never) == commit_result::aborted);
    REQUIRE(log.committed("t", "g", 0) == -1);

    const auto told = poll(zombie);
    REQUIRE(told.losses.size() == 2);
    REQUIRE(told.ids().empty());
    const auto given = poll(successor).revocations.at(0);
    successor.release(given.partition, given.epoch);
    REQUIRE(poll(zombie).epoch_of(given.partition) > given.epoch);
}

TEST_CASE("memory: a forced rebalance makes every partition change hands") {
    auto log = log_of(4);
    auto a = log.join("t", "g");
    auto b = log.join("t", "g");
    poll(a);
    poll(b);
    std::vector<memory::member_id> before;
    for (sinew::partition_id p = 0; p < 4; ++p) {
        before.push_back(log.owner("t", "g", p));
    }
    log.rebalance("t", "g");
    for (auto* m : {&a, &b}) {
        for (const auto& r : poll(*m).revocations) {
            m->release(r.partition, r.epoch);
        }
    }
    for (sinew::partition_id p = 0; p < 4; ++p) {
        REQUIRE(log.owner("t", "g", p) != before[p]);
    }
}

TEST_CASE("memory: a partition that waits for somebody who left goes to somebody else") {
    auto log = log_of(2);
    auto a = log.join("t", "g");
    poll(a);
    std::optional b(log.join("t", "g"));
    const auto told = poll(a).revocations.at(0);
    b.reset();
    a.release(told.partition, told.epoch);
    REQUIRE(log.owner("t", "g", told.partition) == a.id());
}

TEST_CASE("memory: a seek makes records come again") {
    auto log = log_of(1);
    fill(log, 0, 3);
    auto member = log.join("t", "g");
    poll(member);
    member.seek(0, 1);
    REQUIRE(poll(member).ids() == texts{"p0-1", "p0-2"});
}

TEST_CASE("memory: a listener may give back, pause and publish while it is told") {
    struct busy_ear : log_ear {
        memory::log* log = nullptr;
        memory::member* self = nullptr;
        void revoked(sinew::revocation r) {
            log_ear::revoked(r);
            self->release(r.partition, r.epoch);
        }
        void message(memory::message&& m) {
            if (m.where().offset == 0) {
                self->pause(m.where().partition);
                log->append("t", 1, make_event("new").view());
            }
            log_ear::message(std::move(m));
        }
    };
    auto log = log_of(2);
    fill(log, 0, 2);
    auto member = log.join("t", "g");
    busy_ear ear;
    ear.log = &log;
    ear.self = &member;
    member.poll({.events = 5, .bytes = 1000}, start, ear);
    REQUIRE(ear.ids() == texts{"p0-0", "new"});
    ear.heard.clear();
    log.rebalance("t", "g");
    member.poll(nothing_at_all, start, ear);
    REQUIRE(ear.heard == texts{"revoked 0", "revoked 1", "assigned 0", "assigned 1"});
}

TEST_CASE("memory: a message at which the listener throws is delivered again") {
    struct throwing_ear : log_ear {
        bool armed = true;
        void message(memory::message&& m) {
            if (std::exchange(armed, false)) {
                throw std::runtime_error("no room");
            }
            log_ear::message(std::move(m));
        }
    };
    auto log = log_of(1);
    fill(log, 0, 2);
    auto member = log.join("t", "g");
    throwing_ear ear;
    REQUIRE_THROWS_AS(member.poll(everything, start, ear), std::runtime_error);
    member.poll(everything, start, ear);
    REQUIRE(ear.ids() == texts{"p0-0", "p0-1"});
}

TEST_CASE("memory: a member outlives the log object, and moves") {
    std::optional log(log_of(1));
    fill(*log, 0, 2);
    auto made = log->join("t", "g");
    log.reset();
    auto member = std::move(made);
    REQUIRE(poll(member).ids() == texts{"p0-0", "p0-1"});
}

TEST_CASE("memory: a log refuses what cannot be") {
    memory::log log;
    log.create_topic("t", {.partitions = 2});
    REQUIRE(log.partitions("t") == 2);
    REQUIRE_THROWS_AS(log.create_topic("t", {}), sinew::usage_error);
    REQUIRE_THROWS_AS(log.create_topic("none", {.partitions = 0}), sinew::usage_error);
    REQUIRE_THROWS_AS(log.create_topic("none", {.records_max = 0}), sinew::usage_error);
    REQUIRE_THROWS_AS(log.end("none", 0), sinew::usage_error);
    REQUIRE_THROWS_AS(log.end("t", 2), sinew::usage_error);
    REQUIRE_THROWS_AS(log.compact("t"), sinew::usage_error);
    REQUIRE(log.committed("t", "nobody", 0) == -1);
    REQUIRE(log.owner("t", "nobody", 0) == 0);
}
