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

#include <sinew/consume/deadline_heap.hpp>
#include <sinew/consume/index_list.hpp>
#include <sinew/consume/index_table.hpp>
#include <sinew/consume/resequencer_options.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace sinew {

namespace detail {

/// A number of a key: what a held event is found by.
struct key_and_sequence {
    digest key{};
    std::uint64_t sequence = 0;

    friend constexpr bool operator==(const key_and_sequence&, const key_and_sequence&) = default;

    // The sender chooses the number, but the seed of the digest is not known to him.
    friend constexpr std::uint64_t table_hash(const key_and_sequence& one) noexcept {
        return sinew::table_hash(one.sequence ^ one.key.hi) ^ one.key.lo;
    }
};

}  // namespace detail

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
    resequencer(resequencer_options options, bool has_store)
        : held_slots_((check(options), options.held_max + held_reserve)), options_(options),
          has_store_(has_store) {
        nodes_.reserve(options.held_max + held_reserve);
    }

    /// An event of `key` with the number `sequence`, 1 or more, arrived in `slot`.
    [[nodiscard]] verdict offer(const digest& key, std::uint64_t sequence, slot_id slot,
                                steady_time now) {
        see(now);
        std::uint32_t id = keys_.find(key);
        if (id == none) {
            if (!can_open()) {
                return verdict::full;
            }
            if (has_store_) {
                return verdict::look_up;
            }
            id = open(key, key_progress(options_.first));
        }
        key_record& at = keys_at_[id];
        use(id);
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
        if (sequence - at.progress.next() > options_.jump_max) {
            return verdict::too_far;
        }
        if (held_slots_.find({key, sequence}) != none) {
            return verdict::duplicate;
        }
        if (at.held >= options_.held_per_key_max + held_reserve ||
            held() >= options_.held_max + held_reserve) {
            return verdict::full;
        }
        hold(id, sequence, slot);
        if (at.held == 1) {
            await(id, now);
        } else {
            apply_limits(id, now);
        }
        return verdict::hold;
    }

    /// What the store says of a key. It can raise what is expected, and so set held events free; of
    /// a key that is known here it never lowers it.
    void learn(const digest& key, const key_progress& in_store, steady_time now) {
        see(now);
        const std::uint32_t id = keys_.find(key);
        if (id == none) {
            if (can_open()) {
                open(key, in_store.is_known() ? in_store : key_progress(options_.first));
            }
            return;
        }
        use(id);
        key_record& at = keys_at_[id];
        if (in_store.next() > at.progress.next()) {
            at.progress = in_store;
            if (at.held != 0) {
                follow(id, now, free_passed(id));
            }
        }
        if (at.held != 0) {
            at.looked = at.looked || at.deadline <= now;
            at.look_at = next_look(at, now);
            set_alarm(id);
        }
    }

    /// The next event that came free. Ask after each call that takes a time, until there is none.
    [[nodiscard]] std::optional<release> next_release() {
        const slot_id slot = freed_.first;
        if (slot == no_slot) {
            return std::nullopt;
        }
        const node one = nodes_[slot];
        freed_.erase(nodes_, slot);
        nodes_[slot].where = place::nowhere;
        --keys_at_[one.owner].freed;
        const release answer{slot, keys_at_[one.owner].key, one.sequence, one.gap_from, one.stand};
        sort_in(one.owner);
        return answer;
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
        key_record& at = keys_at_[id];
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
        key_record& at = keys_at_[id];
        if (at.held == 0 || at.deadline > now || must_look(at)) {
            return std::nullopt;
        }
        slot_id lowest = at.events.first;
        for (slot_id slot = lowest; slot != no_slot; slot = nodes_[slot].next) {
            lowest = nodes_[slot].sequence < nodes_[lowest].sequence ? slot : lowest;
        }
        const std::uint64_t sequence = nodes_[lowest].sequence;
        const sequence_gap gap{at.progress.next(), sequence - 1};
        at.progress.advance_past(sequence);
        stop_holding(lowest);
        set_free(lowest, standing::expected, gap.first, freed_.last);
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
        if (id == none) {
            return;
        }
        less_outstanding(id);
        lower(id, sequence);
        sort_in(id);
    }

    /// A held event was taken away. Answers whether it was here.
    bool drop(slot_id slot) {
        if (slot >= nodes_.size() || nodes_[slot].where == place::nowhere) {
            return false;
        }
        const node one = nodes_[slot];
        if (one.where == place::held) {
            stop_holding(slot);
            if (keys_at_[one.owner].held == 0) {
                alarms_.erase(one.owner);
            }
        } else {
            freed_.erase(nodes_, slot);
            --keys_at_[one.owner].freed;
            if (one.stand == standing::expected) {
                less_outstanding(one.owner);
                lower(one.owner, one.sequence);
            }
        }
        nodes_[slot].where = place::nowhere;
        sort_in(one.owner);
        return true;
    }

    /// The same, by number.
    bool drop(const digest& key, std::uint64_t sequence) {
        const std::uint32_t slot = held_slots_.find({key, sequence});
        return slot != none && drop(slot);
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
        key_record& at = keys_at_[id];
        less_outstanding(id);
        const std::uint64_t before = at.progress.next();
        if (in_store.is_known()) {
            at.progress = in_store;
        } else if (has_store_) {
            at.progress = key_progress(options_.first);
        }
        const bool is_copy = held_slots_.find({key, sequence}) != none;
        if (is_copy) {
            make_node(id, sequence, slot);
            set_free(slot, standing::applied, 0, freed_.last);
        } else {
            hold(id, sequence, slot);
        }
        const bool anew = at.progress.next() < before || at.held == 1;
        follow(id, now, free_passed(id) || anew);
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
        return id == none ? nullptr : &keys_at_[id].progress;
    }

    /// How many events wait for others.
    [[nodiscard]] std::size_t held() const noexcept { return held_slots_.size(); }
    /// How many keys are kept in mind.
    [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }
    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t held_here = 0;
        std::size_t freed_here = 0;
        std::size_t idle_here = 0;
        std::size_t waiting_here = 0;
        for (std::uint32_t id = 0; id < keys_at_.size(); ++id) {
            const key_record& at = keys_at_[id];
            if (!check_key(id)) {
                return false;
            }
            held_here += at.held;
            freed_here += at.freed;
            idle_here += at.where == rank::idle ? 1U : 0U;
            waiting_here += at.where == rank::waiting ? 1U : 0U;
        }
        return held_here == held() && keys_at_.size() == keys_.size() &&
               freed_.count(nodes_, freed_here) == freed_here &&
               idle_.count(keys_at_, idle_here) == idle_here &&
               waiting_.count(keys_at_, waiting_here) == waiting_here &&
               alarms_.size() == waiting_here &&
               keys_.check_invariants() && held_slots_.check_invariants() &&
               alarms_.check_invariants();
    }

private:
    static constexpr std::uint32_t none = UINT32_MAX;
    static_assert(none == no_slot);

    enum class place : std::uint8_t { nowhere, held, freed };
    enum class rank : std::uint8_t { busy, idle, waiting };

    /// A held or freed event.
    struct node {
        std::uint64_t sequence = 0;
        std::uint64_t gap_from = 0;
        std::uint32_t owner = none;
        std::uint32_t previous = none;
        std::uint32_t next = none;
        standing stand = standing::ahead;
        place where = place::nowhere;
    };

    struct key_record {
        digest key{};
        key_progress progress;
        index_list events;              ///< the held ones, as they arrived
        std::uint32_t held = 0;
        std::uint32_t freed = 0;        ///< not fetched yet
        std::uint32_t outstanding = 0;
        std::uint32_t previous = none;  ///< among the idle, or among the waiting keys
        std::uint32_t next = none;
        rank where = rank::busy;
        bool looked = false;            ///< into the store, at the deadline or after it
        bool by_count = false;
        steady_time deadline{};
        steady_time look_at{};
    };

    /// Only the latest time counts: it must not go back, and `retreat` is not told any.
    void see(steady_time now) noexcept { latest_ = now > latest_ ? now : latest_; }

    // Keys.

    [[nodiscard]] bool can_open() const noexcept {
        return keys_at_.size() < options_.keys_max || !idle_.empty();
    }

    std::uint32_t open(const digest& key, const key_progress& progress) {
        std::uint32_t id = idle_.first;
        if (keys_at_.size() < options_.keys_max || id == none) {
            id = static_cast<std::uint32_t>(keys_at_.size());
            keys_at_.emplace_back();
        } else {
            idle_.erase(keys_at_, id);
            keys_.erase(keys_at_[id].key);
            keys_at_[id] = key_record{};
        }
        keys_at_[id].key = key;
        keys_at_[id].progress = progress;
        keys_.insert(key, id);
        sort_in(id);
        return id;
    }

    /// A key that was asked for is the last of the idle ones to give way.
    void use(std::uint32_t id) noexcept {
        if (keys_at_[id].where == rank::idle) {
            idle_.erase(keys_at_, id);
            idle_.push_back(keys_at_, id);
        }
    }

    void move_to(std::uint32_t id, rank where) noexcept {
        key_record& at = keys_at_[id];
        if (at.where != rank::busy) {
            (at.where == rank::idle ? idle_ : waiting_).erase(keys_at_, id);
        }
        at.where = where;
        if (where != rank::busy) {
            (where == rank::idle ? idle_ : waiting_).push_back(keys_at_, id);
        }
    }

    /// Puts a key among the idle, waiting or busy ones, by what it has.
    void sort_in(std::uint32_t id) noexcept {
        const key_record& at = keys_at_[id];
        const rank where = at.held != 0                           ? rank::waiting
                           : at.freed == 0 && at.outstanding == 0 ? rank::idle
                                                                  : rank::busy;
        if (at.where != where) {
            move_to(id, where);
        }
    }

    void less_outstanding(std::uint32_t id) noexcept {
        if (keys_at_[id].outstanding != 0) {
            --keys_at_[id].outstanding;
        }
    }

    // Time.

    [[nodiscard]] bool must_look(const key_record& at) const noexcept {
        return has_store_ && !at.looked;
    }

    /// A look at the deadline counts as the last one; from there on it is only tried again.
    [[nodiscard]] steady_time next_look(const key_record& at, steady_time now) const noexcept {
        const steady_time next = later(now, options_.look_again);
        return now < at.deadline && next > at.deadline ? at.deadline : next;
    }

    void set_alarm(std::uint32_t id) {
        const key_record& at = keys_at_[id];
        alarms_.set(id, must_look(at) ? at.look_at : at.deadline);
    }

    /// A gap begins to wait.
    void await(std::uint32_t id, steady_time now) {
        key_record& at = keys_at_[id];
        at.deadline = later(now, options_.gap_timeout);
        at.look_at = later(now, options_.look_again);
        at.look_at = at.look_at < at.deadline ? at.look_at : at.deadline;
        at.looked = false;
        at.by_count = false;
        move_to(id, rank::waiting);
        set_alarm(id);
        apply_limits(id, now);
    }

    void apply_limits(std::uint32_t id, steady_time now) {
        if (keys_at_[id].held >= options_.held_per_key_max) {
            make_due(id, now);
        }
        if (held() >= options_.held_max) {
            make_due(waiting_.first, now);
        }
    }

    void make_due(std::uint32_t id, steady_time now) {
        key_record& at = keys_at_[id];
        if (at.deadline > now) {
            at.deadline = now;
            at.look_at = now;
            at.by_count = true;
            set_alarm(id);
        }
    }

    // Events.

    void hold(std::uint32_t id, std::uint64_t sequence, slot_id slot) {
        make_node(id, sequence, slot);
        nodes_[slot].where = place::held;
        keys_at_[id].events.push_back(nodes_, slot);
        ++keys_at_[id].held;
        held_slots_.insert({keys_at_[id].key, sequence}, slot);
    }

    void make_node(std::uint32_t id, std::uint64_t sequence, slot_id slot) {
        if (slot >= nodes_.size()) {
            nodes_.resize(static_cast<std::size_t>(slot) + 1);
        }
        assert(nodes_[slot].where == place::nowhere);
        nodes_[slot] = node{};
        nodes_[slot].owner = id;
        nodes_[slot].sequence = sequence;
    }

    void stop_holding(slot_id slot) {
        key_record& at = keys_at_[nodes_[slot].owner];
        held_slots_.erase({at.key, nodes_[slot].sequence});
        at.events.erase(nodes_, slot);
        --at.held;
    }

    /// Lines up an event to be fetched, behind `after`.
    void set_free(slot_id slot, standing stand, std::uint64_t gap_from, slot_id after) noexcept {
        nodes_[slot].where = place::freed;
        nodes_[slot].stand = stand;
        nodes_[slot].gap_from = gap_from;
        freed_.insert_after(nodes_, after, slot);
        key_record& at = keys_at_[nodes_[slot].owner];
        ++at.freed;
        at.outstanding += stand == standing::expected ? 1U : 0U;
    }

    /// Sets free the held events that the key has gone past, in rising order. Answers whether there
    /// were any.
    bool free_passed(std::uint32_t id) {
        const key_record& at = keys_at_[id];
        const slot_id before = freed_.last;
        for (slot_id slot = at.events.first; slot != no_slot;) {
            const slot_id next = nodes_[slot].next;
            const std::uint64_t sequence = nodes_[slot].sequence;
            if (sequence < at.progress.next()) {
                slot_id after = freed_.last;
                while (after != before && nodes_[after].sequence > sequence) {
                    after = nodes_[after].previous;
                }
                stop_holding(slot);
                set_free(slot, at.progress.stand(sequence), 0, after);
            }
            slot = next;
        }
        return freed_.last != before;
    }

    /// Sets free the held events whose turn it is. If any came free, or `changed` says so, what is
    /// still held waits for a new gap.
    void follow(std::uint32_t id, steady_time now, bool changed) {
        key_record& at = keys_at_[id];
        while (at.held != 0) {
            const slot_id slot = held_slots_.find({at.key, at.progress.next()});
            if (slot == none) {
                break;
            }
            at.progress.advance_past(nodes_[slot].sequence);
            stop_holding(slot);
            set_free(slot, standing::expected, 0, freed_.last);
            changed = true;
        }
        if (at.held == 0) {
            alarms_.erase(id);
            sort_in(id);
        } else if (changed) {
            await(id, now);
        }
    }

    /// The key expects `sequence` again, if it had gone past it.
    void lower(std::uint32_t id, std::uint64_t sequence) {
        key_record& at = keys_at_[id];
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
            if (gap.last < sequence - 1) {
                kept.push_back(gap);
            } else if (merged) {
                kept.push_back({gap.first, sequence - 1});
            } else {
                next = gap.first;
            }
        }
        at.progress = key_progress(next, std::move(kept), merged);
        if (at.held != 0) {
            await(id, latest_);
        }
    }

    [[nodiscard]] bool check_key(std::uint32_t id) const noexcept {
        const key_record& at = keys_at_[id];
        const rank where = at.held != 0                           ? rank::waiting
                           : at.freed == 0 && at.outstanding == 0 ? rank::idle
                                                                  : rank::busy;
        if (keys_.find(at.key) != id || at.where != where || !at.progress.is_known() ||
            alarms_.contains(id) != (at.held != 0) ||
            at.events.count(nodes_, at.held) != at.held) {
            return false;
        }
        for (slot_id slot = at.events.first; slot != no_slot; slot = nodes_[slot].next) {
            const node& one = nodes_[slot];
            if (one.owner != id || one.where != place::held ||
                one.sequence <= at.progress.next() ||
                held_slots_.find({at.key, one.sequence}) != slot) {
                return false;
            }
        }
        return true;
    }

    index_table<digest> keys_;
    index_table<detail::key_and_sequence> held_slots_;
    std::vector<key_record> keys_at_;
    std::vector<node> nodes_;  ///< by slot
    index_list idle_;          ///< the least recently used first
    index_list waiting_;       ///< the longest waiting first
    index_list freed_;
    deadline_heap alarms_;
    resequencer_options options_;
    steady_time latest_ = steady_time::min();
    bool has_store_;
};

}  // namespace sinew
