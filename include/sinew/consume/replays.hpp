// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Dead letters whose replay was asked for come back through the handler, one at a time.
///
/// A replay takes its turn in its key's lane, beside the events from the source. It is claimed by
/// compare-and-swap, and where letters and effects share a store, it is resolved in the transaction
/// of its effects: so two consumers that both believe it is theirs cannot both apply it.

#include <sinew/consume/attempt.hpp>
#include <sinew/consume/intake.hpp>

#include <optional>
#include <string>
#include <utility>

namespace sinew::detail {

/// Resolves the replayed letter in the transaction of its effects, where that can be done.
template <class E, class Tx>
[[nodiscard]] outcome close_replay(E& e, slot_id slot, [[maybe_unused]] Tx& tx) {
    if constexpr (letters_in_transaction<typename E::plan_type>) {
        if (e.at(slot).replay && e.letters_share_store()) {
            try {
                if (!e.parts.failure.place.move(tx, e.replay->number, e.replay->version,
                                                dead_letter_state::resolved, nullptr)) {
                    return outcome::reject("replay_taken_over",
                                           "somebody else has moved this dead letter meanwhile");
                }
            } catch (...) {
                return outcome::failed(classify_current_exception());
            }
        }
    }
    return outcome::done();
}

template <class E>
void forget_replay(E& e, slot_id slot) {
    if (e.queue.contains(slot)) {
        e.queue.finish(slot);
    }
    e.replay.reset();
    e.replay_slot.reset();
    forget_delivery(e, slot);
    e.next_replay_look = e.now.steady;
}

/// The replay is over: the event is applied, or was so already.
template <class E>
void finish_replay(E& e, slot_id slot, ending end) {
    if constexpr (can_replay<typename E::plan_type>) {
        if (end == ending::duplicate || !e.letters_share_store()) {
            try {
                static_cast<void>(e.parts.failure.place.move(e.replay->number, e.replay->version,
                                                             dead_letter_state::resolved, nullptr));
            } catch (const error&) {
                // It stays "replaying", is taken up again after its lease, and found applied.
            }
        }
        if (end == ending::duplicate) {
            e.tell([&](auto& o) { o.on_duplicate(e.note_of(slot)); });
        } else {
            ++e.counts.replayed;
            e.tell([&](auto& o) { o.on_replayed(e.note_of(slot)); });
        }
        forget_replay(e, slot);
    }
}

/// The replay failed for good: the letter waits again, with a note more.
template <class E>
void refuse_replay(E& e, slot_id slot) {
    if constexpr (can_replay<typename E::plan_type>) {
        if (!settle_before(e, slot)) {
            return;
        }
        auto& d = e.at(slot);
        const failure_note note{e.now.wall, d.why.kind, d.past.attempts, d.why.reason,
                                d.why.detail};
        try {
            static_cast<void>(e.parts.failure.place.move(e.replay->number, e.replay->version,
                                                         dead_letter_state::waiting, &note));
        } catch (const error&) {
            e.queue.retry_at(slot, later(e.now.steady, e.policy.options().base));
            return;
        }
        forget_replay(e, slot);
    }
}

/// Whether an earlier letter of the same key is still open, where a key keeps its order.
template <class E>
[[nodiscard]] bool is_blocked(E& e, const dead_letter_entry& entry) {
    const std::string& key = entry.letter.original.partitionkey;
    if (e.parts.failure.options.following == following::pass || key.empty()) {
        return false;
    }
    for (const auto state :
         {dead_letter_state::waiting, dead_letter_state::requested, dead_letter_state::replaying}) {
        dead_letter_filter filter{.consumer = e.options.group, .key = key, .state = state};
        const auto first = e.parts.failure.place.find(filter, 0, 1);
        if (!first.empty() && first.front().number < entry.number) {
            return true;
        }
    }
    return false;
}

/// Whether an entry that is being replayed was left behind: nothing happened to it for a lease.
template <class E>
[[nodiscard]] bool is_abandoned(E& e, const dead_letter_entry& entry) {
    const std::pair seen{entry.number, entry.version};
    if (e.foreign_replay != seen) {
        e.foreign_replay = seen;
        e.foreign_replay_since = e.now.steady;
    }
    return e.now.steady >= later(e.foreign_replay_since, e.parts.failure.options.replay_lease);
}

/// The letter of this consumer and topic that is being replayed, or else the first whose replay was
/// asked for.
template <class E>
[[nodiscard]] std::optional<dead_letter_entry> next_replay(E& e) {
    for (const auto state : {dead_letter_state::replaying, dead_letter_state::requested}) {
        auto found = e.parts.failure.place.find(
            {.consumer = e.options.group, .topic = e.options.topic, .state = state}, 0, 1);
        if (!found.empty()) {
            return std::move(found.front());
        }
    }
    return std::nullopt;
}

/// Claims the next letter whose replay was asked for, if there is one.
template <class E>
[[nodiscard]] std::optional<dead_letter_entry> claim_replay(E& e) {
    auto& place = e.parts.failure.place;
    auto entry = next_replay(e);
    if (!entry || (entry->state == dead_letter_state::replaying && !is_abandoned(e, *entry))) {
        return std::nullopt;
    }
    if (is_blocked(e, *entry)) {
        const failure_note note{e.now.wall, failure_class::permanent, entry->letter.attempts,
                                "blocked_by_earlier",
                                "an earlier dead letter of its key has to be replayed first"};
        static_cast<void>(
            place.move(entry->number, entry->version, dead_letter_state::waiting, &note));
        e.next_replay_look = e.now.steady;
        return std::nullopt;
    }
    if (!place.move(entry->number, entry->version, dead_letter_state::replaying, nullptr)) {
        return std::nullopt;
    }
    ++entry->version;
    return entry;
}

/// Looks now and then whether a replay was asked for, and puts it into its lane.
template <class E>
void look_for_replays(E& e) {
    if constexpr (can_replay<typename E::plan_type>) {
        if (e.replay || e.halted || e.table.room() == 0 || e.now.steady < e.next_replay_look ||
            e.now.steady < e.store_gate) {
            return;
        }
        settle(e);
        e.next_replay_look = later(e.now.steady, e.parts.failure.options.replay_interval);
        try {
            e.replay = claim_replay(e);
        } catch (const error&) {
            return;
        }
        if (!e.replay) {
            return;
        }
        const event_view event = e.replay->letter.original.view();
        const slot_id slot = e.table.open(event.size_bytes());
        auto& d = e.at(slot);
        d.replay = true;
        d.where = e.replay->letter.where;
        d.jitter = e.random();
        d.alone = true;
        if (!event.partitionkey.empty()) {
            d.keyed = true;
            d.key = digest_of(e.secret, event.partitionkey);
        }
        announce_identity(e, d, event);
        e.replay_slot = slot;
        count_in_flight(e);
        look_for_problems(e, slot, std::nullopt);
        queue_up(e, slot);
    }
}

}  // namespace sinew::detail
