// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a pipeline promises of each event's effects.

#include <cstdint>
#include <string_view>

namespace sinew {

/// The three promises. A pipeline's promise is computed from its type; nobody can claim one.
enum class guarantee : std::uint8_t {
    at_most_once,     ///< once or not at all: the offset is committed before the handler runs
    at_least_once,    ///< once or more: effects have to be idempotent
    effectively_once  ///< the effects are in the store exactly once
};

[[nodiscard]] constexpr std::string_view to_string(guarantee g) noexcept {
    switch (g) {
        case guarantee::at_most_once: return "at most once";
        case guarantee::at_least_once: return "at least once";
        case guarantee::effectively_once: return "effectively once";
    }
    return "invalid";
}

}  // namespace sinew
