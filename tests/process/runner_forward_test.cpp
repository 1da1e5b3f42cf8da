// SPDX-License-Identifier: BSL-1.0
#include "process/runner_support.hpp"

#include <sinew/core/run.hpp>

using namespace sinew;
using namespace sinew::test;

static_assert(driver<runner_world::runner_type>);
static_assert(process_type<scripted_process, memory::transaction>);

TEST_CASE(
    "a runner takes a process of three steps to its end, inside and outside of transactions") {
    const bool join = GENERATE(false, true);
    runner_world at(three_steps(join));
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done"});
    REQUIRE(at.what->calls == lines{"1/a", "1/b", "1/c"});
    REQUIRE(at.at("1").history[1].result == "b");
    REQUIRE(at.effect("order/1/b/act") == (join ? "1" : "0"));
    REQUIRE(runner.counts().completed == 1);
    REQUIRE(runner.counts().steps_done == 3);
    REQUIRE(runner.counts().claimed == 1);
    REQUIRE(runner.instances_held() == 0);
}

TEST_CASE("a runner takes a saga of six steps to its end") {
    const bool join = GENERATE(false, true);
    runner_world at(six_steps(join));
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done", "p done", "y done", "z done"});
    REQUIRE(at.what->keys.front() == "order/1/a/act");
}

TEST_CASE("a saga that fails at any step ends compensated in reverse order, or goes forward") {
    const bool join = GENERATE(false, true);
    const auto failing = GENERATE(0U, 1U, 2U, 3U);
    runner_world at(six_steps(join));
    const std::string name = at.what->steps[failing].name;
    at.what->answers[name] = [](const auto&) { return fails(failure_class::permanent); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    lines expected;
    for (unsigned i = 0; i < failing; ++i) {
        expected.push_back(at.what->steps[i].name + " done");
    }
    expected.push_back(name + " failed");
    for (unsigned i = failing; i-- > 0;) {
        expected.push_back(at.what->steps[i].name + "/undo done");
    }
    REQUIRE(at.history("1") == expected);
    REQUIRE(at.state("1") == instance_state::compensated);
    REQUIRE(runner.counts().compensated == 1);
    REQUIRE(at.effect("order/1/" + name + "/act") == "0");
}

TEST_CASE("a step behind the pivot is tried until it is done, and then parked for people") {
    const bool join = GENERATE(false, true);
    runner_world at(six_steps(join));
    at.what->steps[4].options.retry.max_attempts = 3;
    at.what->answers["y"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::parked);
    const auto seen = at.at("1").what;
    REQUIRE(seen.why->reason == "no_way_back");
    REQUIRE(seen.why->detail ==
            "step y was given up, last with closed: detail; not undone: c, b, a");
    REQUIRE(at.what->count("1/y") == 3);
    REQUIRE(runner.counts().retries == 2);
    REQUIRE(runner.counts().parked == 1);
}

TEST_CASE("a step that fails is tried again under the same key, after a backoff in the journal") {
    const bool join = GENERATE(false, true);
    runner_world at(three_steps(join));
    int left = 4;
    at.what->answers["b"] = [&](const auto&) {
        return left-- > 0 ? fails(failure_class::transient) : attempt_result::done("finally");
    };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    const auto waiting = at.at("1");
    REQUIRE(waiting.what.progress->attempts == 1);
    REQUIRE(waiting.what.progress->last_failure->reason == "closed");
    REQUIRE(waiting.what.wait->time.due > at.now.wall);
    at.go(runner);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.at("1").history[1].attempts == 4);
    REQUIRE(at.at("1").history[1].result == "finally");
    REQUIRE(at.what->keys == lines{"order/1/a/act", "order/1/b/act", "order/1/b/act",
                                   "order/1/b/act", "order/1/b/act", "order/1/b/act",
                                   "order/1/c/act"});
    REQUIRE(at.what->attempts == std::vector<std::uint32_t>{1, 1, 2, 3, 4, 5, 1});
    REQUIRE(at.effect("order/1/b/act") == (join ? "1" : "0"));
}

TEST_CASE("what throws in an attempt is a failure of that attempt and of no other") {
    const bool join = GENERATE(false, true);
    runner_world at(three_steps(join));
    bool has_thrown = false;
    at.what->answers["b"] = [&](const attempt_info& info) {
        if (info.instance.id == "1" && !std::exchange(has_thrown, true)) {
            throw std::runtime_error("oops");
        }
        return attempt_result::done();
    };
    auto runner = at.make();
    at.start("1");
    at.start("2");
    at.settle(runner);
    REQUIRE(at.state("2") == instance_state::completed);
    at.go(runner);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.effect("order/1/b/act") == (join ? "1" : "0"));
    REQUIRE(at.effect("order/2/b/act") == (join ? "1" : "0"));
}

TEST_CASE("64 instances at once share commits") {
    const bool join = GENERATE(false, true);
    runner_world at(three_steps(join));
    auto runner = at.make();
    for (int i = 0; i < 64; ++i) {
        at.start("i" + std::to_string(i));
    }
    int steps = 0;
    while (runner.step(at.now)) {
        ++steps;
    }
    REQUIRE(runner.counts().completed == 64);
    REQUIRE(steps <= 4);
    for (int i = 0; i < 64; ++i) {
        const std::string id = "i" + std::to_string(i);
        REQUIRE(at.effect("order/" + id + "/c/act") == (join ? "1" : "0"));
    }
}

TEST_CASE("one that fails in a shared transaction leaves the others' effects alone") {
    runner_world at(three_steps(true));
    at.what->answers["b"] = [](const attempt_info& info) {
        return info.instance.id == "3" ? fails(failure_class::permanent) : attempt_result::done();
    };
    auto runner = at.make();
    for (int i = 0; i < 8; ++i) {
        at.start(std::to_string(i));
    }
    at.settle(runner);
    for (int i = 0; i < 8; ++i) {
        const std::string id = std::to_string(i);
        REQUIRE(at.state(id) == (i == 3 ? instance_state::parked : instance_state::completed));
        REQUIRE(at.effect("order/" + id + "/b/act") == (i == 3 ? "0" : "1"));
    }
}

TEST_CASE("a runner claims no more than it has room for, and comes to all") {
    runner_world at(three_steps(true));
    auto how = runner_world::options();
    how.instances_max = 4;
    how.ahead_max = 2;
    auto runner = at.make(how);
    for (int i = 0; i < 30; ++i) {
        at.start(std::to_string(i));
    }
    std::size_t most = 0;
    while (runner.step(at.now)) {
        most = std::max(most, runner.instances_held());
    }
    REQUIRE(most <= 6);
    REQUIRE(runner.counts().completed == 30);
}

TEST_CASE("a runner that takes one instance at a time makes one claim for many") {
    runner_world at(three_steps(false));
    auto how = runner_world::options();
    how.instances_max = 1;
    how.ahead_max = 4;
    for (int i = 0; i < 4; ++i) {
        at.start(std::to_string(i));
    }
    auto runner = at.make(how);
    runner.step(at.now);
    REQUIRE(runner.counts().claimed == 4);
    REQUIRE(runner.instances_held() == 4);
    REQUIRE(at.what->calls == lines{"0/a"});
    for (int i = 0; i < 11; ++i) {
        runner.step(at.now);
    }
    REQUIRE(at.what->calls == lines{"0/a", "0/b", "0/c", "1/a", "1/b", "1/c", "2/a", "2/b", "2/c",
                                    "3/a", "3/b", "3/c"});
    REQUIRE(runner.counts().completed == 4);
    REQUIRE(runner.counts().released == 0);
}

TEST_CASE("what waits too long for its turn is given back, and nothing more is claimed ahead") {
    runner_world at(three_steps(false));
    auto how = runner_world::options();
    how.instances_max = 1;
    how.ahead_max = 4;
    for (int i = 0; i < 3; ++i) {
        at.start(std::to_string(i));
    }
    auto slow = at.make(how);
    slow.step(at.now);
    REQUIRE(slow.instances_held() == 3);
    memory::store other{at.data};
    auto second = at.make_on(other, runner_world::options("runner-2"));
    second.step(at.now);
    REQUIRE(second.instances_held() == 0);
    at.pass(how.step_time_max);
    REQUIRE(slow.next_deadline() <= at.now.steady);
    slow.step(at.now);
    REQUIRE(slow.counts().released == 2);
    REQUIRE(at.what->calls == lines{"0/a", "0/b"});
    // They come to others without a doubt, and the slow one takes no more than it can serve.
    at.settle(second);
    REQUIRE(second.counts().recovered == 0);
    REQUIRE(second.counts().completed == 2);
    REQUIRE(at.what->doubts == std::vector<bool>(8, false));
    for (int i = 3; i < 6; ++i) {
        at.start(std::to_string(i));
    }
    slow.step(at.now);
    at.pass(how.poll_interval);
    slow.step(at.now);
    REQUIRE(slow.instances_held() == 1);
}

TEST_CASE("who leaves its seat gives back what it has claimed ahead, and leaves no doubt") {
    runner_world at(three_steps(false));
    auto how = runner_world::options();
    how.instances_max = 1;
    at.start("1");
    at.start("2");
    auto first = at.make(how);
    first.step(at.now);
    REQUIRE(first.instances_held() == 2);
    REQUIRE(first.shut_down(at.now, later(at.now.steady, 1s)));
    auto second = at.make(runner_world::options("runner-2"));
    at.settle(second);
    REQUIRE(second.counts().recovered == 0);
    REQUIRE(at.what->calls.size() == 6);
}

TEST_CASE("a runner is woken by what is started before it would look for itself") {
    static_assert(waking_journal<rung_journal> && !waking_journal<memory::journal>);
    runner_world at(three_steps(false));
    bool rung = false;
    auto how = runner_world::options();
    how.poll_interval = 10s;
    runner one(at.db, rung_journal(at.db.journal("orders"), rung), how, scripted_process(at.what));
    const auto moment_later = [&] { return later(at.now.steady, duration(1)); };
    at.settle(one);
    at.pass(1s);
    at.start("1");
    REQUIRE_FALSE(one.step(at.now, moment_later()));
    REQUIRE(one.counts().claimed == 0);
    rung = true;
    REQUIRE(one.step(at.now, moment_later()));
    REQUIRE(one.next_deadline() == at.now.steady);
    at.settle(one);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE_FALSE(rung);
}

TEST_CASE("an instance of a type that the runner does not know is never claimed, and is seen") {
    runner_world at(three_steps(false));
    auto runner = at.make();
    at.what->type = "unknown";
    at.start("1");
    at.what->type = "order";
    at.go(runner, 10s);
    REQUIRE(runner.counts().claimed == 0);
    REQUIRE(at.book.counts().open == 1);
    REQUIRE(at.book.stuck(wall_time::max(), 0, 10).size() == 1);
}

TEST_CASE("an instance that was started with other steps is parked with both lists") {
    runner_world at(three_steps(false));
    at.start("1");
    at.what->steps[1].name = "other";
    auto runner = at.make();
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::parked);
    const auto why = at.at("1").what.why.value();
    REQUIRE(why.reason == "changed_definition");
    REQUIRE(why.detail.find("renamed_from<\"b\">") != std::string::npos);
    REQUIRE(runner.counts().definitions_changed == 1);
    REQUIRE(at.what->calls.empty());
}

TEST_CASE("a result that the journal does not take fails the step, and is undone") {
    const bool join = GENERATE(false, true);
    runner_world at(six_steps(join));
    at.what->answers["b"] = [](const auto&) {
        return attempt_result::done(std::string((std::size_t{1} << 20U) + 1, 'x'));
    };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::compensated);
    // Outside of a transaction it happened all the same.
    REQUIRE(at.history("1") == (join ? lines{"a done", "b failed", "a/undo done"}
                                     : lines{"a done", "b failed", "b/undo done", "a/undo done"}));
}

TEST_CASE("a runner is drained when nothing is left, also of what it had put off") {
    runner_world at(three_steps(false));
    int left = 2;
    at.what->answers["b"] = [&](const auto&) {
        return left-- > 0 ? fails(failure_class::transient) : attempt_result::done();
    };
    at.what->steps[1].options.retry.base = 1ms;
    at.what->steps[1].options.retry.cap = 2ms;
    auto runner = at.make();
    at.now = machine_clock::now();
    at.start("1");
    REQUIRE(drain(runner, machine_clock::now().steady + 10s));
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(runner.shut_down(machine_clock::now(), machine_clock::now().steady + 1s));
}

TEST_CASE("ended instances and early replies are forgotten after their time") {
    runner_world at(three_steps(false));
    auto how = runner_world::options();
    how.retention = 1h;
    how.reply_retention = 2h;
    how.purge_max = 1;
    auto runner = at.make(how);
    at.start("1");
    at.start("2");
    REQUIRE(at.reply("9", "a", "early") == reply_result::early);
    at.settle(runner);
    at.pass(30min);
    at.settle(runner);
    REQUIRE(at.book.find("order", "1"));
    at.pass(31min);
    at.settle(runner);
    REQUIRE_FALSE(at.book.find("order", "1"));
    REQUIRE_FALSE(at.book.find("order", "2"));
    REQUIRE(at.book.counts().early_replies == 1);
    at.pass(1h);
    at.settle(runner);
    REQUIRE(at.book.counts().early_replies == 0);
    REQUIRE(runner.counts().purged == 2);
    REQUIRE(runner.counts().replies_purged == 1);
}
