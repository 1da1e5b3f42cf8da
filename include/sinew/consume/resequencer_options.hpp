// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How long, and how much, the stage `in_sequence` waits for what is missing.

#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>

namespace sinew {

/// The options of `in_sequence`.
struct resequencer_options {
    /// How long the events behind a gap wait for it to close.
    duration gap_timeout = std::chrono::seconds(30);
    /// While they wait, the store is looked into this often (another consumer of the group may have
    /// applied what is missing here), and always once more before the gap is given up.
    duration look_again = std::chrono::seconds(1);
    /// So many waiting events of one key make its gap due at once.
    std::size_t held_per_key_max = 256;
    /// So many waiting events of all keys make the gap due that has waited longest. Keep it below
    /// the consumer's limit of events in flight, so that gaps leave room for the other keys.
    std::size_t held_max = 512;
    /// So many keys are kept in mind. Of those with nothing under way the least recently used one
    /// gives way; where all have something under way, the source has to wait.
    std::size_t keys_max = 100'000;
    /// A number farther ahead than this is refused: one forged number must not make all later
    /// ones late.
    std::uint64_t jump_max = 1'000'000;
    /// The number with which a key starts; lower ones count as applied.
    std::uint64_t first = 1;
};

/// Throws `usage_error` if an option is out of its range.
inline void check(const resequencer_options& options) {
    if (options.gap_timeout < duration::zero()) {
        throw usage_error("in_sequence: gap_timeout must not be negative");
    }
    if (options.look_again <= duration::zero()) {
        throw usage_error("in_sequence: look_again must be more than zero");
    }
    if (options.held_per_key_max == 0 || options.held_max == 0) {
        throw usage_error("in_sequence: held_per_key_max and held_max must be 1 or more");
    }
    if (options.keys_max == 0 || options.keys_max > 1'000'000'000) {
        throw usage_error("in_sequence: keys_max must be from 1 to 1,000,000,000");
    }
    if (options.jump_max == 0 || options.first == 0) {
        throw usage_error("in_sequence: jump_max and first must be 1 or more");
    }
}

}  // namespace sinew
