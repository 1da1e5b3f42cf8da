// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A port that is down, and when it is asked again.
///
/// | what happened | the gate |
/// | --- | --- |
/// | the port answered, whatever it said | opens; what failed before is forgotten |
/// | the port is unavailable | closes, each time for longer, up to the cap |
/// | no answer came | stays open once; at the second in a row, or after a closing, it closes |
///
/// While the gate is shut the port is not asked at all. What is asked first after that is a probe.
///
/// **Guarantees.** A port that stays down is asked about once per cap, with jitter: those who
/// failed together do not come back together.

#include <sinew/core/backoff.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <optional>

namespace sinew {

/// Decides when a port may be asked.
class port_gate {
public:
    /// How many calls in a row may stay without an answer before the port is taken for down.
    static constexpr std::uint32_t silent_max = 2;
    /// A failure that asks for a longer pause (`retry_after`) than this gets this.
    static constexpr duration retry_after_max = std::chrono::hours(1);

    /// `seed` makes the jitter.
    ///
    /// **On failure.** Throws `usage_error` for a base or cap that is out of its range.
    port_gate(decorrelated_jitter backoff, std::uint64_t seed) : backoff_(backoff), seed_(seed) {
        check(backoff_);
    }

    [[nodiscard]] bool is_open(steady_time now) const noexcept { return now >= until_; }
    /// When it opens; in the past if it is open.
    [[nodiscard]] steady_time until() const noexcept { return until_; }
    /// Whether it was closed and no answer came since. What is asked now is a probe.
    [[nodiscard]] bool is_probing() const noexcept { return closings_ != 0; }

    /// The port answered. Tells whether it had been taken for down.
    bool answered() noexcept {
        const bool was_down = closings_ != 0;
        closings_ = 0;
        silent_ = 0;
        until_ = steady_time::min();
        return was_down;
    }

    /// The port is down. Answers for how long it is left alone.
    duration close(steady_time now, std::optional<duration> retry_after = std::nullopt) noexcept {
        silent_ = 0;
        closings_ += closings_ == UINT32_MAX ? 0 : 1;
        duration pause = backoff_(closings_, seed_);
        if (retry_after && *retry_after > pause) {
            pause = *retry_after < retry_after_max ? *retry_after : retry_after_max;
        }
        until_ = later(now, pause);
        return pause;
    }

    /// No answer came. Answers for how long the port is left alone, if that closed the gate.
    std::optional<duration> went_silent(steady_time now) noexcept {
        if (++silent_ < silent_max && closings_ == 0) {
            return std::nullopt;
        }
        return close(now);
    }

private:
    decorrelated_jitter backoff_;
    std::uint64_t seed_;
    std::uint32_t closings_ = 0;
    std::uint32_t silent_ = 0;
    steady_time until_ = steady_time::min();
};

}  // namespace sinew
