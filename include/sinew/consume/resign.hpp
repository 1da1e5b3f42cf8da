// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What becomes of failures: another attempt, or the way out by `dead_letter`, `halt` or `discard`.

#include <sinew/consume/settle.hpp>
#include <sinew/core/outcome.hpp>

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace sinew::detail {

template <class E>
void note_failure(E& e, slot_id slot, const failure& why) {
    auto& d = e.at(slot);
    if (d.notes.size() == dead_letter_record::history_max) {
        d.notes.erase(d.notes.begin() + 1);
    }
    d.notes.push_back({e.now.wall, why.kind, d.past.attempts, why.reason,
                       why.detail.substr(0, dead_letter_record::detail_max)});
}

/// The event, whose turn it is in its lane, can never be processed. Its lane gets to it again at
/// once, and then it resigns.
template <class E>
void give_up(E& e, slot_id slot, failure why) {
    auto& d = e.at(slot);
    d.next = duty::resign;
    d.why = std::move(why);
    take_turn(e, slot);
    e.queue.retry_at(slot, e.now.steady);
}

/// An attempt failed. The event's turn in its lane is over.
template <class E>
void fail(E& e, slot_id slot, failure why) {
    auto& d = e.at(slot);
    take_turn(e, slot);
    end_guarded_run(e, slot);
    d.past.failed(why.kind, e.now.steady);
    const bool counts =
        why.kind == failure_class::transient || why.kind == failure_class::permanent;
    if (counts) {
        note_failure(e, slot, why);
    }
    const auto decision = e.policy.decide(why, d.past, e.now.steady, d.jitter);
    if (decision.gives_up()) {
        give_up(e, slot, std::move(why));
        return;
    }
    ++(counts ? e.counts.retries : e.counts.waits);
    d.needs_token = decision.spends;
    if (why.kind == failure_class::unavailable && *decision.retry_at > e.unavailable_until) {
        e.unavailable_until = *decision.retry_at;
    }
    e.tell([&](auto& o) {
        auto note = e.note_of(slot, &why);
        note.retry_in = *decision.retry_at - e.now.steady;
        counts ? o.on_retry(note) : o.on_unavailable(note);
    });
    e.queue.retry_at(slot, *decision.retry_at);
}

/// The store cannot be reached. No event is to blame, and none is tried until the gate opens.
template <class E>
void wait_for_store(E& e, slot_id slot, failure why) {
    why.kind = failure_class::unavailable;
    fail(e, slot, std::move(why));
    close_store_gate(e);
}

/// What the store has to know of the event. `remembers`: it ends in this transaction, so that it is
/// known when it comes again.
template <class E>
[[nodiscard]] application application_of(E& e, slot_id slot, bool remembers) {
    const auto& d = e.at(slot);
    const event_view& event = e.view(slot);
    application a{e.options.group,  e.options.topic,    e.stream,
                  event.identity(), event.partitionkey, d.where};
    a.sequence = d.out_of_order || d.replay ? 0 : d.sequence;
    a.gap_from = d.gap_from;
    if constexpr (E::plan_type::has_once) {
        const auto by = e.parts.duplicate.options.duplicates;
        const bool together = !E::plan_type::has_place || e.letters_share_store();
        a.by_offset = by == duplicates::by_offset && !d.replay;
        // Where letters are written outside of this transaction, a crash can leave a letter whose
        // event is delivered again: only the id tells then that it was replayed in between. Where
        // they are written in it, a replay goes by its entry's compare-and-swap.
        const bool sequence_tells = a.sequence != 0 && by == duplicates::automatic && together;
        const bool has_identity = !event.id.empty() && !event.source.empty();
        a.by_id = remembers && has_identity &&
                  (!together || (!d.replay && !a.by_offset && !sequence_tells));
    }
    return a;
}

template <class E>
[[nodiscard]] std::uint64_t first_sequence(E& e) {
    if constexpr (E::plan_type::has_sequence) {
        return e.parts.sequence.options.first;
    } else {
        return 1;
    }
}

/// Something before the event in its key is missing in the store after all: it waits again.
template <class E>
void put_back(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_sequence) {
        auto& d = e.at(slot);
        d.gap_from = 0;
        d.held = true;
        e.queue.finish(slot);
        e.order.put_back(d.key, d.sequence, slot, e.unit.progress_seen(), e.now.steady);
        take_released(e);
    }
}

/// The open transaction is broken: it is given up, and its members run again, each alone. The event
/// in hand has to be answered before.
template <class E>
void break_unit(E& e) {
    e.unit.abandon();
    rerun_members(e, false);
}

/// Commits the transaction of an event that has it for itself.
template <class E>
void commit_alone(E& e, slot_id slot) {
    auto& d = e.at(slot);
    switch (close_unit(e)) {
        case commit_result::committed:
            ++e.counts.commits;
            e.store_failures = 0;
            e.unit.forget_members();
            finish(e, slot, d.end);
            return;
        case commit_result::aborted:
            e.unit.forget_members();
            fail(e, slot, e.unit.why_aborted());
            return;
        case commit_result::unknown:
            e.unit.forget_members();
            d.in_doubt = true;
            fail(e, slot,
                 {failure_class::unknown, "commit_unknown",
                  "the store did not answer whether it committed", std::nullopt});
            return;
    }
}

/// Another consumer of the group went on past the event in its key, while it waited here.
template <class E>
void overtaken_meanwhile(E& e, slot_id slot, ruling how) {
    auto& d = e.at(slot);
    d.out_of_order = true;
    if constexpr (E::plan_type::has_sequence) {
        e.order.settled(d.key);
    }
    ++e.counts.late;
    e.tell([&](auto& o) { o.on_late(e.note_of(slot)); });
    give_up(e, slot,
            how == ruling::late
                ? failure{failure_class::permanent, "late", "its key went on without it", {}}
                : failure{failure_class::permanent,
                          "uncertain",
                          "its gap was given up and merged with others: it may have been applied",
                          {}});
}

/// Does `body(transaction)` within the open transaction and writes down that the event has ended.
/// `body` answers with an outcome, or nothing if all is done, and throws nothing; one that returns
/// nothing does not fail. For `remembers` see `application_of`.
template <class E, class Body>
void in_unit(E& e, slot_id slot, bool remembers, ending end, Body body) {
    auto& d = e.at(slot);
    const bool alone = d.alone || e.parts.duplicate.options.batch_max == 1 ||
                       !nestable_transaction<typename E::plan_type::transaction_type>;
    const company with = alone     ? company::is_alone
                         : d.apart ? company::has_part
                                   : company::shares_part;
    try {
        if (alone && !settle_before(e, slot)) {
            return;
        }
        if (!e.unit.is_open()) {
            e.unit.open(e.now.steady, e.call_deadline());
        }
    } catch (...) {
        wait_for_store(e, slot, classify_current_exception());
        return;
    }
    std::optional<outcome> answer;
    verdict said = verdict::done;
    const auto has_failed = [&said] { return said != verdict::done && said != verdict::skip; };
    try {
        e.unit.enter(with);
        const ruling ruled =
            e.unit.rule(application_of(e, slot, remembers), first_sequence(e), e.now.wall);
        switch (ruled) {
            case ruling::fresh:
                if constexpr (std::is_void_v<decltype(body(e.unit.transaction()))>) {
                    body(e.unit.transaction());
                } else {
                    answer = body(e.unit.transaction());
                    said = answer ? answer->verdict() : verdict::done;
                }
                d.end = said == verdict::skip ? ending::skipped : end;
                break;
            case ruling::duplicate: d.end = d.in_doubt ? d.end : ending::duplicate; break;
            case ruling::put_back:
                e.unit.leave();
                put_back(e, slot);
                return;
            case ruling::late:
            case ruling::uncertain:
                e.unit.leave();
                overtaken_meanwhile(e, slot, ruled);
                return;
        }
        if (has_failed()) {
            e.unit.undo();
            d.apart = true;
            fail(e, slot, std::move(*answer).why());
            rerun_part(e);
            return;
        }
        if (said == verdict::skip) {
            d.why = std::move(*answer).why();
        }
        e.unit.keep(slot, with);
    } catch (...) {
        const failure why = classify_current_exception();
        has_failed() ? fail(e, slot, std::move(*answer).why()) : wait_for_store(e, slot, why);
        break_unit(e);
        return;
    }
    if (alone) {
        commit_alone(e, slot);
    } else {
        e.queue.ran(slot);
    }
}

/// The event ends without having been applied; the store learns that its key goes on. What lies in
/// a place of its own is not remembered as ended: its replay has to be told from it.
template <class E>
void conclude(E& e, slot_id slot, ending end) {
    if constexpr (E::plan_type::has_once) {
        in_unit(e, slot, end != ending::dead_lettered, end, [](auto&) {});
    } else {
        finish(e, slot, end);
    }
}

/// The whole letter.
template <class E>
[[nodiscard]] dead_letter_record letter_of(E& e, slot_id slot) {
    auto& d = e.at(slot);
    dead_letter_record letter{.consumer = e.options.group,
                              .topic = e.options.topic,
                              .where = d.where,
                              .original = to_event(e.view(slot)),
                              .reason = {},
                              .kind = d.why.kind,
                              .attempts = d.past.attempts};
    for (const auto& note : d.notes) {
        letter.add(note);
    }
    if (d.notes.empty()) {
        letter.add({e.now.wall, d.why.kind, d.past.attempts, d.why.reason, d.why.detail});
    }
    letter.reason = d.why.reason;
    letter.kind = d.why.kind;
    return letter;
}

/// Puts a letter where letters are written by themselves.
template <class E>
void bury_outside(E& e, slot_id slot) {
    if (e.now.steady < e.letters_until) {
        e.queue.retry_at(slot, e.letters_until);  // it is down: not asked again for each event
        return;
    }
    if (!settle_before(e, slot)) {
        return;
    }
    failure why{failure_class::unavailable, "dead_letters_unknown",
                "the dead-letter place did not answer", std::nullopt};
    try {
        if (e.parts.failure.place.put(letter_of(e, slot), e.call_deadline()) ==
            put_result::stored) {
            conclude(e, slot, ending::dead_lettered);
            return;
        }
    } catch (...) {
        why = classify_current_exception();
        why.kind = failure_class::unavailable;
    }
    auto& d = e.at(slot);
    d.past.failed(why.kind, e.now.steady);
    const auto again = e.policy.decide(why, d.past, e.now.steady, d.jitter);
    e.letters_until = *again.retry_at;
    ++e.counts.waits;
    e.tell([&](auto& o) { o.on_unavailable(e.note_of(slot, &why)); });
    e.queue.retry_at(slot, *again.retry_at);
}

template <class E>
void bury(E& e, slot_id slot) {
    if constexpr (letters_in_transaction<typename E::plan_type>) {
        if (e.letters_share_store()) {
            in_unit(e, slot, true, ending::dead_lettered, [&](auto& tx) {
                try {
                    e.parts.failure.place.put(tx, letter_of(e, slot));
                    return outcome::done();
                } catch (...) {
                    failure why = classify_current_exception();
                    why.kind = failure_class::unavailable;
                    return outcome::failed(std::move(why));
                }
            });
            return;
        }
    }
    bury_outside(e, slot);
}

template <class E>
void refuse_replay(E& e, slot_id slot);

/// The turn of an event that can never be processed.
template <class E>
void resign(E& e, slot_id slot) {
    using plan = typename E::plan_type;
    auto& d = e.at(slot);
    if (d.replay) {
        refuse_replay(e, slot);
        return;
    }
    if constexpr (plan::halts) {
        if (!settle_before(e, slot)) {
            return;
        }
        e.queue.retry_at(slot, never);
        e.halted = halt_note{d.where, d.why};
        e.tell([&](auto& o) { o.on_halted(e.note_of(slot, &d.why)); });
    } else if constexpr (plan::has_place) {
        bury(e, slot);
    } else {
        conclude(e, slot, ending::discarded);
    }
}

}  // namespace sinew::detail
