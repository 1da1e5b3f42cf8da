// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to where events are published.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <utility>

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

}  // namespace sinew
