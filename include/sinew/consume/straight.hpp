// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Straight from the source through the handler: what most events do, and so what an event costs.
///
/// An event that comes while no lane has any, and with which nothing is wrong, would get a place in
/// the table, a lane of its own and its turn at once, and leave all of them again. So its handler is
/// called as it comes. Only if that does not end well it takes its place, as one whose first attempt
/// has just failed.
///
/// **Guarantees.** Counts, offsets, order, retries and dead letters are those of the way through the
/// lanes.

#include <sinew/consume/attempt.hpp>
#include <sinew/consume/intake.hpp>
#include <sinew/core/source.hpp>

#include <cassert>
#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace sinew::detail {

/// Whether a pipeline of that kind can do so. Members of a transaction keep their places until it
/// has committed, and so do events whose handler answers later.
template <class Plan>
inline constexpr bool goes_straight =
    patient_source<typename Plan::source_type> && !Plan::has_once && !Plan::with_ticket &&
    !Plan::deduplicates && !Plan::forgets && !Plan::is_watched;

template <class E>
[[nodiscard]] bool may_go_straight([[maybe_unused]] const E& e) noexcept {
    if constexpr (!goes_straight<typename E::plan_type>) {
        return false;
    } else if constexpr (can_replay<typename E::plan_type>) {
        return e.parts.failure.options.following == following::pass;
    } else {
        return true;
    }
}

/// Calls the handler. Nothing: it is simply done.
template <class E>
[[nodiscard]] std::optional<outcome> call_straight(E& e, const event_view& event) {
    if constexpr (std::is_void_v<std::invoke_result_t<typename E::plan_type::handler_type&,
                                                      const event_view&>> &&
                  std::same_as<std::remove_cvref_t<decltype(e.parts.around)>, no_around>) {
        try {
            e.handler(event);
            return std::nullopt;
        } catch (...) {
            return outcome::failed(classify(e));
        }
    } else {
        nothing none;
        outcome answer = call_handler(e, event, none);
        return answer.is_done() ? std::nullopt : std::optional(std::move(answer));
    }
}

/// Calls the handler with an event that has no place, and goes on as it says.
template <class E>
void attempt_straight(E& e, partition& p, typename E::message_type& m,
                      [[maybe_unused]] const digest& key, std::uint64_t sequence) {
    const position where = m.where();
    const steady_time begin = e.now.steady;
    ++e.straight;
    ++e.counts.received;
    ++e.counts.in_flight;
    std::optional<outcome> problem = call_straight(e, m.view());
    --e.counts.in_flight;
    look_at_clock(e);
    if (e.now.steady >= e.step_until) {
        e.straight_max = 0;
    }
    if (!problem) {
        ++e.counts.applied;
        if constexpr (E::plan_type::has_retry) {
            e.budget.on_success();
        }
        e.unavailable_until = steady_time::min();
        p.tracker.pass(where.offset);
        if constexpr (E::plan_type::has_sequence) {
            if (sequence != 0) {
                e.order.settled(key);
            }
        }
    } else {
        static_cast<void>(p.tracker.deliver(where.offset, p.tracker.epoch(), begin));
        const slot_id slot = take_in(e, p, std::move(m));
        e.at(slot).sequence = sequence;
        queue_up(e, slot);
        [[maybe_unused]] const auto turn = e.queue.take(e.now.steady);
        assert(turn == slot);
        take_answer(e, slot, *std::move(problem));
    }
    if constexpr (E::plan_type::has_sequence) {
        take_released(e);
    }
}

/// The same for an event whose key has an order: it goes straight if it is the next one.
template <class E>
[[nodiscard]] bool offer_straight(E& e, partition& p, typename E::message_type& m) {
    const event_view& event = m.view();
    const auto number = parse_sequence(event.sequence);
    if (!number || p.older != 0) {
        return false;
    }
    ++p.beyond;
    const digest key = digest_of(e.secret, event.partitionkey);
    const auto answer = e.order.offer(key, *number, e.table.next(), e.now.steady);
    if (answer == resequencer::verdict::deliver) {
        attempt_straight(e, p, m, key, *number);
        return true;
    }
    static_cast<void>(p.tracker.deliver(m.where().offset, m.epoch(), e.now.steady));
    ++e.counts.received;
    const slot_id slot = take_in(e, p, std::move(m));
    e.at(slot).sequence = *number;
    if (!take_verdict(e, slot, answer)) {
        e.stalled.push_back(slot);
    }
    return true;
}

template <class E>
bool go_straight(E& e, partition& p, typename E::message_type& m) {
    if constexpr (goes_straight<typename E::plan_type>) {
        if (e.straight >= e.straight_max || e.queue.size() != 0 || !e.stalled.empty() ||
            !p.tracker.can_pass(m.where().offset, m.epoch()) || !p.noted || e.guard.watches()) {
            return false;
        }
        const event_view& event = m.view();
        if (m.broken() || find_defect(event) || weight_of(m) > e.options.event_bytes_max) {
            return false;
        }
        if constexpr (E::plan_type::has_sequence) {
            if (!event.partitionkey.empty()) {
                return offer_straight(e, p, m);
            }
        }
        ++p.beyond;
        attempt_straight(e, p, m, {}, 0);
        return true;
    }
    return false;
}

}  // namespace sinew::detail
