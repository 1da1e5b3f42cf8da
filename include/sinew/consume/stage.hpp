// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stages of a pipeline, their order, and what it means to leave one out.
///
/// Events flow right, failures flow left: a stage guards everything to its right. So the order is
/// fixed, and a stage in another place would mean something else than it says.

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace sinew {

/// The places of a pipeline, from left to right.
enum class stage_kind : std::uint8_t {
    subscribe,  ///< where events come from
    observe,    ///< who is told
    sequence,   ///< what if events come out of order?
    failure,    ///< what if one can never be processed? `dead_letter`, `halt` or `discard`
    retry,      ///< what if it fails?
    duplicate,  ///< what if it comes twice? `once`, `idempotent_by_nature`, ...
    around,     ///< what should happen around each attempt? (any number of them)
    handle,     ///< what to do
};

/// A `stage` can stand to the right of `|`.
template <class S>
concept stage = std::move_constructible<std::remove_cvref_t<S>> && requires {
    { std::remove_cvref_t<S>::kind } -> std::convertible_to<stage_kind>;
};

/// The places that a pipeline may leave empty, and what stands there then.
struct no_observer {};
struct no_sequence {};
struct no_failure_answer {};
struct no_retry {
    static constexpr bool retries = false;
};
struct no_duplicate_answer {};
struct no_around {};

}  // namespace sinew
