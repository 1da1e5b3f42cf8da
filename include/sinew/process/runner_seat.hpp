// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The seat of a runner: taken, renewed, lost and left; and the seats of dead runners, swept.
///
/// | a seat that another has | the runner |
/// | --- | --- |
/// | is free, and it has none | takes it, and sits on it |
/// | is of its own name, from before it was started | takes it; sits on it, or releases it |
/// | has stood still for a lease | takes it; sits on it, or releases it |
/// | moves | looks again later |
///
/// A seat that was taken and released holds no instance any more: all of its claims are free.
///
/// **Guarantees.** The lease is renewed before anything is done under it that would outlast it. If
/// the store says that it has ended, no attempt is made any more before there is another.

#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/runner_state.hpp>

#include <cstddef>
#include <string_view>
#include <utility>

namespace sinew::detail {

/// The seat belongs to another runner now. What was done already may still be written: the claims
/// decide about that. Nothing else is done under it.
template <class State>
void lose_seat(State& s) {
    if (!s.seat) {
        return;
    }
    ++s.counts.seats_lost;
    s.tell([&](auto& o) { o.on_seat_lost(s.seat_note(s.seat->lease, "stale")); });
    for (auto& h : s.held) {
        if (!h.pending) {
            s.let_go(h);
        }
        h.is_last = true;
    }
    s.seat.reset();
    s.leaving = {};
    s.next_look = steady_time::min();
    s.look_at = 0;
    s.rests_from = never;
}

/// Renews the lease, if it is due, or if `needed_until` is beyond it and it is not quite new. Also
/// called between attempts.
template <class State>
void keep_seat(State& s, steady_time needed_until = steady_time::min()) {
    const steady_time sent = s.clock();
    if (!s.seat || !s.store_gate.is_open(sent)) {
        return;
    }
    constexpr int sooner = 4;
    const bool is_short = needed_until > s.valid_until();
    if (sent < later(s.seat->sent, s.options.heartbeat / (is_short ? sooner : 1))) {
        return;
    }
    const shard_lease lease = s.seat->lease;
    const auto answer = s.ask([&](steady_time until) { return s.book.renew(lease, until); });
    if (answer == fenced_result::done) {
        s.seat->sent = sent;
    } else if (answer == fenced_result::stale) {
        lose_seat(s);
    }
}

/// Takes a seat that may be taken: to sit on it, or to let go what its former holder had claimed.
template <class State>
void take_seat(State& s, const shard_lease& seen) {
    const std::string_view reason = seen.owner.empty()              ? "free"
                                    : seen.owner == s.options.owner ? "own"
                                                                    : "expired";
    const steady_time sent = s.clock();
    s.watch.takes(seen);
    const auto answer =
        s.ask([&](steady_time until) { return s.book.take(seen, s.options.owner, until); });
    if (!answer || !*answer) {
        return;  // no answer, or somebody was faster: the next look tells
    }
    const shard_lease lease = **answer;
    s.next_claim = steady_time::min();
    if (!s.seat) {
        s.seat = taken_seat{lease, sent};
        ++s.counts.seats_taken;
        s.tell([&](auto& o) { o.on_seat_taken(s.seat_note(lease, reason)); });
        return;
    }
    const auto released = s.ask([&](steady_time until) { return s.book.release(lease, until); });
    if (released == fenced_result::done) {
        ++s.counts.seats_swept;
        s.tell([&](auto& o) { o.on_seat_swept(s.seat_note(lease, reason)); });
    }
}

/// Looks at all seats, in as many steps as that takes, and takes what may be taken. Answers whether
/// it took one.
template <class State>
bool look_at_seats(State& s) {
    if (s.clock() < s.next_look || !s.leaving.empty()) {
        return false;
    }
    const shard_id seats = s.book.shards();
    const shard_id first = shard_of(s.options.owner, seats);
    const auto before = s.counts.seats_taken + s.counts.seats_swept;
    while (s.look_at < seats) {
        if (!s.may_call() || !s.store_is_open()) {
            return false;
        }
        const shard_id at = (first + s.look_at) % seats;
        ++s.look_at;
        if (s.seat && s.seat->lease.shard == at) {
            continue;
        }
        const auto seen = s.ask([&](steady_time until) { return s.book.holder(at, until); });
        if (!seen) {
            s.look_at = 0;
            return false;
        }
        const bool is_wanted = !s.seat || !seen->owner.empty();
        if (s.watch.may_take(*seen, s.clock()) && is_wanted) {
            take_seat(s, *seen);
        }
        keep_seat(s);
    }
    s.look_at = 0;
    const steady_time at = s.clock();
    constexpr int sooner = 10;  // while it has no seat
    s.next_look = later(at, s.seat ? s.options.look_interval : s.options.look_interval / sooner);
    for (shard_id seat = 0; seat < seats; ++seat) {
        const steady_time due = s.watch.due(seat);
        const bool is_mine = s.seat && s.seat->lease.shard == seat;
        if (!is_mine && due > at && due < s.next_look) {
            s.next_look = due;
        }
    }
    return s.counts.seats_taken + s.counts.seats_swept != before;
}

/// Gives the seat back. Answers whether the journal could be reached.
template <class State>
bool release_seat(State& s, std::string_view reason, steady_time until) {
    if (!s.seat) {
        return true;
    }
    const shard_lease lease = s.seat->lease;
    const auto answer = s.ask([&](steady_time by) { return s.book.release(lease, by); }, until);
    if (answer == fenced_result::done) {
        ++s.counts.seats_released;
        s.tell([&](auto& o) { o.on_seat_released(s.seat_note(lease, reason)); });
    }
    const bool is_answered = answer && *answer != fenced_result::unknown;
    if (is_answered) {
        s.seat.reset();
        s.leaving = {};
        s.next_look = steady_time::min();
        s.look_at = 0;
        s.rests_from = never;
    }
    return is_answered;
}

}  // namespace sinew::detail
