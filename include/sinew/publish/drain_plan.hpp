// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What becomes of an entry of a spool after the sink has answered: the rules of `drainer`.
///
/// | the sink's answer | the entry | counts | its key | the sink |
/// | --- | --- | --- | --- | --- |
/// | accepted | removed | | goes on | up |
/// | refused, permanent | parked, with the reason | yes | as `follow` says | up |
/// | refused, transient or unknown | put off by backoff; parked at `max_attempts` | yes | waits | up |
/// | refused, unavailable | stays | no | waits | paused by backoff |
/// | unknown | put off, twice as long as the last time | no | waits | paused, after two in a row |
///
/// These are the rules of `relay`: both ask `decide`.
///
/// **Guarantees.** Of one key nothing is published behind an entry that was not accepted or parked.
/// No entry is removed that was not accepted.
///
/// **Bounds.** A fixed size for each entry whose last publish got no answer.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/put_off.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/spool.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/check_pauses.hpp>
#include <sinew/publish/port_gate.hpp>
#include <sinew/publish/relay_batch.hpp>

#include <cstddef>
#include <cstdint>
#include <map>

namespace sinew {

/// Options of `drainer`.
struct drainer_options {
    /// What becomes of the key behind an entry that is parked.
    following follow = following::park;
    std::size_t batch_max = 256;
    std::size_t batch_bytes_max = std::size_t{4} << 20U;
    /// Failures that count, after which an entry is parked.
    std::uint32_t max_attempts = 10;
    /// About the first delay of an entry, and of a sink that is down; and the longest.
    duration base = std::chrono::milliseconds(200);
    duration cap = std::chrono::seconds(30);
    /// How often it looks without being woken.
    duration poll_interval = std::chrono::milliseconds(100);
    duration call_timeout = std::chrono::seconds(5);
    duration publish_timeout = std::chrono::seconds(5);
    /// How long a step may go on, where the drainer can measure it.
    duration step_time_max = std::chrono::milliseconds(200);
    /// The seed of the delays; 0: from the operating system.
    std::uint64_t seed = 0;
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const drainer_options& options) {
    if (options.batch_max == 0 || options.batch_bytes_max == 0) {
        throw usage_error("drainer: options batch_max and batch_bytes_max have to be above 0");
    }
    if (options.max_attempts == 0) {
        throw usage_error("drainer: option max_attempts has to be at least 1");
    }
    if (options.poll_interval <= duration::zero() || options.call_timeout <= duration::zero() ||
        options.publish_timeout <= duration::zero() || options.step_time_max <= duration::zero()) {
        throw usage_error(
            "drainer: options poll_interval, call_timeout, publish_timeout and step_time_max have "
            "to be above 0");
    }
    detail::check_pauses("drainer", options.base, options.cap);
}

/// Decides on entries, and knows how the sink is.
class drain_plan {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    drain_plan(const drainer_options& options, std::uint64_t seed)
        : options_((check(options), options)),
          rules_{options.max_attempts, {options.base, options.cap}, seed},
          gate_({options.base, options.cap}, seed) {}

    [[nodiscard]] const drainer_options& options() const noexcept { return options_; }
    /// Whether the sink may be asked, and if not, when.
    [[nodiscard]] bool may_publish(steady_time now) const noexcept { return gate_.is_open(now); }
    [[nodiscard]] steady_time resumes_at() const noexcept { return gate_.until(); }
    /// Whether the sink is taken for down: paused, or not yet heard of since.
    [[nodiscard]] bool is_down() const noexcept { return gate_.is_probing(); }
    /// While the sink is taken for down, one entry alone tries it.
    [[nodiscard]] std::size_t batch_max() const noexcept {
        return is_down() ? 1 : options_.batch_max;
    }

    /// What follows an answer for an entry.
    [[nodiscard]] relay_decision decide(const publish_result& answer, const spool_entry& entry,
                                        moment now) {
        outbox_entry tried;
        tried.number = entry.number;
        tried.attempts = entry.attempts;
        // An entry whose answers keep getting lost may be the cause itself: it waits alone.
        const auto last = waits_.find(entry.number);
        if (last != waits_.end()) {
            tried.waits = put_off_by(now.wall, last->second);
        }
        auto out = sinew::decide(rules_, tried, answer, now.wall);
        switch (out.sink) {
            case sink_sign::up: gate_.answered(); break;
            // The answers of one call close it once.
            case sink_sign::silent:
                if (gate_.is_open(now.steady)) {
                    gate_.went_silent(now.steady);
                }
                break;
            case sink_sign::down:
                if (gate_.is_open(now.steady)) {
                    gate_.close(now.steady, answer.why().retry_after);
                }
                break;
            case sink_sign::none: break;
        }
        if (out.sink == sink_sign::silent) {
            waits_[entry.number] = out.delay;
        } else if (out.sink == sink_sign::up) {
            waits_.erase(entry.number);
        }
        return out;
    }

private:
    drainer_options options_;
    relay_rules rules_;
    port_gate gate_;
    std::map<std::int64_t, duration> waits_;  ///< the last wait of what got no answer
};

}  // namespace sinew
