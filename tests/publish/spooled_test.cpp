// SPDX-License-Identifier: BSL-1.0
#include "publish/spool_parts.hpp"

#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/spooled.hpp>

#include <stdexcept>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

struct scene {
    explicit scene(const spool_options& limits = {}) : spool(data, "spool", limits, clock.now()) {}

    publish_result publish(const std::string& id, const std::string& key = "k") {
        return out.publish(make(id, key).view(), later(clock.steady(), 10s));
    }
    texts spooled_ids() {
        texts ids;
        for (const auto& one : spool.claim(clock.steady(), {1000, 1'000'000})) {
            ids.push_back(one.what.id);
        }
        return ids;
    }

    memory::database data{};
    hand_clock clock{};
    scripted_sink to{.clock = clock};
    memory::spool spool;
    telling_observer seen{};
    spooled<scripted_sink, memory::spool, telling_observer, hand_clock> out{
        to, spool, {.seed = 1}, seen, clock};
};

static_assert(sink<spooled<scripted_sink, memory::spool>>);

}  // namespace

TEST_CASE("spooled: while the sink accepts, nothing touches the spool") {
    scene s;
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.publish("2").is_accepted());
    REQUIRE(s.to.accepted == texts{"1", "2"});
    REQUIRE(s.spool.size() == spool_size{});
    REQUIRE(*s.seen.told == texts{"live 1", "live 2"});
}

TEST_CASE("spooled: an event that finds the sink down is accepted, and in the spool as it was") {
    scene s;
    s.to.always(down());
    auto e = make("1", "k", std::string("\0\xff bytes", 8));
    e.sequence = "0007";
    e.headers = {{"h", std::string("\xfe\0", 2)}, {"h", ""}};
    REQUIRE(s.out.publish(e.view(), never).is_accepted());
    const auto kept = s.spool.claim(s.clock.steady(), {10, 1000});
    REQUIRE(kept.size() == 1);
    REQUIRE(kept.front().what == e);
    REQUIRE(*s.seen.told == texts{"first 1", "spooled 1"});
}

TEST_CASE("spooled: a key that is in the spool stays behind it, though the sink is back") {
    scene s;
    s.to.script = {down()};
    REQUIRE(s.publish("1", "a").is_accepted());
    s.clock.pass(1min);
    REQUIRE(s.publish("2", "a").is_accepted());
    REQUIRE(s.publish("3", "b").is_accepted());
    REQUIRE(s.to.accepted == texts{"3"});
    REQUIRE(s.spooled_ids() == texts{"1", "2"});
}

TEST_CASE("spooled: what becomes of each answer of the sink") {
    scene s;
    SECTION("a permanent refusal is passed on, and is not in the spool") {
        s.to.script = {permanent()};
        const auto answer = s.publish("1");
        REQUIRE(answer.how() == publish_result::end::refused);
        REQUIRE(answer.why().reason == "no_such_topic");
        REQUIRE(s.spool.size().entries() == 0);
        REQUIRE(s.publish("2").is_accepted());
        REQUIRE(s.to.accepted == texts{"2"});
    }
    SECTION("a transient refusal is spooled, and says nothing against the sink") {
        s.to.script = {transient()};
        REQUIRE(s.publish("1", "a").is_accepted());
        REQUIRE(s.publish("2", "b").is_accepted());
        REQUIRE(s.spooled_ids() == texts{"1"});
        REQUIRE(s.to.accepted == texts{"2"});
    }
    SECTION("what has no answer is spooled, and shuts the gate") {
        s.to.script = {lost()};
        REQUIRE(s.publish("1", "a").is_accepted());
        REQUIRE(s.publish("2", "b").is_accepted());
        REQUIRE(s.spooled_ids() == texts{"1", "2"});
        REQUIRE(s.to.asked == texts{"1"});
    }
}

TEST_CASE("spooled: after the sink was found down, publishes do not each wait for its time-out") {
    scene s;
    s.to.always(lost());
    s.to.takes = 2s;
    for (int i = 0; i < 100; ++i) {
        REQUIRE(s.publish(std::to_string(i), "k" + std::to_string(i)).is_accepted());
    }
    REQUIRE(s.to.asked == texts{"0"});
    s.clock.pass(5s);
    REQUIRE(s.publish("later", "other").is_accepted());
    REQUIRE(s.to.asked == texts{"0", "later"});
    REQUIRE(s.publish("last", "last").is_accepted());
    REQUIRE(s.to.asked.size() == 2);
}

TEST_CASE("spooled: the sink gets a part of the time alone, so that some is left for the spool") {
    scene s;
    const auto e = make("1");
    const steady_time start = s.clock.steady();
    REQUIRE(s.out.publish(e.view(), start + 1s).is_accepted());
    REQUIRE(s.out.publish(e.view(), start + 1min).is_accepted());
    REQUIRE(s.out.publish(e.view(), never).is_accepted());
    REQUIRE(s.to.deadlines == std::vector<steady_time>{start + 500ms, start + 2s, start + 2s});
}

TEST_CASE("spooled: each limit of the spool is a refusal with its own reason, and counted") {
    const auto refused = [](scene& s, const std::string& key = "k") {
        const auto answer = s.publish("x", key);
        REQUIRE(answer.how() == publish_result::end::refused);
        return answer.why().reason;
    };
    SECTION("count") {
        scene s({.entries_max = 2});
        s.to.always(down());
        REQUIRE(s.publish("1").is_accepted());
        REQUIRE(s.publish("2").is_accepted());
        REQUIRE(refused(s) == "spool_full_count");
        REQUIRE(s.out.counts().full_count == 1);
        REQUIRE(s.seen.saw("spool_refused spool_full_count"));
    }
    SECTION("bytes") {
        scene s({.bytes_max = 2 * spool_weight(make("1", "k").view())});
        s.to.always(down());
        REQUIRE(s.publish("1").is_accepted());
        REQUIRE(s.publish("2").is_accepted());
        REQUIRE(refused(s) == "spool_full_bytes");
        REQUIRE(s.out.counts().full_bytes == 1);
    }
    SECTION("age of the oldest") {
        scene s({.age_max = 1h});
        s.to.always(down());
        REQUIRE(s.publish("1").is_accepted());
        s.clock.pass(1h);
        REQUIRE(s.publish("2").is_accepted());
        s.clock.pass(1ms);
        REQUIRE(refused(s) == "spool_too_old");
        REQUIRE(s.out.counts().too_old == 1);
    }
    SECTION("the size of one event") {
        scene s({.event_bytes_max = 100});
        s.to.always(down());
        const auto large = make("1", "k", std::string(200, 'x'));
        const auto answer = s.out.publish(large.view(), never);
        REQUIRE(answer.how() == publish_result::end::refused);
        REQUIRE(answer.why().reason == "payload_too_large");
        REQUIRE(answer.why().kind == failure_class::unavailable);
        REQUIRE(s.out.counts().too_large == 1);
    }
}

TEST_CASE("spooled: refused is said only of an event that is nowhere") {
    scene s({.entries_max = 1});
    s.to.script = {down(), lost()};
    REQUIRE(s.publish("1", "a").is_accepted());
    s.clock.pass(1min);
    const auto answer = s.publish("2", "b");
    REQUIRE(answer.how() == publish_result::end::unknown);
    REQUIRE(answer.why().kind == failure_class::unknown);
    REQUIRE(answer.why().reason == "spool_full_count");
}

TEST_CASE("spooled: events without a key do not wait for each other") {
    scene s;
    s.to.script = {transient()};
    REQUIRE(s.publish("1", "").is_accepted());
    REQUIRE(s.publish("2", "").is_accepted());
    REQUIRE(s.to.accepted == texts{"2"});
}

TEST_CASE(
    "spooled: what is too large for the spool alone is refused for good by the broker alone") {
    scene s({.event_bytes_max = 100});
    s.to.script = {down(), publish_result::accepted(), permanent()};
    const auto large = make("1", "k", std::string(200, 'x'));
    REQUIRE(s.out.publish(large.view(), never).why().kind == failure_class::unavailable);
    s.clock.pass(1min);
    REQUIRE(s.out.publish(large.view(), never).is_accepted());
    REQUIRE(s.out.publish(large.view(), never).why().kind == failure_class::permanent);
}

TEST_CASE("spooled: a sink that throws has given no answer, and the event is in the spool") {
    scene s;
    s.to.rule = [](const event_view&) -> publish_result { throw std::runtime_error("broken"); };
    REQUIRE(s.publish("1").is_accepted());
    REQUIRE(s.spooled_ids() == texts{"1"});
}

TEST_CASE("spooled: an option out of its range is refused under its own name") {
    memory::database data;
    memory::spool spool(data);
    scripted_sink to;
    using out = spooled<scripted_sink, memory::spool>;
    REQUIRE_THROWS_WITH(out(to, spool, {.base = 0s}),
                        "spooled: option base has to be at least 1 ms");
    REQUIRE_THROWS_WITH(out(to, spool, {.base = 2s, .cap = 1s}),
                        "spooled: option cap is below base");
    REQUIRE_THROWS_AS(out(to, spool, {.publish_timeout = 0s}), usage_error);
}
