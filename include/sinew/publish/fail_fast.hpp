// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A sink that never keeps its caller waiting for long: a short deadline for each publish, and an
/// answer at once while the broker is known to be down.
///
/// | what comes back | answer | afterwards |
/// | --- | --- | --- |
/// | accepted, refused transient or permanent | the same | the sink is asked |
/// | refused unavailable, unknown | the same | the gate is shut for a pause by backoff |
/// | (the gate is shut) | refused, unavailable, `sink_down`, with `retry_after` | one event tries when the pause is over |
///
/// Of a batch, the gate is shut if one of its answers says so.
///
/// For a caller who has somebody to tell: a request that can be answered with "try again later".
/// The event is kept nowhere.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/check_pauses.hpp>
#include <sinew/publish/decoration.hpp>
#include <sinew/publish/port_gate.hpp>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// Options of `fail_fast`.
struct fail_fast_options {
    /// How long a publish may take at most, whatever the caller's deadline.
    duration publish_timeout = std::chrono::milliseconds(250);
    /// About the first pause after which the sink is tried again, and the longest.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(5);
    /// The seed of the pauses; 0: from the operating system.
    std::uint64_t seed = 0;
};

/// A sink that answers soon; models `sink`, and `batch_sink` if the one inside does. One thread at
/// a time.
template <class Sink, class Clock = machine_clock>
class fail_fast {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool has_clock = clock<Clock>;
    static_assert(publishes_to_sink,
                  "sinew: fail_fast stands around a sink: it needs publish(event_view, "
                  "steady_time), which answers a publish_result");
    static_assert(has_clock, "sinew: the clock of fail_fast needs now(), which answers a moment");

public:
    static_assert(tells_when_down<Sink>,
                  "sinew: a sink that is spooled, or has a fallback, never says that its broker is "
                  "down, so fail_fast around it would only cut it short; put fail_fast inside");
    static_assert((decorations_of<Sink>() & decoration::breaker) == 0,
                  "sinew: fail_fast around with_breaker cuts its retries off; use one of the two");
    static constexpr unsigned decorations = decorations_of<Sink>() | decoration::fail_fast;

    /// The sink has to outlive this.
    ///
    /// **On failure.** Throws `usage_error` for an option that is out of its range.
    explicit fail_fast(Sink& to, const fail_fast_options& options = {}, Clock clock = {})
        : to_(&to),
          timeout_(checked(options).publish_timeout),
          clock_(std::move(clock)),
          gate_({options.base, options.cap}, options.seed == 0 ? entropy_seed() : options.seed) {}
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    explicit fail_fast(const Sink&& to, const fail_fast_options& options = {},
                       Clock clock = {}) = delete;

    publish_result publish(const event_view& e, steady_time until) {
        const steady_time now = clock_.now().steady;
        if (!gate_.is_open(now)) {
            return sink_down(now);
        }
        auto answer = ask(*to_, e, soon(now, until));
        heed(says_down(answer) ? &answer : nullptr);
        return answer;
    }

    std::vector<publish_result> publish_batch(std::span<const event_view> events, steady_time until)
        requires batch_sink<Sink>
    {
        const steady_time now = clock_.now().steady;
        if (!gate_.is_open(now)) {
            return std::vector<publish_result>(events.size(), sink_down(now));
        }
        auto answers = ask(*to_, events, soon(now, until));
        const publish_result* down = nullptr;
        for (const auto& one : answers) {
            down = says_down(one) ? &one : down;
        }
        heed(down);
        return answers;
    }

private:
    [[nodiscard]] static bool says_down(const publish_result& answer) noexcept {
        return answer.how() == publish_result::end::unknown ||
               (answer.how() == publish_result::end::refused &&
                answer.why().kind == failure_class::unavailable);
    }
    /// Shuts the gate by the answer that says that the sink is down, if one does.
    void heed(const publish_result* down) {
        if (down != nullptr) {
            gate_.close(clock_.now().steady, down->why().retry_after);
        } else {
            gate_.answered();
        }
    }
    [[nodiscard]] publish_result sink_down(steady_time now) const {
        return publish_result::refused({failure_class::unavailable, "sink_down",
                                        "the sink was found down a moment ago",
                                        gate_.until() - now});
    }
    [[nodiscard]] steady_time soon(steady_time now, steady_time until) const noexcept {
        const steady_time end = later(now, timeout_);
        return end < until ? end : until;
    }
    [[nodiscard]] static const fail_fast_options& checked(const fail_fast_options& options) {
        if (options.publish_timeout <= duration::zero()) {
            throw usage_error("fail_fast: option publish_timeout has to be above 0");
        }
        detail::check_pauses("fail_fast", options.base, options.cap);
        return options;
    }

    Sink* to_;
    duration timeout_;
    Clock clock_;
    port_gate gate_;
};

}  // namespace sinew
