// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How a commit ended.

#include <cstdint>
#include <string_view>

namespace sinew {

/// A commit has three ends, and the third is why a bool could not be used correctly.
enum class [[nodiscard]] commit_result : std::uint8_t {
    committed,  ///< it is done and will still be after a crash
    aborted,    ///< it is not done and never will be
    unknown,    ///< no answer came: it may be done; look before doing it again
};

[[nodiscard]] constexpr std::string_view to_string(commit_result r) noexcept {
    switch (r) {
        case commit_result::committed: return "committed";
        case commit_result::aborted: return "aborted";
        case commit_result::unknown: return "unknown";
    }
    return "invalid";
}

}  // namespace sinew
