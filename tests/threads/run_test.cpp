// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <atomic>
#include <stop_token>
#include <thread>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

/// A log whose events are all there before the thread starts, as it is not thread safe; what the
/// thread tells meanwhile is in atomics.
struct run_bench : bench {
    using bench::bench;
    std::atomic<int> handled{0};

    void wait_for(int count) const {
        for (int seen = handled; seen < count; seen = handled) {
            handled.wait(seen);
        }
    }
    void handle_one() {
        ++handled;
        handled.notify_all();
    }
};

/// Delivers twice, and is broken from then on.
struct breaking_source {
    using message = memory::message;
    memory::member inner;
    int polls_left = 2;

    template <class Listener>
    void poll(poll_limits limits, steady_time until, Listener& listener) {
        if (polls_left-- == 0) {
            throw permanent_error("topic_deleted", "there is no such topic any more");
        }
        inner.poll(limits, until, listener);
    }
    commit_result commit(partition_id p, epoch_number e, log_offset o, steady_time until) {
        return inner.commit(p, e, o, until);
    }
    void release(partition_id p, epoch_number e) { inner.release(p, e); }
    void pause(partition_id p) { inner.pause(p); }
    void resume(partition_id p) { inner.resume(p); }
};

constexpr run_options quick{.look_up = std::chrono::milliseconds(5)};

}  // namespace

TEST_CASE("a consumer runs on a thread of the caller's, until it is asked to stop") {
    run_bench b;
    for (int i = 0; i < 500; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i % 7)));
    }
    auto c = b.from() | dead_letter(b.letters) | retry() | once(b.db) |
             handle([&](const event_view& e, memory::transaction& tx) {
                 tx.add(e.partitionkey, 1);
                 b.handle_one();
             });
    run_end how{};
    {
        std::jthread thread([&](std::stop_token stop) { how = run(c, stop, quick); });
        b.wait_for(500);
    }  // asks it to stop, and waits for it
    CHECK(how == run_end::stopped);
    CHECK(c.counts().applied == 500);
    CHECK(b.committed() == 499);
    CHECK(c.counts().balances());
    CHECK(b.db.get("k0") == "72");
}

TEST_CASE("a stop in the middle commits what is finished, and the rest is there for the next run") {
    run_bench b;
    for (int i = 0; i < 2000; ++i) {
        b.put(order(std::to_string(i), "k" + std::to_string(i % 7)));
    }
    const auto make = [&] {
        return b.from({.step_events_max = 8}) | dead_letter(b.letters) | retry() | once(b.db) |
               handle([&](const event_view& e, memory::transaction& tx) {
                   tx.add("times", e.id, 1);
                   b.handle_one();
               });
    };
    std::uint64_t applied = 0;
    for (const int until : {1, 700, 1400}) {
        auto c = make();
        run_end how{};
        {
            std::jthread thread([&](std::stop_token stop) { how = run(c, stop, quick); });
            b.wait_for(until);
        }
        CHECK(how == run_end::stopped);
        applied += c.counts().applied;
        CHECK(b.committed() + 1 >= static_cast<log_offset>(applied));
    }
    auto c = make();
    REQUIRE(drain(c, later(machine_clock::now().steady, 1min)));
    CHECK(applied + c.counts().applied == 2000);
    CHECK(b.db.size("times") == 2000);
    for (const auto& [id, times] : b.db.items("times")) {
        REQUIRE(times == "1");
    }
    CHECK(b.committed() == 1999);
}

TEST_CASE("a run ends by itself where the consumer halts") {
    run_bench b;
    b.put_all({order("1", "a"), order("bad", "b"), order("3", "c")});
    auto c = b.from() | halt() | idempotent_by_nature() | handle([](const event_view& e) {
                 return e.id == "bad" ? outcome::reject("bad_data") : outcome::done();
             });
    run_end how{};
    std::jthread([&](std::stop_token stop) { how = run(c, stop, quick); }).join();
    CHECK(how == run_end::halted);
    CHECK(c.halted()->why.reason == "bad_data");
    CHECK(b.committed() == 0);
}

TEST_CASE("a handler that never ends does not hold up the end of the run") {
    run_bench b;
    b.put_all({order("1", "a"), order("never", "b"), order("3", "c")});
    std::vector<ticket> tickets;
    auto c = b.from() | dead_letter(b.letters) | idempotent_by_nature() |
             handle([&](const event_view&, ticket t) {
                 tickets.push_back(t);
                 b.handle_one();
             });
    run_end how{};
    {
        std::jthread thread([&](std::stop_token stop) {
            how = run(c, stop, {.look_up = 1ms, .shut_down_within = 20ms});
        });
        b.wait_for(3);
    }
    CHECK(how == run_end::cut_off);
    CHECK(b.committed() == -1);
    for (const auto& one : tickets) {
        CHECK(c.complete(one, outcome::done()) == completion::stale);
    }
    CHECK(c.counts().balances());
}

TEST_CASE("what a step throws comes out of the run, after a shut-down") {
    run_bench b;
    b.put_all({order("1", "a"), order("2", "b")});
    auto c = subscribe(breaking_source{b.log.join("orders", "shop")},
                       bench::options({.commit_interval = 1h})) |
             halt() | idempotent_by_nature() | handle([](const event_view&) {});
    std::stop_source never_asked;
    CHECK_THROWS_WITH(run(c, never_asked.get_token(), quick), "there is no such topic any more");
    CHECK(b.committed() == 1);
}
