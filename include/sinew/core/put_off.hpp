// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Waits that a store keeps, by stamps of the system clock.
///
/// What waits does so only while the clock stands within its wait. So a clock that is set back ends
/// a wait, and never makes one longer.

#include <sinew/core/time.hpp>

namespace sinew {

/// How long something waits.
struct put_off_until {
    wall_time from{};
    wall_time due{};

    friend bool operator==(const put_off_until&, const put_off_until&) = default;
};

/// The wait that begins at an instant and takes so long.
[[nodiscard]] constexpr put_off_until put_off_by(wall_time from, duration delay) noexcept {
    const auto by = std::chrono::duration_cast<wall_time::duration>(delay);
    const bool beyond = by.count() > 0 && from > wall_time::max() - by;
    return {from, by.count() <= 0 ? from : beyond ? wall_time::max() : from + by};
}

}  // namespace sinew
