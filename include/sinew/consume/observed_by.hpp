// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `observed_by`: who is told what happens.

#include <sinew/consume/stage.hpp>
#include <sinew/core/observer.hpp>

#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// Calls the caller's own observer, which has to outlive the consumer.
template <class Observer>
struct observe_stage {
    static constexpr stage_kind kind = stage_kind::observe;
    using observer_type = Observer;

    Observer* observer;
};

}  // namespace detail

/// Has the hooks of `watcher` called. It has to outlive the consumer.
template <observer Observer>
[[nodiscard]] auto observed_by(Observer& watcher) noexcept {
    return detail::observe_stage<Observer>{&watcher};
}

/// An observer has all the hooks: derive from `null_observer` and hide those of interest.
template <class Other>
    requires(!observer<Other>)
auto observed_by(Other&) {
    // Not the concept itself: the compiler would list each hook.
    static_assert(std::is_void_v<Other>,
                  "sinew: observed_by takes an observer; derive it from sinew::null_observer and "
                  "hide the hooks of interest");
}

}  // namespace sinew
