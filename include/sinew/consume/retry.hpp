// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `retry`: what if handling an event fails?

#include <sinew/consume/stage.hpp>
#include <sinew/core/classify.hpp>
#include <sinew/core/retry_policy.hpp>

#include <utility>

namespace sinew {

namespace detail {

template <class Classifier, class Backoff>
struct retry_stage {
    static constexpr stage_kind kind = stage_kind::retry;
    static constexpr bool retries = true;

    retry_options options;
    Classifier rules;
    Backoff backoff;
};

}  // namespace detail

/// Tries again what failed and may succeed, by `options`.
///
/// **On failure.** Once the attempts or the time are used up, the event takes the way of
/// `dead_letter`, `halt` or `discard`.
/// **Order.** While an event waits, the later ones of its key wait behind it; all others go on.
/// **On crash.** Attempts start anew; an event that kills the process is counted by the crash-loop
/// guard.
[[nodiscard]] inline auto retry(retry_options options = {}) {
    check(options);
    return detail::retry_stage<default_classifier, decorrelated_jitter>{
        options, {}, {options.base, options.cap}};
}

/// The same, with the user's own word on which exceptions belong to which class.
template <classifier Classifier>
[[nodiscard]] auto retry(retry_options options, Classifier rules) {
    check(options);
    return detail::retry_stage<Classifier, decorrelated_jitter>{
        options, std::move(rules), {options.base, options.cap}};
}

/// The same, with a backoff of the user's choice; `base` and `cap` of the options are not used.
template <classifier Classifier, backoff_strategy Backoff>
[[nodiscard]] auto retry(retry_options options, Classifier rules, Backoff backoff) {
    check(options);
    return detail::retry_stage<Classifier, Backoff>{options, std::move(rules), std::move(backoff)};
}

}  // namespace sinew
