// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink that tries again within the caller's deadline, behind a breaker that keeps a broken
/// broker from being asked again and again.
///
/// From the outside in: the caller's deadline, retries with their budget, the breaker, the deadline
/// of one attempt. So the breaker sees every attempt, one that ends after its deadline is a failure
/// for it, and the whole has an end.
///
/// | an attempt ends | for the breaker | then |
/// | --- | --- | --- |
/// | accepted, in time | success | accepted |
/// | accepted, too late | failure | accepted |
/// | refused, permanent | as above: the broker answers | refused |
/// | refused, transient or unavailable; unknown | failure | tried again after a pause, if attempts, budget and time are left |
/// | (the breaker is open) | | refused, unavailable, `breaker_open`, with `retry_after` |
///
/// After an attempt without an answer, what is not accepted later is `unknown`, never `refused`:
/// the broker may have it. An event that was tried again after such an attempt can be there twice.
///
/// Of a batch, what was not accepted is tried again together, but for what stands behind an event
/// of its key that was refused for good. For the breaker an attempt ends as its worst answer.
///
/// For a caller who can wait a little, such as a batch job. The event is kept nowhere.

#include <sinew/core/backoff.hpp>
#include <sinew/core/breaker.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/retry_budget.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/waiting_clock.hpp>
#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/check_pauses.hpp>
#include <sinew/publish/closed_keys.hpp>
#include <sinew/publish/decoration.hpp>
#include <sinew/publish/port_gate.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// Options of `with_breaker`.
struct with_breaker_options {
    breaker_options breaker{};
    std::uint32_t max_attempts = 5;
    /// How long one attempt may take.
    duration attempt_timeout = std::chrono::seconds(2);
    /// About the first pause between attempts, and the longest.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    retry_budget_options budget{};
    /// The seed of the pauses; 0: from the operating system.
    std::uint64_t seed = 0;
};

/// A sink that tries again; models `sink`, and `batch_sink` if the one inside does. One thread at a
/// time.
template <class Sink, class Clock = machine_waiting_clock>
class with_breaker {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool has_clock = waiting_clock<Clock>;
    static_assert(publishes_to_sink,
                  "sinew: with_breaker stands around a sink: it needs publish(event_view, "
                  "steady_time), which answers a publish_result");
    static_assert(has_clock,
                  "sinew: the clock of with_breaker needs now(), which answers a moment, and "
                  "sleep_until(steady_time)");

public:
    static_assert(
        decorations_of<Sink>() == decoration::none,
        "sinew: with_breaker has to stand directly around the broker's sink, where it sees "
        "how the broker is; put spooled or with_fallback around it instead");
    static constexpr unsigned decorations = decoration::breaker;

    /// The sink has to outlive this.
    ///
    /// **On failure.** Throws `usage_error` for an option that is out of its range.
    explicit with_breaker(Sink& to, const with_breaker_options& options = {}, Clock clock = {})
        : to_(&to),
          options_(options),
          clock_(std::move(clock)),
          breaker_(options.breaker),
          budget_(options.budget),
          random_(options.seed == 0 ? entropy_seed() : options.seed) {
        detail::check_pauses("with_breaker", options_.base, options_.cap);
        if (options_.max_attempts == 0) {
            throw usage_error("with_breaker: option max_attempts has to be at least 1");
        }
        if (options_.attempt_timeout <= duration::zero()) {
            throw usage_error("with_breaker: option attempt_timeout has to be above 0");
        }
    }
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    explicit with_breaker(const Sink&& to, const with_breaker_options& options = {},
                          Clock clock = {}) = delete;

    publish_result publish(const event_view& e, steady_time until) {
        const std::uint64_t seed = random_();
        bool maybe = false;
        for (std::uint32_t attempt = 1;; ++attempt) {
            auto answer = try_once(e, until, maybe);
            if (!answer.again) {
                return std::move(answer.what);
            }
            if (!wait_for_another(answer.what.why(), attempt, seed, until)) {
                return conclude(std::move(answer.what), maybe);
            }
        }
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time until)
        requires batch_sink<Sink>
    {
        const std::uint64_t seed = random_();
        std::vector<publish_result> answers(events.size(), publish_result::accepted());
        std::vector<batch_place> left;
        for (std::size_t i = 0; i < events.size(); ++i) {
            left.push_back({i, false});
        }
        for (std::uint32_t attempt = 1; !left.empty(); ++attempt) {
            if (!try_batch(events, until, left, answers) || left.empty() ||
                !wait_for_another(answers[left.front().index].why(), attempt, seed, until)) {
                break;
            }
        }
        return answers;
    }

    [[nodiscard]] breaker_state state() const noexcept { return breaker_.state(); }

private:
    struct attempt_end {
        publish_result what;
        bool again = false;
    };

    /// An event of a batch that is to be tried.
    struct batch_place {
        std::size_t index;
        bool maybe;  ///< an attempt for it got no answer
    };

    /// Waits for the next attempt, if there is to be one.
    [[nodiscard]] bool wait_for_another(const failure& why, std::uint32_t attempt,
                                        std::uint64_t seed, steady_time until) {
        const auto next = pause_until(why, attempt, seed);
        if (attempt >= options_.max_attempts || next >= until ||
            !budget_.try_spend(clock_.now().steady)) {
            return false;
        }
        clock_.sleep_until(next);
        return true;
    }

    [[nodiscard]] decorrelated_jitter pauses() const noexcept {
        return {options_.base, options_.cap};
    }

    attempt_end try_once(const event_view& e, steady_time until, bool& maybe) {
        auto got =
            through_breaker(until, [&](steady_time end) { return ask(*to_, e, end); }, &is_final);
        if (!got) {
            return {conclude(breaker_open(), maybe)};
        }
        auto& answer = *got;
        if (answer.is_accepted()) {
            budget_.on_success();
            return {std::move(answer)};
        }
        if (is_final(answer)) {
            return {conclude(std::move(answer), maybe)};
        }
        maybe = maybe || answer.how() == publish_result::end::unknown;
        return {std::move(answer), true};
    }

    /// Tries what is left of a batch, and leaves what is to be tried again. Answers whether the
    /// breaker let it through.
    [[nodiscard]] bool try_batch(std::span<const event_view> events, steady_time until,
                                 std::vector<batch_place>& left,
                                 std::vector<publish_result>& answers) {
        std::vector<event_view> views;
        views.reserve(left.size());
        for (const auto& one : left) {
            views.push_back(events[one.index]);
        }
        auto got = through_breaker(
            until,
            [&](steady_time end) { return ask(*to_, std::span<const event_view>(views), end); },
            &all_final);
        bool any_accepted = false;
        std::vector<batch_place> again;
        closed_keys closed;
        for (std::size_t i = 0; i < left.size(); ++i) {
            auto answer = got ? std::move((*got)[i]) : breaker_open();
            auto [index, maybe] = left[i];
            any_accepted = any_accepted || answer.is_accepted();
            if (is_final(answer)) {
                if (!answer.is_accepted()) {
                    closed.close(views[i].partitionkey);
                }
            } else if (!closed.has(views[i].partitionkey)) {
                again.push_back({index, maybe || answer.how() == publish_result::end::unknown});
            }
            answers[index] = conclude(std::move(answer), maybe);
        }
        if (any_accepted) {
            budget_.on_success();
        }
        left = std::move(again);
        return got.has_value();
    }

    /// Asks the sink, if the breaker lets it through, within the time of an attempt.
    template <class Ask, class Good>
    [[nodiscard]] auto through_breaker(steady_time until, Ask call, Good is_good)
        -> std::optional<decltype(call(until))> {
        const steady_time now = clock_.now().steady;
        auto permit = breaker_.admit(now, uniform(random_));
        if (!permit) {
            return std::nullopt;
        }
        const steady_time soon = later(now, options_.attempt_timeout);
        const steady_time end = soon < until ? soon : until;
        auto answer = call(end);
        const steady_time then = clock_.now().steady;
        if (is_good(answer) && then <= end) {
            permit->succeeded(then);
        } else {
            permit->failed(then, uniform(random_));
        }
        return answer;
    }

    [[nodiscard]] static bool is_final(const publish_result& answer) noexcept {
        return answer.is_accepted() || (answer.how() == publish_result::end::refused &&
                                        answer.why().kind == failure_class::permanent);
    }
    [[nodiscard]] static bool all_final(const std::vector<publish_result>& answers) noexcept {
        for (const auto& one : answers) {
            if (!is_final(one)) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] publish_result breaker_open() const {
        return publish_result::refused({failure_class::unavailable, "breaker_open",
                                        "the broker kept failing, and is left alone for a while",
                                        breaker_.admits_at() - clock_.now().steady});
    }

    [[nodiscard]] steady_time pause_until(const failure& why, std::uint32_t attempt,
                                          std::uint64_t seed) {
        duration pause = pauses()(attempt, seed);
        if (why.retry_after && *why.retry_after > pause) {
            pause = *why.retry_after < port_gate::retry_after_max ? *why.retry_after
                                                                  : port_gate::retry_after_max;
        }
        return later(clock_.now().steady, pause);
    }

    [[nodiscard]] static publish_result conclude(publish_result answer, bool maybe) {
        if (maybe && answer.how() == publish_result::end::refused) {
            failure why = answer.why();
            why.kind = failure_class::unknown;
            return publish_result::unknown(std::move(why));
        }
        return answer;
    }

    Sink* to_;
    with_breaker_options options_;
    Clock clock_;
    breaker breaker_;
    retry_budget budget_;
    splitmix64 random_;
};

}  // namespace sinew
