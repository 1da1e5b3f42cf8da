// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `around`: the user's own middleware, which runs around each attempt.

#include <sinew/consume/stage.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outcome.hpp>

#include <concepts>
#include <utility>

namespace sinew {

namespace detail {

template <class F>
struct around_stage {
    static constexpr stage_kind kind = stage_kind::around;

    F call;
};

/// Stands for what comes next where only the type of what `around` was given is looked at.
struct some_next {
    outcome operator()() const { return outcome::done(); }
};

template <class F>
concept runs_around = requires(F& f, const event_view& e, const some_next& next) {
    { f(e, next) } -> std::convertible_to<outcome>;
};

/// Stands in the place of what cannot run around an attempt: it was said what is wrong with that,
/// and nothing else is.
struct goes_on {
    template <class Next>
    outcome operator()(const event_view&, const Next& next) const {
        return next();
    }
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
    constexpr bool runs_around = detail::runs_around<F>;
    static_assert(
        runs_around,
        "sinew: what stands in around takes (const event_view&, auto next) and returns an "
        "outcome: next() or its own");
    if constexpr (runs_around) {
        return detail::around_stage<F>{std::move(f)};
    } else {
        return detail::around_stage<detail::goes_on>{};
    }
}

}  // namespace sinew
