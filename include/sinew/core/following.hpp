// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What becomes of a key's next events, while one of them is set aside for somebody to decide.

#include <cstdint>
#include <string_view>

namespace sinew {

/// The same question for consumers (behind a dead letter) and outboxes (behind a parked entry).
enum class following : std::uint8_t {
    pass,  ///< they go on: the key goes on without the one that failed
    park,  ///< they stay behind it, and the key's order holds when it is tried again
};

[[nodiscard]] constexpr std::string_view to_string(following f) noexcept {
    return f == following::pass ? "pass" : "park";
}

}  // namespace sinew
