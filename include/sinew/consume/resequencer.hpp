// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Puts the events of each key back into the order of their numbers.
///
/// **Guarantees.** Of each key, events are delivered in rising order of their numbers, each number
/// once. Whatever is not delivered gets a verdict, at once or when it comes out of waiting. A key's
/// expectation only rises, but for the explicit `retreat` and `put_back`. Every gap has a time-out
/// of its own, and with a store none is given up before the store was looked into once more.
///
/// **Invariants.** Held events of a key lie beyond what it expects, no number twice. A key waits,
/// and has a deadline, exactly while it holds events. Only keys with nothing held, nothing released
/// and nothing outstanding can be forgotten.
///
/// | a number | verdict |
/// | --- | --- |
/// | the expected one | deliver; `next_release` then answers the held ones that follow it |
/// | beyond it | hold; full if there is no room |
/// | beyond it, and held already; or applied | duplicate |
/// | beyond it by more than `jump_max`, or the last one there is | too_far |
/// | in a gap that was given up | late; uncertain if gaps had to be merged |
/// | of a key that is not known here | as above from `first` on; with a store look_up |
///
/// **Bounds.** An event in order costs one look into a hash table, a held one two, and nothing is
/// allocated for either once the tables have their size. No more than `held_max` events and a small
/// reserve are taken by `offer`; `put_back` adds what the driver had out already.

#include <sinew/consume/bounded_keys.hpp>
#include <sinew/consume/deadline_heap.hpp>
#include <sinew/consume/held_events.hpp>
#include <sinew/consume/index_list.hpp>
#include <sinew/consume/resequencer_options.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sinew {

/// The order of each key's events.
class resequencer {
public:
    /// What becomes of an event that is offered.
    enum class verdict : std::uint8_t {
        deliver,    ///< its turn: it is outstanding until `settled`, `retreat` or `put_back`
        hold,       ///< kept until `next_release` answers it
        duplicate,  ///< delivered before, or a copy of one that is held
        late,       ///< its gap was given up
        uncertain,  ///< its gap was given up, or it was applied: that is not known any more
        too_far,    ///< not to be believed
        look_up,    ///< ask the store for the key's progress, call `learn`, offer again
        full,       ///< no room: nothing has changed, offer it again later
    };

    /// A held event that came free.
    struct release {
        slot_id slot = no_slot;
        digest key{};
        std::uint64_t sequence = 0;
        /// 0, or the number from which this event may jump: `gap_from` to `sequence - 1` were given
        /// up.
        std::uint64_t gap_from = 0;
        /// `expected`: deliver it, it is outstanding. `applied`, `late`, `uncertain`: its key has
        /// gone past it meanwhile, or a copy of it is held; it is not outstanding.
        standing verdict = standing::expected;
    };

    /// What is due.
    enum class due_kind : std::uint8_t {
        look_again,  ///< read the store's progress and call `learn`
        give_up,     ///< call `give_up`
    };

    /// A waiting key whose time has come.
    struct due_key {
        digest key{};
        slot_id slot = no_slot;  ///< one of the events that it holds
        due_kind what = due_kind::look_again;
        bool by_count = false;  ///< too many events wait, rather than for too long
    };

    /// So many events are still held beyond a limit, until the gap that it made due is dealt with.
    static constexpr std::size_t held_reserve = 64;

    /// `has_store` says whether a store keeps the progress of keys as well.
    resequencer(const resequencer_options& options, bool has_store)
        : keys_((check(options), options.keys_max)),
          events_(options.held_max + held_reserve),
          options_(options),
          has_store_(has_store) {}

    /// An event of `key` with the number `sequence`, 1 or more, arrived in `slot`, which must not be
    /// here already.
    [[nodiscard]] verdict offer(const digest& key, std::uint64_t sequence, slot_id slot,
                                steady_time now) {
        see(now);
        std::uint32_t id = keys_.find(key);
        if (id == none) {
            if (!keys_.has_room()) {
                return verdict::full;
            }
            if (has_store_) {
                return verdict::look_up;
            }
            id = open(key, key_progress(options_.first));
        }
        record& at = keys_[id];
        keys_.use(id);
        if (sequence == UINT64_MAX) {
            return verdict::too_far;  // nothing could follow it
        }
        switch (at.progress.stand(sequence)) {
            case standing::expected:
                at.progress.advance_past(sequence);
                ++at.outstanding;
                follow(id, now, false);
                return verdict::deliver;
            case standing::applied: return verdict::duplicate;
            case standing::late: return verdict::late;
            case standing::uncertain: return verdict::uncertain;
            case standing::ahead: break;
        }
        return offer_ahead(id, sequence, slot, now);
    }

    /// What the store says of a key. It can raise what is expected, and so set held events free; of
    /// a key that is known here it never lowers it.
    void learn(const digest& key, const key_progress& in_store, steady_time now) {
        see(now);
        const std::uint32_t id = keys_.find(key);
        if (id == none) {
            if (keys_.has_room()) {
                open(key, in_store.is_known() ? in_store : key_progress(options_.first));
            }
            return;
        }
        keys_.use(id);
        record& at = keys_[id];
        if (in_store.next() > at.progress.next()) {
            at.progress = in_store;
            follow(id, now, free_passed(at));
        }
        if (at.held != 0) {
            at.looked = at.looked || at.deadline <= now;
            at.look_at = next_look(at, now);
            set_alarm(id);
        }
    }

    /// The next event that came free. Ask after each call that takes a time, until there is none.
    [[nodiscard]] std::optional<release> next_release() {
        const slot_id slot = events_.first_free();
        if (slot == no_slot) {
            return std::nullopt;
        }
        const detail::held_event one = events_.fetch(slot);
        --keys_[one.owner].freed;
        sort_in(one.owner);
        return release{slot, one.key, one.sequence, one.gap_from, one.stand};
    }

    /// A waiting key whose time to look again, or to give up, has come. The time of a look is
    /// forgotten with the answer: if it fails, the key comes again after `look_again`. A gap that is
    /// to be given up is answered until it is.
    [[nodiscard]] std::optional<due_key> next_due(steady_time now) {
        see(now);
        if (alarms_.empty() || alarms_.top().at > now) {
            return std::nullopt;
        }
        const std::uint32_t id = alarms_.top().member;
        record& at = keys_[id];
        const bool look = must_look(at);
        if (look) {
            at.look_at = next_look(at, now);
            set_alarm(id);
        }
        return due_key{at.key, at.events.first, look ? due_kind::look_again : due_kind::give_up,
                       at.by_count};
    }

    /// Goes past the first gap of a key: it is recorded, and what waited behind it up to the next
    /// gap comes free. A further gap gets its own time. Answers the gap; nothing, if the key has
    /// none whose time is up and for which the store was looked into.
    std::optional<sequence_gap> give_up(const digest& key, steady_time now) {
        see(now);
        const std::uint32_t id = keys_.find(key);
        if (id == none) {
            return std::nullopt;
        }
        record& at = keys_[id];
        if (at.held == 0 || at.deadline > now || must_look(at)) {
            return std::nullopt;
        }
        const slot_id slot = events_.lowest(at.events);
        const std::uint64_t sequence = events_[slot].sequence;
        const sequence_gap gap{at.progress.next(), sequence - 1};
        at.progress.advance_past(sequence);
        free_expected(at, slot, gap.first);
        follow(id, now, true);
        return gap;
    }

    /// An outstanding event of the key is finished.
    void settled(const digest& key) {
        const std::uint32_t id = keys_.find(key);
        if (id != none) {
            less_outstanding(id);
            sort_in(id);
        }
    }

    /// An outstanding event was dropped, and nobody here applies it: the key expects it again, or
    /// an earlier one. A gap that it had jumped is open again, as it was to be recorded with the
    /// event. The wait for a gap starts anew, at the latest time that was told.
    void retreat(const digest& key, std::uint64_t sequence) {
        const std::uint32_t id = keys_.find(key);
        if (id != none) {
            less_outstanding(id);
            lower(id, sequence);
            sort_in(id);
        }
    }

    /// A held event, or one that came free and was not fetched, was taken away. Answers whether it
    /// was here.
    bool drop(slot_id slot) {
        if (!events_.contains(slot)) {
            return false;
        }
        const std::uint32_t id = events_[slot].owner;
        record& at = keys_[id];
        if (events_[slot].where == detail::hold_state::held) {
            events_.drop(at.events, slot);
            --at.held;
        } else {
            const detail::held_event one = events_.fetch(slot);
            --at.freed;
            if (one.stand == standing::expected) {
                less_outstanding(id);
                lower(id, one.sequence);
            }
        }
        sort_in(id);
        return true;
    }

    /// The same for a held event, by its number.
    bool drop(const digest& key, std::uint64_t sequence) {
        return drop(events_.find(key, sequence));
    }

    /// An outstanding event has to wait after all: the store's progress, which is below it, counts.
    /// The event is held, whatever the limits say, or comes free at once if nothing is missing.
    void put_back(const digest& key, std::uint64_t sequence, slot_id slot,
                  const key_progress& in_store, steady_time now) {
        see(now);
        std::uint32_t id = keys_.find(key);
        if (id == none) {
            id = open(key, key_progress(options_.first));
        }
        record& at = keys_[id];
        less_outstanding(id);
        const std::uint64_t before = at.progress.next();
        if (in_store.is_known()) {
            at.progress = in_store;
        } else if (has_store_) {
            at.progress = key_progress(options_.first);
        }
        if (events_.find(key, sequence) != no_slot) {
            events_.take_in_free(id, key, sequence, slot, standing::applied);
            ++at.freed;
        } else {
            events_.hold(at.events, id, key, sequence, slot);
            ++at.held;
        }
        const bool anew = at.progress.next() < before || at.held == 1;
        follow(id, now, free_passed(at) || anew);
        if (at.held != 0) {
            apply_limits(id, now);
        }
    }

    /// When `next_due` will have an answer.
    [[nodiscard]] std::optional<steady_time> next_deadline() const noexcept {
        return alarms_.empty() ? std::nullopt : std::optional(alarms_.top().at);
    }

    /// Where a key stands; null if that is not known here. Valid until the next call that changes
    /// something.
    [[nodiscard]] const key_progress* progress(const digest& key) const noexcept {
        const std::uint32_t id = keys_.find(key);
        return id == none ? nullptr : &keys_[id].progress;
    }

    /// How many events wait for others.
    [[nodiscard]] std::size_t held() const noexcept { return events_.size(); }
    /// How many keys are kept in mind.
    [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }

    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t held_here = 0;
        std::size_t freed_here = 0;
        std::size_t waiting_here = 0;
        for (std::uint32_t id = 0; id < keys_.size(); ++id) {
            const record& at = keys_[id];
            if (at.idle != is_unused(at) || at.waits != (at.held != 0) ||
                alarms_.contains(id) != at.waits || !at.progress.is_known() ||
                !events_.check_list(at.events, id, at.held, at.progress.next())) {
                return false;
            }
            held_here += at.held;
            freed_here += at.freed;
            waiting_here += at.waits ? 1U : 0U;
        }
        return events_.check_invariants(held_here, freed_here) && keys_.check_invariants() &&
               waiting_.count(keys_, waiting_here) == waiting_here &&
               alarms_.size() == waiting_here && alarms_.check_invariants();
    }

private:
    static constexpr std::uint32_t none = detail::index_list::none;

    struct record : detail::keyed_record {
        key_progress progress;
        detail::index_list events;  ///< the held ones, as they arrived
        std::uint32_t held = 0;
        std::uint32_t freed = 0;  ///< not fetched yet
        std::uint32_t outstanding = 0;
        bool waits = false;     ///< is in the list of waiting keys
        bool looked = false;    ///< the store was looked into at the deadline or after it
        bool by_count = false;  ///< the deadline is that of a limit
        steady_time deadline{};
        steady_time look_at{};
    };

    /// Only the latest time counts: it must not go back, and `retreat` is not told any.
    void see(steady_time now) noexcept { latest_ = now > latest_ ? now : latest_; }

    [[nodiscard]] verdict offer_ahead(std::uint32_t id, std::uint64_t sequence, slot_id slot,
                                      steady_time now) {
        record& at = keys_[id];
        if (sequence - at.progress.next() > options_.jump_max) {
            return verdict::too_far;
        }
        if (events_.find(at.key, sequence) != no_slot) {
            return verdict::duplicate;
        }
        if (at.held >= options_.held_per_key_max + held_reserve ||
            held() >= options_.held_max + held_reserve) {
            return verdict::full;
        }
        events_.hold(at.events, id, at.key, sequence, slot);
        if (++at.held == 1) {
            await(id, now);
        }
        apply_limits(id, now);
        return verdict::hold;
    }

    // Keys.

    std::uint32_t open(const digest& key, const key_progress& progress) {
        const std::uint32_t id = keys_.open(key);
        keys_[id].progress = progress;
        keys_.set_idle(id, true);
        return id;
    }

    [[nodiscard]] static bool is_unused(const record& at) noexcept {
        return at.held == 0 && at.freed == 0 && at.outstanding == 0;
    }

    /// Puts a key among the idle or the waiting ones, or takes it away from there, by what it has.
    void sort_in(std::uint32_t id) noexcept {
        record& at = keys_[id];
        if (at.waits && at.held == 0) {
            at.waits = false;
            waiting_.erase(keys_, id);
            alarms_.erase(id);
        }
        keys_.set_idle(id, is_unused(at));
    }

    void less_outstanding(std::uint32_t id) noexcept {
        if (keys_[id].outstanding != 0) {
            --keys_[id].outstanding;
        }
    }

    /// The key expects `sequence` again, if it had gone past it.
    void lower(std::uint32_t id, std::uint64_t sequence) {
        record& at = keys_[id];
        if (sequence == 0 || at.progress.next() <= sequence) {
            return;
        }
        const bool merged = at.progress.has_merged_gaps();
        std::uint64_t next = sequence;
        std::vector<sequence_gap> kept;
        for (const sequence_gap& gap : at.progress.gaps()) {
            if (gap.first >= sequence) {
                break;
            }
            if (gap.last == sequence - 1 && !merged) {
                next = gap.first;
            } else {
                kept.push_back({gap.first, gap.last < sequence ? gap.last : sequence - 1});
            }
        }
        at.progress = key_progress(next, std::move(kept), merged);
        if (at.held != 0) {
            await(id, latest_);
        }
    }

    // Events.

    void free_expected(record& at, slot_id slot, std::uint64_t gap_from) {
        events_.set_free(at.events, slot, standing::expected, gap_from);
        --at.held;
        ++at.freed;
        ++at.outstanding;
    }

    /// Sets free what the key has gone past. Answers whether there was anything.
    bool free_passed(record& at) {
        const std::uint32_t count = events_.set_passed_free(at.events, at.progress);
        at.held -= count;
        at.freed += count;
        return count != 0;
    }

    /// Sets free the held events whose turn it is. If any came free, or `changed` says so, what is
    /// still held waits for a new gap.
    void follow(std::uint32_t id, steady_time now, bool changed) {
        record& at = keys_[id];
        while (at.held != 0) {
            const slot_id slot = events_.find(at.key, at.progress.next());
            if (slot == no_slot) {
                break;
            }
            at.progress.advance_past(at.progress.next());
            free_expected(at, slot, 0);
            changed = true;
        }
        sort_in(id);
        if (at.held != 0 && changed) {
            await(id, now);
        }
    }

    // Time.

    [[nodiscard]] bool must_look(const record& at) const noexcept {
        return has_store_ && !at.looked;
    }

    /// A look at the deadline counts as the last one; from there on it is only tried again.
    [[nodiscard]] steady_time next_look(const record& at, steady_time now) const noexcept {
        const steady_time next = later(now, options_.look_again);
        return now < at.deadline && next > at.deadline ? at.deadline : next;
    }

    void set_alarm(std::uint32_t id) {
        const record& at = keys_[id];
        alarms_.set(id, must_look(at) ? at.look_at : at.deadline);
    }

    /// A gap begins to wait.
    void await(std::uint32_t id, steady_time now) {
        record& at = keys_[id];
        keys_.set_idle(id, false);
        if (at.waits) {
            waiting_.erase(keys_, id);
        }
        waiting_.push_back(keys_, id);
        at.waits = true;
        at.looked = false;
        at.by_count = false;
        at.deadline = later(now, options_.gap_timeout);
        const steady_time look = later(now, options_.look_again);
        at.look_at = look < at.deadline ? look : at.deadline;
        set_alarm(id);
        apply_limits(id, now);
    }

    void apply_limits(std::uint32_t id, steady_time now) {
        if (keys_[id].held >= options_.held_per_key_max) {
            make_due(id, now);
        }
        if (held() >= options_.held_max) {
            make_due(waiting_.first, now);
        }
    }

    void make_due(std::uint32_t id, steady_time now) {
        record& at = keys_[id];
        if (at.deadline > now) {
            at.deadline = now;
            at.look_at = now;
            at.by_count = true;
            set_alarm(id);
        }
    }

    detail::bounded_keys<record> keys_;
    detail::held_events events_;
    detail::index_list waiting_;  ///< the keys that wait, the longest waiting first
    detail::deadline_heap alarms_;
    resequencer_options options_;
    steady_time latest_ = steady_time::min();
    bool has_store_;
};

}  // namespace sinew
