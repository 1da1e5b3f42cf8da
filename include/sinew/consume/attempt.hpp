// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// From the lanes through the handler: each event whose turn it is gets its attempt.

#include <sinew/consume/intake.hpp>
#include <sinew/consume/resign.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/core/timestamp.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sinew::detail {

template <class E>
[[nodiscard]] failure classify(E& e) {
    if constexpr (E::plan_type::has_retry) {
        return classify_current_exception(e.parts.retry.rules);
    } else {
        return classify_current_exception();
    }
}

/// Whether a handler of that kind returns nothing.
template <class Plan, class Tx>
inline constexpr bool says_nothing = [] {
    using handler = typename Plan::handler_type&;
    if constexpr (Plan::with_transaction) {
        return std::is_void_v<std::invoke_result_t<handler, const event_view&, Tx&>>;
    } else {
        return std::is_void_v<std::invoke_result_t<handler, const event_view&>>;
    }
}();

/// Calls the handler, and what stands around it. Never throws.
template <class E, class Tx>
[[nodiscard]] outcome call_handler(E& e, const event_view& event, Tx& tx) {
    try {
        return call_around(e.parts.around, event, [&]() -> outcome {
            if constexpr (E::plan_type::with_transaction) {
                return call(e.handler, event, tx);
            } else {
                return call(e.handler, event);
            }
        });
    } catch (...) {
        return outcome::failed(classify(e));
    }
}

/// The same. Nothing: it is simply done, and most handlers need not make an outcome to say so.
template <class E, class Tx>
[[nodiscard]] std::optional<outcome> call_lightly(E& e, const event_view& event, Tx& tx) {
    if constexpr (std::same_as<std::remove_cvref_t<decltype(e.parts.around)>, no_around> &&
                  says_nothing<typename E::plan_type, Tx>) {
        try {
            if constexpr (E::plan_type::with_transaction) {
                e.handler(event, tx);
            } else {
                e.handler(event);
            }
            return std::nullopt;
        } catch (...) {
            return outcome::failed(classify(e));
        }
    } else {
        outcome answer = call_handler(e, event, tx);
        return answer.is_done() ? std::nullopt : std::optional(std::move(answer));
    }
}

/// The same, measured for the observer, if there is one and somebody has given a clock.
template <class E, class Tx>
[[nodiscard]] std::optional<outcome> run_handler(E& e, slot_id slot, Tx& tx) {
    if constexpr (E::plan_type::is_watched) {
        if (e.stopwatch != nullptr) {
            const steady_time begin = e.stopwatch();
            std::optional<outcome> answer = call_lightly(e, e.view(slot), tx);
            e.at(slot).took = e.stopwatch() - begin;
            return answer;
        }
    }
    return call_lightly(e, e.view(slot), tx);
}

/// Starts a handler that will answer by ticket.
template <class E>
void start_by_ticket(E& e, slot_id slot) {
    auto& d = e.at(slot);
    d.run = ++e.runs;
    ++e.open_tickets;
    auto* p = e.places.find(d.where.partition);
    if (!d.replay && p != nullptr) {
        ++p->running;
    }
    const event_view& event = e.view(slot);
    outcome started = outcome::done();
    bool has_ticket = false;
    try {
        started = call_around(e.parts.around, event, [&]() -> outcome {
            has_ticket = true;
            e.handler(event, ticket(slot, d.run));
            return outcome::done();
        });
    } catch (...) {
        started = outcome::failed(classify(e));
    }
    // Without a ticket out, or after a failure, nobody else will answer.
    if ((!started.is_done() || !has_ticket) && d.run != 0) {
        d.run = 0;
        e.completed.push_back({slot, std::move(started)});
    }
}

template <class E>
void release_claim(E& e, slot_id slot, bool done) {
    if constexpr (E::plan_type::deduplicates) {
        auto& d = e.at(slot);
        if (d.claimed) {
            done ? e.window.commit(d.claim, e.now.steady) : e.window.release(d.claim);
            d.claimed = false;
        }
    }
}

/// Goes on with an event as its handler's answer says, where there is no transaction.
template <class E>
void take_answer(E& e, slot_id slot, outcome answer) {
    const bool ends = answer.is_done() || answer.verdict() == verdict::skip;
    release_claim(e, slot, ends);
    if (!ends) {
        if constexpr (E::plan_type::forgets) {
            // Whatever the class of the failure: the handler has run, and does not run again.
            e.at(slot).past.failed(answer.why().kind, e.now.steady);
            note_failure(e, slot, answer.why());
            give_up(e, slot, std::move(answer).why());
        } else {
            fail(e, slot, std::move(answer).why());
        }
        return;
    }
    const ending end = answer.is_done() ? ending::applied : ending::skipped;
    if (!answer.is_done()) {
        e.at(slot).why = std::move(answer).why();
    }
    if constexpr (E::plan_type::has_once) {
        in_unit(e, slot, true, end, [&](auto& tx) { return close_replay(e, slot, tx); });
    } else {
        finish(e, slot, end);
    }
}

/// Answers that were given by ticket since the last step.
template <class E>
void take_completed(E& e) {
    for (std::size_t i = 0; i < e.completed.size(); ++i) {
        auto [slot, answer] = std::move(e.completed[i]);
        auto& d = e.at(slot);
        --e.open_tickets;
        const bool held = is_held(e, d);
        if (!d.replay && held) {
            --e.places.find(d.where.partition)->running;
        }
        if (held) {
            take_answer(e, slot, std::move(answer));
        } else {
            release_claim(e, slot, answer.is_done() || answer.verdict() == verdict::skip);
            end_guarded_run(e, slot);
            give_back(e, slot);
        }
    }
    e.completed.clear();
}

/// Claims the event's identity in the dedup window. False: it is not its turn after all.
template <class E>
[[nodiscard]] bool claim_identity(E& e, slot_id slot) {
    if constexpr (E::plan_type::deduplicates) {
        auto& d = e.at(slot);
        const event_view& event = e.view(slot);
        duration age = duration::zero();
        if (const auto time = parse_time(event.time); time && *time < e.now.wall) {
            age = wall_between(*time, e.now.wall);
        }
        switch (e.window.claim(d.claim, e.now.steady, age)) {
            case claim_result::fresh:
            case claim_result::unknown: d.claimed = true; return true;
            case claim_result::done: finish(e, slot, ending::duplicate); return false;
            case claim_result::in_flight:
            case claim_result::full:
                e.queue.retry_at(slot, later(e.now.steady, backoff_floor));
                return false;
        }
    }
    return true;
}

/// Whether the store says that the event was applied. Nothing is written.
template <class E>
[[nodiscard]] bool is_applied(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_once) {
        e.unit.open(e.now.steady, e.call_deadline());
        const auto found =
            e.unit.rule(application_of(e, slot, true), first_sequence(e), e.now.wall);
        e.unit.abandon();
        return found == ruling::duplicate;
    } else {
        return false;
    }
}

/// Whether the event was applied before, or that cannot be told now; then its turn is over. Asked
/// where the handler runs outside of any transaction.
template <class E>
[[nodiscard]] bool is_known_duplicate(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_once) {
        if (!settle_before(e, slot)) {
            return true;
        }
        try {
            if (is_applied(e, slot)) {
                finish(e, slot, ending::duplicate);
                return true;
            }
        } catch (...) {
            e.unit.abandon();
            wait_for_store(e, slot, classify_current_exception());
            return true;
        }
    }
    return false;
}

/// A suspect's attempt is noted before its handler runs. False: it does not run now.
template <class E>
[[nodiscard]] bool note_suspect(E& e, slot_id slot) {
    if constexpr (E::plan_type::guards) {
        auto& d = e.at(slot);
        if (!settle_before(e, slot)) {
            return false;
        }
        if (d.guarded) {
            return true;
        }
        std::uint32_t starts = 0;
        try {
            if (is_applied(e, slot)) {
                return true;
            }
            starts = e.attempts.begun(e.options.group, e.options.topic, d.where, e.now.wall);
            d.guarded = true;
        } catch (...) {
            wait_for_store(e, slot, classify_current_exception());
            if constexpr (E::plan_type::has_once) {
                break_unit(e);
            }
            return false;
        }
        if (e.guard.judge(starts) == guard_verdict::dead_letter) {
            // The count stays until the offset is committed: another death before that must not
            // start it anew.
            d.guarded = false;
            give_up(e, slot,
                    {failure_class::permanent, "crash_loop",
                     "the process died " + std::to_string(starts - 1) +
                         " times while it handled this event",
                     std::nullopt});
            return false;
        }
    }
    return true;
}

/// Whether the event has to go behind a dead letter of its key. Nothing: that cannot be told now.
template <class E>
[[nodiscard]] std::optional<bool> is_parked(E& e, slot_id slot) {
    if constexpr (can_replay<typename E::plan_type>) {
        const auto& d = e.at(slot);
        if (e.parts.failure.options.following == following::pass || !d.keyed || d.replay) {
            return false;
        }
        const event_view& event = e.view(slot);
        try {
            if constexpr (letters_in_transaction<typename E::plan_type>) {
                if (e.letters_share_store()) {
                    if (!e.unit.is_open()) {
                        e.unit.open(e.now.steady, e.call_deadline());
                    }
                    return e.parts.failure.place.holds(e.unit.transaction(), e.options.group,
                                                       event.partitionkey);
                }
            }
            return e.parts.failure.place.holds(e.options.group, event.partitionkey);
        } catch (...) {
            wait_for_store(e, slot, classify_current_exception());
            return std::nullopt;
        }
    } else {
        return false;
    }
}

/// What was read before an event, but comes after it in its lane, cannot be waited for: its offset
/// is committed along.
template <class E>
void finish_those_behind(E& e, const typename E::delivery_type& d, partition& p) {
    for (slot_id slot = 0; slot < e.table.slots_end(); ++slot) {
        const auto& other = e.at(slot);
        const bool same_lane = e.options.ordering == ordering::by_partition ||
                               (d.keyed && other.keyed && other.key == d.key);
        if (other.message && !other.replay && other.epoch == d.epoch && same_lane &&
            other.where.partition == d.where.partition && other.where.offset < d.where.offset) {
            static_cast<void>(p.tracker.finish(other.where.offset, d.epoch));
        }
    }
}

/// Under `at_most_once` the offset is committed before the handler runs.
template <class E>
[[nodiscard]] bool is_secured(E& e, slot_id slot) {
    if constexpr (E::plan_type::forgets) {
        const auto& d = e.at(slot);
        auto* p = e.places.find(d.where.partition);
        if (d.replay || p->committed >= d.where.offset) {
            return true;
        }
        if (e.now.steady < e.source_gate) {
            e.queue.retry_at(slot, e.source_gate);
            return false;
        }
        static_cast<void>(p->tracker.finish(d.where.offset, d.epoch));
        p->announced = p->announced < d.where.offset ? d.where.offset : p->announced;
        if constexpr (E::plan_type::has_sequence) {
            finish_those_behind(e, d, *p);
        }
        bool refused = false;
        try {
            refused = !commit_offset(e, *p);
        } catch (const error&) {
            refused = true;
        }
        if (refused) {
            e.source_gate = later(e.now.steady, e.policy.options().base);
        }
        if (refused || p->committed < d.where.offset) {
            // Not committed, so not handled: the source refused, or an earlier event has to come
            // first.
            e.queue.retry_at(slot, refused ? e.source_gate : later(e.now.steady, backoff_floor));
            return false;
        }
        return true;
    } else {
        return true;
    }
}

/// A retry takes a token of the budget; without one it waits, and no attempt is counted.
template <class E>
[[nodiscard]] bool may_retry(E& e, slot_id slot) {
    auto& d = e.at(slot);
    if (d.needs_token) {
        e.budget.on_successes(e.counts.applied - std::exchange(e.paid_for, e.counts.applied));
        if (!e.budget.try_spend(e.now.steady)) {
            e.queue.retry_at(slot, e.budget.next_token(e.now.steady));
            return false;
        }
    }
    d.needs_token = false;
    return true;
}

/// The handler runs in the open transaction.
template <class E>
void attempt_in_unit(E& e, slot_id slot) {
    in_unit(e, slot, true, ending::applied, [&](auto& tx) -> std::optional<outcome> {
        std::optional<outcome> answer = run_handler(e, slot, tx);
        if (e.at(slot).replay && (!answer || answer->verdict() == verdict::skip)) {
            outcome closed = close_replay(e, slot, tx);
            if (!closed.is_done()) {
                return closed;
            }
        }
        return answer;
    });
}

/// One attempt at an event whose turn it is.
template <class E>
void attempt(E& e, slot_id slot) {
    using plan = typename E::plan_type;
    if (!may_retry(e, slot)) {
        return;
    }
    const auto parked = is_parked(e, slot);
    if (!parked) {
        return;
    }
    if (*parked) {
        give_up(e, slot,
                {failure_class::permanent, "parked_behind",
                 "an earlier event of its key is in the dead letters", std::nullopt});
        return;
    }
    if ((e.at(slot).suspect && !note_suspect(e, slot)) || !is_secured(e, slot) ||
        !claim_identity(e, slot)) {
        return;
    }
    if constexpr (plan::with_ticket) {
        if (!is_known_duplicate(e, slot)) {
            start_by_ticket(e, slot);
        }
    } else if constexpr (plan::has_once) {
        attempt_in_unit(e, slot);
    } else {
        nothing none;
        auto answer = run_handler(e, slot, none);
        take_answer(e, slot, answer ? *std::move(answer) : outcome::done());
    }
}

/// A suspect runs alone, so that a death has one author: while it does, or while others run that it
/// has to wait for, nothing else begins.
template <class E>
[[nodiscard]] bool waits_for_tickets(const E& e) noexcept {
    return e.open_suspects != 0 && e.open_tickets != 0;
}

/// Handlers take time: deadlines and retries count from now on, and the source wants to be polled
/// before a lease is over.
template <class E>
void look_at_clock(E& e) {
    if (e.stopwatch != nullptr) {
        const steady_time passed = e.stopwatch();
        e.now.steady = passed > e.now.steady ? passed : e.now.steady;
    }
}

/// Hands events to their handlers, as long as there are any whose turn it is, up to the limit of a
/// step. Answers how many.
template <class E>
std::size_t dispatch(E& e) {
    std::size_t taken = 0;
    const steady_time until =
        e.straight != 0 ? e.step_until : later(e.now.steady, e.options.step_time_max);
    while (e.straight + taken < e.options.step_events_max && !e.halted &&
           e.now.steady >= e.store_gate && e.now.steady < until) {
        if (waits_for_tickets(e)) {
            break;
        }
        const auto slot = e.queue.take(e.now.steady);
        if (!slot) {
            break;
        }
        ++taken;
        const auto& d = e.at(*slot);
        if (!is_ours(e, d)) {
            give_back(e, *slot);
        } else if (d.waits) {
            admit_again(e, *slot);
        } else if (d.next == duty::handle) {
            attempt(e, *slot);
        } else {
            resign(e, *slot);
        }
        settle_if_full(e);
        look_at_clock(e);
    }
    return taken;
}

/// What waits for something that was down is tried before anything new is read: only if it does not
/// wait again, the pause ends. Answers how many events were handed to their handlers.
template <class E>
std::size_t end_pauses(E& e) {
    const auto is_over = [&e](steady_time until) {
        return until != steady_time::min() && e.now.steady >= until;
    };
    if (e.now.steady < e.store_gate ||
        (!is_over(e.unavailable_until) && !is_over(e.letters_until))) {
        return 0;
    }
    const std::size_t taken = dispatch(e);
    if (taken < e.options.step_events_max || !e.queue.has_ready(e.now.steady)) {
        for (steady_time* until : {&e.unavailable_until, &e.letters_until}) {
            *until = is_over(*until) ? steady_time::min() : *until;
        }
    }
    return taken;
}

}  // namespace sinew::detail
