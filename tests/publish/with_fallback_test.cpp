// SPDX-License-Identifier: BSL-1.0
#include "publish/spool_parts.hpp"

#include <sinew/publish/with_fallback.hpp>

#include <stdexcept>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

struct scene {
    hand_clock clock{};
    scripted_sink to{.clock = clock};
    scripted_sink other{.clock = clock};

    publish_result publish(const std::string& id) {
        with_fallback out(
            to,
            [this](const event_view& e, const failure& why, steady_time until) {
                reason = why.reason;
                return other.publish(e, until);
            },
            {}, clock);
        return out.publish(make(id).view(), later(clock.steady(), 10s));
    }
    std::string reason{};
};

}  // namespace

TEST_CASE("with_fallback: the function gets what the broker did not take, and is told why") {
    scene s;
    s.to.script = {publish_result::accepted(), down(), transient(), lost()};
    for (const char* id : {"1", "2", "3", "4"}) {
        REQUIRE(s.publish(id).is_accepted());
    }
    REQUIRE(s.to.accepted == texts{"1"});
    REQUIRE(s.other.accepted == texts{"2", "3", "4"});
    REQUIRE(s.reason == "no_answer");
}

TEST_CASE("with_fallback: an event that is wrong itself is refused, and the function not asked") {
    scene s;
    s.to.script = {permanent()};
    REQUIRE(s.publish("1").how() == publish_result::end::refused);
    REQUIRE(s.other.asked.empty());
}

TEST_CASE("with_fallback: refused is said only of an event that is nowhere") {
    scene s;
    s.other.always(down());
    s.to.script = {down(), lost()};
    REQUIRE(s.publish("1").how() == publish_result::end::refused);
    REQUIRE(s.publish("2").how() == publish_result::end::unknown);
}

TEST_CASE("with_fallback: both get a part of the time") {
    scene s;
    s.to.script = {down()};
    const auto start = s.clock.steady();
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.to.deadlines.front() == start + 2s);
    REQUIRE(s.other.deadlines.front() == start + 10s);
}

TEST_CASE("with_fallback: the function is asked in time, whatever the caller's deadline") {
    hand_clock clock;
    scripted_sink to{.clock = clock};
    with_fallback out(
        to,
        [](const event_view&, const failure&, steady_time) { return publish_result::accepted(); },
        {.publish_timeout = 3s}, clock);
    const auto start = clock.steady();
    for (const auto until : {never, start + 1h, start + 2s, start}) {
        REQUIRE(out.publish(make("1").view(), until).is_accepted());
    }
    REQUIRE(to.deadlines == std::vector<steady_time>{start + 3s, start + 3s, start + 1s, start});
}

TEST_CASE("with_fallback: a sink that throws has given no answer, and the function is asked") {
    scene s;
    s.to.rule = [](const event_view&) -> publish_result { throw std::runtime_error("broken"); };
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.reason == "sink_threw");
}

TEST_CASE("with_fallback: a time-out out of its range is refused") {
    scripted_sink to;
    const auto none = [](const event_view&, const failure&, steady_time) {
        return publish_result::accepted();
    };
    using out = with_fallback<scripted_sink, decltype(none)>;
    REQUIRE_THROWS_AS(out(to, none, {.publish_timeout = 0s}), usage_error);
}

TEST_CASE("with_fallback: what the function throws is a refusal") {
    hand_clock clock;
    scripted_sink to{.clock = clock};
    to.always(down());
    with_fallback out(to, [](const event_view&, const failure&, steady_time) -> publish_result {
        throw transient_error("http_503", "not now");
    });
    const auto answer = out.publish(make("1").view(), never);
    REQUIRE(answer.how() == publish_result::end::refused);
    REQUIRE(answer.why().reason == "http_503");
    REQUIRE(out.counts().lost == 1);
}
