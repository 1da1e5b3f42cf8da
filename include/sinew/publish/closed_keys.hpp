// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The keys of a batch of which an event was not accepted: nothing behind it may be.
///
/// **Bounds.** Linear in the keys that are closed, which in a batch are few.

#include <sinew/core/error.hpp>
#include <sinew/core/sink.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace sinew {

/// What is closed, for the time of one batch, whose keys it looks at and does not copy.
class closed_keys {
public:
    [[nodiscard]] bool has(std::string_view key) const noexcept {
        for (const auto one : keys_) {
            if (one == key) {
                return true;
            }
        }
        return false;
    }
    /// Without a key an event closes nothing.
    void close(std::string_view key) {
        if (!key.empty() && !has(key)) {
            keys_.push_back(key);
        }
    }

    /// The answer for an event of a key that is closed.
    [[nodiscard]] static publish_result behind() {
        return publish_result::refused({failure_class::transient, "behind",
                                        "an event of the same key before it was not accepted",
                                        std::nullopt});
    }

private:
    std::vector<std::string_view> keys_;
};

}  // namespace sinew
