// SPDX-License-Identifier: BSL-1.0
#include "process/runner_support.hpp"

#include <sinew/process/desk.hpp>

using namespace sinew;
using namespace sinew::test;

namespace {

/// A world in which runners die.
struct mortal_world : runner_world {
    using runner_world::runner_world;
    memory::store next{data};

    /// Claims what is due as a runner of another name that dies at once.
    void claim_and_die(std::string_view owner = "dead", shard_id seat = 20) {
        auto dead = service.journal("orders");
        const auto lease = dead.take(dead.holder(seat), owner).value();
        const std::string_view type = what->type;
        REQUIRE_FALSE(dead.claim(lease, {&type, 1}, now.wall, 100).value().empty());
    }
};

/// The clock within steps.
steady_time slow_clock = first_hour;

}  // namespace

TEST_CASE("attempts that take long are each written soon, and the lease is renewed between them") {
    const bool join = GENERATE(false, true);
    mortal_world at(three_steps(join));
    slow_clock = at.now.steady;
    auto one = at.make();
    one.measure_with([] { return slow_clock; });
    auto two = at.make_on(at.next, runner_world::options("runner-2"));
    for (int i = 0; i < 20; ++i) {
        at.start(std::to_string(i));
    }
    at.what->before = [](const attempt_info&) { slow_clock += 4s; };
    std::uint64_t recorded = 0;
    while (one.counts().completed < 20) {
        at.now.wall += std::chrono::duration_cast<wall_time::duration>(slow_clock - at.now.steady);
        at.now.steady = slow_clock;
        const auto attempts = one.counts().attempts;
        static_cast<void>(one.step(at.now));
        REQUIRE(one.counts().attempts <= attempts + 2);
        // What was done before this step is recorded behind it.
        REQUIRE(one.counts().steps_done >= recorded);
        recorded = attempts;
        static_cast<void>(two.step(at.now));
    }
    REQUIRE(two.counts().claimed == 0);
    REQUIRE(two.counts().seats_swept == 0);
    REQUIRE(one.counts().seats_lost == 0);
    REQUIRE(one.counts().stale == 0);
    REQUIRE(at.what->calls.size() == 60);
}

TEST_CASE("two runners share the instances, and none is done twice") {
    const bool join = GENERATE(false, true);
    mortal_world at(three_steps(join));
    auto how = runner_world::options("runner-1");
    how.instances_max = 8;
    how.ahead_max = 4;
    auto one = at.make(how);
    how.owner = "runner-2";
    auto two = at.make_on(at.next, how);
    for (int i = 0; i < 40; ++i) {
        at.start(std::to_string(i));
    }
    for (int i = 0; i < 100; ++i) {
        static_cast<void>(one.step(at.now));
        static_cast<void>(two.step(at.now));
    }
    REQUIRE(one.counts().completed + two.counts().completed == 40);
    REQUIRE(one.counts().completed > 0);
    REQUIRE(two.counts().completed > 0);
    REQUIRE(at.what->calls.size() == 120);
}

TEST_CASE("instances of a runner that died are taken over once its lease is over") {
    mortal_world at(three_steps(false));
    auto runner = at.make();
    at.settle(runner);
    at.start("1");
    at.claim_and_die();
    at.go(runner, 9s);
    REQUIRE(at.what->calls.empty());
    at.go(runner, 31s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(runner.counts().seats_swept == 1);
    REQUIRE(runner.counts().recovered == 1);
    REQUIRE(at.book.holder(20).owner.empty());
}

TEST_CASE("a runner that is started again under its name goes on at once") {
    mortal_world at(three_steps(false));
    at.start("1");
    at.claim_and_die("runner-1");
    auto runner = at.make();
    at.settle(runner);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("a runner whose lease was lost stops without effect, and begins anew") {
    mortal_world at(three_steps(true));
    auto one = at.make();
    auto two = at.make_on(at.next, runner_world::options("runner-2"));
    at.start("1");
    // The first is paused in the middle of its attempt, and the second takes over.
    bool is_paused = true;
    at.what->before = [&](const attempt_info& info) {
        if (std::exchange(is_paused, false)) {
            REQUIRE(info.key == "order/1/a/act");
            at.go(two, 40s, 1s);
        }
    };
    static_cast<void>(one.step(at.now));
    REQUIRE(two.counts().completed == 1);
    REQUIRE(at.state("1") == instance_state::completed);
    at.go(one, 40s, 1s);
    REQUIRE(one.counts().steps_done == 0);
    for (const std::string step : {"a", "b", "c"}) {
        REQUIRE(at.effect("order/1/" + step + "/act") == "1");
    }
    REQUIRE(one.has_seat());
    REQUIRE(one.counts().seats_lost == 1);
    REQUIRE(two.shut_down(at.now, never));
    at.start("2");
    at.go(one, 1s);
    REQUIRE(one.counts().completed == 1);
}

TEST_CASE("what was done outside of a transaction is written though the lease is over, if it may") {
    mortal_world at(three_steps(false));
    auto one = at.make();
    static_cast<void>(one.step(at.now));
    at.start("1");
    bool is_paused = true;
    at.what->before = [&](const attempt_info&) {
        if (std::exchange(is_paused, false)) {
            // Somebody ended the lease, and nobody has claimed the instance.
            const auto lease = at.book.holder(shard_of("runner-1", 32));
            REQUIRE(at.book.take(lease, "other"));
        }
    };
    at.go(one, 1s);
    REQUIRE(at.what->count("1/a") == 1);
    REQUIRE(at.history("1").at(0) == "a done");
    at.go(one, 1min, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
    REQUIRE(at.what->count("1/a") == 1);
}

TEST_CASE("people take an instance out of a runner's hands, and it writes nothing more") {
    mortal_world at(three_steps(true));
    auto runner = at.make();
    at.start("1");
    at.what->answers["b"] = [&](const attempt_info&) {
        static_cast<void>(abandon(at.book, at.at("1").what, "enough", at.now.wall, never));
        return attempt_result::done();
    };
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::abandoned);
    REQUIRE(at.history("1") == lines{"a done"});
    REQUIRE(at.effect("order/1/b/act") == "0");
    REQUIRE(at.what->count("1/c") == 0);
    REQUIRE(runner.counts().stale == 1);
}

TEST_CASE("a step that kills its process is parked after its starts, and nobody else is") {
    const bool join = GENERATE(false, true);
    mortal_world at(three_steps(join));
    at.start("poison");
    at.start("good");
    int lives = 0;
    for (; lives < 20 && at.state("poison") != instance_state::parked; ++lives) {
        memory::store body(at.data);
        auto runner = at.make_on(body, runner_world::options());
        bool is_dead = false;
        at.what->before = [&](const attempt_info& info) {
            if (info.instance.id == "poison" && info.key.find("/b/") != std::string::npos) {
                // It does not come back: whatever the runner writes behind this is too late.
                is_dead = true;
                at.claim_and_die("runner-1", shard_of("runner-1", 32));
            }
        };
        for (int i = 0; i < 20 && !is_dead; ++i) {
            static_cast<void>(runner.step(at.now));
        }
    }
    REQUIRE(at.state("poison") == instance_state::parked);
    REQUIRE(at.at("poison").what.why->reason == "poisoned");
    REQUIRE(lives <= 6);
    REQUIRE(at.what->count("poison/b") <= 5);
    at.what->before = nullptr;
    auto runner = at.make();
    at.go(runner, 1s);
    REQUIRE(at.state("good") == instance_state::completed);
    REQUIRE(at.history("poison") == lines{"a done"});
}

TEST_CASE("what a claim left behind is in doubt where its effect is not recorded with it") {
    const bool join = GENERATE(false, true);
    mortal_world at(six_steps(join));
    at.start("1");
    at.claim_and_die("runner-1");
    at.what->answers["a"] = [](const attempt_info&) { return fails(failure_class::permanent); };
    auto runner = at.make();
    at.go(runner, 1s);
    REQUIRE(at.what->doubts.at(0) == !join);
    REQUIRE(at.history("1") == (join ? lines{"a failed"} : lines{"a failed", "a/undo done"}));
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("a claim that died behind a record leaves the next step in doubt") {
    mortal_world at(six_steps(false));
    at.start("1");
    {
        auto dead = at.service.journal("orders");
        const auto lease = dead.take(dead.holder(20), "runner-1").value();
        const std::string_view type = "order";
        const auto claimed = dead.claim(lease, {&type, 1}, at.now.wall, 1).value().at(0);
        journal_write done{.claim = claim_of(claimed.what)};
        done.records = {{.where = {"a", step_phase::act},
                         .begun = at.now.wall,
                         .at = at.now.wall,
                         .result = "a"}};
        REQUIRE(dead.write({&done, 1}, at.now.wall).front().how == fenced_result::done);
    }
    at.what->answers["b"] = [](const attempt_info&) { return fails(failure_class::permanent); };
    auto runner = at.make();
    at.go(runner, 1s);
    REQUIRE(at.history("1") == lines{"a done", "b failed", "b/undo done", "a/undo done"});
}

TEST_CASE("cancelled behind a claim that died, what that may have begun is undone") {
    mortal_world at(six_steps(false));
    at.start("1");
    at.claim_and_die("runner-1");
    at.cancel("1");
    auto runner = at.make();
    at.go(runner, 1s);
    REQUIRE(at.what->calls == lines{"1/a/undo"});
    REQUIRE(at.history("1") == lines{"a failed", "a/undo done"});
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("cancelled while it waits, it turns back though whoever was told of it first has died") {
    const bool awaits_reply = GENERATE(false, true);
    mortal_world at(six_steps(false));
    at.what->steps[1].sends = awaits_reply;
    at.what->steps[1].options.retry.base = 1h;
    at.what->steps[1].options.retry.cap = 1h;
    at.what->answers["b"] = [&](const attempt_info& one) {
        if (!awaits_reply) {
            return fails(failure_class::transient);
        }
        event command;
        command.id = one.key;
        command.source = "/orders";
        command.type = "b";
        return attempt_result::sent(std::move(command), 24h);
    };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    REQUIRE(at.at("1").what.wait.has_value());
    at.cancel("1");
    at.claim_and_die();
    at.what->steps[1].sends = false;  // its undo is called
    at.what->answers.erase("b");
    at.go(runner, 2min, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
    REQUIRE(at.what->count("1/a/undo") == 1);
}

TEST_CASE("cancelled while it waits, it turns back though whoever was told of it first leaves") {
    mortal_world at(six_steps(false));
    at.what->steps[1].options.retry.base = 1h;
    at.what->steps[1].options.retry.cap = 1h;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.cancel("1");
    // Its seat is left between the claim and what the claim was made for.
    auto leaver = at.service.journal("orders");
    const auto lease = leaver.take(leaver.holder(20), "leaver").value();
    const std::string_view type = at.what->type;
    auto claimed = leaver.claim(lease, {&type, 1}, at.now.wall, 1).value();
    REQUIRE(claimed.size() == 1);
    const std::vector<step_definition>& steps = at.what->definitions;
    const claimed_instance its(
        std::move(claimed.front()), {type, steps, {}}, compensation_policy::stop,
        [](std::size_t, step_phase) { return step_rules{}; }, at.now.wall);
    const auto given_back = its.released(at.now.wall);
    REQUIRE(leaver.write({&given_back, 1}, at.now.wall).front().how == fenced_result::done);
    at.go(runner, 1s);
    REQUIRE(at.state("1") == instance_state::compensated);
}

TEST_CASE("people let a waiting instance go on, though whoever heard of it first has died") {
    mortal_world at(six_steps(false));
    at.what->steps[1].options.retry.base = 1h;
    at.what->steps[1].options.retry.cap = 1h;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    at.start("1");
    at.settle(runner);
    at.what->answers.erase("b");
    REQUIRE(resume(at.book, at.at("1").what, "the bank is open", at.now.wall, never));
    at.claim_and_die();
    at.go(runner, 2min, 1s);
    REQUIRE(at.state("1") == instance_state::completed);
}

TEST_CASE("an instance that was given back between two steps is not in doubt") {
    mortal_world at(six_steps(false));
    at.start("1");
    auto one = at.make();
    static_cast<void>(one.step(at.now));
    REQUIRE(at.history("1") == lines{"a done"});
    REQUIRE(one.shut_down(at.now, at.now.steady + 1s));
    REQUIRE(one.counts().released == 1);
    at.what->answers["b"] = [](const attempt_info&) { return fails(failure_class::permanent); };
    auto two = at.make(runner_world::options("runner-2"));
    at.go(two, 1s);
    REQUIRE_FALSE(at.what->doubts.at(1));
    REQUIRE(at.history("1") == lines{"a done", "b failed", "a/undo done"});
    REQUIRE(two.counts().recovered == 0);
}

TEST_CASE("a runner that shuts down leaves its seat and its instances to the others at once") {
    mortal_world at(three_steps(false));
    auto one = at.make();
    for (int i = 0; i < 10; ++i) {
        at.start(std::to_string(i));
    }
    static_cast<void>(one.step(at.now));
    REQUIRE(one.instances_held() == 10);
    REQUIRE(one.shut_down(at.now, at.now.steady + 1s));
    REQUIRE(one.instances_held() == 0);
    REQUIRE_FALSE(one.has_seat());
    REQUIRE(one.counts().seats_released == 1);
    auto two = at.make_on(at.next, runner_world::options("runner-2"));
    at.settle(two);
    REQUIRE(two.counts().completed == 10);
    REQUIRE(at.what->calls.size() == 30);
    SECTION("and can be stepped again") {
        at.start("again");
        at.settle(one);
        REQUIRE(at.state("again") == instance_state::completed);
    }
}

TEST_CASE("there is no runner without a seat") {
    memory::database data;
    memory::store first(data);
    memory::store second(data);
    runner_world at(three_steps(false));
    journal_options few;
    few.seats = 1;
    runner one(first, first.journal("small", few), runner_world::options("1"),
               scripted_process(at.what));
    runner two(second, second.journal("small", few), runner_world::options("2"),
               scripted_process(at.what));
    at.settle(one);
    at.go(two, 1s);
    REQUIRE(one.has_seat());
    REQUIRE_FALSE(two.has_seat());
    REQUIRE(one.shut_down(at.now, never));
    at.go(two, 5s);
    REQUIRE(two.has_seat());
}

TEST_CASE("the next deadline is when there is something to do") {
    mortal_world at(three_steps(false));
    at.what->steps[1].options.retry.base = 5s;
    at.what->answers["b"] = [](const auto&) { return fails(failure_class::transient); };
    auto runner = at.make();
    REQUIRE(runner.next_deadline() <= at.now.steady);
    at.start("1");
    at.settle(runner);
    const auto due = runner.next_deadline();
    REQUIRE(due > at.now.steady);
    REQUIRE(due <= at.now.steady + runner.options().poll_interval);
    at.pass(1ms);
    REQUIRE_FALSE(runner.step(at.now));
}
