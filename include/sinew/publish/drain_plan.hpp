// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What becomes of an entry of a spool after the sink has answered: the rules of `drainer`.
///
/// | the sink's answer | the entry | counts | its key | the sink |
/// | --- | --- | --- | --- | --- |
/// | accepted | removed | | goes on | up |
/// | refused, permanent | parked, with the reason | yes | as `follow` says | up |
/// | refused, transient | put off by backoff; parked at `max_attempts` | yes | waits | up |
/// | refused, unavailable | stays | no | waits | paused by backoff |
/// | unknown | put off by backoff | no | waits | paused, after two in a row |
///
/// **Guarantees.** Of one key nothing is published behind an entry that was not accepted or parked.
/// No entry is removed that was not accepted.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/publish/port_gate.hpp>

#include <cstddef>
#include <cstdint>

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
}

/// What to do with an entry.
struct drain_verdict {
    enum class act : std::uint8_t { remove, put_off, park, stay };

    act what = act::remove;
    duration delay{};  ///< where it is put off

    friend constexpr bool operator==(const drain_verdict&, const drain_verdict&) = default;
};

/// Decides on entries, and knows how the sink is.
class drain_plan {
public:
    /// **On failure.** Throws `usage_error` for options that `check` refuses.
    drain_plan(const drainer_options& options, std::uint64_t seed)
        : options_(options),
          backoff_{options.base, options.cap},
          seed_(seed),
          gate_({options.base, options.cap}, seed) {
        check(options_);
    }

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

    /// What follows an answer for an entry with so many counted failures before.
    [[nodiscard]] drain_verdict decide(const publish_result& answer, std::int64_t number,
                                       std::uint32_t attempts, steady_time now) {
        using act = drain_verdict::act;
        const bool unknown = answer.how() == publish_result::end::unknown;
        if (answer.is_accepted()) {
            heard();
            return {act::remove, {}};
        }
        switch (unknown ? failure_class::unknown : answer.why().kind) {
            case failure_class::permanent: heard(); return {act::park, {}};
            case failure_class::transient:
                heard();
                return attempts + 1 >= options_.max_attempts
                           ? drain_verdict{act::park, {}}
                           : drain_verdict{act::put_off, delay(answer, number, attempts + 1)};
            case failure_class::unavailable:
                silent_ = 0;
                gate_.close(now, answer.why().retry_after);
                return {act::stay, {}};
            case failure_class::unknown: break;
        }
        // An entry whose answers keep getting lost may be the cause itself: it waits alone.
        if (++silent_ >= 2 || is_down()) {
            gate_.close(now, answer.why().retry_after);
        }
        return {act::put_off, delay(answer, number, attempts + silent_)};
    }

private:
    void heard() noexcept {
        silent_ = 0;
        gate_.answered();
    }

    [[nodiscard]] duration delay(const publish_result& answer, std::int64_t number,
                                 std::uint32_t attempt) const noexcept {
        const duration own = backoff_(attempt, seed_ ^ static_cast<std::uint64_t>(number));
        const auto asked = answer.why().retry_after;
        if (!asked || *asked <= own) {
            return own;
        }
        return *asked < port_gate::retry_after_max ? *asked : port_gate::retry_after_max;
    }

    drainer_options options_;
    decorrelated_jitter backoff_;
    std::uint64_t seed_;
    port_gate gate_;
    std::uint32_t silent_ = 0;  ///< publishes without an answer, in a row
};

}  // namespace sinew
