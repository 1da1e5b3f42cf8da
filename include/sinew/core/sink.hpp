// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to where events are published.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace sinew {

/// How a publish ended.
class [[nodiscard]] publish_result {
public:
    enum class end : std::uint8_t {
        accepted,  ///< the broker has it, durably
        refused,   ///< the broker does not have it; `why` says whether another try can help
        unknown,   ///< no answer came: it may be there; publishing again may duplicate it
    };

    static publish_result accepted() noexcept { return {end::accepted, {}}; }
    static publish_result refused(failure why) noexcept { return {end::refused, std::move(why)}; }
    static publish_result unknown(failure why) noexcept { return {end::unknown, std::move(why)}; }

    [[nodiscard]] end how() const noexcept { return how_; }
    [[nodiscard]] bool is_accepted() const noexcept { return how_ == end::accepted; }
    [[nodiscard]] const failure& why() const noexcept { return why_; }

private:
    publish_result(end how, failure why) noexcept : why_(std::move(why)), how_(how) {}

    failure why_;
    end how_;
};

/// A `sink` takes events and makes them durable somewhere else.
///
/// **Syntax.** `publish(event_view, until)`.
///
/// **Semantics.**
/// 1. After `accepted` the event will be delivered to readers, also after a crash of either side.
/// 2. After `refused` it will not be, unless it is published again.
/// 3. Events of one partition key that were accepted one after the other are read in that order.
/// 4. The call returns at the latest at `until`; without an answer by then it says `unknown`.
/// 5. Nothing of the view is kept after the call.
///
/// **On failure.** By the answer; it throws nothing but `std::bad_alloc`.
/// **Models.** `memory::producer`, `sqlite::producer`.
template <class S>
concept sink = requires(S& s, const event_view& e, steady_time until) {
    { s.publish(e, until) } -> std::same_as<publish_result>;
};

/// A `batch_sink` takes several events in one call, for which it needs fewer round trips.
///
/// **Syntax.** `publish_batch(events, until)`.
///
/// **Semantics.**
/// 1. There is one answer for each event, in the order of the events; each as of `publish`.
/// 2. Of one partition key, an event is not accepted if one before it in the batch was not: readers
///    never see a later one first. Its answer is `refused` with the reason `behind` and the class
///    transient, or `unknown`.
/// 3. Events of different keys do not wait for each other's success.
/// 4. The call returns at the latest at `until`; what has no answer by then is `unknown`.
///
/// **On failure.** By the answers; it throws nothing but `std::bad_alloc`.
/// **Models.** `sqlite::producer`; `spooled`, `fail_fast`, `with_breaker` and `with_fallback`
/// around a model.
template <class S>
concept batch_sink =
    sink<S> && requires(S& s, std::span<const event_view> events, steady_time until) {
        { s.publish_batch(events, until) } -> std::same_as<std::vector<publish_result>>;
    };

}  // namespace sinew
