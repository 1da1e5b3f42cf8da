// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/retry_policy.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

constexpr steady_time start{1h};
constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();

failure failing(failure_class kind, std::optional<duration> retry_after = std::nullopt) {
    return {kind, "reason", "detail", retry_after};
}

retry_policy<constant_backoff> every_second(retry_options options = {}) {
    return {options, constant_backoff{1s}};
}

std::string refusal(const retry_options& options) {
    try {
        retry_policy policy(options);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

constexpr retry_history after(std::initializer_list<failure_class> kinds, duration apart) {
    retry_history history;
    auto at = start;
    for (const auto kind : kinds) {
        history.failed(kind, at);
        at += apart;
    }
    return history;
}

}  // namespace

TEST_CASE("a transient failure is tried again until the attempts are used up") {
    const auto policy = every_second({.max_attempts = 3});
    retry_history history;
    for (int i = 0; i < 2; ++i) {
        history.failed(failure_class::transient, start);
        const auto decision = policy.decide(failing(failure_class::transient), history, start, 1);
        CHECK(decision.retry_at == start + 1s);
        CHECK(decision.spends);
        CHECK(decision.exhausted == exhaustion::none);
    }
    history.failed(failure_class::transient, start);
    const auto decision = policy.decide(failing(failure_class::transient), history, start, 1);
    CHECK(decision.gives_up());
    CHECK(decision.exhausted == exhaustion::attempts);
    CHECK(history.attempts == 3);
}

TEST_CASE("with one attempt there is no retry") {
    const auto policy = every_second({.max_attempts = 1});
    CHECK(policy
              .decide(failing(failure_class::transient), {.attempts = 1, .first_failed = start},
                      start, 1)
              .exhausted == exhaustion::attempts);
}

TEST_CASE("a permanent failure is given up at once, and not because of a limit") {
    const auto decision = every_second().decide(failing(failure_class::permanent, 1s),
                                                {.attempts = 1, .first_failed = start}, start, 1);
    CHECK(decision.gives_up());
    CHECK(decision.exhausted == exhaustion::none);
}

TEST_CASE("a dependency that is down is waited for without end, and never counts") {
    const retry_policy policy;
    for (const auto kind : {failure_class::unavailable, failure_class::unknown}) {
        retry_history history;
        auto now = start;
        for (int i = 0; i < 10'000; ++i) {
            history.failed(kind, now);
            const auto decision = policy.decide(failing(kind), history, now, 7);
            REQUIRE_FALSE(decision.gives_up());
            REQUIRE_FALSE(decision.spends);
            REQUIRE(*decision.retry_at >= now + backoff_floor);
            REQUIRE(*decision.retry_at <= now + policy.options().cap);
            now = *decision.retry_at;
        }
        CHECK(now - start > 24h);
        CHECK(history.attempts == 0);
        CHECK(history.age(now) == 0s);
    }
}

TEST_CASE("when the time is up an event is given up, however few its attempts") {
    const auto policy = every_second({.max_attempts = 100, .max_elapsed = 10s});
    const retry_history history{.attempts = 1, .first_failed = start};
    const auto why = failing(failure_class::transient);
    CHECK(policy.decide(why, history, start + 8s, 1).retry_at == start + 9s);
    CHECK(policy.decide(why, history, start + 10s, 1).exhausted == exhaustion::elapsed);
    CHECK(policy.decide(why, history, start + 24h, 1).exhausted == exhaustion::elapsed);
}

TEST_CASE("the last attempt is made when the time is up, and not skipped") {
    const auto policy = every_second({.max_attempts = 100, .max_elapsed = 10s});
    const retry_history history{.attempts = 1, .first_failed = start};
    CHECK(policy.decide(failing(failure_class::transient), history, start + 9500ms, 1).retry_at ==
          start + 10s);
    CHECK(policy.decide(failing(failure_class::transient, 1h), history, start, 1).retry_at ==
          start + 10s);
    CHECK(
        policy.decide(failing(failure_class::transient), history, start + 10s - 1ns, 1).retry_at ==
        start + 10s - 1ns + backoff_floor);
}

TEST_CASE("time spent waiting for a dependency is not held against the event") {
    using enum failure_class;
    auto history = after({transient, unavailable, unavailable, unavailable, transient}, 1h);
    CHECK(history.attempts == 2);
    CHECK(history.waits == 0);
    CHECK(history.age(start + 4h) == 1h);
    CHECK(history.age(start + 5h) == 2h);
    history.failed(unknown, start + 5h);
    CHECK(history.age(start + 9h) == 2h);
}

TEST_CASE("attempts and age only grow, whatever fails in between") {
    sinew::test::prop("any failures at any times", [](const std::vector<std::uint8_t>& kinds) {
        retry_history history;
        auto now = start;
        for (const auto kind : kinds) {
            const auto before = history;
            const auto age = history.age(now);
            now += duration(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000));
            RC_ASSERT(history.age(now) >= age);
            history.failed(static_cast<failure_class>(kind % 4), now);
            RC_ASSERT(history.attempts >= before.attempts);
            RC_ASSERT(history.age(now) >= age);
            RC_ASSERT((!before.first_failed || history.first_failed == before.first_failed));
        }
    });
}

TEST_CASE("counters stop at their end instead of starting anew") {
    retry_history history{.attempts = most, .waits = most, .first_failed = start};
    history.failed(failure_class::unavailable, start);
    CHECK(history.waits == most);
    history.failed(failure_class::transient, start);
    CHECK(history.attempts == most);
    STATIC_REQUIRE(after({failure_class::transient, failure_class::permanent}, 1s).attempts == 2);
}

TEST_CASE("the pause that a failure asks for is the least that follows") {
    const auto policy = every_second();
    const auto wait = [&](failure_class kind, duration asked) {
        return *policy
                    .decide(failing(kind, asked), {.attempts = 1, .first_failed = start}, start, 1)
                    .retry_at -
               start;
    };
    for (const auto kind :
         {failure_class::transient, failure_class::unavailable, failure_class::unknown}) {
        CHECK(wait(kind, 5s) == 5s);
        CHECK(wait(kind, 1ms) == 1s);
        CHECK(wait(kind, 0s) == 1s);
        CHECK(wait(kind, -5s) == 1s);
        CHECK(wait(kind, duration::min()) == 1s);
    }
    CHECK(wait(failure_class::unavailable, 5h) == 1h);
    CHECK(wait(failure_class::unavailable, duration::max()) == 1h);
    CHECK(wait(failure_class::transient, duration::max()) == 10min);
}

TEST_CASE("for any input a retry is neither in the past nor beyond its bounds") {
    sinew::test::prop("any class, history, time, pause and seed", [](std::uint64_t seed) {
        const auto any_time = [] {
            return steady_time(duration(
                *rc::gen::oneOf(rc::gen::arbitrary<std::int64_t>(),
                                rc::gen::inRange<std::int64_t>(0, 1'000'000'000),
                                rc::gen::element(std::numeric_limits<std::int64_t>::min(),
                                                 std::numeric_limits<std::int64_t>::max()))));
        };
        const retry_policy policy;
        const auto kind = static_cast<failure_class>(*rc::gen::inRange(0, 4));
        const failure why = failing(kind, duration(*rc::gen::arbitrary<std::int64_t>()));
        const auto now = any_time();
        const retry_history history{
            *rc::gen::oneOf(rc::gen::inRange(0U, 6U), rc::gen::arbitrary<std::uint32_t>()),
            *rc::gen::arbitrary<std::uint32_t>(),
            any_time(),
        };
        const auto decision = policy.decide(why, history, now, seed);
        RC_ASSERT(decision == policy.decide(why, history, now, seed));
        if (kind == failure_class::permanent) {
            RC_ASSERT(decision.gives_up());
        } else if (kind != failure_class::transient) {
            RC_ASSERT(!decision.gives_up());
        }
        if (!decision.gives_up()) {
            RC_ASSERT(decision.exhausted == exhaustion::none);
            RC_ASSERT(*decision.retry_at >= later(now, backoff_floor));
            RC_ASSERT(*decision.retry_at <= later(now, policy.options().retry_after_max));
        }
    });
}

TEST_CASE("with the defaults a failing event ends after five attempts and some seconds") {
    sinew::test::prop("for any seed", [](std::uint64_t seed) {
        const retry_policy policy;
        retry_history history;
        auto now = start;
        int attempts = 0;
        for (;;) {
            ++attempts;
            history.failed(failure_class::transient, now);
            const auto decision =
                policy.decide(failing(failure_class::transient), history, now, seed);
            if (decision.gives_up()) {
                RC_ASSERT(decision.exhausted == exhaustion::attempts);
                break;
            }
            now = *decision.retry_at;
        }
        RC_ASSERT(attempts == 5);
        RC_ASSERT(now - start < 10s);
    });
}

TEST_CASE("waits grow by backoff while a dependency stays down, and start small after an attempt") {
    const retry_policy policy({}, exponential_backoff{1s, 30s, 2, 0});
    retry_history history;
    const auto wait = [&](failure_class kind) {
        history.failed(kind, start);
        return *policy.decide(failing(kind), history, start, 1).retry_at - start;
    };
    CHECK(wait(failure_class::unavailable) == 1s);
    CHECK(wait(failure_class::unavailable) == 2s);
    CHECK(wait(failure_class::unavailable) == 4s);
    CHECK(wait(failure_class::transient) == 1s);
    CHECK(wait(failure_class::unknown) == 1s);
    CHECK(wait(failure_class::transient) == 2s);
}

TEST_CASE("any callable that is pure can be the backoff") {
    const auto linear = [](std::uint32_t attempt, std::uint64_t) -> duration {
        return attempt * 10ms;
    };
    const retry_policy policy({}, linear);
    CHECK(policy
              .decide(failing(failure_class::transient), {.attempts = 3, .first_failed = start},
                      start, 0)
              .retry_at == start + 30ms);
    const auto none = [](std::uint32_t, std::uint64_t) -> duration { return -1s; };
    CHECK(retry_policy({}, none).decide(failing(failure_class::unknown), {}, start, 0).retry_at ==
          start + backoff_floor);
}

TEST_CASE("retry options out of their range are refused by name") {
    using Catch::Contains;
    CHECK(refusal({}).empty());
    CHECK_THAT(refusal({.max_attempts = 0}), Contains("max_attempts"));
    CHECK_THAT(refusal({.max_elapsed = 0s}), Contains("max_elapsed"));
    CHECK_THAT(refusal({.base = 0s}), Contains("base"));
    CHECK_THAT(refusal({.base = 2s, .cap = 1s}), Contains("cap"));
    CHECK_THAT(refusal({.retry_after_max = 0s}), Contains("retry_after_max"));
    CHECK_THAT(refusal({.budget_ratio = 2}), Contains("budget_ratio"));
    CHECK_THAT(refusal({.budget_ratio = std::nan("")}), Contains("budget_ratio"));
    CHECK_THAT(refusal({.budget_floor = 0}), Contains("budget_floor"));
    CHECK_THAT(refusal({.budget_max = 0}), Contains("budget_max"));
    CHECK_THROWS_AS(retry_policy({}, constant_backoff{0s}), usage_error);
}

TEST_CASE("what the policy accepts the budget accepts") {
    const auto budget = budget_of({.budget_ratio = 0.5, .budget_floor = 0.001, .budget_max = 7});
    CHECK(budget.ratio == 0.5);
    CHECK(budget.floor_per_second == 0.001);
    CHECK(budget.tokens_max == 7);
    CHECK_NOTHROW(retry_budget(budget));
    CHECK_NOTHROW(retry_budget(budget_of({})));
}
