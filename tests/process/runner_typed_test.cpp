// SPDX-License-Identifier: BSL-1.0
/// @file
/// Runners of processes as users write them: `steps` and `saga`.

#include "process/runner_support.hpp"

#include <sinew/core/queue_source.hpp>
#include <sinew/process/bring_reply.hpp>
#include <sinew/process/command.hpp>
#include <sinew/process/steps.hpp>

using namespace sinew;
using namespace sinew::test;

namespace {

/// A checkout: stock in the store, a provider outside, points by command.
struct shop {
    memory::store db;
    memory::journal book = db.journal("orders");
    memory::outbox box = db.outbox("points");
    std::vector<std::string> charged{};
    std::vector<std::string> refunded{};
    bool is_sold_out = false;

    auto checkout() {
        return saga<"checkout", std::string>(
            step<"reserve">([](auto& at, memory::transaction& tx) {
                return std::to_string(tx.add("stock", at.input, -1));
            }).undo([](auto& at, memory::transaction& tx) {
                static_cast<void>(tx.add("stock", at.input, 1));
            }),
            step<"charge">([this](auto& at) {
                charged.emplace_back(at.idempotency_key);
                return std::string("payment of ") + std::string(at.input);
            }).undo([this](auto& at) { refunded.emplace_back(at.idempotency_key_of_act); }),
            step<"points">([](auto& at) { return send({.type = "points.add", .data = at.input}); })
                .reply([](auto&, std::string_view data) { return std::string(data); },
                       {.within = 30s})
                .undo([](auto&) { return send({.type = "points.remove"}); })
                .reply([](auto&, std::string_view) {}, {.within = 30s}),
            pivot<"ship">([this](auto& at) {
                if (is_sold_out) {
                    throw permanent_error("sold_out", "nothing left");
                }
                return result<"charge">(at) + ", " + result<"points">(at) + " points";
            }),
            step<"email">([](auto& at, memory::transaction& tx) {
                tx.put("mail", at.input, result<"ship">(at));
            }).always());
    }
};

}  // namespace

TEST_CASE("a runner takes a saga as users write it to its end") {
    shop at;
    const auto checkout = at.checkout();
    runner one(at.db, at.book, at.box, {.owner = "runner-1", .seed = 7}, checkout);
    static_assert(driver<decltype(one)>);
    moment now{first_hour, first_day};
    const auto entries = entries_of(checkout.definition());
    REQUIRE(start_process(at.db, at.book, {"checkout", "7", entries, "tea"}, now.wall, never) ==
            start_result::started);
    const auto settle = [&] {
        for (int i = 0; i < 40; ++i) {
            while (one.step(now)) {
            }
            now.steady += 100ms;
            now.wall += 100ms;
        }
    };
    const auto bring = [&](std::string_view command, std::string_view data) {
        auto tx = at.db.begin();
        static_cast<void>(bring_reply(at.book, tx, command, data, now.wall));
        REQUIRE(tx.commit() == commit_result::committed);
    };
    settle();
    REQUIRE(at.db.get("stock", "tea") == "-1");
    REQUIRE(at.charged == lines{"checkout/7/charge/act"});
    REQUIRE(one.counts().commands_sent == 1);

    SECTION("forward, with results that feed later steps") {
        bring("checkout/7/points/act", "12");
        settle();
        REQUIRE(at.db.get("mail", "tea") == "payment of tea, 12 points");
        REQUIRE(one.counts().completed == 1);
    }
    SECTION("back, in reverse order") {
        at.is_sold_out = true;
        bring("checkout/7/points/act", "12");
        settle();
        REQUIRE(one.counts().commands_sent == 2);
        bring("checkout/7/points/undo", "");
        settle();
        REQUIRE(at.refunded == lines{"checkout/7/charge/act"});
        REQUIRE(at.db.get("stock", "tea") == "0");
        REQUIRE(one.counts().compensated == 1);
    }
}

TEST_CASE("a runner is made of what stands in variables, and of what is written in its place") {
    shop at;
    const runner_options options{.owner = "runner-1", .seed = 7};
    const auto checkout = at.checkout();
    const auto forward = steps<"first", std::string>(step<"a">([](auto&) {}));
    runner plain(at.db, at.book, options, forward);
    runner sending(at.db, at.book, at.box, options, checkout, forward);
    runner watched(at.db, at.book, options, null_runner_observer(), forward);
    runner both(at.db, at.book, at.box, {.owner = "r"}, null_runner_observer(), checkout);
    static_assert(driver<decltype(plain)>);
    static_assert(driver<decltype(sending)>);
    static_assert(std::is_same_v<decltype(plain), decltype(watched)>);
    REQUIRE(sending.options().owner == "runner-1");
    REQUIRE(both.options().owner == "r");
}

TEST_CASE("a runner serves processes of several types") {
    memory::store db;
    auto book = db.journal("orders");
    lines calls;
    runner one(db, book, {.owner = "runner-1", .seed = 7},
               steps<"first", std::string>(
                   step<"a">([&](auto& at) { calls.push_back("first " + std::string(at.input)); })),
               steps<"second", std::string>(step<"a">(
                   [&](auto& at) { calls.push_back("second " + std::string(at.input)); })));
    const step_entry only[] = {{"a", step_kind::retriable}};
    for (const std::string_view type : {"second", "first", "third"}) {
        static_cast<void>(start_process(db, book, {type, "1", only, type}, first_day, never));
    }
    const moment now{first_hour, first_day};
    while (one.step(now)) {
    }
    REQUIRE(calls.size() == 2);
    REQUIRE(one.counts().completed == 2);
    REQUIRE(book.counts().open == 1);
}

TEST_CASE("a renamed step keeps the key under which it was begun") {
    memory::store db;
    auto book = db.journal("orders");
    lines keys;
    const step_entry before[] = {{"wrap", step_kind::retriable}};
    static_cast<void>(start_process(db, book, {"f", "1", before, ""}, first_day, never));
    runner one(db, book, {.owner = "runner-1", .seed = 7},
               steps<"f", std::string>(step<"pack">([&](auto& at) {
                                           keys.emplace_back(at.idempotency_key);
                                       }).template renamed_from<"wrap">()));
    const moment now{first_hour, first_day};
    while (one.step(now)) {
    }
    REQUIRE(keys == lines{"f/1/wrap/act"});
    REQUIRE(book.find("f", "1")->what.state == instance_state::completed);
    REQUIRE(book.find("f", "1")->history[0].where.step == "wrap");
}

TEST_CASE("an observer is told of what is written, and run takes a runner to its end") {
    struct watcher : null_runner_observer {
        lines* told;
        explicit watcher(lines& to) : told(&to) {}
        void on_claimed(const runner_instance_note& n) { say("claimed", n.id); }
        void on_step_done(const runner_step_note& n) { say("done", n.step); }
        void on_completed(const runner_instance_note& n) { say("completed", n.id); }
        void on_seat_taken(const runner_seat_note& n) { say("seat", n.reason); }
        void on_seat_released(const runner_seat_note& n) { say("left", n.reason); }
        void say(std::string what, std::string_view of) {
            told->push_back(what.append(" ").append(of));
        }
    };
    memory::store db;
    auto book = db.journal("orders");
    const step_entry only[] = {{"a", step_kind::retriable}, {"b", step_kind::retriable}};
    static_cast<void>(
        start_process(db, book, {"f", "1", only, ""}, machine_clock::now().wall, never));
    lines told;
    bool is_done = false;
    runner one(db, book, {.owner = "runner-1"}, watcher(told),
               steps<"f", std::string>(step<"a">([](auto&) {}),
                                       step<"b">([&](auto&) { is_done = true; })));
    struct until_done {
        const bool* is_done;
        [[nodiscard]] bool stop_requested() const { return *is_done; }
    };
    REQUIRE(run(one, until_done{&is_done}) == run_end::stopped);
    REQUIRE(told ==
            lines{"seat free", "claimed 1", "done a", "done b", "completed 1", "left shut_down"});
}

TEST_CASE("an observer is told how long each attempt took, and each step with its attempts") {
    static steady_time clock;
    clock = first_hour;
    struct watcher : null_runner_observer {
        std::vector<std::pair<duration, duration>>* told;
        explicit watcher(std::vector<std::pair<duration, duration>>& to) : told(&to) {}
        void on_step_done(const runner_step_note& n) { told->emplace_back(n.took, n.since_begun); }
        void on_step_failed(const runner_step_note& n) {
            REQUIRE(n.retry_in.has_value());
            told->emplace_back(n.took, n.since_begun);
        }
    };
    memory::store db;
    auto book = db.journal("orders");
    const step_entry only[] = {{"a", step_kind::retriable}, {"b", step_kind::retriable}};
    static_cast<void>(start_process(db, book, {"f", "1", only, ""}, first_day, never));
    std::vector<std::pair<duration, duration>> told;
    bool has_failed = false;
    runner one(db, book, {.owner = "runner-1", .seed = 7}, watcher(told),
               steps<"f", std::string>(step<"a">([&](auto&) {
                                           clock += 3s;
                                           if (!std::exchange(has_failed, true)) {
                                               throw transient_error("closed", "not yet");
                                           }
                                       }).retry({.base = 1s, .cap = 1s}),
                                       step<"b">([](auto&) { clock += 500ms; })));
    one.measure_with([] { return clock; });
    for (int i = 0; i < 40; ++i) {
        const moment now{
            clock, first_day + std::chrono::duration_cast<wall_time::duration>(clock - first_hour)};
        static_cast<void>(one.step(now));
        clock += 100ms;
    }
    REQUIRE(told.size() == 3);
    REQUIRE(told[0].first == 3s);
    REQUIRE(told[1].first == 3s);
    REQUIRE(told[1].second > 6s);  // two attempts, and the backoff between them
    REQUIRE(told[2].first == 500ms);
}
