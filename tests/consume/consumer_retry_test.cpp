// SPDX-License-Identifier: BSL-1.0
#include "consume/consumer_parts.hpp"

#include <algorithm>
#include <functional>
#include <new>
#include <stdexcept>

using namespace sinew;
using namespace sinew::test::consuming;

namespace {

/// What no `std::exception` is.
struct odd {
    std::string text = "a type of the service's own";
};

/// Fails as often as it is told, then answers done. Each call is written down.
struct script {
    std::map<std::string, std::vector<std::function<outcome()>>> answers{};
    texts calls{};

    outcome operator()(const event_view& e) {
        const std::string id(e.id);
        calls.push_back(id);
        auto& left = answers[id];
        if (left.empty()) {
            return outcome::done();
        }
        auto next = left.front();
        left.erase(left.begin());
        return next();
    }

    void fail(const std::string& id, std::size_t times, std::function<outcome()> how) {
        for (std::size_t i = 0; i < times; ++i) {
            answers[id].push_back(how);
        }
    }
    [[nodiscard]] std::size_t calls_of(std::string_view id) const {
        std::size_t count = 0;
        for (const auto& one : calls) {
            count += one == id ? 1U : 0U;
        }
        return count;
    }
};

const std::function<outcome()> busy = [] { return outcome::retry("busy"); };
const std::function<outcome()> down = []() -> outcome {
    throw unavailable_error("down", "the dependency is down");
};
const std::function<outcome()> hopeless = [] { return outcome::reject("hopeless"); };

/// A bench whose handler goes by a script.
struct scripted : bench {
    script acts{};
    diary told{};

    auto consume(retry_options retries = {}, subscription_options o = {}) {
        return from(o) | observed_by(told) | dead_letter(letters) | retry(retries) |
               idempotent_by_nature() |
               handle([this](const event_view& e) -> outcome { return acts(e); });
    }
};

}  // namespace

TEST_CASE("a waiting retry holds its own key and no other") {
    scripted b;
    b.put_all({order("a1", "a"), order("a2", "a"), order("b1", "b"), order("c1")});
    b.acts.fail("a1", 2, busy);
    auto c = b.consume();

    b.work(c);
    CHECK(b.acts.calls == texts{"a1", "b1", "c1"});
    b.put_all({order("a3", "a"), order("b2", "b")});
    b.work(c);
    CHECK(b.acts.calls == texts{"a1", "b1", "c1", "b2"});

    REQUIRE(b.drain(c));
    CHECK(b.acts.calls == texts{"a1", "b1", "c1", "b2", "a1", "a1", "a2", "a3"});
    CHECK(c.counts().retries == 2);
    CHECK(c.counts().applied == 6);
}

TEST_CASE("two keys wait for their retries, and each goes on when its own is due") {
    scripted b;
    b.put_all({order("a1", "a"), order("a2", "a"), order("b1", "b"), order("b2", "b")});
    b.acts.fail("a1", 1, [] { return outcome::retry("busy", {}, 10s); });
    b.acts.fail("b1", 1, [] { return outcome::retry("busy", {}, 3s); });
    auto c = b.consume();
    b.work_for(5s, c);
    CHECK(b.acts.calls == texts{"a1", "b1", "b1", "b2"});
    b.work_for(10s, c);
    CHECK(b.acts.calls == texts{"a1", "b1", "b1", "b2", "a1", "a2"});
}

TEST_CASE("an offset is not committed past an event that waits for its retry") {
    scripted b;
    b.put_all({order("z", "z"), order("a1", "a"), order("b1", "b"), order("b2", "b")});
    b.acts.fail("a1", 1, [] { return outcome::retry("busy", {}, 1min); });
    auto c = b.consume();
    b.work_for(30s, c);
    CHECK(b.acts.calls == texts{"z", "a1", "b1", "b2"});
    CHECK(b.committed() == 0);
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 3);
}

TEST_CASE("an event whose attempts are used up goes to the dead letters with all of them") {
    scripted b;
    b.put_all({order("a1", "a"), order("a2", "a")});
    b.acts.fail("a1", 99, busy);
    auto c = b.consume({.max_attempts = 4});
    REQUIRE(b.drain(c));

    CHECK(b.acts.calls == texts{"a1", "a1", "a1", "a1", "a2"});
    const auto letters = b.all_letters();
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].letter.attempts == 4);
    CHECK(letters[0].letter.history.size() == 4);
    CHECK(letters[0].letter.reason == "busy");
    CHECK(letters[0].letter.kind == failure_class::transient);
    CHECK(letters[0].letter.first_failure < letters[0].letter.last_failure);
    CHECK(c.counts().retries == 3);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(b.committed() == 1);
}

TEST_CASE("a permanent failure is not tried again") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b"), order("c1", "c")});
    b.acts.fail("a1", 9, hopeless);
    b.acts.fail("b1", 9, []() -> outcome { throw permanent_error("bad_data", "a price of 0"); });
    b.acts.fail("c1", 9,
                [] { return outcome::failed({failure_class::permanent, "no_such_item", {}, {}}); });
    auto c = b.consume();
    b.work(c);
    CHECK(b.acts.calls == texts{"a1", "b1", "c1"});
    CHECK(reasons(b.all_letters()) == texts{"a1: hopeless", "b1: bad_data", "c1: no_such_item"});
    for (const auto& one : b.all_letters()) {
        CHECK(one.letter.attempts == 1);
        CHECK(one.letter.kind == failure_class::permanent);
    }
}

TEST_CASE("what is unavailable never counts, and nothing new is read meanwhile") {
    scripted b;
    b.put(order("a1", "a"));
    b.acts.fail("a1", 50, down);
    auto c = b.consume({.max_attempts = 3});
    b.work(c);
    b.put_all({order("b1", "b"), order("b2", "b")});
    b.work(c);
    CHECK(b.told.told("paused unavailable"));
    CHECK(c.counts().received == 1);

    REQUIRE(b.drain(c));
    CHECK(b.told.told("resumed unavailable"));
    CHECK(b.acts.calls_of("a1") == 51);
    CHECK(c.counts().waits == 50);
    CHECK(c.counts().retries == 0);
    CHECK(c.counts().dead_lettered == 0);
    CHECK(c.counts().applied == 3);
}

TEST_CASE("a dependency that is down drains nothing into the dead letters, however long") {
    scripted b;
    bool is_down = true;
    for (int i = 0; i < 40; ++i) {
        b.put(order("e" + std::to_string(i), "k" + std::to_string(i % 7)));
    }
    auto c = b.from({.in_flight_max = 16}) | observed_by(b.told) | dead_letter(b.letters) |
             retry({.max_attempts = 2, .max_elapsed = 1min}) | idempotent_by_nature() |
             handle([&](const event_view&) {
                 if (is_down) {
                     throw unavailable_error("down", "the dependency is down");
                 }
             });
    b.work_for(48h, c);
    CHECK(b.all_letters().empty());
    CHECK(b.committed() == -1);
    is_down = false;
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 40);
    CHECK(b.all_letters().empty());
}

TEST_CASE("attempts only grow: a failure of another kind in between starts nothing anew") {
    scripted b;
    b.put(order("a1", "a"));
    for (int i = 0; i < 20; ++i) {
        b.acts.fail("a1", 1, busy);
        b.acts.fail("a1", 3, down);
        b.acts.fail("a1", 1, []() -> outcome { throw std::runtime_error("something else"); });
    }
    auto c = b.consume({.max_attempts = 5});
    REQUIRE(b.drain(c));
    const auto letters = b.all_letters();
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].letter.attempts == 5);
    // busy, something else, busy, something else, busy, and three waits after each busy but the
    // last one.
    CHECK(b.acts.calls.size() == 5 + 6);
}

TEST_CASE("who asks to be left alone for a while is left alone for that while") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b")});
    b.acts.fail("a1", 1, [] { return outcome::retry("slow_down", {}, 7s); });
    b.acts.fail("b1", 1, []() -> outcome { throw transient_error("slow_down", "429", 5h); });
    auto c = b.consume({.retry_after_max = 1min, .budget_floor = 100});
    b.work_for(6999ms, c);
    CHECK(b.acts.calls == texts{"a1", "b1"});
    b.work_for(1ms, c);
    CHECK(b.acts.calls == texts{"a1", "b1", "a1"});
    b.work_for(53s - 1ms, c);
    CHECK(b.acts.calls_of("b1") == 1);
    b.work_for(1ms, c);
    CHECK(b.acts.calls_of("b1") == 2);
    CHECK(b.told.retry_in == std::vector<duration>{7s, 1min});
}

TEST_CASE("no retry comes without a pause, whatever the backoff says") {
    scripted b;
    b.put(order("a1", "a"));
    b.acts.fail("a1", 3, busy);
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) |
             retry({}, default_classifier{},
                   [](std::uint32_t, std::uint64_t) { return duration::zero(); }) |
             idempotent_by_nature() |
             handle([&](const event_view& e) -> outcome { return b.acts(e); });
    b.work(c);
    CHECK(b.acts.calls.size() == 1);
    REQUIRE(b.drain(c));
    CHECK(b.told.retry_in == std::vector<duration>{1ms, 1ms, 1ms});
}

TEST_CASE("retries of all keys together keep to the budget") {
    scripted b;
    constexpr std::size_t events = 200;
    for (std::size_t i = 0; i < events; ++i) {
        const auto id = "e" + std::to_string(i);
        b.put(order(id, id));
        b.acts.fail(id, 99, busy);
    }
    auto c = b.consume({.max_attempts = 3,
                        .max_elapsed = 2h,
                        .budget_ratio = 0,
                        .budget_floor = 1,
                        .budget_max = 10});
    b.work_for(60s, c);
    CHECK(b.acts.calls.size() <= events + 10 + 60);
    CHECK(b.acts.calls.size() >= events + 10 + 55);
    CHECK(c.counts().dead_lettered == 0);
    // Waiting for the budget costs no attempt: each event gets all of its own.
    REQUIRE(b.drain(c));
    CHECK(b.acts.calls.size() == 3 * events);
    for (const auto& one : b.all_letters()) {
        CHECK(one.letter.attempts == 3);
    }
}

TEST_CASE("an event is given up when its time is over, after one last attempt") {
    scripted b;
    b.put(order("a1", "a"));
    b.acts.fail("a1", 10'000, busy);
    auto c = b.consume({.max_attempts = 1'000'000, .max_elapsed = 1min});
    const auto began = b.now.steady;
    REQUIRE(b.drain(c));
    CHECK(c.counts().dead_lettered == 1);
    CHECK(b.now.steady - began >= 1min);
    CHECK(b.now.steady - began < 2min);
}

TEST_CASE("whatever a handler throws has a class and takes nothing along") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b"), order("c1", "c"), order("d1", "d"),
               order("e1", "e"), order("f1", "f")});
    b.acts.fail("a1", 9, []() -> outcome { throw 42; });
    b.acts.fail("b1", 9, []() -> outcome { throw odd{}; });
    b.acts.fail("c1", 9, []() -> outcome { throw "a text"; });
    b.acts.fail("d1", 9, []() -> outcome { throw std::runtime_error("a runtime error"); });
    b.acts.fail("e1", 3, []() -> outcome { throw std::bad_alloc(); });
    auto c = b.consume({.max_attempts = 2});
    REQUIRE(b.drain(c));
    CHECK(c.counts().applied == 2);
    CHECK(c.counts().waits == 3);
    auto found = reasons(b.all_letters());
    std::sort(found.begin(), found.end());
    CHECK(found == texts{"a1: unknown_exception", "b1: unknown_exception", "c1: unknown_exception",
                         "d1: exception"});
    CHECK(b.told.told("unavailable e1: out_of_memory"));
}

TEST_CASE("the user's rules say which exceptions are permanent and which mean down") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b")});
    b.acts.fail("a1", 9, []() -> outcome { throw std::invalid_argument("no number"); });
    b.acts.fail("b1", 9, []() -> outcome { throw std::range_error("connection lost"); });
    auto c =
        b.from() | observed_by(b.told) | dead_letter(b.letters) |
        retry({}, first_of(permanent_on<std::logic_error>(), unavailable_on<std::range_error>())) |
        idempotent_by_nature() | handle([&](const event_view& e) -> outcome { return b.acts(e); });
    REQUIRE(b.drain(c));
    CHECK(b.acts.calls_of("a1") == 1);
    CHECK(b.acts.calls_of("b1") == 10);
    CHECK(c.counts().waits == 9);
    CHECK(reasons(b.all_letters()) == texts{"a1: exception"});
}

TEST_CASE("without the stage retry there is one attempt, and waiting still costs none") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b")});
    b.acts.fail("a1", 1, busy);
    b.acts.fail("b1", 4, down);
    auto c = b.from() | dead_letter(b.letters) | idempotent_by_nature() |
             handle([&](const event_view& e) -> outcome { return b.acts(e); });
    REQUIRE(b.drain(c));
    CHECK(b.acts.calls_of("a1") == 1);
    CHECK(b.acts.calls_of("b1") == 5);
    CHECK(c.counts().dead_lettered == 1);
    CHECK(c.counts().applied == 1);
}

TEST_CASE("skip is no failure: it is counted under its reason and leaves no letter") {
    scripted b;
    b.put_all({order("a1", "a"), order("a2", "a")});
    b.acts.fail("a1", 1, [] { return outcome::skip("not_for_us"); });
    auto c = b.consume();
    b.work(c);
    CHECK(c.counts().skipped == 1);
    CHECK(c.counts().applied == 1);
    CHECK(b.told.told("skipped a1: not_for_us"));
    CHECK(b.all_letters().empty());
    REQUIRE(b.drain(c));
    CHECK(b.committed() == 1);
}

TEST_CASE("what stands in around runs at each attempt, the first written outermost") {
    scripted b;
    b.put(order("a1", "a"));
    b.acts.fail("a1", 1, busy);
    texts seen;
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             around([&](const event_view& e, auto next) {
                 seen.push_back("outer " + std::string(e.id));
                 outcome answer = next();
                 seen.push_back("outer " + std::string(to_string(answer.verdict())));
                 return answer;
             }) |
             around([&](const event_view&, auto next) -> outcome {
                 seen.push_back("inner");
                 return next();
             }) |
             handle([&](const event_view& e) -> outcome { return b.acts(e); });
    REQUIRE(b.drain(c));
    CHECK(seen == texts{"outer a1", "inner", "outer retry", "outer a1", "inner", "outer done"});
}

TEST_CASE("what around throws is the attempt's failure, and what it answers stands") {
    scripted b;
    b.put_all({order("a1", "a"), order("b1", "b"), order("c1", "c")});
    b.acts.fail("c1", 9, [] { return outcome::reject("hopeless"); });
    int throws = 0;
    auto c = b.from() | observed_by(b.told) | dead_letter(b.letters) | retry({.max_attempts = 3}) |
             idempotent_by_nature() | around([&](const event_view& e, auto next) -> outcome {
                 if (e.id == "a1") {
                     ++throws;
                     throw 7;
                 }
                 if (e.id == "b1") {
                     return outcome::skip("not_today");
                 }
                 const auto inner = next();
                 return inner.is_done() ? outcome::done() : outcome::skip("forgiven");
             }) |
             handle([&](const event_view& e) -> outcome { return b.acts(e); });
    REQUIRE(b.drain(c));
    CHECK(throws == 3);
    CHECK(b.acts.calls == texts{"c1"});
    CHECK(reasons(b.all_letters()) == texts{"a1: unknown_exception"});
    CHECK(b.told.told("skipped b1: not_today"));
    CHECK(b.told.told("skipped c1: forgiven"));
}
