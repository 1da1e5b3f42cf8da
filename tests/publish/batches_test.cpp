// SPDX-License-Identifier: BSL-1.0
//
// Batches through what stands around a sink, and out of a spool: one call for all of them, and of
// one key nothing is accepted behind what was not.

#include "publish/spool_parts.hpp"

#include <sinew/publish/closed_keys.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/publish/with_breaker.hpp>
#include <sinew/publish/with_fallback.hpp>

#include <cstddef>
#include <map>
#include <span>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

/// A broker that takes batches: each event has the answers that were written down for it, and is
/// accepted after them.
struct batch_broker {
    std::map<std::string, std::deque<publish_result>, std::less<>> plan{};
    std::vector<std::string> accepted{};
    std::vector<std::size_t> batches{};  ///< how many events each call had

    publish_result publish(const event_view& e, steady_time) {
        batches.push_back(1);
        return answer(e);
    }
    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time) {
        batches.push_back(events.size());
        std::vector<publish_result> out;
        closed_keys closed;
        for (const auto& e : events) {
            out.push_back(closed.has(e.partitionkey) ? closed_keys::behind() : answer(e));
            if (!out.back().is_accepted()) {
                closed.close(e.partitionkey);
            }
        }
        return out;
    }

private:
    publish_result answer(const event_view& e) {
        const auto found = plan.find(e.id);
        if (found != plan.end() && !found->second.empty()) {
            auto out = found->second.front();
            found->second.pop_front();
            return out;
        }
        accepted.emplace_back(e.id);
        return publish_result::accepted();
    }
};

/// Events of the keys a and b, by turns.
struct batch_of {
    explicit batch_of(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string key = i % 2 == 0 ? "a" : "b";
            events.push_back(make(key + std::to_string(i / 2 + 1), key));
        }
        for (const auto& e : events) {
            views.push_back(e.view());
        }
    }
    std::vector<event> events;
    std::vector<event_view> views;
};

[[nodiscard]] texts shown(const std::vector<publish_result>& answers) {
    texts out;
    for (const auto& one : answers) {
        out.push_back(one.is_accepted()                           ? "accepted"
                      : one.how() == publish_result::end::unknown ? "unknown"
                                                                  : one.why().reason);
    }
    return out;
}

using plain = with_fallback<scripted_sink,
                            publish_result (*)(const event_view&, const failure&, steady_time)>;
static_assert(sink<plain> && !batch_sink<plain>);
static_assert(batch_sink<fail_fast<batch_broker>> && !batch_sink<fail_fast<scripted_sink>>);
static_assert(batch_sink<with_breaker<batch_broker>> && !batch_sink<with_breaker<scripted_sink>>);
static_assert(batch_sink<spooled<batch_broker, memory::spool>>);
static_assert(!batch_sink<spooled<scripted_sink, memory::spool>>);

}  // namespace

TEST_CASE("fail_fast: one answer of a batch that says that the sink is down shuts the gate") {
    const hand_clock clock;
    batch_broker to;
    to.plan["b1"] = {down()};
    fail_fast out(to, {.seed = 1}, clock);
    const batch_of all(3);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"accepted", "broker_down", "accepted"});
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"sink_down", "sink_down", "sink_down"});
    CHECK(to.batches == std::vector<std::size_t>{3});
    clock.pass(5s);
    CHECK(shown(out.publish_batch(all.views, never)) == texts{"accepted", "accepted", "accepted"});
    CHECK(out.publish_batch(std::span<const event_view>(), never).empty());
}

TEST_CASE("with_breaker: what is left of a batch is tried again together, in its order") {
    const hand_clock clock;
    batch_broker to;
    to.plan["a1"] = {transient(), transient()};
    with_breaker out(to, {.seed = 1}, clock);
    const batch_of all(4);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"accepted", "accepted", "accepted", "accepted"});
    CHECK(to.batches == std::vector<std::size_t>{4, 2, 2});
    CHECK(to.accepted == texts{"b1", "b2", "a1", "a2"});
}

TEST_CASE("with_breaker: nothing of a batch is tried again behind what was refused for good") {
    const hand_clock clock;
    batch_broker to;
    to.plan["a1"] = {permanent()};
    to.plan["b1"] = {lost(), transient(), transient()};
    with_breaker out(to, {.max_attempts = 3, .seed = 1}, clock);
    const batch_of all(4);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"no_such_topic", "unknown", "behind", "behind"});
    CHECK(to.batches == std::vector<std::size_t>{4, 2, 2});
    CHECK(to.accepted.empty());
}

TEST_CASE("with_breaker: a batch that the breaker does not let through is refused at once") {
    const hand_clock clock;
    batch_broker to;
    to.plan["a1"] = {down()};
    with_breaker out(to, {.breaker = {.in_a_row = 1}, .max_attempts = 1, .seed = 1}, clock);
    const batch_of all(2);
    CHECK(shown(out.publish_batch(all.views, never)) == texts{"broker_down", "accepted"});
    CHECK(shown(out.publish_batch(all.views, never)) == texts{"breaker_open", "breaker_open"});
    CHECK(to.batches.size() == 1);
}

TEST_CASE(
    "with_fallback: what a batch lacks goes to the function, and nothing behind what it lacks") {
    const hand_clock clock;
    batch_broker to;
    to.plan["a1"] = {down()};
    to.plan["b1"] = {permanent()};
    texts asked;
    with_fallback out(
        to,
        [&](const event_view& e, const failure&, steady_time) {
            asked.emplace_back(e.id);
            return e.id == "a2" ? transient() : publish_result::accepted();
        },
        {}, clock);
    const batch_of all(6);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"accepted", "no_such_topic", "busy", "behind", "behind", "behind"});
    CHECK(asked == texts{"a1", "a2"});
    CHECK(out.counts().fallen_back == 1);
    CHECK(out.counts().lost == 5);
}

TEST_CASE(
    "spooled: of a batch, what is not accepted goes to the spool in order, and the rest is live") {
    memory::database data;
    const hand_clock clock;
    memory::spool in(data, "spool", {.entries_max = 2}, clock.now());
    batch_broker to;
    to.plan["a1"] = {transient()};
    spooled out(to, in, {.seed = 1}, telling_observer{}, clock);
    const batch_of all(6);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"accepted", "accepted", "accepted", "accepted", "spool_full_count", "accepted"});
    CHECK(to.accepted == texts{"b1", "b2", "b3"});
    const auto kept = in.claim(clock.steady(), {10, 10'000}, never);
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].what.id == "a1");
    CHECK(kept[1].what.id == "a2");
    CHECK(out.counts().live == 3);
    CHECK(out.counts().spooled == 2);

    // Behind what has no place, nothing has; and what is in the spool lets nothing of its key by.
    const batch_of more(2);
    CHECK(shown(out.publish_batch(more.views, never)) == texts{"spool_full_count", "accepted"});
    const batch_of behind(3);
    CHECK(shown(out.publish_batch(behind.views, never)) ==
          texts{"spool_full_count", "accepted", "behind"});
}

TEST_CASE(
    "spooled: a batch that finds the sink down shuts the gate once, and all of it is spooled") {
    memory::database data;
    const hand_clock clock;
    memory::spool in(data, "spool", {}, clock.now());
    batch_broker to;
    to.plan["a1"] = {down()};
    to.plan["b1"] = {lost()};
    spooled out(to, in, {.seed = 1}, telling_observer{}, clock);
    const batch_of all(4);
    CHECK(shown(out.publish_batch(all.views, never)) ==
          texts{"accepted", "accepted", "accepted", "accepted"});
    CHECK(in.size().waiting == 4);
    CHECK(out.sink_tried_at() > clock.steady());
    const batch_of more(1);
    CHECK(shown(out.publish_batch(more.views, never)) == texts{"accepted"});
    CHECK(to.batches == std::vector<std::size_t>{4});
}

namespace {

struct draining {
    explicit draining(following follow = following::park)
        : drain(in, to, {.follow = follow, .seed = 1}, seen) {
        for (const auto* id : {"a1", "b1", "a2", "b2"}) {
            REQUIRE(in.put(make(id, std::string(1, id[0])).view(), clock.now(), never).is_stored());
        }
    }
    memory::database data{};
    hand_clock clock{};
    memory::spool in{data, "spool", {}, clock.now()};
    batch_broker to{};
    telling_observer seen{};
    drainer<memory::spool, batch_broker, telling_observer> drain;
};

}  // namespace

TEST_CASE("drainer: a sink that takes batches gets them whole") {
    draining s;
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.batches == std::vector<std::size_t>{4});
    CHECK(s.to.accepted == texts{"a1", "b1", "a2", "b2"});
    CHECK(s.drain.counts().removed == 4);
    CHECK(s.drain.is_idle());
}

TEST_CASE("drainer: of a batch, a key waits behind its refused event, and is not blamed for it") {
    draining s;
    s.to.plan["a1"] = {transient()};
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.accepted == texts{"b1", "b2"});
    CHECK(s.drain.counts().put_off == 1);
    s.clock.pass(1min);
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.accepted == texts{"b1", "b2", "a1", "a2"});
    CHECK(s.drain.counts().put_off == 1);
}

TEST_CASE(
    "drainer: behind a parked event its key goes on with the next batch, where that is wanted") {
    draining s(following::pass);
    s.to.plan["a1"] = {permanent()};
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.accepted == texts{"b1", "b2"});
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.accepted == texts{"b1", "b2", "a2"});
    CHECK(s.drain.counts().parked == 1);
}

TEST_CASE(
    "drainer: a batch that finds the sink down for some pauses it once, and one entry tries it") {
    draining s;
    s.to.plan["a1"] = {down()};
    REQUIRE(s.drain.step(s.clock.now()));
    CHECK(s.to.accepted == texts{"b1", "b2"});
    CHECK(s.drain.is_sink_down());
    CHECK(s.drain.counts().pauses == 1);
    CHECK_FALSE(s.drain.step(s.clock.now()));
    s.clock.pass(1min);
    while (s.drain.step(s.clock.now())) {
    }
    CHECK(s.to.batches == std::vector<std::size_t>{4, 1, 1});
    CHECK(s.to.accepted == texts{"b1", "b2", "a1", "a2"});
    CHECK(s.drain.counts().parked + s.drain.counts().put_off == 0);
}
