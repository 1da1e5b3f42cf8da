// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The end of an event: transactions are committed, slots are freed, offsets go to the source, and
/// partitions are given back.

#include <sinew/consume/engine.hpp>

#include <cassert>
#include <cstdint>
#include <optional>
#include <utility>

namespace sinew::detail {

/// Replays are not counted: they were received before.
template <class E>
void count_in_flight(E& e) {
    e.counts.in_flight = e.table.size() - (e.replay_slot ? 1 : 0);
}

template <class E>
void forget_delivery(E& e, slot_id slot) {
    const auto& d = e.at(slot);
    if (d.suspect) {
        --e.open_suspects;
    }
    auto* p = d.replay ? nullptr : e.places.find(d.where.partition);
    if (p != nullptr && p->older != 0 && p->tracker.epoch() != d.epoch) {
        --p->older;
    }
    e.table.close(slot);
    count_in_flight(e);
}

/// The attempt log need not remember this event any more. Should the log be down, its count stays,
/// and at worst an innocent event is dead-lettered after further deaths.
template <class E>
void end_guarded_run(E& e, slot_id slot) {
    if constexpr (E::plan_type::guards) {
        auto& d = e.at(slot);
        if (std::exchange(d.guarded, false)) {
            try {
                e.attempts.ended(e.options.group, e.options.topic, d.where);
            } catch (const error&) {
                d.guarded = true;
            }
        }
    }
}

template <class E>
void count_end(E& e, slot_id slot, ending end) {
    switch (end) {
        case ending::applied:
            ++e.counts.applied;
            e.unavailable_until = steady_time::min();
            e.tell([&](auto& o) { o.on_applied(e.note_of(slot)); });
            break;
        case ending::duplicate:
            ++e.counts.duplicates;
            e.tell([&](auto& o) { o.on_duplicate(e.note_of(slot)); });
            break;
        case ending::skipped:
            ++e.counts.skipped;
            e.tell([&](auto& o) { o.on_skipped(e.note_of(slot, &e.at(slot).why)); });
            break;
        case ending::discarded:
            ++e.counts.discarded;
            e.tell([&](auto& o) { o.on_discarded(e.note_of(slot, &e.at(slot).why)); });
            break;
        case ending::dead_lettered:
            ++e.counts.dead_lettered;
            e.letters_until = steady_time::min();
            e.tell([&](auto& o) { o.on_dead_lettered(e.note_of(slot, &e.at(slot).why)); });
            break;
    }
}

template <class E>
void finish_replay(E& e, slot_id slot, ending end);

/// The event is over. Finishing under an epoch that has ended changes no offset.
template <class E>
void finish(E& e, slot_id slot, ending end) {
    auto& d = e.at(slot);
    end_guarded_run(e, slot);
    if (d.replay) {
        finish_replay(e, slot, end);
        return;
    }
    if (d.suspect) {
        e.guard.settled(d.where.partition);
    }
    count_end(e, slot, end);
    if (auto* p = e.places.find(d.where.partition)) {
        static_cast<void>(p->tracker.finish(d.where.offset, d.epoch));
    }
    if constexpr (E::plan_type::has_sequence) {
        if (d.sequence != 0 && !d.out_of_order) {
            e.order.settled(d.key);
        }
    }
    if (e.queue.contains(slot)) {
        e.queue.finish(slot);
    }
    forget_delivery(e, slot);
}

/// The event is not ours any more: whoever gets its partition gets it again.
template <class E>
void give_back(E& e, slot_id slot) {
    auto& d = e.at(slot);
    if constexpr (E::plan_type::has_sequence) {
        if (d.held) {
            e.order.drop(slot);
        } else if (d.sequence != 0 && !d.out_of_order) {
            e.order.retreat(d.key, d.sequence);
        }
    }
    if (e.queue.contains(slot)) {
        e.queue.finish(slot);
    }
    ++e.counts.given_back;
    forget_delivery(e, slot);
}

/// Whether the event's partition is still ours under the epoch in which it was read.
template <class E>
[[nodiscard]] bool is_ours(E& e, const typename E::delivery_type& d) {
    if (d.replay) {
        return true;
    }
    const auto* p = e.places.find(d.where.partition);
    return p != nullptr && p->state == partition_state::ours && p->tracker.epoch() == d.epoch;
}

/// Whether its handler's answer still counts: also while the partition is being given back.
template <class E>
[[nodiscard]] bool is_held(E& e, const typename E::delivery_type& d) {
    if (d.replay) {
        return true;
    }
    const auto* p = e.places.find(d.where.partition);
    return p != nullptr && p->state != partition_state::gone && p->tracker.epoch() == d.epoch;
}

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

/// Members of the open transaction that went straight take their places in the lanes, as if they
/// had come through them: from now on others stand behind them. Either all members are there, or no
/// event is.
template <class E>
void line_up_members(E& e) {
    if constexpr (E::plan_type::has_once) {
        if (e.queue.size() == 0) {
            for (const slot_id member : e.unit.members()) {
                e.queue.push(member, lane_of(e, e.at(member)));
                [[maybe_unused]] const auto turn = e.queue.take(e.now.steady);
                assert(turn == member);
                e.queue.ran(member);
            }
        }
    }
}

template <class E>
void queue_up(E& e, slot_id slot) {
    line_up_members(e);
    e.queue.push(slot, lane_of(e, e.at(slot)));
}

/// An event whose turn it is and that went straight takes its place in the lanes, where it is
/// running.
template <class E>
void take_turn(E& e, slot_id slot) {
    if (!e.queue.contains(slot)) {
        queue_up(e, slot);
        [[maybe_unused]] const auto turn = e.queue.take(e.now.steady);
        assert(turn == slot);
    }
}

/// Commits what the unit of work holds, with the offsets that the source has taken.
template <class E>
[[nodiscard]] commit_result close_unit(E& e) {
    return e.unit.close(e.options.group, e.options.topic, [&e](partition_id id) {
        const auto* p = e.places.find(id);
        return p == nullptr ? log_offset{-1} : p->committed;
    });
}

/// The members of a transaction that did not commit run again, in their order and each by itself.
template <class E>
void rerun_members(E& e, bool in_doubt) {
    line_up_members(e);
    for (const slot_id member : e.unit.members()) {
        auto& d = e.at(member);
        d.alone = true;
        d.in_doubt = d.in_doubt || in_doubt;
        e.queue.rewind(member);
    }
    e.unit.forget_members();
}

/// The members of a part that was undone because another event of it failed run again, in their
/// order and each in a part of its own.
template <class E>
void rerun_part(E& e) {
    for (const slot_id member : e.unit.part()) {
        e.at(member).apart = true;
        e.queue.rewind(member);
    }
    e.unit.forget_part();
}

/// Commits the open transaction, and with it all its members. False: it did not commit, and its
/// members have to run again, before anything that stands behind them in their lanes.
template <class E>
bool settle(E& e) {
    if constexpr (E::plan_type::has_once) {
        if (!e.unit.is_open()) {
            return true;
        }
        const commit_result result = close_unit(e);
        if (result != commit_result::committed) {
            rerun_members(e, result == commit_result::unknown);
            return false;
        }
        ++e.counts.commits;
        e.store_failures = 0;
        for (const slot_id member : e.unit.members()) {
            finish(e, member, e.at(member).end);
        }
        e.unit.forget_members();
    }
    return true;
}

/// The same, before an event whose turn it is goes on. False: its turn is over, as events before it
/// may have to run again.
template <class E>
[[nodiscard]] bool settle_before(E& e, slot_id slot) {
    if (settle(e)) {
        return true;
    }
    e.queue.retry_at(slot, e.now.steady);
    return false;
}

/// The store cannot be reached. It is not asked again before the gate opens.
template <class E>
void close_store_gate(E& e) {
    ++e.store_failures;
    const duration pause = decorrelated_jitter{e.policy.options().base, e.policy.options().cap}(
        e.store_failures, e.secret.k1);
    e.store_gate = later(e.now.steady, pause);
}

template <class E>
void settle_if_full(E& e) {
    if constexpr (E::plan_type::has_once) {
        if (e.unit.members().size() >= e.parts.duplicate.options.batch_max) {
            settle(e);
        }
    }
}

/// Until when the open transaction may wait for further events.
template <class E>
[[nodiscard]] steady_time settle_deadline(E& e) {
    if constexpr (E::plan_type::has_once) {
        if (e.unit.is_open()) {
            return later(e.unit.opened(), e.parts.duplicate.options.batch_time);
        }
    }
    return never;
}

/// Commits what is finished in one partition. Answers whether nothing is left to be committed.
template <class E>
bool commit_offset(E& e, partition& p) {
    const auto through = p.tracker.committable();
    if (!through) {
        return true;
    }
    const epoch_number epoch = p.tracker.epoch();
    if (e.source().commit(p.id, epoch, *through, e.call_deadline()) != commit_result::committed) {
        return false;
    }
    p.tracker.committed(*through, epoch);
    p.committed = *through;
    p.beyond = p.tracker.window();
    ++e.offset_commits;
    e.tell([&](auto& o) { o.on_committed(e.note_of(p)); });
    return true;
}

/// Commits what is finished, if it is time, in all partitions; before its time in one that has read
/// as far as it may without a commit. What did not work is tried again at the next time: committing
/// late is harmless.
template <class E>
void commit_offsets(E& e) {
    const bool is_time = e.now.steady >= e.next_commit;
    if (is_time) {
        e.next_commit = later(e.now.steady, e.options.commit_interval);
    }
    for (auto& p : e.places) {
        const bool is_urgent = p.beyond > e.options.window_max && !p.refused;
        if (p.state == partition_state::gone || (!is_time && !is_urgent)) {
            continue;
        }
        p.refused = true;
        try {
            p.refused = !commit_offset(e, p);
        } catch (const error& problem) {
            if (problem.kind() == failure_class::permanent) {
                throw;
            }
        }
    }
}

/// Removes some ids that are too old from the inbox, now and then, between transactions. While
/// there are more, the next bite follows at the next step.
template <class E>
void purge_inbox(E& e) {
    if constexpr (E::plan_type::has_once) {
        const auto& o = e.parts.duplicate.options;
        auto& store = e.unit.store();
        if constexpr (requires {
                          {
                              store.purge_inbox(e.now.wall, o.purge_max)
                          } -> std::convertible_to<std::size_t>;
                      }) {
            if (!e.next_purge) {
                e.next_purge = later(e.now.steady, o.purge_interval);
            }
            if (e.now.steady < *e.next_purge || e.unit.is_open() || e.now.steady < e.store_gate) {
                return;
            }
            e.next_purge = later(e.now.steady, o.purge_interval);
            try {
                const auto oldest =
                    e.now.wall - std::chrono::duration_cast<wall_time::duration>(o.retention);
                if (store.purge_inbox(oldest, o.purge_max) >= o.purge_max) {
                    e.next_purge = e.now.steady;
                }
            } catch (const error&) {
                // Ids that stay too long do no harm; the next time removes them.
            }
        }
    }
}

/// The partition's epoch ends here.
template <class E>
void end_partition(E& e, partition& p) {
    ++e.run;
    p.tracker.stop();
    p.state = partition_state::gone;
    e.guard.closed(p.id);
}

template <class E>
void return_queued(E& e);

/// Gives back the partitions that are to leave and have nothing running, or no time left.
template <class E>
void leave_partitions(E& e) {
    for (auto& p : e.places) {
        if (p.state != partition_state::leaving || (p.running != 0 && e.now.steady < p.until)) {
            continue;
        }
        if (!settle(e)) {
            return_queued(e);
        }
        const bool late = e.now.steady >= p.until;
        try {
            // What was to be committed before its handler ran, and was not, has not run.
            const bool committed = p.announced > p.committed || commit_offset(e, p);
            if (!committed && !late) {
                continue;
            }
            if constexpr (E::plan_type::guards) {
                if (committed && p.noted && p.running == 0 && e.guard.is_clear(p.id)) {
                    e.attempts.closed(e.options.group, e.options.topic, p.id);
                }
            }
        } catch (const error&) {
            if (!late) {
                continue;
            }
        }
        const epoch_number epoch = p.tracker.epoch();
        e.tell([&](auto& o) { o.on_revoked(e.note_of(p)); });
        end_partition(e, p);
        e.source().release(p.id, epoch);
    }
}

}  // namespace sinew::detail
