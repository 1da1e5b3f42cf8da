// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/backoff.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

template <class B>
double mean_seconds(const B& backoff, std::uint32_t attempt, int samples = 40'000) {
    double sum = 0;
    for (int i = 0; i < samples; ++i) {
        sum += static_cast<double>(backoff(attempt, static_cast<std::uint64_t>(i)).count()) * 1e-9;
    }
    return sum / samples;
}

/// Any attempt, small ones and the highest one more often than by chance.
rc::Gen<std::uint32_t> any_attempt() {
    return rc::gen::oneOf(
        rc::gen::inRange<std::uint32_t>(0, 70), rc::gen::arbitrary<std::uint32_t>(),
        rc::gen::element(499U, 500U, 501U, 502U, 1100U, std::numeric_limits<std::uint32_t>::max()));
}

/// A base and a cap that `check` accepts, up to the longest durations that there are.
struct span {
    duration base;
    duration cap;
};

rc::Gen<span> any_span() {
    return rc::gen::map(
        rc::gen::pair(rc::gen::inRange<unsigned>(20, 63), rc::gen::inRange<unsigned>(20, 64)),
        [](const std::pair<unsigned, unsigned>& bits) {
            const auto of = [](unsigned b) {
                return b >= 63 ? duration::max() : duration(std::int64_t{1} << b);
            };
            const duration a = of(bits.first);
            const duration b = of(bits.second);
            return a < b ? span{a, b} : span{b, a};
        });
}

template <class B>
void check_range_and_purity(const B& backoff, duration cap) {
    const auto attempt = *any_attempt();
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const duration delay = backoff(attempt, seed);
    RC_ASSERT(delay >= backoff_floor);
    RC_ASSERT(delay <= cap);
    RC_ASSERT(backoff(attempt, seed) == delay);
}

template <class Options>
std::string refusal(const Options& options) {
    try {
        check(options);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

/// The formula as its source has it, fed with the same random numbers.
double formula(std::uint32_t attempt, std::uint64_t seed) {
    double prev = 0;
    double value = 0;
    for (std::uint32_t i = 0; i < attempt; ++i) {
        const double t = i + detail::uniform_at(seed, i);
        const double next = std::pow(2, t) * std::tanh(std::sqrt(4.0 * t));
        value = next - prev;
        prev = next;
    }
    return value;
}

}  // namespace

static_assert(backoff_strategy<constant_backoff>);
static_assert(backoff_strategy<exponential_backoff>);
static_assert(backoff_strategy<decorrelated_jitter>);

TEST_CASE("every backoff stays between its floor and its cap, and says the same when asked again") {
    sinew::test::prop("constant", [] {
        const auto delay = duration(*rc::gen::arbitrary<std::int64_t>());
        check_range_and_purity(constant_backoff{delay}, std::max(delay, backoff_floor));
    });
    sinew::test::prop("exponential", [] {
        const auto [base, cap] = *any_span();
        const exponential_backoff backoff{base, cap, *rc::gen::element(1.0, 1.5, 2.0, 1e6),
                                          *rc::gen::element(0.0, 0.25, 0.5, 1.0)};
        check(backoff);
        check_range_and_purity(backoff, cap);
    });
    sinew::test::prop("decorrelated", [] {
        const auto [base, cap] = *any_span();
        const decorrelated_jitter backoff{base, cap};
        check(backoff);
        check_range_and_purity(backoff, cap);
    });
}

TEST_CASE("options that were never checked give no delay below the floor either") {
    sinew::test::prop("whatever the options", [](std::int64_t base, std::int64_t cap,
                                                 std::uint32_t attempt, std::uint64_t seed) {
        const double odd = *rc::gen::element(0.0, -1.0, 1e300, std::nan(""),
                                             std::numeric_limits<double>::infinity());
        const duration most = std::max(duration(cap), backoff_floor);
        const duration first =
            exponential_backoff{duration(base), duration(cap), odd, odd}(attempt, seed);
        const duration second = decorrelated_jitter{duration(base), duration(cap)}(attempt, seed);
        RC_ASSERT((first >= backoff_floor && first <= most));
        RC_ASSERT((second >= backoff_floor && second <= most));
    });
}

TEST_CASE("delays grow in expectation until the cap holds them") {
    const auto check_growth = [](const auto& backoff) {
        double last = 0;
        for (std::uint32_t attempt = 1; attempt <= 20; ++attempt) {
            const double mean = mean_seconds(backoff, attempt);
            INFO("attempt " << attempt);
            CHECK(mean > last * 0.99);  // 40,000 samples leave some noise at the cap
            last = mean;
        }
    };
    check_growth(exponential_backoff{});
    check_growth(decorrelated_jitter{});
    for (const auto cap : {300ms, 1000ms, 1500ms, 2200ms, 5000ms, 9000ms}) {
        check_growth(decorrelated_jitter{200ms, cap});
    }
}

TEST_CASE("jitter is kept at the cap, and at the highest attempt there is") {
    for (const std::uint32_t attempt :
         {12U, 30U, 400U, 5000U, std::numeric_limits<std::uint32_t>::max()}) {
        std::set<duration> exponential;
        std::set<duration> decorrelated;
        duration lowest = duration::max();
        duration highest{};
        for (std::uint64_t seed = 0; seed < 1000; ++seed) {
            exponential.insert(exponential_backoff{}(attempt, seed));
            const duration delay = decorrelated_jitter{}(attempt, seed);
            decorrelated.insert(delay);
            lowest = std::min(lowest, delay);
            highest = std::max(highest, delay);
        }
        CHECK(exponential.size() > 990);
        CHECK(decorrelated.size() > 990);
        CHECK(highest - lowest > 7s);
        CHECK(highest <= 30s);
    }
}

TEST_CASE("below the cap, decorrelated jitter is the published formula") {
    sinew::test::prop("for each attempt and seed", [](std::uint64_t seed) {
        const auto attempt = *rc::gen::inRange<std::uint32_t>(1, 12);
        const decorrelated_jitter backoff{200ms, 24h};
        const double expected = formula(attempt, seed) * 0.2e9 / 1.4;
        const auto got = static_cast<double>(backoff(attempt, seed).count());
        RC_ASSERT(std::abs(got - std::max(expected, 1e6)) <= 2.0);
    });
}

TEST_CASE("the first delay of decorrelated jitter has about the base as its median") {
    std::multiset<duration> delays;
    for (std::uint64_t seed = 0; seed < 10'001; ++seed) {
        delays.insert(decorrelated_jitter{}(1, seed));
    }
    const duration median = *std::next(delays.begin(), 5000);
    CHECK(median > 160ms);
    CHECK(median < 240ms);
}

TEST_CASE("hardly any client of decorrelated jitter retries at once") {
    int at_once = 0;
    for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
        at_once += decorrelated_jitter{}(1, seed) < 10ms ? 1 : 0;
    }
    CHECK(at_once < 20'000 / 100);
}

TEST_CASE("a seed is a whole schedule: asking for an attempt out of turn does not shift it") {
    sinew::test::prop("any order of questions", [](std::uint64_t seed) {
        const decorrelated_jitter backoff;
        const duration third = backoff(3, seed);
        static_cast<void>(backoff(1, seed));
        static_cast<void>(backoff(9, ~seed));
        RC_ASSERT(backoff(3, seed) == third);
        RC_ASSERT(backoff(0, seed) == backoff(1, seed));
    });
}

TEST_CASE("different seeds give different schedules, also when they differ in one bit") {
    std::set<duration> delays;
    for (unsigned bit = 0; bit < 64; ++bit) {
        delays.insert(decorrelated_jitter{}(2, std::uint64_t{1} << bit));
    }
    CHECK(delays.size() == 64);
}

TEST_CASE("a constant backoff is constant") {
    STATIC_REQUIRE(constant_backoff{5s}(1, 0) == 5s);
    STATIC_REQUIRE(constant_backoff{5s}(7, 9) == 5s);
    STATIC_REQUIRE(constant_backoff{0s}(1, 0) == backoff_floor);
    STATIC_REQUIRE(constant_backoff{-5s}(1, 0) == backoff_floor);
}

TEST_CASE("without jitter an exponential backoff doubles up to its cap") {
    const exponential_backoff backoff{100ms, 1s, 2, 0};
    CHECK(backoff(1, 7) == 100ms);
    CHECK(backoff(2, 7) == 200ms);
    CHECK(backoff(4, 7) == 800ms);
    CHECK(backoff(5, 7) == 1s);
    CHECK(backoff(60, 7) == 1s);
}

TEST_CASE("backoff options out of their range are refused by name") {
    using Catch::Contains;
    const double nan = std::nan("");
    CHECK(refusal(constant_backoff{}).empty());
    CHECK(refusal(exponential_backoff{}).empty());
    CHECK(refusal(decorrelated_jitter{}).empty());
    CHECK_THAT(refusal(constant_backoff{0s}), Contains("delay"));
    CHECK_THAT(refusal(decorrelated_jitter{0s, 1s}), Contains("base"));
    CHECK_THAT(refusal(decorrelated_jitter{-1s, 1s}), Contains("base"));
    CHECK_THAT(refusal(decorrelated_jitter{2s, 1s}), Contains("cap"));
    CHECK_THAT(refusal(exponential_backoff{0s, 1s}), Contains("base"));
    CHECK_THAT(refusal(exponential_backoff{2s, 1s}), Contains("cap"));
    CHECK_THAT(refusal(exponential_backoff{1s, 2s, 0.5}), Contains("factor"));
    CHECK_THAT(refusal(exponential_backoff{1s, 2s, nan}), Contains("factor"));
    CHECK_THAT(refusal(exponential_backoff{1s, 2s, 2, 1.1}), Contains("jitter"));
    CHECK_THAT(refusal(exponential_backoff{1s, 2s, 2, -0.1}), Contains("jitter"));
    CHECK_THAT(refusal(exponential_backoff{1s, 2s, 2, nan}), Contains("jitter"));
}
