// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Straight from the source through the handler: what most events do, and so what an event costs.
///
/// An event that comes while no lane has any, and with which nothing is wrong, would get a lane of
/// its own and its turn at once, and leave it again. So its handler is called as it comes. Only if
/// that does not end well it takes its place, as one whose first attempt has just failed. With
/// `once` the members of the open transaction take theirs then too, before it.
///
/// **Guarantees.** Counts, offsets, order, retries and dead letters are those of the way through
/// the lanes.

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

/// Whether nothing has to go before an event of that partition. An event that went straight and
/// ended well changes nothing of it.
template <class E>
[[nodiscard]] bool is_way_clear(const E& e, const partition& p) noexcept {
    return e.straight < e.straight_max && e.queue.size() == 0 && e.stalled.empty() &&
           e.table.room() != 0 && e.unavailable_until == steady_time::min() && p.noted &&
           !e.guard.watches();
}

/// Whether nothing is wrong with an event.
template <class E>
[[nodiscard]] bool is_sound(const E& e, const typename E::message_type& m) {
    return !m.broken() && !find_defect(m.view()) && weight_of(m) <= e.options.event_bytes_max;
}

/// After a handler that was called straight: no more of it in this step, if that has lasted long.
/// Without a clock no time passes within a step.
template <class E>
void look_at_step(E& e) {
    if (e.stopwatch != nullptr) {
        look_at_clock(e);
        if (e.now.steady >= e.step_until) {
            e.straight_max = 0;
            ++e.run;
        }
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

/// The handler of an event that has no place did not end well: the event takes its place.
template <class E>
[[gnu::noinline]] void go_on_in_lanes(E& e, partition& p, typename E::message_type& m,
                                      std::uint64_t sequence, outcome problem) {
    ++e.run;
    const steady_time begin = e.now.steady;
    look_at_step(e);
    take_answer(e, take_place(e, p, m, sequence, begin), std::move(problem));
}

/// Calls the handler with an event that has no place, and goes on as it says. Answers whether it is
/// done, so that others can follow it.
template <class E>
inline bool attempt_straight(E& e, partition& p, typename E::message_type& m,
                             std::uint64_t sequence) {
    const log_offset offset = m.where().offset;
    ++p.beyond;
    ++e.straight;
    ++e.counts.received;
    ++e.counts.in_flight;
    nothing none;
    std::optional<outcome> problem = call_lightly(e, m.view(), none);
    --e.counts.in_flight;
    if (problem) {
        go_on_in_lanes(e, p, m, sequence, *std::move(problem));
        return false;
    }
    ++e.counts.applied;
    p.tracker.pass(offset);
    look_at_step(e);
    return true;
}

/// The same for an event whose key has an order: it goes straight if it is the next one.
template <class E>
[[nodiscard]] bool offer_straight(E& e, partition& p, typename E::message_type& m) {
    const event_view& event = m.view();
    const auto number = parse_sequence(event.sequence);
    if (!number || p.older != 0) {
        return false;
    }
    const digest key = digest_of(e.secret, event.partitionkey);
    const auto answer = e.order.offer(key, *number, e.table.next(), e.now.steady);
    if (answer == resequencer::verdict::deliver) {
        if (attempt_straight(e, p, m, *number)) {
            e.order.settled(key);
        }
        take_released(e);
        return true;
    }
    ++p.beyond;
    ++e.counts.received;
    const slot_id slot = take_place(e, p, m, *number, e.now.steady);
    if (!take_verdict(e, slot, answer)) {
        e.stalled.push_back(slot);
    }
    return true;
}

/// Whether nothing has to go before an event, looked at closely. If so, what was seen counts for
/// its partition until something happens that can change it: then `run` goes on.
template <class E>
[[nodiscard]] [[gnu::noinline]] bool begins_run(E& e, partition& p,
                                                const typename E::message_type& m) noexcept {
    if (p.state != partition_state::ours || !is_way_clear(e, p) ||
        !p.tracker.can_pass(m.where().offset, m.epoch())) {
        return false;
    }
    p.run = e.run;
    return true;
}

template <class E>
inline bool go_straight(E& e, partition* p, typename E::message_type& m) {
    if constexpr (goes_straight<typename E::plan_type>) {
        if (p == nullptr ||
            !(p->run == e.run ? p->tracker.can_follow(m.where().offset, m.epoch())
                              : begins_run(e, *p, m)) ||
            !is_sound(e, m)) {
            return false;
        }
        if constexpr (E::plan_type::has_sequence) {
            ++e.run;  // others of its key may come free
            if (!m.view().partitionkey.empty()) {
                return offer_straight(e, *p, m);
            }
        }
        attempt_straight(e, *p, m, 0);
        if constexpr (E::plan_type::has_sequence) {
            take_released(e);
        }
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
