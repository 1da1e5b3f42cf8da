// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `around`: the user's own middleware, which runs around each attempt.

#include <sinew/consume/stage.hpp>

#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

template <class F>
struct around_stage {
    static constexpr stage_kind kind = stage_kind::around;

    F call;
};

}  // namespace detail

/// Runs `f(event, next)` around each attempt of the handler; `next()` runs what stands to the right
/// and gives its outcome, and `f` returns an outcome: that one, or its own. With `once` all of it
/// happens within the transaction.
///
/// **On failure.** What `f` throws counts as the attempt's failure.
/// **Example.** `around([](const event_view& e, auto next) { log(e.id); return next(); })`
template <class F>
[[nodiscard]] auto around(F f) {
    return detail::around_stage<F>{std::move(f)};
}

}  // namespace sinew
