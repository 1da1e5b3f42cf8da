// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Into the lanes: judging what cannot be an event, and putting keys back into their order.

#include <sinew/consume/settle.hpp>
#include <sinew/core/key_progress.hpp>

#include <optional>
#include <string>
#include <utility>

namespace sinew::detail {

/// The event goes into its lane as one that can never be processed, so that its key's order holds.
template <class E>
void queue_to_resign(E& e, slot_id slot, std::string reason, std::string detail) {
    auto& d = e.at(slot);
    d.next = duty::resign;
    d.why = {failure_class::permanent, std::move(reason), std::move(detail), std::nullopt};
    queue_up(e, slot);
}

/// Finds what makes an event unusable. It takes its way all the same, so that its key's order and
/// progress hold, and resigns when its turn comes.
template <class E>
void look_for_problems(E& e, slot_id slot, std::optional<defect> problem) {
    auto& d = e.at(slot);
    if (!problem) {
        problem = find_defect(e.view(slot));
    }
    if (problem) {
        d.why = {failure_class::permanent, std::string(problem->reason),
                 std::string(problem->detail), std::nullopt};
    } else if (d.bytes > e.options.event_bytes_max) {
        d.why = {failure_class::permanent, "payload_too_large",
                 "the event weighs " + std::to_string(d.bytes) + " bytes; event_bytes_max is " +
                     std::to_string(e.options.event_bytes_max),
                 std::nullopt};
    } else {
        return;
    }
    d.next = duty::resign;
}

/// The event's key has gone past it: it can be a duplicate, or too late. Answers whether `standing`
/// was of that kind.
template <class E>
void queue_overtaken(E& e, slot_id slot, standing how) {
    auto& d = e.at(slot);
    d.out_of_order = true;
    if (how == standing::applied) {
        finish(e, slot, ending::duplicate);
        return;
    }
    ++e.counts.late;
    e.tell([&](auto& o) { o.on_late(e.note_of(slot)); });
    if (how == standing::late) {
        queue_to_resign(e, slot, "late", "it came after the gap it would have closed was given up");
    } else {
        queue_to_resign(e, slot, "uncertain",
                        "its gap was given up and merged with others: it may have been applied");
    }
}

/// Reads a key's progress from the store, for the resequencer: within the transaction that is open,
/// if there is one. Nothing, if the store is down.
template <class E>
[[nodiscard]] std::optional<key_progress> look_up(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_once) {
        try {
            if (e.unit.is_open()) {
                return e.unit.transaction().progress(e.stream, e.view(slot).partitionkey);
            }
            return e.unit.store().progress(e.stream, e.view(slot).partitionkey, e.call_deadline());
        } catch (const error&) {
            close_store_gate(e);
            e.unavailable_until = e.store_gate;
            return std::nullopt;
        }
    } else {
        return key_progress{};
    }
}

/// What has come free in the resequencer goes into the lanes.
template <class E>
void take_released(E& e) {
    while (const auto free = e.order.next_release()) {
        auto& d = e.at(free->slot);
        d.held = false;
        d.gap_from = free->gap_from;
        if (free->verdict == standing::expected) {
            queue_up(e, free->slot);
        } else {
            queue_overtaken(e, free->slot, free->verdict);
        }
    }
}

/// What the resequencer says of an event, with what the store says of its key if need be.
/// `look_up`: the store does not say.
template <class E>
[[nodiscard]] resequencer::verdict ask_order(E& e, slot_id slot) {
    const auto& d = e.at(slot);
    const auto answer = e.order.offer(d.key, d.sequence, slot, e.now.steady);
    if (answer == resequencer::verdict::look_up) {
        if (const auto progress = look_up(e, slot)) {
            e.order.learn(d.key, *progress, e.now.steady);
            return e.order.offer(d.key, d.sequence, slot, e.now.steady);
        }
    }
    return answer;
}

/// Goes on with an event as the resequencer says. False: it could not be decided now, and is to be
/// offered again.
template <class E>
[[nodiscard]] bool take_verdict(E& e, slot_id slot, resequencer::verdict answer) {
    auto& d = e.at(slot);
    using verdict = resequencer::verdict;
    switch (answer) {
        case verdict::look_up:
        case verdict::full: return false;
        case verdict::deliver: queue_up(e, slot); break;
        case verdict::hold:
            d.held = true;
            ++e.counts.held;
            e.tell([&](auto& o) { o.on_held(e.note_of(slot)); });
            break;
        case verdict::duplicate: queue_overtaken(e, slot, standing::applied); break;
        case verdict::late: queue_overtaken(e, slot, standing::late); break;
        case verdict::uncertain: queue_overtaken(e, slot, standing::uncertain); break;
        case verdict::too_far:
            d.out_of_order = true;
            queue_to_resign(e, slot, "sequence_jump",
                            "its sequence number is too far ahead of its key's (see jump_max)");
            break;
    }
    take_released(e);
    return true;
}

/// Offers an event to the resequencer. False: it is to be offered again.
template <class E>
[[nodiscard]] bool offer(E& e, slot_id slot) {
    return take_verdict(e, slot, ask_order(e, slot));
}

/// Whether an event of the same key and partition that was read under an epoch before is under way
/// still. Whether it ends here is not decided yet, so the resequencer must not take what was
/// delivered anew for a copy of it.
template <class E>
[[nodiscard]] bool waits_for_older_run(E& e, const typename E::delivery_type& d) {
    const auto* p = e.places.find(d.where.partition);
    if (p == nullptr || p->older == 0) {
        return false;
    }
    for (slot_id slot = 0; slot < e.table.slots_end(); ++slot) {
        const auto& other = e.at(slot);
        if (other.message && other.epoch != d.epoch && other.key == d.key &&
            other.where.partition == d.where.partition) {
            return true;
        }
    }
    return false;
}

/// Takes an event on its way to its lane. False: it has to be offered again.
template <class E>
[[nodiscard]] bool admit(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_sequence) {
        auto& d = e.at(slot);
        if (d.keyed) {
            if (waits_for_older_run(e, d)) {
                d.waits = true;
                queue_up(e, slot);
                return true;
            }
            const event_view& event = e.view(slot);
            const auto number = parse_sequence(event.sequence);
            if (!number && d.next == duty::resign) {
                queue_up(e, slot);
                return true;
            }
            if (!number) {
                const bool missing = event.sequence.empty();
                queue_to_resign(e, slot, missing ? "sequence_missing" : "sequence_malformed",
                                missing ? "it has a key but no sequence"
                                        : "its sequence is not a decimal number from 1 to 2^64-1");
                return true;
            }
            d.sequence = *number;
            return offer(e, slot);
        }
    }
    queue_up(e, slot);
    return true;
}

/// The turn of an event that had to wait for an older run of its key: now it can be told what it
/// is.
template <class E>
void admit_again(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_sequence) {
        if (!settle_before(e, slot)) {
            return;
        }
        if (waits_for_older_run(e, e.at(slot))) {
            e.queue.retry_at(slot, later(e.now.steady, backoff_floor));
            return;
        }
        e.at(slot).waits = false;
        e.queue.finish(slot);
        if (!e.stalled.empty() || !admit(e, slot)) {
            e.stalled.push_back(slot);
        }
    }
}

}  // namespace sinew::detail
