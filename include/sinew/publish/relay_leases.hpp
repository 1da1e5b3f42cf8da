// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The leases of a relay: renewed, looked at, taken and released as `shard_balance` says.
///
/// **Guarantees.** A lease whose renewal is late is renewed before anything is done under it. If
/// the store says that it has ended, the shard is dropped at once, with all that was to be written.

#include <sinew/publish/relay_state.hpp>

#include <cstddef>
#include <utility>

namespace sinew::detail {

/// When the first of the leases is to be renewed.
template <class State>
void plan_beat(State& s) {
    s.next_beat = never;
    for (const auto& w : s.works) {
        if (!w.gone) {
            const auto at = later(s.balance.sent(w.shard), s.options.heartbeat);
            s.next_beat = at < s.next_beat ? at : s.next_beat;
        }
    }
}

/// Of the leases that are due, the one whose renewal was tried longest ago.
template <class State>
[[nodiscard]] shard_work* next_to_renew(State& s, steady_time at) {
    shard_work* next = nullptr;
    for (auto& w : s.works) {
        const bool is_due = !w.gone && at >= later(s.balance.sent(w.shard), s.options.heartbeat);
        if (is_due && (next == nullptr || w.last_beat < next->last_beat)) {
            next = &w;
        }
    }
    return next;
}

/// Renews the leases that are due, as far as the step has time for it, but one at least. If there
/// is no time for all, each has its turn. Also called while a long batch is under way.
template <class State>
void beat(State& s) {
    if (s.clock() < s.next_beat) {
        return;
    }
    for (std::size_t tried = 0; tried < s.works.size(); ++tried) {
        const steady_time sent = s.clock();
        shard_work* const next = next_to_renew(s, sent);
        if (next == nullptr || !s.store_gate.is_open(sent) || !(tried == 0 || s.has_time())) {
            break;
        }
        shard_work& w = *next;
        w.last_beat = sent;
        const shard_lease lease = s.balance.lease(w.shard);
        const auto answer = s.ask([&](steady_time until) { return s.box.renew(lease, until); });
        if (answer == fenced_result::done) {
            s.balance.holds(lease, sent);
        } else if (answer == fenced_result::stale) {
            s.lose(w);
        }
    }
    plan_beat(s);
}

/// Looks at all shards that others may hold, in as many steps as that takes. Answers whether it has
/// seen all of them.
template <class State>
[[nodiscard]] bool look_at_all(State& s) {
    while (s.look_at < s.balance.shards()) {
        if (!s.may_call()) {
            return false;
        }
        const shard_id shard = s.look_at++;
        if (!s.balance.is_held(shard)) {
            const auto seen = s.ask([&](steady_time until) { return s.box.holder(shard, until); });
            if (!seen) {
                s.look_at = 0;
                return false;
            }
            s.balance.saw(*seen, s.clock());
        }
        if (s.has_time()) {
            beat(s);
        }
    }
    s.look_at = 0;
    return true;
}

template <class State>
void take(State& s, const shard_to_take& wanted) {
    const steady_time sent = s.clock();
    s.balance.takes(wanted.seen);
    const auto answer =
        s.ask([&](steady_time until) { return s.box.take(wanted.seen, s.options.owner, until); });
    if (!answer || !*answer) {
        return;  // no answer, or somebody was faster: the next look tells
    }
    const shard_lease& lease = **answer;
    s.balance.holds(lease, sent);
    s.works.push_back({.shard = lease.shard, .last_beat = sent});
    ++s.counts.leases_taken;
    s.tell([&](auto& o) { o.on_lease_taken(s.lease_note(lease.shard, to_string(wanted.reason))); });
}

/// Gives a shard to whoever wants it. Without an answer it is not worked on either. Answers whether
/// the outbox could be reached.
template <class State>
bool give_back(State& s, shard_work& w, std::string_view reason, steady_time until) {
    const shard_lease lease = s.balance.lease(w.shard);
    const auto note = s.lease_note(w.shard, reason);
    s.forget(w);
    const auto answer = s.ask([&](steady_time by) { return s.box.release(lease, by); }, until);
    if (answer == fenced_result::done) {
        ++s.counts.leases_released;
        s.tell([&](auto& o) { o.on_lease_released(note); });
    }
    return answer.has_value();
}

/// Takes and releases what was decided, as far as the step has time for it.
template <class State>
void move_shards(State& s, shard_moves& moves) {
    s.works.reserve(s.works.size() + moves.take.size());
    while (!moves.take.empty() && s.store_is_open() && s.may_call()) {
        const shard_to_take wanted = std::move(moves.take.front());
        moves.take.erase(moves.take.begin());
        take(s, wanted);
    }
    while (!moves.release.empty() && s.store_is_open() && s.may_call()) {
        const shard_id shard = moves.release.back();
        moves.release.pop_back();
        for (auto& w : s.works) {
            if (w.shard == shard && !w.gone && !w.has_unwritten()) {
                give_back(s, w, "share", s.next_call_ends());
            }
        }
    }
}

/// Looks at the leases and balances the shares, if it is time. Answers whether shards came or went.
template <class State>
bool balance_shares(State& s) {
    if (!s.moves) {
        if (s.clock() < s.next_look || !s.store_is_open() || !look_at_all(s)) {
            return false;
        }
        s.moves = s.balance.plan();
    }
    const bool moved = !s.moves->take.empty() || !s.moves->release.empty();
    move_shards(s, *s.moves);
    if (s.store_is_open() && !(s.moves->take.empty() && s.moves->release.empty())) {
        return moved;  // the next step goes on
    }
    constexpr int sooner = 10;  // while the shares are still moving
    const duration pause =
        s.moves->settled ? s.options.look_interval : s.options.look_interval / sooner;
    s.moves.reset();
    const steady_time at = later(s.clock(), pause);
    const steady_time expiry = s.balance.next_expiry();
    s.next_look = expiry < at ? expiry : at;
    plan_beat(s);
    return moved;
}

}  // namespace sinew::detail
