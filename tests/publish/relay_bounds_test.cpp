// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/run.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "publish/relay_parts.hpp"

using namespace sinew;
using namespace sinew::test;

namespace {

/// The time, for a relay that measures.
steady_time stands_at;
steady_time look() { return stands_at; }
[[nodiscard]] moment now_at() { return after(stands_at - t0.steady); }

/// How long a call to the outbox takes; it gives up when it has to.
duration takes;
std::string_view slow_call;
void spend(std::string_view name, steady_time until) {
    if (slow_call.empty() || slow_call == name) {
        const steady_time done = later(stands_at, takes);
        const steady_time by = until < stands_at ? stands_at : until;
        stands_at = done < by ? done : by;
    }
}

/// From now on the named calls, or all of them, take that long.
void slow_down(service& here, duration by, std::string_view name = {}) {
    takes = by;
    slow_call = name;
    here.script.on_call = &spend;
}

struct eyes : null_relay_observer {
    std::vector<duration>* retries;
    void on_put_off(const relay_entry_note& n) {
        retries->push_back(n.retry_in.value_or(duration::min()));
    }
};

}  // namespace

TEST_CASE("an entry that is refused late in a step waits from then on") {
    service here;
    here.add("1", "k");
    scripted_sink to;
    to.plan("1", {refusal(failure_class::transient, 2s)});
    to.on_publish = [] { stands_at += 3s; };
    std::vector<duration> retries;
    eyes watcher;
    watcher.retries = &retries;
    relay one(here.handle(), to, relay_named("r"), watcher);
    stands_at = t0.steady;
    one.measure_with(&look);
    one.step(now_at());
    one.step(now_at());
    CHECK(one.counts().put_off == 1);
    CHECK(retries == std::vector<duration>{2s});
    one.step(after(3s + 200ms));
    CHECK(to.tries("1") == 1);
    stands_at = after(5s).steady;
    settle_at(one, now_at());
    CHECK(to.accepted() == ids{"1"});
}

TEST_CASE("a put-off that is written late tells how long is left") {
    service here;
    here.add("1", "k");
    here.add("2", "l");
    scripted_sink to;
    to.plan("1", {refusal(failure_class::transient, 10s)});
    std::vector<duration> retries;
    eyes watcher;
    watcher.retries = &retries;
    relay one(here.handle(), to, relay_named("r"), watcher);
    stands_at = t0.steady;
    one.measure_with(&look);
    slow_down(here, 4s, "mark");
    one.step(now_at());
    one.step(now_at());
    CHECK(retries == std::vector<duration>{6s});
}

TEST_CASE("a purge and a lag that fail wait for their time, and stop nothing") {
    for (const auto end : {call_end::refused, call_end::conflict}) {
        service here;
        scripted_sink to;
        struct watched : null_relay_observer {
            void on_lag(const relay_lag_note&) {}
        };
        relay one(here.handle(), to, relay_named("r"), watched{});
        const std::deque<call_end> down(1000, end);
        here.script.ends = {{"purge", down}, {"lag", down}};
        for (int i = 0; i < 100; ++i) {
            here.add(std::to_string(i), "k");
            settle_at(one, after(i * 1s));
            CHECK(to.accepted().size() == static_cast<std::size_t>(i + 1));
        }
        CHECK(one.counts().store_pauses == 0);
        CHECK(here.script.count("purge") <= 10);
        CHECK(here.script.count("lag") <= 11);
        CHECK(one.counts().purges_failed == here.script.count("purge"));
        here.script.ends.clear();
        settle_at(one, after(25h));
        CHECK(one.counts().purged == 100);
    }
}

TEST_CASE("a step ends in time, however many refusals there are to write") {
    service here;
    for (int i = 0; i < 100; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    for (int i = 0; i < 100; ++i) {
        to.plan(std::to_string(i), {refusal(failure_class::permanent)});
    }
    relay one(here.handle(), to, relay_named("r"));
    stands_at = t0.steady;
    one.measure_with(&look);
    slow_down(here, 100ms);
    std::size_t steps = 0;
    while (one.counts().parked < 100) {
        const steady_time before = stands_at;
        one.step(now_at());
        CHECK(stands_at - before <= 300ms);
        REQUIRE(++steps < 200);
    }
    CHECK(to.tried.size() == 100);
    CHECK(here.script.count("park") == 100);
}

TEST_CASE("a step ends in time, however many shards there are to look at, take and renew") {
    service here({.shards = 64});
    for (int i = 0; i < 200; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    stands_at = t0.steady;
    one.measure_with(&look);
    slow_down(here, 100ms);
    std::size_t steps = 0;
    while (here.lag().waiting != 0) {
        const steady_time before = stands_at;
        one.step(now_at());
        CHECK(stands_at - before <= 400ms);
        REQUIRE(++steps < 2000);
    }
    CHECK(one.counts().leases_taken == 64);
    CHECK(one.counts().leases_lost == 0);
    CHECK(to.accepted().size() == 200);
}

TEST_CASE("each part of the work has its turn, also if every call lasts longer than a step") {
    service here({.shards = 4});
    scripted_sink to;
    to.plan("7", {refusal(failure_class::permanent)});
    auto options = relay_named("r");
    options.retention = 1min;
    relay one(here.handle(), to, options);
    stands_at = t0.steady;
    one.measure_with(&look);
    slow_down(here, 300ms);
    for (int i = 0; i < 1000; ++i) {
        if (i < 100) {
            here.add(std::to_string(i), std::to_string(i), now_at());
        }
        const steady_time before = stands_at;
        one.step(now_at());
        CHECK(stands_at - before <= 600ms);
        stands_at += 1ms;
    }
    CHECK(to.accepted().size() == 99);
    CHECK(one.counts().marked == 99);
    CHECK(one.counts().parked == 1);
    CHECK(one.counts().purged == 99);
    CHECK(one.counts().leases_lost == 0);
}

TEST_CASE("each lease is renewed in its turn, also if a step has time for one renewal alone") {
    service here({.shards = 4});
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    stands_at = t0.steady;
    one.measure_with(&look);
    one.step(now_at());
    REQUIRE(one.shards_held() == 4);
    slow_down(here, 3400ms);  // with one renewal in each step, four take less than a lease
    std::array<std::uint64_t, 4> beats{};
    std::array<steady_time, 4> renewed{};
    renewed.fill(stands_at);
    for (int i = 0; i < 50; ++i) {
        one.step(now_at());
        for (shard_id shard = 0; shard < 4; ++shard) {
            const auto beat = here.box.holder(shard).beat;
            if (std::exchange(beats[shard], beat) != beat) {
                renewed[shard] = stands_at;
            }
            CHECK(stands_at - renewed[shard] < 34s);  // a lease, and a call under way
        }
        stands_at = std::max(stands_at, one.next_deadline());
    }
    CHECK(one.counts().leases_lost == 0);
}

TEST_CASE("a shut-down is over when it has to be, however slow the outbox is") {
    service here({.shards = 8});
    for (int i = 0; i < 50; ++i) {
        here.add(std::to_string(i), std::to_string(i));
    }
    scripted_sink to;
    for (int i = 0; i < 50; ++i) {
        to.plan(std::to_string(i), {refusal(failure_class::transient)});
    }
    relay one(here.handle(), to, relay_named("r"));
    stands_at = t0.steady;
    one.measure_with(&look);
    one.step(now_at());
    here.add("late", "0");
    for (int i = 0; i < 50; ++i) {
        to.plan(std::to_string(i), {refusal(failure_class::transient)});
    }
    stands_at += 31s;
    slow_down(here, 190ms, "put_off");
    one.step(now_at());
    slow_down(here, 10s);
    const steady_time until = later(stands_at, 1s);
    int calls = 0;
    while (!one.shut_down(now_at(), until)) {
        REQUIRE(++calls < 100);
    }
    CHECK(stands_at <= until);
    CHECK(one.shards_held() == 0);
}

TEST_CASE("a drain does not take the rest before it for the rest after it") {
    struct stopped_clock {
        [[nodiscard]] static moment now() { return t0; }
    };
    service here({.shards = 4});
    scripted_sink to;
    relay one(here.handle(), to, relay_named("r"));
    CHECK(drain(one, never, 3, stopped_clock{}));
    for (const auto* id : {"1", "2", "3"}) {
        here.add(id, id);
    }
    CHECK(drain(one, never, 3, stopped_clock{}));
    CHECK(to.accepted().size() == 3);
    CHECK(here.lag().waiting == 0);
}

TEST_CASE("who waits for a retry does not claim all the time") {
    service here;
    here.add("1", "k");
    scripted_sink to;
    to.plan("1", {refusal(failure_class::transient, 10s)});
    relay one(here.handle(), to, relay_named("r"));
    settle_at(one, t0);
    for (int i = 0; i < 1000; ++i) {
        CHECK_FALSE(one.is_idle());
        one.step(after(i * 1ms));
    }
    CHECK(here.script.count("claim") <= 13);
}
