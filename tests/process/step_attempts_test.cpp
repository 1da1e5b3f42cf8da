// SPDX-License-Identifier: BSL-1.0
#include <sinew/core/backoff.hpp>
#include <sinew/process/step_attempts.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
const step_address charge{"charge", step_phase::act};

/// The attempts at steps with these options, as a runner would decide on them.
struct step_attempts {
    step_retry_options options{};

    step_attempts() = default;
    explicit step_attempts(const step_retry_options& given) : options(given) { check(options); }

    [[nodiscard]] attempt_decision failed(const step_progress& before, const failure& why,
                                          wall_time now, std::uint64_t seed) const {
        return after_failure(before, why, now, options,
                             decorrelated_jitter{options.base, options.cap}, seed);
    }
};

failure because(failure_class kind, std::optional<duration> after = std::nullopt) {
    return {kind, "why", "a detail", after};
}
step_progress fresh() { return progress_at(std::nullopt, charge, day); }

}  // namespace

TEST_CASE("a step is tried again until its attempts are used up") {
    const step_attempts at({.max_attempts = 3});
    auto decision = at.failed(fresh(), because(failure_class::transient), day, 1);
    REQUIRE(decision.progress.attempts == 1);
    REQUIRE(decision.retry_in >= backoff_floor);
    decision = at.failed(decision.progress, because(failure_class::transient), day, 1);
    REQUIRE_FALSE(decision.gives_up());
    decision = at.failed(decision.progress, because(failure_class::transient), day, 1);
    REQUIRE(decision.gives_up());
    REQUIRE(decision.progress.attempts == 3);
    REQUIRE(decision.progress.last_failure ==
            failure_note{day, failure_class::transient, 3, "why", "a detail"});
    REQUIRE_FALSE(decision.progress.in_doubt);
}

TEST_CASE("by default a step has ten attempts") {
    const step_attempts at;
    auto progress = fresh();
    for (int i = 1; i < 10; ++i) {
        const auto next = at.failed(progress, because(failure_class::transient), day, 7);
        REQUIRE_FALSE(next.gives_up());
        progress = next.progress;
    }
    REQUIRE(at.failed(progress, because(failure_class::transient), day, 7).gives_up());
}

TEST_CASE("a permanent failure ends a step at once") {
    REQUIRE(step_attempts().failed(fresh(), because(failure_class::permanent), day, 1).gives_up());
}

TEST_CASE("a dependency that is down is waited for, and does not count") {
    const step_attempts at({.max_attempts = 1});
    auto progress = fresh();
    for (int i = 0; i < 100; ++i) {
        const auto next = at.failed(progress, because(failure_class::unavailable), day, 1);
        REQUIRE_FALSE(next.gives_up());
        progress = next.progress;
    }
    REQUIRE(progress.attempts == 0);
    REQUIRE(progress.waits == 100);
    REQUIRE_FALSE(progress.in_doubt);
}

TEST_CASE("an unknown outcome counts, and leaves a doubt that later failures do not take away") {
    const step_attempts at({.max_attempts = 3});
    auto next = at.failed(fresh(), because(failure_class::unknown), day, 1);
    REQUIRE_FALSE(next.gives_up());
    REQUIRE(next.progress.in_doubt);
    next = at.failed(next.progress, because(failure_class::transient), day, 1);
    REQUIRE(next.progress.in_doubt);
    next = at.failed(next.progress, because(failure_class::permanent), day, 1);
    REQUIRE(next.gives_up());
    REQUIRE(next.progress.in_doubt);
}

TEST_CASE("a pause that was asked for is kept") {
    const auto next =
        step_attempts().failed(fresh(), because(failure_class::transient, 20min), day, 1);
    REQUIRE(next.retry_in == std::optional<duration>(20min));
}

TEST_CASE("a step with a deadline is given up when its time is over, after a last attempt") {
    const step_attempts at({.give_up_after = 10s});
    auto next = at.failed(fresh(), because(failure_class::unavailable, 1h), day + 4s, 1);
    REQUIRE(next.retry_in == std::optional<duration>(6s));
    next = at.failed(next.progress, because(failure_class::unavailable), day + 10s, 1);
    REQUIRE(next.gives_up());
}

TEST_CASE("a clock that is set back by a day neither ends a step nor stops it") {
    const step_attempts at({.give_up_after = 10s});
    const auto next = at.failed(fresh(), because(failure_class::transient), day - 24h, 1);
    REQUIRE_FALSE(next.gives_up());
    REQUIRE(*next.retry_in <= 10s);
    const auto later = at.failed(fresh(), because(failure_class::transient), wall_time::max(), 1);
    REQUIRE(later.gives_up());
}

TEST_CASE("progress belongs to one step and phase") {
    auto kept = fresh();
    kept.attempts = 4;
    REQUIRE(progress_at(kept, charge, day + 1s) == kept);
    REQUIRE(progress_at(kept, {"charge", step_phase::undo}, day + 1s).attempts == 0);
    REQUIRE(progress_at(kept, {"ship", step_phase::act}, day + 1s).begun == day + 1s);
}

TEST_CASE("a step that kills the process is found out after three starts") {
    auto progress = fresh();
    const step_retry_options options;
    for (int i = 0; i < 3; ++i) {
        REQUIRE_FALSE(is_poisoned(progress, options));
        progress = started(progress);
    }
    REQUIRE(is_poisoned(progress, options));
    // Had it come back only once, it would not have killed anything.
    progress = step_attempts().failed(progress, because(failure_class::transient), day, 1).progress;
    REQUIRE_FALSE(is_poisoned(progress, options));
}

TEST_CASE("what a dead process did is in doubt, unless its record was part of the effect") {
    REQUIRE(after_silence(fresh(), false).in_doubt);
    REQUIRE_FALSE(after_silence(fresh(), true).in_doubt);
    auto doubted = fresh();
    doubted.in_doubt = true;
    REQUIRE(after_silence(doubted, true).in_doubt);
}

TEST_CASE("options of a step that cannot be are refused") {
    REQUIRE_THROWS_AS(step_attempts({.max_attempts = 0}), usage_error);
    REQUIRE_THROWS_AS(step_attempts({.give_up_after = 0s}), usage_error);
    REQUIRE_THROWS_AS(step_attempts({.base = 0s}), usage_error);
    REQUIRE_THROWS_AS(step_attempts({.base = 2s, .cap = 1s}), usage_error);
    REQUIRE_THROWS_AS(step_attempts({.max_starts = 0}), usage_error);
}

TEST_CASE("step attempts: equal arguments, equal decisions") {
    sinew::test::prop(
        "and a delay is above zero and within its bounds",
        [](std::uint64_t seed, std::uint32_t attempts) {
            const step_attempts at({.max_attempts = 4'000'000'000U});
            auto progress = fresh();
            progress.attempts = attempts % 3'000'000'000U;
            const auto one = at.failed(progress, because(failure_class::transient), day, seed);
            const auto two = at.failed(progress, because(failure_class::transient), day, seed);
            RC_ASSERT(one.retry_in == two.retry_in);
            RC_ASSERT(*one.retry_in >= backoff_floor);
            RC_ASSERT(*one.retry_in <= 30s);
        });
}
