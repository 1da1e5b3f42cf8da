// SPDX-License-Identifier: BSL-1.0
#include "publish/spool_parts.hpp"

#include <sinew/core/run.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/spooled.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>

using namespace sinew;
using namespace sinew::test::spooling;

namespace {

/// A spool whose changes fail on demand.
struct shaky_spool {
    memory::spool inner;
    int failing_removes = 0;
    int failing_parks = 0;
    int failing_put_offs = 0;
    int removes = 0;
    std::optional<error> claims_throw{};

    spool_result put(const event_view& e, moment now, steady_time until) {
        return inner.put(e, now, until);
    }
    bool holds(std::string_view key) const { return inner.holds(key); }
    std::vector<spool_entry> claim(steady_time now, claim_limits limits, steady_time until) {
        if (claims_throw) {
            throw *claims_throw;
        }
        return inner.claim(now, limits, until);
    }
    spool_change remove(std::span<const std::int64_t> numbers, steady_time until) {
        ++removes;
        if (failing_removes > 0) {
            --failing_removes;
            return spool_change::unknown;
        }
        return inner.remove(numbers, until);
    }
    spool_change put_off(std::int64_t n, const failure_note& note, steady_time due,
                         steady_time until) {
        if (failing_put_offs > 0) {
            --failing_put_offs;
            return spool_change::unknown;
        }
        return inner.put_off(n, note, due, until);
    }
    spool_change park(std::int64_t n, const failure_note& note, following f, steady_time until) {
        if (failing_parks > 0) {
            --failing_parks;
            throw unavailable_error("disk_full", "no room");
        }
        return inner.park(n, note, f, until);
    }
    spool_size size() const { return inner.size(); }
};

struct scene {
    explicit scene(drainer_options options = {})
        : drain(
              spool, to,
              [&] {
                  options.seed = 1;
                  return options;
              }(),
              seen) {}

    void put(const std::string& id, const std::string& key = "k") {
        REQUIRE(spool.put(make(id, key).view(), clock.now(), never).is_stored());
    }
    bool step() { return drain.step(clock.now()); }
    /// The delay of the entry that was put off last.
    [[nodiscard]] duration retry_in() const { return *seen.retries->back(); }
    /// Steps until nothing is left or `span` has passed.
    void run_for(duration span) {
        const steady_time end = clock.steady() + span;
        while (clock.steady() < end && !drain.is_idle()) {
            if (!step()) {
                clock.pass(10ms);
            }
        }
    }

    memory::database data{};
    hand_clock clock{};
    scripted_sink to{.clock = clock};
    shaky_spool spool{memory::spool(data, "spool", {}, clock.now())};
    telling_observer seen{};
    drainer<shaky_spool, scripted_sink, telling_observer> drain;
};

static_assert(driver<drainer<memory::spool, scripted_sink>>);
static_assert(spool<shaky_spool>);

}  // namespace

TEST_CASE("drainer: it publishes what is in the spool in order, and removes what was accepted") {
    scene s;
    for (const char* id : {"1", "2", "3"}) {
        s.put(id);
    }
    REQUIRE_FALSE(s.drain.is_idle());
    REQUIRE(s.step());
    REQUIRE(s.to.accepted == texts{"1", "2", "3"});
    REQUIRE(s.spool.size() == spool_size{});
    REQUIRE(s.drain.is_idle());
    REQUIRE(*s.seen.told == texts{"published 1", "published 2", "published 3", "drained 0"});
    REQUIRE_FALSE(s.step());
    REQUIRE(s.drain.counts().drained == 1);
}

TEST_CASE("drainer: while the sink is down one entry alone tries it, after pauses that grow") {
    scene s;
    s.to.always(down());
    for (int i = 0; i < 20; ++i) {
        s.put(std::to_string(i), "k" + std::to_string(i));
    }
    s.run_for(60s);
    REQUIRE(s.to.asked.size() >= 4);
    REQUIRE(s.to.asked.size() <= 20);
    REQUIRE(s.drain.counts().pauses == 1);
    REQUIRE(s.spool.size().waiting == 20);
    for (const auto& one : s.spool.claim(s.clock.steady(), {100, 100'000}, never)) {
        REQUIRE(one.attempts == 0);
    }
    s.to.recover();
    s.run_for(60s);
    REQUIRE(s.spool.size() == spool_size{});
    REQUIRE(s.seen.saw("up "));
}

TEST_CASE("drainer: an entry that is refused for good is parked with its reason, never dropped") {
    SECTION("and its key waits behind it") {
        scene s;
        s.put("1", "a");
        s.put("2", "a");
        s.put("3", "b");
        s.to.script = {permanent()};
        s.run_for(1s);
        REQUIRE(s.to.accepted == texts{"3"});
        const auto parked = s.spool.inner.parked(0, 10);
        REQUIRE(parked.size() == 1);
        REQUIRE(parked[0].what == make("1", "a"));
        REQUIRE(parked[0].attempts == 1);
        REQUIRE(parked[0].last_failure->reason == "no_such_topic");
        REQUIRE(s.spool.size().held == 1);
        REQUIRE(s.spool.holds("a"));
        REQUIRE(s.drain.is_idle());
        SECTION("until somebody lets it try again") {
            REQUIRE(s.spool.inner.unpark(parked[0].number, parked[0].version));
            s.run_for(1s);
            REQUIRE(s.to.accepted == texts{"3", "1", "2"});
        }
        SECTION("or gives it up") {
            REQUIRE_FALSE(s.spool.inner.discard(parked[0].number, parked[0].version + 1));
            REQUIRE(s.spool.inner.discard(parked[0].number, parked[0].version));
            s.run_for(1s);
            REQUIRE(s.to.accepted == texts{"3", "2"});
        }
    }
    SECTION("or its key goes on, where that was asked for") {
        scene s({.follow = following::pass});
        s.put("1", "a");
        s.put("2", "a");
        s.to.script = {permanent()};
        s.run_for(1s);
        REQUIRE(s.to.accepted == texts{"2"});
        REQUIRE_FALSE(s.spool.holds("a"));
        REQUIRE(s.spool.size().parked == 1);
    }
}

TEST_CASE("drainer: a transient refusal holds its key alone, and after max_attempts is parked") {
    scene s({.max_attempts = 3});
    s.put("1", "a");
    s.put("2", "a");
    s.put("3", "b");
    s.to.rule = [](const event_view& e) {
        return e.id == "1" ? transient() : publish_result::accepted();
    };
    REQUIRE(s.step());
    REQUIRE(s.to.accepted == texts{"3"});
    s.run_for(10min);
    REQUIRE(s.to.asked == texts{"1", "3", "1", "1"});
    REQUIRE(s.spool.inner.parked(0, 10).front().attempts == 3);
    REQUIRE(s.spool.size().held == 1);
}

TEST_CASE("drainer: one publish without an answer closes its key, two in a row pause the sink") {
    scene s;
    for (int i = 0; i < 4; ++i) {
        s.put(std::to_string(i), "k" + std::to_string(i));
    }
    s.to.script = {lost(), publish_result::accepted(), lost(), lost()};
    REQUIRE(s.step());
    REQUIRE(s.to.asked == texts{"0", "1", "2", "3"});
    REQUIRE(s.drain.is_sink_down());
    s.run_for(60s);
    REQUIRE(s.spool.size() == spool_size{});
    REQUIRE(s.to.accepted.size() == 4);
}

TEST_CASE("drainer: what was accepted and could not be removed is removed before anything else") {
    scene s;
    s.put("1", "a");
    s.put("2", "a");
    s.spool.failing_removes = 3;
    REQUIRE(s.step());
    REQUIRE(s.to.accepted == texts{"1", "2"});
    REQUIRE(s.spool.size().waiting == 2);
    s.put("3", "a");
    s.run_for(60s);
    REQUIRE(s.to.accepted == texts{"1", "2", "3"});
    REQUIRE(s.spool.size() == spool_size{});
}

TEST_CASE("drainer: where an entry cannot be parked, it is not tried without a pause") {
    scene s;
    s.put("1", "a");
    s.to.always(permanent());
    s.spool.failing_parks = 1'000'000;
    s.run_for(60s);
    REQUIRE(s.to.asked.size() < 20);
    REQUIRE(s.spool.size().waiting == 1);
    s.spool.failing_parks = 0;
    s.run_for(60s);
    REQUIRE(s.spool.size().parked == 1);
}

TEST_CASE("drainer: a process that dies between publish and remove publishes again, in order") {
    memory::database data;
    hand_clock clock;
    scripted_sink to{.clock = clock};
    {
        memory::spool first(data, "spool", {}, clock.now());
        REQUIRE(first.put(make("1", "a").view(), clock.now()).is_stored());
        REQUIRE(first.put(make("2", "a").view(), clock.now()).is_stored());
        REQUIRE(to.publish(make("1", "a").view(), never).is_accepted());
    }
    memory::spool again(data, "spool", {}, clock.now());
    drainer drain(again, to);
    while (!drain.is_idle()) {
        drain.step(clock.now());
    }
    REQUIRE(to.accepted == texts{"1", "1", "2"});
}

TEST_CASE("drainer: it shuts down at once, and says when it looks again") {
    scene s;
    s.to.always(down());
    s.put("1");
    REQUIRE(s.step());
    REQUIRE(s.drain.next_deadline() > s.clock.steady());
    REQUIRE(s.drain.shut_down(s.clock.now(), s.clock.steady() + 1s));
}

namespace {

/// What the stopwatch of the drainer shows.
hand_clock* watched = nullptr;
steady_time watch() { return watched->steady(); }

}  // namespace

TEST_CASE("drainer: the time that a call takes counts once") {
    scene s;
    watched = &s.clock;
    s.drain.measure_with(&watch);
    s.put("1", "a");
    s.put("2", "b");
    s.to.takes = 50ms;
    s.to.script = {publish_result::accepted(), transient()};
    const auto start = s.clock.now();
    REQUIRE(s.step());
    REQUIRE(s.to.deadlines == std::vector<steady_time>{start.steady + 5s, start.steady + 5050ms});
    const auto due = start.steady + 100ms + s.retry_in();
    REQUIRE(s.spool.claim(due - 1ns, {10, 1000}, never).empty());
    const auto put_off = s.spool.claim(due, {10, 1000}, never);
    REQUIRE(put_off.size() == 1);
    REQUIRE(put_off.front().last_failure->at == start.wall + 100ms);
}

TEST_CASE("drainer: one entry without an answer for ever closes the spool to no other key") {
    scene s;
    s.put("bad", "a");
    s.to.rule = [](const event_view& e) {
        return e.id == "bad" ? lost() : publish_result::accepted();
    };
    s.run_for(1h);
    s.clock.pass(std::chrono::hours(48));
    s.put("good", "b");
    s.run_for(5min);
    REQUIRE(s.to.accepted == texts{"good"});
    REQUIRE(s.spool.size().waiting == 1);
}

TEST_CASE(
    "drainer: an entry without an answer waits longer each time, though others are accepted") {
    scene s;
    s.put("bad", "a");
    s.to.rule = [](const event_view& e) {
        return e.id == "bad" ? lost() : publish_result::accepted();
    };
    for (int i = 0; i < 600; ++i) {
        s.put(std::to_string(i), "b");
        s.run_for(1s);
    }
    const auto tried = std::count(s.to.asked.begin(), s.to.asked.end(), "bad");
    REQUIRE(tried >= 20);
    REQUIRE(tried <= 40);
    REQUIRE(s.to.accepted.size() >= 590);
}

TEST_CASE("drainer: a refusal without a class counts, as a transient one does") {
    scene s({.max_attempts = 3});
    s.put("1", "a");
    s.to.always(publish_result::refused(why(failure_class::unknown, "odd")));
    s.run_for(10min);
    REQUIRE(s.to.asked.size() == 3);
    REQUIRE(s.spool.inner.parked(0, 10).front().attempts == 3);
    REQUIRE_FALSE(s.drain.is_sink_down());
}

TEST_CASE("drainer: an attempt without an answer is not counted where it is noted") {
    scene s;
    s.put("1", "a");
    s.to.script = {lost()};
    REQUIRE(s.step());
    s.clock.pass(1min);
    const auto shown = s.spool.claim(s.clock.steady(), {10, 1000}, never);
    REQUIRE(shown.front().attempts == 0);
    REQUIRE(shown.front().last_failure->attempt == 0);
}

TEST_CASE("drainer: what could not be put off is neither counted nor told") {
    scene s;
    s.put("1", "a");
    s.to.always(transient());
    s.spool.failing_put_offs = 1;
    REQUIRE(s.step());
    REQUIRE(s.drain.counts().put_off == 0);
    REQUIRE_FALSE(s.seen.saw("put_off 1"));
    s.clock.pass(1min);
    REQUIRE(s.step());
    REQUIRE(s.drain.counts().put_off == 1);
    REQUIRE(s.seen.saw("put_off 1"));
}

TEST_CASE("drainer: a removal that is pending does not wait for a sink that is down") {
    scene s;
    s.put("1", "a");
    s.put("2", "b");
    s.to.script = {publish_result::accepted(),
                   publish_result::refused({failure_class::unavailable, "down", "d", 1h})};
    s.spool.failing_removes = 1;
    REQUIRE(s.step());
    REQUIRE(s.drain.is_sink_down());
    REQUIRE(s.spool.size().waiting == 2);
    REQUIRE(s.drain.next_deadline() < s.clock.steady() + 1min);
    s.clock.pass(s.drain.next_deadline() - s.clock.steady());
    s.step();
    REQUIRE(s.spool.size().waiting == 1);
    REQUIRE(s.drain.next_deadline() > s.clock.steady() + 50min);
}

TEST_CASE("drainer: it ends with what no waiting can mend, and waits for the rest") {
    scene s;
    s.put("1", "a");
    s.spool.claims_throw = transient_error("sql_error", "not now");
    REQUIRE_FALSE(s.step());
    REQUIRE(s.drain.counts().spool_errors == 1);
    s.clock.pass(1min);
    s.spool.claims_throw = permanent_error("constraint", "never");
    REQUIRE_THROWS_AS(s.step(), error);
    s.spool.claims_throw.reset();
    REQUIRE(s.step());
    REQUIRE(s.to.accepted == texts{"1"});
}

TEST_CASE("drainer: a sink that throws has given no answer") {
    scene s;
    s.put("1", "a");
    s.put("2", "b");
    s.to.rule = [](const event_view& e) {
        return e.id == "1" ? throw std::runtime_error("broken") : publish_result::accepted();
    };
    REQUIRE(s.step());
    REQUIRE(s.to.accepted == texts{"2"});
    s.clock.pass(1min);
    const auto shown = s.spool.claim(s.clock.steady(), {10, 1000}, never);
    REQUIRE(shown.front().last_failure->reason == "sink_threw");
}

TEST_CASE("drainer: options out of their range are refused") {
    memory::database data;
    memory::spool spool(data);
    scripted_sink to;
    using d = drainer<memory::spool, scripted_sink>;
    REQUIRE_THROWS_AS(d(spool, to, {.batch_max = 0}), usage_error);
    REQUIRE_THROWS_AS(d(spool, to, {.max_attempts = 0}), usage_error);
    REQUIRE_THROWS_WITH(d(spool, to, {.base = 0s}), "drainer: option base has to be at least 1 ms");
    REQUIRE_THROWS_WITH(d(spool, to, {.base = 2s, .cap = 1s}), "drainer: option cap is below base");
    REQUIRE_THROWS_AS(d(spool, to, {.poll_interval = 0s}), usage_error);
}
