// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink with another way for an event: when the broker does not take it, a function of the user's
/// does, in the same call.
///
/// | what comes back | what happens |
/// | --- | --- |
/// | accepted | accepted |
/// | refused, permanent | refused: the event itself is wrong, and would be there too |
/// | refused, transient or unavailable | the function is asked; its answer is the answer |
/// | unknown | the function is asked; a refusal of it becomes `unknown`: the broker may have it |
///
/// Of a batch, what the broker did not take goes to the function one by one, and nothing of a key
/// that stands behind an event which neither took.
///
/// **Order.** None between what the broker took and what the function took.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/closed_keys.hpp>
#include <sinew/publish/decoration.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// A `publish_fallback` takes an event which the broker did not: `f(event, why, until)` answers as
/// a `sink` does, and returns at the latest at `until`.
///
/// **On failure.** By the answer; what it throws as `sinew::error` is taken for a refusal.
template <class F>
concept publish_fallback =
    requires(F& f, const event_view& e, const failure& why, steady_time until) {
        { f(e, why, until) } -> std::same_as<publish_result>;
    };

/// Options of `with_fallback`.
struct with_fallback_options {
    /// How long the sink may take, before the function is asked. It gets half of what is left until
    /// the caller's deadline at most, so that the function has time too.
    duration publish_timeout = std::chrono::seconds(2);
};

/// What `with_fallback` has done.
struct fallback_counts {
    std::uint64_t live = 0;         ///< accepted by the sink
    std::uint64_t fallen_back = 0;  ///< accepted by the function
    std::uint64_t lost = 0;         ///< accepted by neither
};

/// A sink with a fallback; models `sink`, and `batch_sink` if the one inside does. One thread at a
/// time.
///
/// Put a `fail_fast` inside, or each event waits for the broker's time-out before its fallback.
/// **Example.** `sinew::with_fallback out(quick, [&](const event_view& e, const failure&,
/// steady_time until) { return by_http(e, until); });`
template <class Sink, class Fallback, class Clock = machine_clock>
class with_fallback {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool falls_back = publish_fallback<Fallback>;
    static constexpr bool has_clock = clock<Clock>;
    static_assert(publishes_to_sink,
                  "sinew: with_fallback stands around a sink: it needs publish(event_view, "
                  "steady_time), which answers a publish_result");
    static_assert(falls_back,
                  "sinew: with_fallback takes a function second, which is called as f(const "
                  "event_view&, const failure&, steady_time) and answers a publish_result");
    static_assert(has_clock,
                  "sinew: the clock of with_fallback needs now(), which answers a moment");

public:
    static constexpr unsigned decorations = decorations_of<Sink>() | decoration::fallback;

    /// The sink has to outlive this.
    ///
    /// **On failure.** Throws `usage_error` for an option that is out of its range.
    with_fallback(Sink& to, Fallback otherwise, const with_fallback_options& options = {},
                  Clock clock = {})
        : to_(&to),
          otherwise_(std::move(otherwise)),
          timeout_(options.publish_timeout),
          clock_(std::move(clock)) {
        if (timeout_ <= duration::zero()) {
            throw usage_error("with_fallback: option publish_timeout has to be above 0");
        }
    }
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    with_fallback(const Sink&& to, Fallback otherwise, const with_fallback_options& options = {},
                  Clock clock = {}) = delete;

    publish_result publish(const event_view& e, steady_time until) {
        return conclude(e, ask(*to_, e, live_until(clock_.now().steady, until)), until);
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time until)
        requires batch_sink<Sink>
    {
        auto answers = ask(*to_, events, live_until(clock_.now().steady, until));
        closed_keys closed;
        for (std::size_t i = 0; i < events.size(); ++i) {
            const bool behind = !answers[i].is_accepted() && closed.has(events[i].partitionkey);
            if (behind) {
                ++counts_.lost;
            } else {
                answers[i] = conclude(events[i], std::move(answers[i]), until);
            }
            if (!answers[i].is_accepted()) {
                closed.close(events[i].partitionkey);
            }
        }
        return answers;
    }

    [[nodiscard]] const fallback_counts& counts() const noexcept { return counts_; }

private:
    /// What becomes of an event, by what the sink answered for it.
    publish_result conclude(const event_view& e, publish_result answer, steady_time until) {
        if (answer.is_accepted()) {
            ++counts_.live;
            return answer;
        }
        const bool unknown = answer.how() == publish_result::end::unknown;
        if (!unknown && answer.why().kind == failure_class::permanent) {
            ++counts_.lost;
            return answer;
        }
        auto other = fall_back(e, answer.why(), until);
        if (other.is_accepted()) {
            ++counts_.fallen_back;
            return other;
        }
        ++counts_.lost;
        if (unknown && other.how() == publish_result::end::refused) {
            return publish_result::unknown(answer.why());
        }
        return other;
    }

    [[nodiscard]] steady_time live_until(steady_time now, steady_time until) const noexcept {
        const steady_time most = later(now, timeout_);
        if (until == never || until <= now) {
            return until < most ? until : most;
        }
        const steady_time half = now + (until - now) / 2;
        return half < most ? half : most;
    }

    publish_result fall_back(const event_view& e, const failure& why, steady_time until) {
        try {
            return otherwise_(e, why, until);
        } catch (const error& thrown) {
            return publish_result::refused(thrown.as_failure());
        }
    }

    Sink* to_;
    Fallback otherwise_;
    duration timeout_;
    Clock clock_;
    fallback_counts counts_;
};

}  // namespace sinew
