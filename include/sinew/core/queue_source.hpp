// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a queue whose messages are acknowledged one by one, such as SQS, JetStream or AMQP.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/source.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>

namespace sinew {

/// What a `queue_source` delivers: an event, and how often the queue says it was delivered.
///
/// `deliveries()` is a hint for people: it comes from outside, so no decision rests on it.
template <class M>
concept queue_message = std::movable<M> && requires(const M& m) {
    { m.view() } -> std::convertible_to<event_view>;
    { m.deliveries() } -> std::same_as<std::uint32_t>;
    { m.broken() } -> std::same_as<std::optional<defect>>;
};

namespace archetype {

/// The least that a queue's listener can be.
template <class M>
struct queue_listener {
    void message(M&&) {}
};

}  // namespace archetype

/// A `queue_source` hands out messages under a lease and forgets each when it is acknowledged.
///
/// **Syntax.** `Q::message`; `receive(limits, until, listener)`; `acknowledge(message, until)`;
/// `give_back(message, delay)`; `extend(message, by, until)`.
///
/// **Semantics.**
/// 1. `receive` returns at the latest at `until` and delivers at most `limits.events`.
/// 2. A message that was delivered is invisible to others until its lease ends, or it is given
///    back; then it is delivered again, here or elsewhere.
/// 3. After `acknowledge` answered committed, the message is never delivered again. Acknowledging
///    twice does nothing. After the lease ended, it answers aborted.
/// 4. `give_back` makes it visible again after `delay`; it never loses it.
/// 5. `extend` answers whether the lease now ends `by` from now; false if it had ended.
///
/// **On failure.** `receive` and `extend` may throw `unavailable_error`; `acknowledge` answers
/// unknown.
/// **On crash.** All leases run out, and the messages are delivered again.
/// **Models.** `archetype` in the concept's tests; adapters for NATS JetStream and alike.
template <class Q>
concept queue_source =
    requires { typename Q::message; } && queue_message<typename Q::message> &&
    requires(Q& q, typename Q::message& m, archetype::queue_listener<typename Q::message>& listener,
             duration span, steady_time until) {
        q.receive(poll_limits{}, until, listener);
        { q.acknowledge(m, until) } -> std::same_as<commit_result>;
        q.give_back(m, span);
        { q.extend(m, span, until) } -> std::same_as<bool>;
    };

}  // namespace sinew
