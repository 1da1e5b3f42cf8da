// SPDX-License-Identifier: BSL-1.0
#include "publish/spool_parts.hpp"

#include <sinew/publish/with_breaker.hpp>

#include <stdexcept>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

struct scene {
    explicit scene(with_breaker_options options = {})
        : out(
              to,
              [&] {
                  options.seed = 1;
                  return options;
              }(),
              clock) {}

    publish_result publish(const std::string& id, duration within = 1min) {
        return out.publish(make(id).view(), later(clock.steady(), within));
    }

    hand_clock clock{};
    scripted_sink to{.clock = clock};
    with_breaker<scripted_sink, hand_clock> out;
};

static_assert(waiting_clock<hand_clock> && waiting_clock<machine_waiting_clock>);

}  // namespace

TEST_CASE("with_breaker: it tries again, with pauses, until the broker takes the event") {
    scene s;
    s.to.script = {down(), transient(), lost()};
    const auto start = s.clock.steady();
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.to.asked == texts{"1", "1", "1", "1"});
    REQUIRE(s.clock.steady() - start > 10ms);
}

TEST_CASE("with_breaker: a permanent refusal is not tried again, and no failure of the broker") {
    scene s;
    s.to.always(permanent());
    for (int i = 0; i < 50; ++i) {
        REQUIRE(s.publish("1").why().reason == "no_such_topic");
    }
    REQUIRE(s.to.asked.size() == 50);
    REQUIRE(s.out.state() == breaker_state::closed);
}

TEST_CASE("with_breaker: it ends with the attempts, the caller's deadline, or the budget") {
    SECTION("attempts") {
        scene s({.max_attempts = 3});
        s.to.always(down());
        REQUIRE(s.publish("1").why().reason == "broker_down");
        REQUIRE(s.to.asked.size() == 3);
    }
    SECTION("the deadline") {
        scene s;
        s.to.always(down());
        s.to.takes = 400ms;
        const auto end = s.clock.steady() + 1s;
        REQUIRE(s.publish("1", 1s).how() == publish_result::end::refused);
        REQUIRE(s.clock.steady() <= end + 400ms);
        for (const auto one : s.to.deadlines) {
            REQUIRE(one <= end);
        }
    }
    SECTION("the budget") {
        scene s({.budget = {.ratio = 0, .floor_per_second = 0.001, .tokens_max = 2}});
        s.to.always(transient());
        REQUIRE(s.publish("1").why().reason == "busy");
        REQUIRE(s.to.asked.size() == 3);
        REQUIRE(s.publish("2").why().reason == "busy");
        REQUIRE(s.to.asked.size() == 4);
    }
}

TEST_CASE("with_breaker: a broker that keeps failing is left alone, and tried by one event") {
    scene s({.max_attempts = 1});
    s.to.always(down());
    for (int i = 0; i < 10; ++i) {
        REQUIRE(s.publish("x").why().reason == "broker_down");
    }
    REQUIRE(s.out.state() == breaker_state::open);
    const auto answer = s.publish("y");
    REQUIRE(answer.why().reason == "breaker_open");
    REQUIRE(answer.why().kind == failure_class::unavailable);
    REQUIRE(s.to.asked.size() == 10);
    s.clock.pass(*answer.why().retry_after);
    REQUIRE(s.publish("z").why().reason == "broker_down");
    REQUIRE(s.out.state() == breaker_state::open);
    s.to.recover();
    s.clock.pass(12s);
    REQUIRE(s.publish("z").is_accepted());
    REQUIRE(s.out.state() == breaker_state::closed);
}

TEST_CASE("with_breaker: after an attempt without an answer it never says refused") {
    scene s({.max_attempts = 2});
    SECTION("not if the last attempt was refused") { s.to.script = {lost(), down()}; }
    SECTION("not even for good") { s.to.script = {lost(), permanent()}; }
    const auto answer = s.publish("1");
    REQUIRE(answer.how() == publish_result::end::unknown);
    REQUIRE(answer.why().kind == failure_class::unknown);
}

TEST_CASE("with_breaker: what is accepted after its deadline is accepted, and a failure") {
    scene s({.attempt_timeout = 1s});
    s.to.takes = 1500ms;
    for (int i = 0; i < 10; ++i) {
        REQUIRE(s.out.state() == breaker_state::closed);
        REQUIRE(s.publish("1").is_accepted());
    }
    REQUIRE(s.out.state() == breaker_state::open);
}

TEST_CASE("with_breaker: a broker that asks for a year is asked again within an hour") {
    scene s;
    s.to.script = {publish_result::refused(
        {failure_class::unavailable, "later", "a detail", std::chrono::hours(9000)})};
    const auto start = s.clock.steady();
    REQUIRE(s.publish("1", 2h).is_accepted());
    REQUIRE(s.clock.steady() - start == 1h);
}

TEST_CASE("with_breaker: a sink that throws has given no answer, and is tried again") {
    scene s;
    int calls = 0;
    s.to.rule = [&](const event_view&) {
        return ++calls < 3 ? throw std::runtime_error("broken") : publish_result::accepted();
    };
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(calls == 3);
}

TEST_CASE("with_breaker: options out of their range are refused") {
    scripted_sink to;
    using w = with_breaker<scripted_sink, hand_clock>;
    REQUIRE_THROWS_AS(w(to, {.max_attempts = 0}), usage_error);
    REQUIRE_THROWS_AS(w(to, {.attempt_timeout = 0s}), usage_error);
    REQUIRE_THROWS_WITH(w(to, {.base = 0s}), "with_breaker: option base has to be at least 1 ms");
    REQUIRE_THROWS_AS(w(to, {.breaker = {.calls_min = 0}}), usage_error);
}
