// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/retry_budget.hpp>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

constexpr steady_time start{1h};

/// Spends what there is at `now`.
constexpr std::uint32_t spend_all(retry_budget& budget, steady_time now) {
    std::uint32_t spent = 0;
    while (budget.try_spend(now)) {
        ++spent;
    }
    return spent;
}

constexpr std::uint32_t after_successes(int successes) {
    retry_budget budget({.ratio = 0.1, .floor_per_second = 1, .tokens_max = 10});
    spend_all(budget, start);
    for (int i = 0; i < successes; ++i) {
        budget.on_success();
    }
    return spend_all(budget, start);
}

std::string refusal(const retry_budget_options& options) {
    try {
        retry_budget budget(options);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a budget starts full and holds no more than its limit") {
    retry_budget budget({.tokens_max = 7});
    CHECK(spend_all(budget, start) == 7);
    CHECK_FALSE(budget.try_spend(start));
    CHECK(spend_all(budget, start + 24h) == 7);
}

TEST_CASE("successes pay in their share, and not beyond the limit") {
    STATIC_REQUIRE(after_successes(0) == 0);
    STATIC_REQUIRE(after_successes(9) == 0);
    STATIC_REQUIRE(after_successes(10) == 1);
    STATIC_REQUIRE(after_successes(35) == 3);
    STATIC_REQUIRE(after_successes(5000) == 10);
}

TEST_CASE("many successes at once pay in what as many pay in one by one") {
    sinew::test::prop("after any history", [](const std::vector<std::uint32_t>& steps) {
        retry_budget at_once({.ratio = *rc::gen::element(0.0, 0.1, 0.37, 1.0),
                              .floor_per_second = *rc::gen::element(0.001, 3.0, 1e6),
                              .tokens_max = *rc::gen::element<std::uint32_t>(1, 5, 1'000'000)});
        retry_budget one_by_one = at_once;
        auto now = start;
        for (const auto step : steps) {
            now += duration(step);
            const std::uint32_t successes = step % 40;
            at_once.on_successes(successes);
            for (std::uint32_t i = 0; i < successes; ++i) {
                one_by_one.on_success();
            }
            RC_ASSERT(at_once.next_token(now) == one_by_one.next_token(now));
            RC_ASSERT(at_once.try_spend(now) == one_by_one.try_spend(now));
        }
    });
    retry_budget full({.tokens_max = 2});
    REQUIRE(spend_all(full, start) == 2);
    full.on_successes(UINT64_MAX);
    full.on_successes(UINT64_MAX);
    CHECK(full.tokens(start) == 2);
}

TEST_CASE("when nothing succeeds, the retries fall to the floor") {
    retry_budget budget({.ratio = 0.1, .floor_per_second = 3, .tokens_max = 100});
    spend_all(budget, start);
    std::uint32_t spent = 0;
    for (auto at = start; at <= start + 100s; at += 1ms) {
        spent += spend_all(budget, at);
    }
    CHECK(spent == 300);
}

TEST_CASE("next_token is the very instant from which a token can be spent") {
    sinew::test::prop("after any history", [](const std::vector<std::uint32_t>& steps) {
        const double floor = *rc::gen::element(0.001, 0.3, 3.0, 7.0, 1000.0, 1e6);
        retry_budget budget({.ratio = 0.1, .floor_per_second = floor, .tokens_max = 5});
        auto now = start;
        for (const auto step : steps) {
            now += duration(step);
            if (step % 3 == 0) {
                budget.on_success();
            } else {
                spend_all(budget, now);
            }
        }
        spend_all(budget, now);
        const auto next = budget.next_token(now);
        RC_ASSERT(next > now);
        RC_ASSERT(next - now <= duration(static_cast<std::int64_t>(1e9 / floor) + 1));
        auto early = budget;
        RC_ASSERT(!early.try_spend(next - 1ns));
        RC_ASSERT(budget.try_spend(next));
        RC_ASSERT(budget.next_token(next) > next);
    });
}

TEST_CASE("while a token is there, the next one is there now") {
    retry_budget budget;
    CHECK(budget.next_token(start) == start);
    REQUIRE(budget.try_spend(start));
    CHECK(budget.next_token(start) == start);
}

TEST_CASE("asking often does not make time pay in less") {
    retry_budget often({.ratio = 0, .floor_per_second = 7, .tokens_max = 100});
    retry_budget seldom = often;
    spend_all(often, start);
    spend_all(seldom, start);
    for (auto at = start; at < start + 1ms; at += 1ns) {
        static_cast<void>(often.try_spend(at));
    }
    CHECK(often.next_token(start + 1ms) == seldom.next_token(start + 1ms));
}

TEST_CASE("no more is spent than was ever paid in") {
    sinew::test::prop("for any schedule", [](const std::vector<std::uint32_t>& steps) {
        const retry_budget_options options{.ratio = 0.5, .floor_per_second = 3, .tokens_max = 4};
        retry_budget budget(options);
        auto now = start;
        std::uint64_t spent = 0;
        std::uint64_t successes = 0;
        for (const auto step : steps) {
            now += duration(step);
            switch (step % 3) {
                case 0:
                    budget.on_success();
                    ++successes;
                    break;
                case 1: spent += budget.try_spend(now) ? 1U : 0U; break;
                default: spent += spend_all(budget, now); break;
            }
            const double seconds = static_cast<double>((now - start).count()) * 1e-9;
            RC_ASSERT(static_cast<double>(spent) <=
                      4 + 3 * seconds + 0.5 * static_cast<double>(successes) + 1e-6);
        }
    });
}

TEST_CASE("time that stands still or goes back takes nothing away and pays in nothing") {
    retry_budget budget({.tokens_max = 3});
    REQUIRE(spend_all(budget, start) == 3);
    CHECK_FALSE(budget.try_spend(start - 1h));
    CHECK_FALSE(budget.try_spend(start));
    CHECK(budget.next_token(start - 1h) == budget.next_token(start));
    CHECK(spend_all(budget, start + 1s) == 3);
}

TEST_CASE("the ends of time and a flood of successes do not overflow") {
    for (const double floor : {0.001, 3.0, 1e6}) {
        for (const auto at : {steady_time{}, steady_time::max() - 1s}) {
            retry_budget budget({.ratio = 1, .floor_per_second = floor, .tokens_max = 1'000'000});
            REQUIRE(budget.try_spend(at));
            for (int i = 0; i < 10'000; ++i) {
                budget.on_success();
            }
            CHECK(budget.tokens(at) == 1'000'000);
            CHECK(budget.try_spend(at));
            CHECK(budget.tokens(steady_time::max()) >= 999'999);
            CHECK(budget.next_token(steady_time::max()) == steady_time::max());
        }
    }
}

TEST_CASE("at the beginning of time the bucket is empty, and a token still comes") {
    retry_budget budget;
    CHECK_FALSE(budget.try_spend(steady_time::min()));
    const auto next = budget.next_token(steady_time::min());
    CHECK(next < steady_time::min() + 1s);
    CHECK(budget.try_spend(next));
}

TEST_CASE("a success before the first retry is not lost in an empty past") {
    retry_budget budget({.tokens_max = 2});
    for (int i = 0; i < 1000; ++i) {
        budget.on_success();
    }
    CHECK(spend_all(budget, start) == 2);
}

TEST_CASE("a budget that could stop all retries for ever is refused by name") {
    using Catch::Contains;
    CHECK(refusal({}).empty());
    CHECK(refusal({.ratio = 0}).empty());
    CHECK_THAT(refusal({.floor_per_second = 0}), Contains("floor_per_second"));
    CHECK_THAT(refusal({.floor_per_second = -1}), Contains("floor_per_second"));
    CHECK_THAT(refusal({.floor_per_second = 1e-9}), Contains("floor_per_second"));
    CHECK_THAT(refusal({.floor_per_second = std::nan("")}), Contains("floor_per_second"));
    CHECK_THAT(refusal({.ratio = -0.1}), Contains("ratio"));
    CHECK_THAT(refusal({.ratio = 1.1}), Contains("ratio"));
    CHECK_THAT(refusal({.ratio = std::nan("")}), Contains("ratio"));
    CHECK_THAT(refusal({.tokens_max = 0}), Contains("tokens_max"));
}
