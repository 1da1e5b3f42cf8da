// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// From the source into the lanes: polling, pausing, judging what cannot be an event, and putting
/// keys back into their order.

#include <sinew/consume/settle.hpp>
#include <sinew/core/key_progress.hpp>

#include <optional>
#include <string>
#include <utility>

namespace sinew::detail {

/// The lane of an event: those that must not overtake each other share one.
template <class E>
[[nodiscard]] std::optional<std::uint64_t> lane_of(E& e, const typename E::delivery_type& d) {
    if (e.options.ordering == ordering::by_partition) {
        return d.where.partition;
    }
    if (e.options.ordering == ordering::none || !d.keyed) {
        return std::nullopt;
    }
    return d.key.lo;
}

template <class E>
void queue_up(E& e, slot_id slot) {
    e.queue.push(slot, lane_of(e, e.at(slot)));
}

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

/// Reads a key's progress from the store, for the resequencer. Nothing, if the store is down.
template <class E>
[[nodiscard]] std::optional<key_progress> look_up(E& e, slot_id slot) {
    if constexpr (E::plan_type::has_once) {
        try {
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

/// Offers an event to the resequencer. False: it could not be decided now, and is to be offered
/// again.
template <class E>
[[nodiscard]] bool offer(E& e, slot_id slot) {
    auto& d = e.at(slot);
    using verdict = resequencer::verdict;
    verdict answer = e.order.offer(d.key, d.sequence, slot, e.now.steady);
    if (answer == verdict::look_up) {
        const auto progress = look_up(e, slot);
        if (!progress) {
            return false;
        }
        e.order.learn(d.key, *progress, e.now.steady);
        answer = e.order.offer(d.key, d.sequence, slot, e.now.steady);
    }
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

/// Whether an event of the same key and partition that was read under an epoch before is under way
/// still. Whether it ends here is not decided yet, so the resequencer must not take what was
/// delivered anew for a copy of it.
template <class E>
[[nodiscard]] bool waits_for_older_run(E& e, const typename E::delivery_type& d) {
    const auto* p = e.places.find(d.where.partition);
    if (p == nullptr || p->older == 0) {
        return false;
    }
    for (slot_id slot = 0; slot < e.table.slots_max(); ++slot) {
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
            const event_view event = e.view(slot);
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

/// The turn of an event that had to wait for an older run of its key: now it can be told what it is.
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

/// What a poll tells the consumer.
template <class E>
struct intake_listener {
    E& e;

    void assigned(assignment a) {
        auto& p = e.places.assign(a.partition, a.epoch);
        for (slot_id slot = 0; slot < e.table.slots_max(); ++slot) {
            const auto& d = e.at(slot);
            p.older += d.message && d.where.partition == p.id ? 1U : 0U;
        }
        note_assigned(p, true);
        e.tell([&](auto& o) { o.on_assigned(e.note_of(p)); });
    }

    void revoked(revocation r) {
        auto* p = e.places.find(r.partition);
        if (p == nullptr || p->state != partition_state::ours || p->tracker.epoch() != r.epoch) {
            return;
        }
        p->state = partition_state::leaving;
        p->until = r.until;
        return_queued(e);
    }

    void lost(assignment a) {
        auto* p = e.places.find(a.partition);
        if (p == nullptr || p->state == partition_state::gone || p->tracker.epoch() != a.epoch) {
            return;
        }
        e.tell([&](auto& o) { o.on_lost(e.note_of(*p)); });
        end_partition(e, *p);
        return_queued(e);
    }

    void message(typename E::message_type&& m) {
        const position where = m.where();
        auto* p = e.places.find(where.partition);
        if (p == nullptr || p->state != partition_state::ours || p->tracker.epoch() != m.epoch()) {
            ++e.counts.ignored;
            return;
        }
        if (e.table.room() == 0) {
            throw error(failure_class::permanent, "source_overran",
                        "the source delivered more events than it was asked for");
        }
        const auto seen = p->tracker.deliver(where.offset, m.epoch(), e.now.steady);
        if (seen == offset_tracker::delivery::full) {
            throw error(failure_class::permanent, "source_overran",
                        "the source delivered more events than it was asked for");
        }
        if (seen == offset_tracker::delivery::seen) {
            ++e.counts.ignored;
            return;
        }
        ++p->beyond;
        take_on(*p, where, std::move(m));
    }

    /// Tells the attempt log that the partition is ours. While the log is down, everything in the
    /// partition is a suspect.
    void note_assigned(partition& p, bool at_first) {
        if constexpr (E::plan_type::guards) {
            if (!settle(e)) {
                return_queued(e);
            }
            bool predecessor_died = true;
            try {
                predecessor_died = e.attempts.opened(e.options.group, e.options.topic, p.id);
                p.noted = true;
            } catch (const error&) {
                p.noted = false;
            }
            if (at_first) {
                e.guard.opened(p.id, predecessor_died);
            }
        } else {
            p.noted = true;
        }
    }

private:
    void take_on(const partition& p, position where, typename E::message_type&& m) {
        const slot_id slot = e.table.open(event_view(m.view()).size_bytes());
        auto& d = e.at(slot);
        d.message.emplace(std::move(m));
        d.where = where;
        d.epoch = p.tracker.epoch();
        d.jitter = e.random();
        ++e.counts.received;
        count_in_flight(e);
        if constexpr (E::plan_type::guards) {
            d.suspect = e.guard.delivered(p.id);
            d.alone = d.suspect;
            e.open_suspects += d.suspect ? 1U : 0U;
        }
        const event_view event = d.message->view();
        e.tell([&](auto& o) { o.on_received(e.note_of(slot)); });
        if (!event.partitionkey.empty()) {
            d.keyed = true;
            d.key = digest_of(e.secret, event.partitionkey);
        }
        look_for_problems(e, slot, d.message->broken());
        if (!e.stalled.empty() || !admit(e, slot)) {
            e.stalled.push_back(slot);
        }
    }
};

/// Events of partitions that are not ours any more leave the hold and the lanes, unless their
/// handler runs or they are part of an open transaction.
template <class E>
void return_queued(E& e) {
    std::erase_if(e.stalled, [&e](slot_id slot) {
        if (is_ours(e, e.at(slot))) {
            return false;
        }
        e.at(slot).out_of_order = true;  // the resequencer has not seen it
        give_back(e, slot);
        return true;
    });
    for (slot_id slot = 0; slot < e.table.slots_max(); ++slot) {
        auto& d = e.at(slot);
        if (d.message && !is_ours(e, d) &&
            (d.held || e.queue.state_of(slot) == lanes::state::queued)) {
            give_back(e, slot);
        }
    }
}

/// Why nothing new may be read now; null if it may. Computed afresh at each poll.
template <class E>
[[nodiscard]] const char* pause_reason(E& e) {
    if (e.unavailable_until != steady_time::min() || e.now.steady < e.store_gate) {
        return "unavailable";
    }
    if (e.letters_until != steady_time::min()) {
        return "dead_letters";
    }
    if (!e.stalled.empty()) {
        return "keys";
    }
    if (e.table.room() == 0) {
        return "in_flight";
    }
    return e.table.bytes_room() == 0 ? "bytes" : nullptr;
}

/// How much may be read now. A partition whose window is full is paused alone.
template <class E>
[[nodiscard]] poll_limits limits(E& e) {
    std::size_t events = e.table.room();
    for (auto& p : e.places) {
        if (p.state != partition_state::ours) {
            continue;
        }
        const std::size_t window = e.options.window_max - p.tracker.window();
        const std::size_t ahead =
            2 * e.options.window_max > p.beyond ? 2 * e.options.window_max - p.beyond : 0;
        const std::size_t room = window < ahead ? window : ahead;
        if ((room == 0) != p.paused) {
            p.paused = room == 0;
            p.paused ? e.source().pause(p.id) : e.source().resume(p.id);
        }
        if (room != 0 && room < events) {
            events = room;
        }
    }
    return {events, e.table.bytes_room()};
}

template <class E>
void tell_pause(E& e, const char* reason) {
    if (reason != e.pause_reason) {
        const char* before = std::exchange(e.pause_reason, reason);
        const char* told = reason != nullptr ? reason : before;
        const pause_note note{e.options.group, e.options.topic, told};
        e.tell([&](auto& o) { reason != nullptr ? o.on_paused(note) : o.on_resumed(note); });
    }
}

/// How long a source is left alone that could not be polled. Not for long: whoever does not poll
/// loses its membership.
inline constexpr decorrelated_jitter source_backoff{std::chrono::milliseconds(50),
                                                    std::chrono::seconds(1)};

/// Polls the source, for at most as long as `until`.
template <class E>
void poll(E& e, steady_time until) {
    if (e.now.steady < e.source_gate) {
        return;
    }
    const char* reason = e.halted ? "halted" : pause_reason(e);
    tell_pause(e, reason);
    poll_limits allowed = limits(e);
    if (reason != nullptr) {
        allowed.events = 0;
    }
    intake_listener<E> listener{e};
    try {
        e.source().poll(allowed, until, listener);
        e.source_failures = 0;
    } catch (const error& problem) {
        if (problem.kind() == failure_class::permanent) {
            throw;
        }
        ++e.source_failures;
        e.source_gate = later(e.now.steady, source_backoff(e.source_failures, e.secret.k0));
    }
}

/// Offers again what could not be decided before.
template <class E>
void offer_stalled(E& e) {
    std::size_t done = 0;
    while (done < e.stalled.size() && admit(e, e.stalled[done])) {
        ++done;
    }
    e.stalled.erase(e.stalled.begin(), e.stalled.begin() + static_cast<std::ptrdiff_t>(done));
}

/// Looks after keys that wait for a gap: into the store now and then, as another consumer may have
/// applied what is missing, and past the gap when its time is up.
template <class E>
void attend_gaps(E& e) {
    if constexpr (E::plan_type::has_sequence) {
        while (e.now.steady >= e.store_gate) {
            const auto due = e.order.next_due(e.now.steady);
            if (!due) {
                return;
            }
            if (due->what == resequencer::due_kind::look_again) {
                const auto progress = look_up(e, due->slot);
                if (!progress) {
                    return;
                }
                e.order.learn(due->key, *progress, e.now.steady);
            } else if (const auto gap = e.order.give_up(due->key, e.now.steady)) {
                ++e.counts.gaps;
                e.tell([&](auto& o) {
                    o.on_gap({e.options.group, e.options.topic, gap->first, gap->last,
                              due->by_count ? "count" : "time"});
                });
            }
            take_released(e);
        }
    }
}

}  // namespace sinew::detail
