// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The work of a relay in one shard: claim, publish, mark.
///
/// **Guarantees.** Nothing of a shard is claimed or published before what became of the last batch
/// is written down. A mark without an answer is repeated until there is one. That an entry was put
/// off or parked is written at most once, as a repetition might count an attempt twice: if it got
/// lost, the entry is published again, and fails again.

#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/relay_leases.hpp>
#include <sinew/publish/relay_state.hpp>

#include <span>

namespace sinew::detail {

template <class State>
[[nodiscard]] relay_entry_note entry_note(const State& s, const shard_work& w,
                                          const outbox_entry& entry) {
    return {s.options.owner,
            w.shard,
            entry.what.id,
            entry.what.source,
            entry.what.type,
            entry.attempts,
            wall_between(entry.added, s.wall())};
}

/// Writes down what the sink accepted.
template <class State>
void write_marks(State& s, shard_work& w) {
    const shard_lease& lease = s.balance.lease(w.shard);
    const auto answer = s.ask(
        [&](steady_time until) { return s.box.mark_published(lease, w.marks, s.wall(), until); });
    if (answer == fenced_result::done) {
        s.counts.marked += w.marks.size();
        w.marks.clear();
    } else if (answer == fenced_result::stale) {
        s.lose(w);
    } else if (!answer) {
        ++s.counts.marks_refused;
    } else {
        ++s.counts.marks_unknown;
    }
}

/// Writes down that an entry was put off or parked.
template <class State>
void write_refusal(State& s, shard_work& w, const relay_refusal& one) {
    const outbox_entry& entry = w.batch[one.index];
    const shard_lease& lease = s.balance.lease(w.shard);
    const bool parks = one.what.fate == entry_fate::park;
    const auto answer = s.ask([&](steady_time until) {
        return parks ? s.box.park(lease, entry.number, one.what.note, s.options.follow, until)
                     : s.box.put_off(lease, entry.number, one.what.note, one.what.delay, until);
    });
    if (answer == fenced_result::stale) {
        s.lose(w);
    }
    if (answer != fenced_result::done) {
        return;
    }
    auto note = entry_note(s, w, entry);
    note.attempts = one.what.note.attempt;
    note.reason = one.what.note.reason;
    note.kind = one.what.note.kind;
    if (parks) {
        ++s.counts.parked;
        s.tell([&](auto& o) { o.on_parked(note); });
    } else {
        ++s.counts.put_off;
        const duration ago = wall_between(one.what.note.at, s.wall());
        const duration left = ago < one.what.delay ? one.what.delay - ago : duration::zero();
        note.retry_in = left;
        const auto at = later(s.clock(), left);
        w.retries_at = w.retries_at < at ? at : w.retries_at;
        s.tell([&](auto& o) { o.on_put_off(note); });
    }
}

/// Writes down what became of the batch so far, as far as the step has time for it. Answers whether
/// all of it is written.
template <class State>
bool settle(State& s, shard_work& w) {
    if (!w.marks.empty() && s.store_is_open() && s.may_call()) {
        write_marks(s, w);
    }
    while (!w.refusals.empty() && s.store_is_open() && s.may_call()) {
        const relay_refusal one = std::move(w.refusals.back());
        w.refusals.pop_back();
        write_refusal(s, w, one);
        if (s.has_time()) {
            beat(s);
        }
    }
    return !w.gone && !w.has_unwritten();
}

/// Claims the next entries. Answers whether there are any.
template <class State>
bool claim(State& s, shard_work& w) {
    const bool is_due = s.clock() >= w.next_claim || (s.claims_anew && !w.is_fresh);
    if (!s.may_call() || !(w.is_busy() || is_due)) {
        return false;
    }
    const shard_lease& lease = s.balance.lease(w.shard);
    const claim_limits limits{s.options.batch_max, s.options.batch_bytes_max};
    const steady_time sent = s.clock();
    auto answer =
        s.ask([&](steady_time until) { return s.box.claim(lease, s.wall(), limits, until); });
    if (!answer) {
        return false;
    }
    if (!*answer) {
        s.lose(w);
        return false;
    }
    w.next_claim = later(sent, s.options.poll_interval);
    w.rests_from = (*answer)->empty() ? sent : never;
    w.is_fresh = (*answer)->empty();
    if (w.is_fresh) {
        w.batch = {};
        return false;
    }
    w.marks.reserve((*answer)->size());
    w.refusals.reserve((*answer)->size());
    w.batch = relay_batch(std::move(**answer));
    ++s.counts.batches;
    return true;
}

/// Heeds what an answer says of the sink.
template <class State>
void heed_sink(State& s, sink_sign sign, const failure& why) {
    if (sign == sink_sign::up && s.sink_gate.answered()) {
        s.tell([&](auto& o) { o.on_resumed({s.options.owner, "sink", {}, {}}); });
    }
    const steady_time at = s.clock();
    if (!s.sink_gate.is_open(at)) {
        return;  // the answers of one call close it once
    }
    std::optional<duration> pause;
    if (sign == sink_sign::silent) {
        pause = s.sink_gate.went_silent(at);
    } else if (sign == sink_sign::down) {
        pause = s.sink_gate.close(at, why.retry_after);
    }
    if (pause) {
        ++s.counts.sink_pauses;
        s.tell([&](auto& o) { o.on_paused({s.options.owner, "sink", why.reason, pause}); });
    }
}

/// Takes the sink's answer for one entry. Answers what it says of the sink.
template <class State>
[[nodiscard]] sink_sign take_answer(State& s, shard_work& w, std::size_t index,
                                    const publish_result& answer) {
    const outbox_entry& entry = w.batch[index];
    relay_decision what = w.batch.answer(s.rules, index, answer, s.wall());
    const sink_sign sign = what.sink;
    if (what.fate == entry_fate::mark) {
        w.marks.push_back(entry.number);
        ++s.counts.published;
        s.tell([&](auto& o) { o.on_published(entry_note(s, w, entry)); });
    } else if (what.fate != entry_fate::leave) {
        w.refusals.push_back({index, std::move(what)});
    }
    s.counts.unknown += answer.how() == publish_result::end::unknown ? 1 : 0;
    s.counts.refused_unavailable += sign == sink_sign::down ? 1 : 0;
    return sign;
}

/// Takes the answers of one call. If the sink is down for some of them, it is paused, whatever it
/// said of the others.
template <class State>
void take_answers(State& s, shard_work& w, const std::vector<std::size_t>& picked,
                  const std::vector<publish_result>& answers) {
    const failure* down = nullptr;
    for (std::size_t i = 0; i < picked.size(); ++i) {
        const sink_sign sign = take_answer(s, w, picked[i], answers[i]);
        if (sign == sink_sign::down) {
            down = &answers[i].why();
        } else {
            heed_sink(s, sign, answers[i].why());
        }
    }
    if (down != nullptr) {
        heed_sink(s, sink_sign::down, *down);
    }
}

/// Publishes the picked entries, one of them or, if the sink can, several in one call.
template <class State>
void publish(State& s, shard_work& w, const std::vector<std::size_t>& picked, steady_time until) {
    s.has_called = true;
    if constexpr (State::publishes_batches) {
        if (picked.size() > 1) {
            std::vector<event_view> events;
            events.reserve(picked.size());
            for (const auto index : picked) {
                events.push_back(w.batch[index].what.view());
            }
            take_answers(s, w, picked,
                         sinew::ask(*s.to, std::span<const event_view>(events), until));
            return;
        }
    }
    const publish_result answer = sinew::ask(*s.to, w.batch[picked.front()].what.view(), until);
    heed_sink(s, take_answer(s, w, picked.front(), answer), answer.why());
}

/// Publishes of the batch what can be published now: until the sink or the lease forbids it, or the
/// step has lasted long enough.
template <class State>
void publish_batch_of(State& s, shard_work& w) {
    while (!w.batch.is_over()) {
        if (s.has_time()) {
            beat(s);
        }
        const steady_time at = s.clock();
        const steady_time valid = s.balance.valid_until(w.shard);
        if (w.gone || at >= valid || !s.sink_gate.is_open(at) || !s.may_call()) {
            return;
        }
        const bool several = State::publishes_batches && !s.sink_gate.is_probing();
        const steady_time until = later(at, s.options.publish_timeout);
        try {
            const auto picked = w.batch.pick(several ? w.batch.size() : 1);
            if (!picked.empty()) {
                publish(s, w, picked, until < valid ? until : valid);
            }
        } catch (...) {
            w.batch.end();  // what was picked may have no answer: nothing may overtake it
            throw;
        }
    }
}

/// Does in one shard what can be done now. Answers whether anything happened.
template <class State>
bool serve(State& s, shard_work& w) {
    const steady_time at = s.clock();
    if (w.gone || w.has_unwritten() || !s.store_gate.is_open(at) || !s.sink_gate.is_open(at) ||
        at >= s.balance.valid_until(w.shard)) {
        return false;
    }
    if (w.batch.is_over() && !claim(s, w)) {
        return false;
    }
    publish_batch_of(s, w);
    settle(s, w);
    return true;
}

}  // namespace sinew::detail
