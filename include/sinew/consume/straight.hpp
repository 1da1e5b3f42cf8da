// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Straight from the source through the handler: what most events do, and so what an event costs.
///
/// An event that comes while no lane has any, and with which nothing is wrong, would get a lane of its
/// own and its turn at once, and leave it again. So its handler is called as it comes. Only if that
/// does not end well it takes its place, as one whose first attempt has just failed. With `once` the
/// members of the open transaction take theirs then too, before it.
///
/// **Guarantees.** Counts, offsets, order, retries and dead letters are those of the way through the
/// lanes.

#include <sinew/consume/attempt.hpp>
#include <sinew/consume/intake.hpp>
#include <sinew/core/source.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace sinew::detail {

/// Whether a pipeline of that kind can do so. Events whose handler answers later keep their lanes.
template <class Plan>
inline constexpr bool can_go_straight =
    patient_source<typename Plan::source_type> && !Plan::with_ticket && !Plan::deduplicates &&
    !Plan::forgets && !Plan::is_watched;

/// Without a transaction an event needs no place in the table either.
template <class Plan>
inline constexpr bool goes_straight = can_go_straight<Plan> && !Plan::has_once;

/// With one it does, until the transaction has committed.
template <class Plan>
inline constexpr bool joins_straight = can_go_straight<Plan> && Plan::has_once &&
                                       nestable_transaction<typename Plan::transaction_type>;

template <class E>
[[nodiscard]] bool may_go_straight([[maybe_unused]] const E& e) noexcept {
    using plan = typename E::plan_type;
    if constexpr (!can_go_straight<plan>) {
        return false;
    } else {
        bool may = goes_straight<plan>;
        if constexpr (joins_straight<plan>) {
            may = e.parts.duplicate.options.batch_max > 1;
        }
        if constexpr (can_replay<plan>) {
            may = may && e.parts.failure.options.following == following::pass;
        }
        return may;
    }
}

/// Whether nothing has to go before an event of that partition.
template <class E>
[[nodiscard]] bool is_way_clear(const E& e, const partition& p) noexcept {
    return e.straight < e.straight_max && e.queue.size() == 0 && e.stalled.empty() && p.noted &&
           !e.guard.watches();
}

/// Whether nothing is wrong with an event.
template <class E>
[[nodiscard]] bool is_sound(const E& e, const typename E::message_type& m) {
    return !m.broken() && !find_defect(m.view()) && weight_of(m) <= e.options.event_bytes_max;
}

/// After a handler that was called straight: no more of it in this step, if that has lasted long.
template <class E>
void look_at_step(E& e) {
    look_at_clock(e);
    if (e.now.steady >= e.step_until) {
        e.straight_max = 0;
    }
}

/// An event that was on its straight way takes its place.
template <class E>
slot_id take_place(E& e, partition& p, typename E::message_type& m, std::uint64_t sequence,
                   steady_time delivered) {
    static_cast<void>(p.tracker.deliver(m.where().offset, p.tracker.epoch(), delivered));
    const slot_id slot = take_in(e, p, std::move(m));
    e.at(slot).sequence = sequence;
    return slot;
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
    nothing none;
    std::optional<outcome> problem = call_lightly(e, m.view(), none);
    --e.counts.in_flight;
    look_at_step(e);
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
        take_answer(e, take_place(e, p, m, sequence, begin), *std::move(problem));
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
    ++e.counts.received;
    const slot_id slot = take_place(e, p, m, *number, e.now.steady);
    if (!take_verdict(e, slot, answer)) {
        e.stalled.push_back(slot);
    }
    return true;
}

template <class E>
bool go_straight(E& e, partition& p, typename E::message_type& m) {
    if constexpr (goes_straight<typename E::plan_type>) {
        if (!is_way_clear(e, p) || !p.tracker.can_pass(m.where().offset, m.epoch()) ||
            !is_sound(e, m)) {
            return false;
        }
        if constexpr (E::plan_type::has_sequence) {
            if (!m.view().partitionkey.empty()) {
                return offer_straight(e, p, m);
            }
        }
        ++p.beyond;
        attempt_straight(e, p, m, {}, 0);
        return true;
    }
    return false;
}

template <class E>
bool join_straight(E& e, partition& p, typename E::message_type& m) {
    if constexpr (joins_straight<typename E::plan_type>) {
        if (!is_way_clear(e, p) || e.now.steady < e.store_gate || p.older != 0 || !is_sound(e, m)) {
            return false;
        }
        std::optional<std::uint64_t> number;
        if constexpr (E::plan_type::has_sequence) {
            if (!m.view().partitionkey.empty()) {
                number = parse_sequence(m.view().sequence);
                if (!number) {
                    return false;
                }
            }
        }
        ++e.counts.received;
        const slot_id slot = take_in(e, p, std::move(m));
        if constexpr (E::plan_type::has_sequence) {
            if (number) {
                e.at(slot).sequence = *number;
                const auto answer = ask_order(e, slot);
                if (answer != resequencer::verdict::deliver) {
                    if (!take_verdict(e, slot, answer)) {
                        e.stalled.push_back(slot);
                    }
                    return true;
                }
            }
        }
        ++e.straight;
        attempt_in_unit(e, slot);
        settle_if_full(e);
        look_at_step(e);
        if constexpr (E::plan_type::has_sequence) {
            take_released(e);
        }
        return true;
    }
    return false;
}

}  // namespace sinew::detail
