// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// From the source: polling, pausing, and taking on what is delivered.

#include <sinew/consume/admission.hpp>
#include <sinew/consume/settle.hpp>

#include <concepts>
#include <cstddef>
#include <utility>

namespace sinew::detail {

/// Handles an event as it comes from the source, if it can be. False: it has to take a place.
/// `p` is its partition's entry, or null.
template <class E>
[[nodiscard]] bool go_straight(E& e, partition* p, typename E::message_type& m);

/// The same for an event that becomes a member of a transaction. Its offset is known already.
template <class E>
[[nodiscard]] bool join_straight(E& e, partition& p, typename E::message_type& m);

/// Whether any can, as things stand.
template <class E>
[[nodiscard]] bool may_go_straight(const E& e) noexcept;

/// What an event weighs, without counting it again where its message knows.
template <class Message>
[[nodiscard]] std::size_t weight_of(const Message& m) {
    if constexpr (requires {
                      { m.size_bytes() } -> std::same_as<std::size_t>;
                  }) {
        return m.size_bytes();
    } else {
        return event_view(m.view()).size_bytes();
    }
}

/// Tells the dedup window what it will be asked for. A poll takes in several events before the
/// first is handled, so that what the window looks at for each of them is near by then.
template <class E>
void announce_identity([[maybe_unused]] E& e, [[maybe_unused]] typename E::delivery_type& d,
                       [[maybe_unused]] const event_view& event) {
    if constexpr (E::plan_type::deduplicates) {
        d.claim = digest_of(e.secret, e.options.group, event.source, event.id);
        e.window.announce(d.claim);
    }
}

/// Gives an event a place in the table.
template <class E>
slot_id take_in(E& e, const partition& p, typename E::message_type&& m) {
    const slot_id slot = e.table.open(weight_of(m));
    auto& d = e.at(slot);
    d.where = m.where();
    d.message.emplace(std::move(m));
    d.epoch = p.tracker.epoch();
    d.jitter = e.random();
    count_in_flight(e);
    const event_view& event = d.message->view();
    if (!event.partitionkey.empty()) {
        d.keyed = true;
        d.key = digest_of(e.secret, event.partitionkey);
        if constexpr (E::plan_type::has_sequence) {
            e.order.announce(d.key);  // little is done until it is offered, but not nothing
        }
    }
    announce_identity(e, d, event);
    return slot;
}

/// What a poll tells the consumer.
template <class E>
struct intake_listener {
    E& e;

    void assigned(assignment a) {
        ++e.run;
        auto& p = e.places.assign(a.partition, a.epoch);
        for (slot_id slot = 0; slot < e.table.slots_end(); ++slot) {
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
        ++e.run;
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
        auto* p = e.places.find(m.where().partition);
        if (!go_straight(e, p, m)) {
            take_its_place(p, m);
        }
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
    /// What does not go straight, or has to be a member of a transaction.
    [[gnu::noinline]] void take_its_place(partition* entry, typename E::message_type& m) {
        if (entry == nullptr || entry->state != partition_state::ours ||
            entry->tracker.epoch() != m.epoch()) {
            ++e.counts.ignored;
            return;
        }
        ++e.run;
        partition& p = *entry;
        const position where = m.where();
        if (e.table.room() == 0) {
            throw error(failure_class::permanent, "source_overran",
                        "the source delivered more events than it was asked for");
        }
        const auto seen = p.tracker.deliver(where.offset, m.epoch(), e.now.steady);
        if (seen == offset_tracker::delivery::full) {
            throw error(failure_class::permanent, "source_overran",
                        "the source delivered more events than it was asked for");
        }
        if (seen == offset_tracker::delivery::seen) {
            ++e.counts.ignored;
            return;
        }
        ++p.beyond;
        if (!join_straight(e, p, m)) {
            take_on(p, std::move(m));
        }
    }

    void take_on(const partition& p, typename E::message_type&& m) {
        ++e.counts.received;
        const slot_id slot = take_in(e, p, std::move(m));
        auto& d = e.at(slot);
        if constexpr (E::plan_type::guards) {
            d.suspect = e.guard.delivered(p.id);
            d.alone = d.suspect;
            e.open_suspects += d.suspect ? 1U : 0U;
        }
        e.tell([&](auto& o) { o.on_received(e.note_of(slot)); });
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
    for (slot_id slot = 0; slot < e.table.slots_end(); ++slot) {
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

/// How much may be read now. What goes straight to the handler is no more than one step hands to
/// it. A partition whose window is full is paused alone.
template <class E>
[[nodiscard]] poll_limits limits(E& e) {
    std::size_t events = e.table.room();
    if (may_go_straight(e) && events > e.options.step_events_max) {
        events = e.options.step_events_max;
    }
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

/// Polls the source, for at most as long as `until`. What happens for each event stands alone in
/// here: registers are few, and a compiler inlines less into what is long already.
template <class E>
[[gnu::noinline]] void poll(E& e, steady_time until) {
    if (e.now.steady < e.source_gate) {
        return;
    }
    const char* reason = e.halted ? "halted" : pause_reason(e);
    tell_pause(e, reason);
    poll_limits allowed = limits(e);
    if (reason != nullptr) {
        allowed.events = 0;
    }
    e.straight_max = may_go_straight(e) ? e.options.step_events_max : 0;
    ++e.run;
    e.step_until = later(e.now.steady, e.options.step_time_max);
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
                settle(e);  // what is committed now is asked for, not what was when it began
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
