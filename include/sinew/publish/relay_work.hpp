// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The work of a relay in its shards: claim, publish, mark.
///
/// An outbox that answers for several shards in one call (`multi_shard_outbox`) is asked for all of
/// those that have nothing to publish, `batch_max` entries together; what of them is published is
/// marked in one call behind the last of them, or once it is `batch_max`.
///
/// **Guarantees.** Nothing of a shard is claimed or published before what became of the last batch
/// is written down. A mark without an answer is repeated until there is one. That an entry was put
/// off or parked is written at most once, as a repetition might count an attempt twice: if it got
/// lost, the entry is published again, and fails again.

#include <sinew/publish/ask_sink.hpp>
#include <sinew/publish/relay_leases.hpp>
#include <sinew/publish/relay_state.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

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

/// Takes the answer to a mark; nothing if the outbox could not be reached.
template <class State>
void take_mark(State& s, shard_work& w, std::optional<fenced_result> answer) {
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

/// Writes down what the sink accepted.
template <class State>
void write_marks(State& s, shard_work& w) {
    const shard_lease& lease = s.balance.lease(w.shard);
    take_mark(s, w, s.ask([&](steady_time until) {
        return s.box.mark_published(lease, w.marks, s.wall(), until);
    }));
}

/// Writes down what the sink accepted in all shards, in one call.
template <class State>
void write_all_marks(State& s) {
    std::vector<shard_work*> marked;
    std::vector<shard_marks> marks;
    marked.reserve(s.works.size());
    marks.reserve(s.works.size());
    for (auto& w : s.works) {
        if (!w.gone && !w.marks.empty()) {
            marked.push_back(&w);
            marks.push_back({s.balance.lease(w.shard), w.marks});
        }
    }
    if (marked.size() == 1) {
        write_marks(s, *marked.front());
    } else if (!marked.empty()) {
        const auto answers = s.ask([&](steady_time until) {
            return s.box.mark_published(std::span<const shard_marks>(marks), s.wall(), until);
        });
        for (std::size_t i = 0; i < marked.size(); ++i) {
            take_mark(s, *marked[i], answers ? std::optional((*answers)[i]) : std::nullopt);
        }
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

/// Writes down what was not accepted, as far as the step has time for it.
template <class State>
void write_refusals(State& s, shard_work& w) {
    while (!w.refusals.empty() && s.store_is_open() && s.may_call()) {
        const relay_refusal one = std::move(w.refusals.back());
        w.refusals.pop_back();
        write_refusal(s, w, one);
        if (s.has_time()) {
            beat(s);
        }
    }
}

/// Writes down what became of the batch so far, as far as the step has time for it. Answers whether
/// all of it is written.
template <class State>
bool settle(State& s, shard_work& w) {
    if (!w.marks.empty() && s.store_is_open() && s.may_call()) {
        write_marks(s, w);
    }
    write_refusals(s, w);
    return !w.gone && !w.has_unwritten();
}

/// Does so with the batches of all shards. Answers whether there was anything to write.
template <class State>
bool settle_all(State& s) {
    bool any = false;
    if constexpr (State::asks_together) {
        if (s.store_is_open() && s.may_call()) {
            for (const auto& w : s.works) {
                any |= w.has_unwritten();
            }
            write_all_marks(s);
        }
    }
    for (auto& w : s.works) {
        if (w.has_unwritten() && s.store_is_open() && s.may_call()) {
            if constexpr (State::asks_together) {
                write_refusals(s, w);
            } else {
                settle(s, w);
            }
            any = true;
        }
    }
    return any;
}

/// Whether the next entries of a shard are to be claimed.
template <class State>
[[nodiscard]] bool is_to_claim(const State& s, const shard_work& w, steady_time at) {
    const bool is_due = at >= w.next_claim || (s.claims_anew && !w.is_fresh);
    return !w.gone && w.batch.is_over() && !w.has_unwritten() && (w.is_busy() || is_due) &&
           at < s.balance.valid_until(w.shard);
}

/// Takes what a claim brought; nothing if the lease has ended.
template <class State>
void take_claim(State& s, shard_work& w, std::optional<std::vector<outbox_entry>>& shown,
                steady_time sent) {
    if (!shown) {
        s.lose(w);
        return;
    }
    w.next_claim = later(sent, s.options.poll_interval);
    w.rests_from = shown->empty() ? sent : never;
    w.is_fresh = shown->empty();
    if (w.is_fresh) {
        w.batch = {};
        return;
    }
    w.marks.reserve(shown->size());
    w.batch = relay_batch(std::move(*shown));
    ++s.counts.batches;
}

/// Claims the next entries of a shard and, if the outbox can, of those that come behind it in turn.
/// Answers whether there are any of that shard.
template <class State>
bool claim(State& s, shard_work& w) {
    const steady_time sent = s.clock();
    if (!s.may_call() || !is_to_claim(s, w, sent)) {
        return false;
    }
    const claim_limits limits{s.options.batch_max, s.options.batch_bytes_max};
    if constexpr (State::asks_together) {
        std::vector<shard_work*> asked;
        const auto first = static_cast<std::size_t>(&w - s.works.data());
        for (std::size_t i = 0; i < s.works.size(); ++i) {
            auto& one = s.works[(first + i) % s.works.size()];
            if (is_to_claim(s, one, sent)) {
                asked.push_back(&one);
            }
        }
        if (asked.size() > 1) {
            s.leases.resize(asked.size());
            for (std::size_t i = 0; i < asked.size(); ++i) {
                s.leases[i] = s.balance.lease(asked[i]->shard);
            }
            auto answers = s.ask([&](steady_time until) {
                return s.box.claim(std::span<const shard_lease>(s.leases), s.wall(), limits, until);
            });
            for (std::size_t i = 0; answers && i < answers->size() && i < asked.size(); ++i) {
                take_claim(s, *asked[i], (*answers)[i], sent);
            }
            return !w.gone && !w.batch.is_over();
        }
    }
    const shard_lease& lease = s.balance.lease(w.shard);
    auto answer =
        s.ask([&](steady_time until) { return s.box.claim(lease, s.wall(), limits, until); });
    if (answer) {
        take_claim(s, w, *answer, sent);
    }
    return !w.gone && !w.batch.is_over();
}

/// Heeds what an answer says of the sink.
template <class State>
void heed_sink(State& s, sink_sign sign, const failure& why) {
    if (sign == sink_sign::up && s.sink_gate.answered()) {
        s.tell([&](auto& o) { o.on_resumed({s.options.owner, "sink", {}, {}}); });
    }
    if (sign == sink_sign::up || sign == sink_sign::none) {
        return;
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
    const wall_time at = answer.is_accepted() ? wall_time() : s.wall();  // asking costs, too
    relay_decision what = w.batch.answer(s.rules, index, answer, at);
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

/// Publishes the picked entries in one call.
template <class State>
void publish(State& s, shard_work& w, const std::vector<std::size_t>& picked, steady_time until) {
    s.has_called = true;
    std::vector<event_view> events;
    events.reserve(picked.size());
    for (const auto index : picked) {
        events.push_back(w.batch[index].what.view());
    }
    take_answers(s, w, picked, sinew::ask(*s.to, std::span<const event_view>(events), until));
}

/// Publishes one entry.
template <class State>
void publish(State& s, shard_work& w, std::size_t picked, steady_time until) {
    s.has_called = true;
    const publish_result answer = sinew::ask(*s.to, w.batch[picked].what.view(), until);
    heed_sink(s, take_answer(s, w, picked, answer), answer.why());
}

/// Publishes what comes next in the batch: one entry or, if the sink can, several in one call.
template <class State>
void publish_next(State& s, shard_work& w, steady_time until) {
    if constexpr (State::publishes_batches) {
        if (!s.sink_gate.is_probing()) {
            const auto picked = w.batch.pick(w.batch.size());
            if (picked.size() > 1) {
                publish(s, w, picked, until);
            } else if (!picked.empty()) {
                publish(s, w, picked.front(), until);
            }
            return;
        }
    }
    if (const auto picked = w.batch.pick_one()) {
        publish(s, w, *picked, until);
    }
}

/// Publishes of the batch what can be published now: until the sink or the lease forbids it, or the
/// step has lasted long enough.
template <class State>
void publish_batch_of(State& s, shard_work& w) {
    while (!w.batch.is_over()) {
        // The time is asked for as seldom as can be: it is most of what publishing costs here.
        steady_time at = s.clock();
        if (at < s.step_ends && at >= s.next_beat) {
            beat(s);
            at = s.clock();
        }
        const steady_time valid = s.balance.valid_until(w.shard);
        if (w.gone || at >= valid || !s.sink_gate.is_open(at) ||
            (s.has_called && at >= s.step_ends)) {
            return;
        }
        const steady_time until = later(at, s.options.publish_timeout);
        try {
            publish_next(s, w, until < valid ? until : valid);
        } catch (...) {
            w.batch.end();  // what was picked may have no answer: nothing may overtake it
            throw;
        }
    }
}

/// Does in one shard what can be done now. Answers whether anything happened. Where the outbox
/// marks all shards in one call, that is left to the caller.
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
    if constexpr (!State::asks_together) {
        settle(s, w);
    }
    return true;
}

/// Each shard gets its turn; the next step begins with the one behind the last that had its.
/// Answers whether anything happened.
template <class State>
bool serve_in_turn(State& s) {
    const std::size_t size = s.works.size();
    std::size_t unwritten = 0;
    bool busy = false;
    for (std::size_t i = 0; i < size && s.may_call(); ++i) {
        s.turn = (s.turn + 1) % size;
        shard_work& w = s.works[s.turn];
        busy |= serve(s, w);
        if constexpr (State::asks_together) {
            unwritten += w.marks.size();
            const bool is_last = i + 1 == size || !s.may_call();
            if (unwritten >= s.options.batch_max || (is_last && busy)) {
                settle_all(s);
                unwritten = 0;
            }
        }
    }
    return busy;
}

}  // namespace sinew::detail
