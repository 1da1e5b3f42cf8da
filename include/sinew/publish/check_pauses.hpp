// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Refusing options of a pause under the name of the type to which they belong.

#include <sinew/core/backoff.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <string>
#include <string_view>

namespace sinew {

namespace detail {

/// Refuses options `base` and `cap` of that type that make no backoff.
///
/// **On failure.** Throws `usage_error` that names the type and the option.
inline void check_pauses(std::string_view of, duration base, duration cap) {
    if (base < backoff_floor) {
        throw usage_error(std::string(of).append(": option base has to be at least 1 ms"));
    }
    if (cap < base) {
        throw usage_error(std::string(of).append(": option cap is below base"));
    }
}

}  // namespace detail

}  // namespace sinew
