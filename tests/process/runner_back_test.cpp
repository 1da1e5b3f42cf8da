// SPDX-License-Identifier: BSL-1.0
#include "process/runner_support.hpp"

#include <sinew/process/desk.hpp>

using namespace sinew;
using namespace sinew::test;

namespace {

/// A saga whose pivot is refused, and one of whose compensations fails.
struct broken_way_back : runner_world {
    explicit broken_way_back(bool join) : runner_world(six_steps(join)) {
        for (auto& one : what->steps) {
            one.options.retry.max_attempts = 2;
        }
        what->answers["p"] = [](const auto&) {
            return fails(failure_class::permanent, "sold_out");
        };
        what->answers["b/undo"] = [](const auto&) { return fails(failure_class::transient); };
    }
};

}  // namespace

TEST_CASE("a compensation is told the key of its act, and is tried again under its own") {
    runner_world at(six_steps(false));
    at.what->answers["p"] = [](const auto&) { return fails(failure_class::permanent); };
    int left = 2;
    at.what->answers["b/undo"] = [&](const auto&) {
        return left-- > 0 ? fails(failure_class::transient) : attempt_result::done();
    };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::compensated);
    REQUIRE(at.what->count("1/b/undo") == 3);
    REQUIRE(at.what->keys.back() == "order/1/a/undo");
    REQUIRE(at.what->keys_of_acts.back() == "order/1/a/act");
    REQUIRE(runner.counts().steps_undone == 3);
}

TEST_CASE(
    "under stop, a compensation that is given up parks the saga, with all that is not undone") {
    const bool join = GENERATE(false, true);
    broken_way_back at(join);
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::parked);
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done", "p failed", "c/undo done"});
    REQUIRE(at.at("1").what.why->reason == "not_undone");
    REQUIRE(at.at("1").what.why->detail ==
            "undoing step b was given up, last with closed: detail; not undone: b, a");
    REQUIRE(at.what->count("1/a/undo") == 0);

    SECTION("resumed, it is tried again from there, and ends compensated") {
        at.what->answers.erase("b/undo");
        REQUIRE(resume(at.book, at.at("1").what, "bank is open", at.now.wall, never));
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::compensated);
        REQUIRE(at.what->count("1/b/undo") == 3);
        REQUIRE(at.what->count("1/c/undo") == 1);
    }
    SECTION("skipped by people, the others are undone") {
        REQUIRE(skip_step(at.book, at.at("1").what, {"b", step_phase::undo}, "by hand", at.now.wall,
                          never));
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::compensated);
        REQUIRE(at.what->count("1/a/undo") == 1);
    }
}

TEST_CASE("under go_on, the other compensations are made, and then people decide") {
    const bool join = GENERATE(false, true);
    broken_way_back at(join);
    at.what->policy = compensation_policy::go_on;
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::parked);
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done", "p failed", "c/undo done",
                                     "b/undo failed", "a/undo done"});
    REQUIRE(at.at("1").what.why->detail ==
            "undoing step b was given up, last with closed: detail; not undone: b");
    at.what->answers.erase("b/undo");
    REQUIRE(retry_step(at.book, at.at("1").what, {"b", step_phase::undo}, "bank is open",
                       at.now.wall, never));
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("a failing compensation at each step parks the saga or lets the others be undone") {
    const bool go_on = GENERATE(false, true);
    const std::string name = GENERATE("a", "b", "c");
    runner_world at(six_steps(true));
    at.what->policy = go_on ? compensation_policy::go_on : compensation_policy::stop;
    at.what->answers["p"] = [](const auto&) { return fails(failure_class::permanent); };
    at.what->answers[name + "/undo"] = [](const auto&) { return fails(failure_class::permanent); };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::parked);
    REQUIRE(at.at("1").what.why->reason == "not_undone");
    for (const std::string other : {"a", "b", "c"}) {
        const bool is_undone = other != name && (go_on || other > name);
        REQUIRE(at.effect("order/1/" + other + "/undo") == (is_undone ? "1" : "0"));
    }
}

TEST_CASE("a step given up with an unknown outcome is compensated first") {
    runner_world at(six_steps(false));
    at.what->steps[1].options.retry.max_attempts = 2;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::unknown, "no_answer"); };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
    REQUIRE(at.at("1").history[1].why->kind == failure_class::unknown);
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("an unknown outcome stays in doubt though a later attempt is refused") {
    runner_world at(six_steps(false));
    int calls = 0;
    at.what->answers["b"] = [&](const auto&) {
        return fails(calls++ == 0 ? failure_class::unknown : failure_class::permanent);
    };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
    REQUIRE(at.what->doubts.at(2));
}

TEST_CASE("a pivot with an unknown outcome goes neither forward nor back, and is parked") {
    runner_world at(six_steps(false));
    at.what->steps[3].options.retry.max_attempts = 2;
    at.what->answers["p"] = [](const auto&) { return fails(failure_class::unknown, "no_answer"); };
    auto runner = at.make();
    at.start("1");
    at.go(runner, 10s);
    REQUIRE(at.state("1") == instance_state::parked);
    REQUIRE(at.at("1").what.why->reason == "pivot_in_doubt");
    REQUIRE(at.history("1") == lines{"a done", "b done", "c done"});
    at.what->answers.erase("p");
    REQUIRE(resume(at.book, at.at("1").what, "carrier says yes", at.now.wall, never));
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("cancelled before the pivot, a saga is compensated; after it, it goes forward") {
    const bool join = GENERATE(false, true);
    const auto when = GENERATE(0U, 1U, 2U, 3U, 4U, 5U, 6U);
    runner_world at(six_steps(join));
    auto runner = at.make();
    at.start("1");
    static_cast<void>(runner.step(at.now));
    for (unsigned made = 1; made < when; ++made) {
        static_cast<void>(runner.step(at.now));
    }
    const auto before = at.at("1").history.size();
    const bool has_ended = at.state("1") == instance_state::completed;
    if (!has_ended) {
        at.cancel("1");
    }
    at.go(runner, 1s);
    const auto after = at.history("1");
    // The one that was under way comes to its record, and the pivot may be it.
    const bool is_forward = after.size() > 3 && after[3] == "p done";
    REQUIRE(at.state("1") ==
            (is_forward ? instance_state::completed : instance_state::compensated));
    REQUIRE(is_forward == (before >= 3));
    for (const std::string other : {"a", "b", "c"}) {
        const bool is_done = at.what->count("1/" + other) != 0;
        REQUIRE(at.what->count("1/" + other + "/undo") == (is_done && !is_forward ? 1U : 0U));
    }
}

TEST_CASE("a process of steps that only goes forward does so though it is cancelled") {
    runner_world at(three_steps(false));
    auto runner = at.make();
    at.start("1");
    at.cancel("1");
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("cancelled while a step waits for its backoff, it turns back at once") {
    runner_world at(six_steps(false));
    at.what->steps[1].options.retry.base = 1h;
    at.what->steps[1].options.retry.cap = 1h;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.cancel("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
    REQUIRE(at.history("1") == lines{"a done", "a/undo done"});
}

TEST_CASE(
    "cancelled while what was begun is in doubt, that is undone too, and stands in the history") {
    runner_world at(six_steps(false));
    at.what->steps[1].options.retry.base = 1h;
    at.what->steps[1].options.retry.cap = 1h;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::unknown); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.cancel("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
    REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
}

TEST_CASE("cancelled behind the pivot, a step that waits for its backoff goes on waiting") {
    runner_world at(six_steps(false));
    at.what->steps[4].options.retry.base = 1h;
    at.what->steps[4].options.retry.cap = 1h;
    at.what->answers["y"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.cancel("1");
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::open);
    REQUIRE(at.what->count("1/y") == 1);
    SECTION("and people let it go on at once") {
        at.what->answers.erase("y");
        REQUIRE(resume(at.book, at.at("1").what, "now", at.now.wall, never));
        at.go(runner, 1s);
        REQUIRE(at.state("1") == instance_state::completed);
    }
}

TEST_CASE("a backoff that a clock set back by a day would make longer begins anew") {
    runner_world at(three_steps(false));
    at.what->steps[1].options.retry.base = 1min;
    at.what->steps[1].options.retry.cap = 1min;
    int left = 1;
    at.what->answers["b"] = [&](const auto&) {
        return left-- > 0 ? fails(failure_class::transient) : attempt_result::done();
    };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.now.wall -= 24h;
    at.go(runner, 10s);
    REQUIRE(at.what->count("1/b") == 1);
    const auto wait = at.at("1").what.wait.value();
    REQUIRE(wait.time.from < first_day);
    REQUIRE(wait.time.due - wait.time.from <= 1min);
    at.go(runner, 1min);
    REQUIRE(at.state("1") == instance_state::completed);
}
