// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Writing down what became of a runner's instances, several in one commit.
///
/// | answer to a write | the instance |
/// | --- | --- |
/// | done | goes on, or is forgotten if its claim has ended with it |
/// | stale | is dropped; nothing more is written of it |
/// | stale, to a write that was made before without an answer | is looked up |
/// | unknown, or none | the same write again, before anything else |
///
/// | looked up after a commit without an answer | the instance |
/// | --- | --- |
/// | its records are there | as after done |
/// | they are not, and the claim is still the same | the attempt is made again |
/// | they are not, and the claim has ended | is dropped |
///
/// **Guarantees.** The observer and the counts are told of what is written, once.

#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/claimed_instance.hpp>
#include <sinew/process/runner_state.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

[[nodiscard]] inline bool is_for_late_reply(const std::optional<failure_note>& why) noexcept {
    return why && why->reason == "reply_late";
}

template <class State>
void tell_of_record(State& s, const held_instance& h, const step_record& record, duration took) {
    const bool is_failed = record.kind == record_kind::failed;
    auto& count = is_failed                                ? s.counts.steps_failed
                  : record.where.phase == step_phase::undo ? s.counts.steps_undone
                                                           : s.counts.steps_done;
    ++count;
    s.counts.replies_late += is_failed && is_for_late_reply(record.why) ? 1U : 0U;
    s.tell([&](auto& o) {
        runner_step_note note{s.instance_note(h),
                              record.where.step,
                              record.where.phase,
                              record.attempts,
                              took,
                              wall_between(record.begun, record.at)};
        if (!is_failed) {
            o.on_step_done(note);
            return;
        }
        if (record.why) {
            note.reason = record.why->reason;
            note.kind = record.why->kind;
        }
        o.on_step_failed(note);
    });
}

/// A step that is to be tried again, or for people to decide on, or whose command went out.
template <class State>
void tell_of_progress(State& s, const held_instance& h, const pending_write& done) {
    const auto& written = done.what;
    const bool is_sent = done.command.has_value();
    if (!written.progress || (!done.is_failure && !is_sent)) {
        return;
    }
    const step_progress& progress = *written.progress;
    const bool is_retry = written.end != claim_end::parked && !is_sent;
    const duration wait = written.wait
                              ? wall_between(written.wait->time.from, written.wait->time.due)
                              : duration::zero();
    s.counts.replies_late += !is_sent && is_for_late_reply(progress.last_failure) ? 1U : 0U;
    if (is_retry) {
        ++s.counts.retries;
        const steady_time at = later(s.clock(), wait);
        s.retries_at = s.retries_at < at ? at : s.retries_at;
        s.next_claim = at < s.next_claim ? at : s.next_claim;
    } else if (is_sent) {
        ++s.counts.commands_sent;
    }
    s.tell([&](auto& o) {
        runner_step_note note{
            s.instance_note(h), progress.where.step, progress.where.phase,
            progress.attempts,  done.took,           wall_between(progress.begun, s.wall())};
        if (is_sent) {
            o.on_command_sent(note);
            return;
        }
        note.reason = progress.last_failure->reason;
        note.kind = progress.last_failure->kind;
        if (is_retry) {
            note.retry_in = wait;
        }
        o.on_step_failed(note);
    });
}

template <class State>
void tell_of_parking(State& s, const held_instance& h, const failure_note& why) {
    ++s.counts.parked;
    const bool is_poison = why.reason == "poisoned";
    const bool is_changed = why.reason == "changed_definition";
    s.counts.poisoned += is_poison ? 1U : 0U;
    s.counts.definitions_changed += is_changed ? 1U : 0U;
    s.tell([&](auto& o) {
        const auto note = s.instance_note(h, why.reason);
        if (is_poison) {
            o.on_poisoned(note);
        } else if (is_changed) {
            o.on_definition_changed(note);
        }
        o.on_parked(note);
    });
}

template <class State>
void tell_of_end(State& s, const held_instance& h, const journal_write& written) {
    switch (written.end) {
        case claim_end::none: break;
        case claim_end::released: s.counts.released += written.wait ? 0U : 1U; break;
        case claim_end::parked: tell_of_parking(s, h, written.why.value_or(failure_note())); break;
        case claim_end::completed:
            ++s.counts.completed;
            s.tell([&](auto& o) { o.on_completed(s.instance_note(h)); });
            break;
        case claim_end::compensated:
            ++s.counts.compensated;
            s.tell([&](auto& o) { o.on_compensated(s.instance_note(h)); });
            break;
    }
}

/// The write of an instance is done. Tells of it, and lets the instance go on from there.
template <class State>
void is_written(State& s, held_instance& h, bool is_cancelled) {
    pending_write done = std::move(*h.pending);
    h.pending.reset();
    const bool was_cancelled = h.run.what().cancelled.has_value();
    for (const auto& record : done.what.records) {
        tell_of_record(s, h, record, done.took);
    }
    tell_of_progress(s, h, done);
    tell_of_end(s, h, done.what);
    h.alone = false;
    h.conflicts = 0;
    if (h.is_last || done.what.end != claim_end::none) {
        s.let_go(h);
    } else {
        h.run.apply(std::move(done.what), is_cancelled, s.wall());
        if (is_cancelled && !was_cancelled) {
            s.tell([&](auto& o) { o.on_cancelled(s.instance_note(h, "cancelled")); });
        }
    }
}

/// The claim of an instance has ended: whoever has it now goes on with it.
template <class State>
void drop_stale(State& s, held_instance& h) {
    ++s.counts.stale;
    s.tell([&](auto& o) { o.on_stale(s.instance_note(h)); });
    h.pending.reset();
    s.let_go(h);
}

/// Whether a write is found to be done. Nothing: it is not, and the claim is still the same.
[[nodiscard]] inline std::optional<bool> find_write(const std::optional<journal_entry>& found,
                                                    const journal_write& one) {
    if (!found) {
        return false;
    }
    const auto& history = found->history;
    bool is_there = history.size() >= one.known + one.records.size();
    for (std::size_t i = 0; is_there && i < one.records.size(); ++i) {
        const step_record& there = history[one.known + i];
        const step_record& mine = one.records[i];
        is_there = there.where == mine.where && there.kind == mine.kind && there.at == mine.at &&
                   there.begun == mine.begun && there.result == mine.result;
    }
    const bool is_same_claim = found->what.epoch == one.claim.epoch;
    if (one.records.empty()) {
        // The end of a claim raises the epoch by one, and so would anybody's decision.
        is_there = !is_same_claim && found->what.epoch == one.claim.epoch + 1 &&
                   found->what.progress == one.progress && found->what.wait == one.wait;
    }
    if (is_there) {
        return true;
    }
    return is_same_claim ? std::optional<bool>() : false;
}

/// Looks up what became of a write that got no answer. `is_stale`: made again, it is stale.
template <class State>
void look_up(State& s, held_instance& h, bool is_stale) {
    const auto& what = h.run.what();
    const auto found =
        s.ask([&](steady_time until) { return s.book.find(what.type, what.id, until); });
    if (!found) {
        return;
    }
    const auto is_done = find_write(*found, h.pending->what);
    if (!is_done && !is_stale) {
        h.pending.reset();  // nothing of it is there, and nothing will be
        if (h.is_last) {
            s.let_go(h);
        }
        return;
    }
    if (!is_done.value_or(false)) {
        drop_stale(s, h);
        return;
    }
    const bool is_same_claim = (*found)->what.epoch == h.pending->what.claim.epoch;
    const bool goes_on = h.pending->what.end == claim_end::none;
    is_written(s, h, (*found)->what.cancelled.has_value());
    if (goes_on && !is_same_claim) {
        drop_stale(s, h);
    }
}

template <class State>
void take_write_answer(State& s, held_instance& h, write_result answer) {
    switch (answer.how) {
        case fenced_result::done: is_written(s, h, answer.is_cancelled); break;
        case fenced_result::stale:
            if (h.pending->is_repeated) {
                if (s.clock() < s.calls_end) {
                    look_up(s, h, true);  // if that fails, the next time tells
                }
            } else {
                drop_stale(s, h);
            }
            break;
        case fenced_result::unknown:
            ++s.counts.writes_unknown;
            h.pending->is_repeated = true;
            break;
    }
}

/// What the journal answers to the writes of some instances; nothing, if it could not be reached.
template <class State>
[[nodiscard]] std::optional<std::vector<write_result>> ask_to_write(
    State& s, std::span<held_instance* const> some) {
    const auto ask = [&](std::span<const journal_write> writes) {
        return s.ask([&](steady_time until) { return s.book.write(writes, s.wall(), until); });
    };
    if (some.size() == 1) {
        return ask({&some.front()->pending->what, 1});
    }
    std::vector<journal_write> writes;
    writes.reserve(some.size());
    for (auto* h : some) {
        writes.push_back(std::move(h->pending->what));
    }
    const auto give_back = [&] {
        for (std::size_t i = 0; i < some.size(); ++i) {
            some[i]->pending->what = std::move(writes[i]);
        }
    };
    try {
        auto answers = ask(writes);
        give_back();
        return answers;
    } catch (...) {
        give_back();
        throw;
    }
}

/// Writes of some instances, in one call.
template <class State>
void write_some(State& s, std::span<held_instance* const> some) {
    const auto answers = ask_to_write(s, some);
    if (!answers) {
        s.counts.writes_unknown += some.size();
        for (auto* h : some) {
            h->pending->is_repeated = true;
        }
        return;
    }
    bool is_silent = false;
    for (std::size_t i = 0; i < some.size(); ++i) {
        is_silent = is_silent || (*answers)[i].how == fenced_result::unknown;
        take_write_answer(s, *some[i], (*answers)[i]);
    }
    if (is_silent) {
        s.store_failed("no_answer");
    }
}

/// Writes one that the journal refuses for ever as what it is: for people.
template <class State>
void write_alone(State& s, held_instance& h) {
    held_instance* const one[] = {&h};
    try {
        write_some(s, one);
    } catch (const error& why) {
        auto& what = h.pending->what;
        if (what.records.empty() && what.end == claim_end::parked) {
            throw;
        }
        what.records.clear();
        what.progress = h.run.what().progress;
        what.end = claim_end::parked;
        what.wait.reset();
        what.why = failure_note{s.wall(), why.kind(), 0, why.reason(), why.what()};
        h.pending->is_repeated = false;
        write_some(s, one);
    }
}

/// Writes down what can be written, as far as the step has time for it. Answers whether all is.
template <class State>
bool write_down(State& s) {
    const std::size_t most = s.unwritten_most();
    for (std::size_t i = 0; i < most; ++i) {
        held_instance& h = s.held[i];
        const bool is_blind = !h.gone && h.pending && h.pending->is_committed_blindly;
        if (is_blind && s.store_is_open() && s.may_call()) {
            look_up(s, h, false);
        }
    }
    std::vector<held_instance*> some;
    const auto flush = [&] {
        if (some.empty() || !s.store_is_open() || !s.may_call()) {
            return;
        }
        if (some.size() == 1) {
            write_alone(s, *some.front());
            return;
        }
        try {
            write_some(s, some);
        } catch (const error&) {
            for (auto* h : some) {
                if (s.store_is_open() && s.may_call()) {
                    write_alone(s, *h);
                }
            }
        }
    };
    for (std::size_t i = 0; i < most; ++i) {
        held_instance& h = s.held[i];
        if (!h.gone && h.pending && !h.pending->is_committed_blindly) {
            some.push_back(&h);
            if (some.size() == s.options.batch_max) {
                flush();
                some.clear();
            }
        }
    }
    flush();
    const bool all = !s.has_unwritten();
    if (all) {
        s.unwritten_since = never;
    }
    return all;
}

}  // namespace sinew::detail
