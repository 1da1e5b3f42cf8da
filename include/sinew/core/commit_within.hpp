// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A unit of work in a transaction, done again until one has committed.
///
/// A service that writes on its own account, outside of a consumer, meets all three ends of a
/// commit: another transaction was in the way, the store was away for a moment, or the answer was
/// lost. Here is the loop around them.
///
/// ```cpp
/// const auto how = sinew::commit_within(db, until, [&](auto& tx, bool in_doubt) {
///     const bool is_new = write(order, tx);  // ... ON CONFLICT DO NOTHING
///     return is_new || in_doubt ? placing::placed : placing::was_there;
/// });
/// ```

#include <sinew/core/backoff.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/waiting_clock.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

/// What stood in the way of the last try.
struct commit_obstacle {
    failure why{};
    bool in_doubt = false;  ///< a commit gave no answer: its effects may be there
};

[[noreturn]] inline void give_up_committing(const commit_obstacle& last) {
    const std::string detail = last.why.detail.empty() ? std::string() : ": " + last.why.detail;
    if (last.in_doubt) {
        throw error(failure_class::unknown, "commit_unknown",
                    "no answer came to a commit, and it could not be found out in time whether it "
                    "is done; look, or do it again" +
                        detail);
    }
    throw unavailable_error(
        "not_committed", "the transaction could not be committed in time, and is not done" + detail,
        last.why.retry_after);
}

/// One try. Nothing: it did not commit, and `last` says why.
template <class Store, class Work, class Kept>
[[nodiscard]] bool try_to_commit(Store& in, steady_time until, Work& work, Kept& kept,
                                 commit_obstacle& last) {
    try {
        auto tx = in.begin(until);
        kept.keep([&]() -> decltype(auto) {
            if constexpr (std::invocable<Work&, decltype(tx)&, bool>) {
                return work(tx, last.in_doubt);
            } else {
                return work(tx);
            }
        });
        const commit_result how = tx.commit();
        if (how == commit_result::committed) {
            return true;
        }
        last.in_doubt = last.in_doubt || how == commit_result::unknown;
        if constexpr (requires { in.last_commit_failure().has_value(); }) {
            last.why = in.last_commit_failure().value_or(failure{});
        }
    } catch (const error& e) {
        last.why = e.as_failure();
        if (e.kind() == failure_class::permanent) {
            if (last.in_doubt) {
                give_up_committing(last);
            }
            throw;
        }
    }
    return false;
}

/// What the work answered.
template <class Result>
struct kept_answer {
    std::optional<Result> value{};

    template <class F>
    void keep(F f) {
        value.emplace(f());
    }
    Result take() { return *std::move(value); }
};
template <>
struct kept_answer<void> {
    template <class F>
    static void keep(F f) {
        f();
    }
    static void take() noexcept {}
};

template <class Work, class Tx>
struct work_result : std::invoke_result<Work&, Tx&> {};
template <class Work, class Tx>
    requires std::invocable<Work&, Tx&, bool>
struct work_result<Work, Tx> : std::invoke_result<Work&, Tx&, bool> {};

template <class Store, class Work>
using work_result_of = typename work_result<Work, typename Store::transaction_type>::type;

}  // namespace detail

/// Runs `work` in a transaction of `in`, and again in a new one, until a transaction with it has
/// committed; answers what the work answered then.
///
/// `work(tx, in_doubt)`, or `work(tx)`, has no effect but through `tx`, and recognises what an
/// earlier transaction of its own wrote: after a commit without an answer it is called again with
/// `in_doubt`, and may find its effects there (an insert under a key, `ON CONFLICT DO NOTHING`).
///
/// **On failure.** A permanent error of the work, and whatever is no `sinew::error`, leaves at
/// once, and nothing is done. All others are tried again after a pause until `until`; then it
/// throws `unavailable_error` (`not_committed`: nothing is done). Where a commit before had no
/// answer it throws an `error` of class unknown instead (`commit_unknown`: it may be done), also
/// for a permanent error: a duplicate key may be one's own. What is wrong in the work itself, such
/// as its SQL, is not always told from what will pass, so `until` should not be `never`.
/// **On crash.** All of the work is done, or nothing.
/// **Bounds.** Pauses from about 2 ms to 200 ms, with jitter. One try at least, however late it is.
template <store Store, class Work, waiting_clock Clock = machine_waiting_clock>
auto commit_within(Store& in, steady_time until, Work work, Clock clock = {})
    -> detail::work_result_of<Store, Work> {
    constexpr decorrelated_jitter backoff{std::chrono::milliseconds(2),
                                          std::chrono::milliseconds(200)};
    const std::uint64_t seed = entropy_seed();
    detail::kept_answer<detail::work_result_of<Store, Work>> kept;
    detail::commit_obstacle last;
    for (std::uint32_t tries = 1;; ++tries) {
        if (detail::try_to_commit(in, until, work, kept, last)) {
            return kept.take();
        }
        const steady_time now = clock.now().steady;
        if (now >= until) {
            detail::give_up_committing(last);
        }
        const steady_time again = later(now, backoff(tries, seed));
        clock.sleep_until(again < until ? again : until);
    }
}

}  // namespace sinew
