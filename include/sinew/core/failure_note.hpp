// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A failure, as it is remembered.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstdint>
#include <string>

namespace sinew {

/// One failed attempt, as a dead letter, an outbox or a journal remembers it.
struct failure_note {
    wall_time at{};
    failure_class kind = failure_class::transient;
    std::uint32_t attempt = 0;
    std::string reason{};
    std::string detail{};

    friend bool operator==(const failure_note&, const failure_note&) = default;
};

}  // namespace sinew
