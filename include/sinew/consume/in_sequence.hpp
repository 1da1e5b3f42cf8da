// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `in_sequence`: what if events come out of order?

#include <sinew/consume/resequencer.hpp>
#include <sinew/consume/stage.hpp>

#include <utility>

namespace sinew {

namespace detail {

struct in_sequence_stage {
    static constexpr stage_kind kind = stage_kind::sequence;

    resequencer_options options;
};

}  // namespace detail

/// Puts the events of each key back into the order of their `sequence` attribute.
///
/// **Delivers.** The events of a key with 1, 2, 3, ... An event without a key has no order to keep
/// and passes. A second event with a number that was applied is a duplicate.
/// **On failure.** A key without a readable `sequence` (`sequence_missing`, `sequence_malformed`),
/// or with one too far ahead (`sequence_jump`), is a permanent failure. One that comes after its
/// gap was given up is a permanent failure with the reason `late`.
/// **On crash.** With `once`, each key's progress is in the handler's own transaction. Without, it
/// starts anew, and a key that does not start at `options.first` waits for its gap's time once.
/// **Bounds.** See `resequencer_options`.
[[nodiscard]] inline auto in_sequence(resequencer_options options = {}) {
    check(options);
    return detail::in_sequence_stage{std::move(options)};
}

}  // namespace sinew
