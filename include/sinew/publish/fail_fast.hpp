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
/// For a caller who has somebody to tell: a request that can be answered with "try again later". The
/// event is kept nowhere.

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
#include <utility>

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

/// A sink that answers soon; models `sink`. One thread at a time.
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

    publish_result publish(const event_view& e, steady_time until) {
        const steady_time now = clock_.now().steady;
        if (!gate_.is_open(now)) {
            return publish_result::refused({failure_class::unavailable, "sink_down",
                                            "the sink was found down a moment ago",
                                            gate_.until() - now});
        }
        const steady_time soon = later(now, timeout_);
        auto answer = ask(*to_, e, soon < until ? soon : until);
        const bool is_down = answer.how() == publish_result::end::unknown ||
                             (answer.how() == publish_result::end::refused &&
                              answer.why().kind == failure_class::unavailable);
        if (is_down) {
            gate_.close(clock_.now().steady, answer.why().retry_after);
        } else {
            gate_.answered();
        }
        return answer;
    }

private:
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
