// SPDX-License-Identifier: BSL-1.0
#include "publish/spool_parts.hpp"

#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/spooled.hpp>

#include <stdexcept>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

struct scene {
    hand_clock clock{};
    scripted_sink to{.clock = clock};
    fail_fast<scripted_sink, hand_clock> out{to, {.seed = 1}, clock};

    publish_result publish(const std::string& id) {
        return out.publish(make(id).view(), later(clock.steady(), 10s));
    }
};

}  // namespace

TEST_CASE("fail_fast: a publish has a short deadline, whatever the caller's") {
    scene s;
    const auto start = s.clock.steady();
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.out.publish(make("2").view(), start + 1ms).is_accepted());
    REQUIRE(s.to.deadlines == std::vector<steady_time>{start + 250ms, start + 1ms});
}

TEST_CASE("fail_fast: while the sink is known to be down it answers at once") {
    for (const auto& failed : {down(), lost()}) {
        scene s;
        s.to.always(failed);
        REQUIRE(s.publish("1").how() == failed.how());
        const auto answer = s.publish("2");
        REQUIRE(answer.how() == publish_result::end::refused);
        REQUIRE(answer.why().kind == failure_class::unavailable);
        REQUIRE(answer.why().reason == "sink_down");
        REQUIRE(s.to.asked == texts{"1"});
        s.to.recover();
        s.clock.pass(*answer.why().retry_after);
        REQUIRE(s.publish("3").is_accepted());
        REQUIRE(s.publish("4").is_accepted());
    }
}

TEST_CASE("fail_fast: a refusal of the event itself says nothing against the sink") {
    scene s;
    s.to.script = {permanent(), transient()};
    REQUIRE(s.publish("1").why().reason == "no_such_topic");
    REQUIRE(s.publish("2").why().reason == "busy");
    REQUIRE(s.publish("3").is_accepted());
}

TEST_CASE("fail_fast: a sink that asks for a longer pause gets it") {
    scene s;
    s.to.script = {
        publish_result::refused({failure_class::unavailable, "maintenance", "", duration(20min)})};
    REQUIRE(s.publish("1").why().reason == "maintenance");
    REQUIRE(s.publish("2").why().retry_after == duration(20min));
}

TEST_CASE("fail_fast: inside of spooled it makes a dead broker cost nothing") {
    scene s;
    memory::database data;
    memory::spool spool(data, "spool", {}, s.clock.now());
    spooled out(s.out, spool, {}, null_spool_observer(), s.clock);
    s.to.always(down());
    REQUIRE(out.publish(make("1", "a").view(), never).is_accepted());
    REQUIRE(out.publish(make("2", "b").view(), never).is_accepted());
    REQUIRE(spool.size().waiting == 2);
    STATIC_REQUIRE(decorations_of<decltype(out)>() == (decoration::spool | decoration::fail_fast));
}

TEST_CASE("fail_fast: a sink that throws has given no answer, and is taken for down") {
    hand_clock clock;
    scripted_sink to{.clock = clock};
    to.rule = [](const event_view&) -> publish_result { throw std::runtime_error("broken"); };
    fail_fast out(to, {}, clock);
    REQUIRE(out.publish(make("1").view(), never).why().reason == "sink_threw");
    REQUIRE(out.publish(make("2").view(), never).why().reason == "sink_down");
}

TEST_CASE("fail_fast: an option out of its range is refused under its own name") {
    scripted_sink to;
    REQUIRE_THROWS_WITH(fail_fast<scripted_sink>(to, {.base = 0s}),
                        "fail_fast: option base has to be at least 1 ms");
}
