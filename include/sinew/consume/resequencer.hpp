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
/// and nothing outstanding can be forgotten. A key has a record of its own exactly while it holds
/// events, has some that were not fetched, or has gaps that were given up.
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
/// **Bounds.** An event in order costs one look into a hash table, and finishing it one more.
/// Nothing is allocated for an event once the tables have their size. No more than `held_max`
/// events and a small reserve are taken by `offer`; `put_back` adds what the driver had out
/// already.

#include <sinew/consume/gap_times.hpp>
#include <sinew/consume/held_events.hpp>
#include <sinew/consume/resequencer_options.hpp>
#include <sinew/consume/sequence_keys.hpp>
#include <sinew/consume/sequence_records.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/core/hash.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

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
          times_(options, has_store),
          options_(options),
          has_store_(has_store) {}

    /// An event of `key` with the number `sequence`, 1 or more, arrived in `slot`, which must not
    /// be here already.
    [[nodiscard]] verdict offer(const digest& key, std::uint64_t sequence, slot_id slot,
                                steady_time now) {
        now = see(now);
        entry& at = keys_.nearest(key);
        if (at.is_of(key) && at.next == sequence && is_number(sequence)) {
            deliver(at);
            return verdict::deliver;
        }
        return at.is_of(key) && at.next != 0 ? offer_otherwise(at, sequence, slot, now)
                                             : offer_elsewhere(key, sequence, slot, now);
    }

    /// An event of `key` will be offered, or `settled`, soon: what is looked at then comes near
    /// meanwhile. Whoever has several events at hand spares itself a miss of the cache for each.
    void announce(const digest& key) const noexcept { keys_.announce(key); }

    /// What the store says of a key. It can raise what is expected, and so set held events free; of
    /// a key that is known here it never lowers it.
    void learn(const digest& key, const key_progress& in_store, steady_time now) {
        now = see(now);
        entry* found = keys_.find(key);
        if (found == nullptr) {
            if (has_room()) {
                open(key, in_store.is_known() ? in_store : key_progress(options_.first));
            }
            return;
        }
        use(*found);
        if (!found->has_details() && in_store.next() <= found->next) {
            return;
        }
        const std::uint32_t number = records_.of(*found);
        record& at = records_[number];
        if (in_store.next() > at.progress.next()) {
            at.progress = in_store;
            follow(*found, now, free_passed(at));
        }
        if (records_[number].waits) {
            times_.looked(records_, number, now);
        }
    }

    /// The next event that came free. Ask after each call that takes a time, until there is none.
    [[nodiscard]] std::optional<release> next_release() {
        return events_.first_free() == no_slot ? std::nullopt : std::optional(fetch());
    }

    /// A waiting key whose time to look again, or to give up, has come. The time of a look is
    /// forgotten with the answer: if it fails, the key comes again after `look_again`. A gap that
    /// is to be given up is answered until it is.
    [[nodiscard]] std::optional<due_key> next_due(steady_time now) {
        now = see(now);
        if (times_.empty() || times_.first(records_).at > now) {
            return std::nullopt;
        }
        const std::uint32_t number = times_.first(records_).member;
        record& at = records_[number];
        const bool look = times_.must_look(at);
        if (look) {
            times_.plan_look(records_, number, now);
        }
        return due_key{at.key, events_.lowest(at), look ? due_kind::look_again : due_kind::give_up,
                       at.by_count};
    }

    /// Goes past the first gap of a key: it is recorded, and what waited behind it up to the next
    /// gap comes free. A further gap gets its own time. Answers the gap; nothing, if the key has
    /// none whose time is up and for which the store was looked into.
    std::optional<sequence_gap> give_up(const digest& key, steady_time now) {
        now = see(now);
        entry* found = keys_.find(key);
        if (found == nullptr || !found->has_details()) {
            return std::nullopt;
        }
        record& at = records_[found->details()];
        if (at.count == 0 || at.deadline > now || times_.must_look(at)) {
            return std::nullopt;
        }
        const slot_id slot = events_.lowest(at);
        const std::uint64_t sequence = events_[slot].sequence;
        const sequence_gap gap{at.progress.next(), sequence - 1};
        at.progress.advance_past(sequence);
        free_expected(at, slot, gap.first);
        follow(*found, now, true);
        return gap;
    }

    /// An outstanding event of the key is finished.
    void settled(const digest& key) {
        entry& at = keys_.nearest(key);
        if (at.is_of(key) && at.is_simply_busy()) {
            settle(at);
        } else if (at.is_of(key) && at.has_details()) {
            settle_details(at);
        } else {
            settle_elsewhere(key);
        }
    }

    /// An outstanding event was dropped, and nobody here applies it: the key expects it again, or
    /// an earlier one. A gap that it had jumped is open again, as it was to be recorded with the
    /// event. The wait for a gap starts anew, at the latest time that was told.
    void retreat(const digest& key, std::uint64_t sequence) {
        entry* found = keys_.find(key);
        if (found != nullptr) {
            records_[records_.of(*found)].less_outstanding();
            lower(*found, sequence);
            sort_in(*found);
        }
    }

    /// A held event, or one that came free and was not fetched, was taken away. Answers whether it
    /// was here.
    bool drop(slot_id slot) {
        if (!events_.contains(slot)) {
            return false;
        }
        const std::uint32_t number = events_[slot].owner;
        record& at = records_[number];
        entry& found = key_of(number);
        if (events_[slot].where == detail::hold_state::held) {
            events_.drop(at, slot);
        } else {
            const detail::held_event one = events_.fetch(slot);
            --at.freed;
            if (one.stand == standing::expected) {
                at.less_outstanding();
                lower(found, one.sequence);
            }
        }
        sort_in(found);
        return true;
    }

    /// The same for a held event, by its number.
    bool drop(const digest& key, std::uint64_t sequence) {
        const entry* found = keys_.find(key);
        return found != nullptr && found->has_details() &&
               drop(events_.find(records_[found->details()], sequence));
    }

    /// An outstanding event has to wait after all: the store's progress, which is below it, counts.
    /// The event is held, whatever the limits say, or comes free at once if nothing is missing.
    void put_back(const digest& key, std::uint64_t sequence, slot_id slot,
                  const key_progress& in_store, steady_time now) {
        now = see(now);
        entry* known = keys_.find(key);
        entry& found = known != nullptr ? *known : open(key, key_progress(options_.first));
        const std::uint32_t number = records_.of(found);
        record& at = records_[number];
        at.less_outstanding();
        const std::uint64_t before = at.progress.next();
        if (in_store.is_known()) {
            at.progress = in_store;
        } else if (has_store_) {
            at.progress = key_progress(options_.first);
        }
        if (!events_.hold(at, sequence, slot)) {
            events_.take_in_free(number, sequence, slot, standing::applied);
            ++at.freed;
        }
        const bool anew = at.progress.next() < before || at.count == 1;
        follow(found, now, free_passed(at) || anew);
        if (records_[number].waits) {
            apply_limits(number, now);
        }
    }

    /// When `next_due` will have an answer.
    [[nodiscard]] std::optional<steady_time> next_deadline() const noexcept {
        return times_.empty() ? std::nullopt : std::optional(times_.first(records_).at);
    }

    /// Where a key stands; nothing if that is not known here.
    [[nodiscard]] std::optional<key_progress> progress(const digest& key) const {
        const entry* at = keys_.find(key);
        if (at == nullptr) {
            return std::nullopt;
        }
        return at->has_details() ? records_[at->details()].progress : key_progress(at->next);
    }

    /// How many events wait for others.
    [[nodiscard]] std::size_t held() const noexcept { return events_.size(); }
    /// How many keys are kept in mind.
    [[nodiscard]] std::size_t keys() const noexcept { return keys_.size(); }

    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t held_here = 0;
        std::size_t freed_here = 0;
        std::size_t single_here = 0;
        std::size_t waiting_here = 0;
        const bool good = keys_.all_of([&](const entry& one) {
            if (!one.has_details()) {
                return one.is_idle() == (one.state == 0);
            }
            const record& at = records_[one.details()];
            held_here += at.count;
            freed_here += at.freed;
            single_here += at.count != 0 && !at.indexed ? 1U : 0U;
            waiting_here += at.waits ? 1U : 0U;
            return at.key == one.key && at.owner == one.details() &&
                   one.is_idle() == at.is_unused() && !at.is_plain() &&
                   at.waits == (at.count != 0) && times_.check_record(at, at.owner) &&
                   at.progress.is_known() && events_.check_key(at, at.progress.next());
        });
        return good && keys_.check_invariants() &&
               events_.check_invariants(held_here, freed_here, single_here) &&
               times_.check_invariants(records_, waiting_here);
    }

private:
    using entry = detail::sequence_keys::entry;
    using record = detail::sequence_record;

    /// Only the latest time counts: it must not go back, and `retreat` is not told any.
    steady_time see(steady_time now) noexcept {
        latest_ = now > latest_ ? now : latest_;
        return latest_;
    }

    /// The first number is 1, and nothing could follow the last one there is. What a free cell and a
    /// key with details expect is none.
    [[nodiscard]] static constexpr bool is_number(std::uint64_t sequence) noexcept {
        return sequence - 1 < UINT64_MAX - 1;
    }

    /// The expected event of a key without details.
    void deliver(entry& at) noexcept {
        ++at.next;
        ++at.state;
        keys_.set_busy(at);
    }

    /// An event of a key that is not in its usual place. Alone, so that what nearly all events need
    /// stays short.
    [[nodiscard]] [[gnu::noinline]] verdict offer_elsewhere(const digest& key,
                                                            std::uint64_t sequence, slot_id slot,
                                                            steady_time now) {
        entry* at = keys_.find(key);
        if (at == nullptr) {
            if (!has_room()) {
                return verdict::full;
            }
            if (has_store_) {
                return verdict::look_up;
            }
            at = &open(key, key_progress(options_.first));
        }
        if (sequence == at->next && is_number(sequence)) {
            deliver(*at);
            return verdict::deliver;
        }
        return offer_otherwise(*at, sequence, slot, now);
    }

    /// An event that is not the expected one of a key without details.
    [[nodiscard]] verdict offer_otherwise(entry& found, std::uint64_t sequence, slot_id slot,
                                          steady_time now) {
        use(found);
        if (sequence == UINT64_MAX) {
            return verdict::too_far;  // nothing could follow it
        }
        if (!found.has_details()) {
            return sequence < found.next ? verdict::duplicate
                                         : offer_ahead(found, sequence, slot, now);
        }
        record& at = records_[found.details()];
        switch (at.progress.stand(sequence)) {
            case standing::expected:
                at.progress.advance_past(sequence);
                ++at.outstanding;
                follow(found, now, false);
                return verdict::deliver;
            case standing::applied: return verdict::duplicate;
            case standing::late: return verdict::late;
            case standing::uncertain: return verdict::uncertain;
            case standing::ahead: break;
        }
        return offer_ahead(found, sequence, slot, now);
    }

    [[nodiscard]] verdict offer_ahead(entry& found, std::uint64_t sequence, slot_id slot,
                                      steady_time now) {
        const bool has_details = found.has_details();
        const std::uint64_t next =
            has_details ? records_[found.details()].progress.next() : found.next;
        if (sequence - next > options_.jump_max) {
            return verdict::too_far;
        }
        const std::size_t of_key = has_details ? records_[found.details()].count : 0;
        if (of_key >= options_.held_per_key_max + held_reserve ||
            held() >= options_.held_max + held_reserve) {
            const bool is_held =
                of_key != 0 && events_.find(records_[found.details()], sequence) != no_slot;
            return is_held ? verdict::duplicate : verdict::full;
        }
        const std::uint32_t number = records_.of(found);
        record& at = records_[number];
        if (!events_.hold(at, sequence, slot)) {
            return verdict::duplicate;
        }
        if (at.count == 1) {
            await(found, now);
        } else {
            apply_limits(number, now);
        }
        return verdict::hold;
    }

    /// The first of the events that came free.
    [[nodiscard]] release fetch() {
        const slot_id slot = events_.first_free();
        const detail::held_event one = events_.fetch(slot);
        record& at = records_[one.owner];
        const release answer{slot, at.key, one.sequence, one.gap_from, one.stand};
        if (--at.freed == 0) {
            sort_in(key_of(one.owner));  // before that nothing can be forgotten of the key
        }
        return answer;
    }

    void settle(entry& at) {
        if (--at.state == 0) {
            keys_.set_idle(at);
        }
    }

    void settle_details(entry& at) {
        records_[at.details()].less_outstanding();
        sort_in(at);
    }

    /// An event of a key that is not in its usual place, or of one that is forgotten.
    [[gnu::noinline]] void settle_elsewhere(const digest& key) {
        entry* at = keys_.find(key);
        if (at == nullptr) {
            return;
        }
        if (at->has_details()) {
            settle_details(*at);
        } else if (at->state != 0) {
            settle(*at);
        }
    }

    // Keys.

    [[nodiscard]] bool has_room() noexcept {
        return !keys_.is_full() || keys_.oldest_idle() != nullptr;
    }

    /// A key that is not here begins where `progress` says. Without room the bound is exceeded.
    entry& open(const digest& key, const key_progress& progress) {
        if (entry* oldest = keys_.is_full() ? keys_.oldest_idle() : nullptr) {
            if (oldest->has_details()) {
                records_.give_back(oldest->details());
            }
            keys_.close(*oldest);
        }
        entry& at = keys_.open(key, progress.next());
        if (!progress.gaps().empty() || progress.has_merged_gaps()) {
            records_[records_.of(at)].progress = progress;
        }
        return at;
    }

    /// An idle key was used, and is the last to give way.
    void use(entry& at) {
        if (at.is_idle()) {
            keys_.set_idle(at);
        }
    }

    /// The key to which a record belongs.
    [[nodiscard]] entry& key_of(std::uint32_t number) noexcept {
        return *keys_.find(records_[number].key);
    }

    /// Puts a key with details among the idle or the waiting ones, or takes it away from there, by
    /// what it has. Details that are not needed any more are given back.
    void sort_in(entry& found) {
        const std::uint32_t number = found.details();
        record& at = records_[number];
        if (at.count == 0) {
            times_.stop(records_, number);
        }
        if (!at.is_unused()) {
            keys_.set_busy(found);
        } else if (!found.is_idle()) {
            keys_.set_idle(found);
        }
        if (at.is_plain()) {
            found.clear_details(at.progress.next(), at.outstanding);
            records_.give_back(number);
        }
    }

    /// The key expects `sequence` again, if it had gone past it.
    void lower(entry& found, std::uint64_t sequence) {
        record& at = records_[found.details()];
        if (sequence != 0 && at.progress.next() > sequence) {
            at.progress = detail::lowered(at.progress, sequence);
            if (at.count != 0) {
                await(found, latest_);
            }
        }
    }

    // Events.

    void free_expected(record& at, slot_id slot, std::uint64_t gap_from) {
        events_.set_free(at, slot, standing::expected, gap_from);
        ++at.freed;
        ++at.outstanding;
    }

    /// Sets free what the key has gone past. Answers whether there was anything.
    bool free_passed(record& at) {
        const std::uint32_t count = events_.set_passed_free(at, at.progress);
        at.freed += count;
        return count != 0;
    }

    /// Sets free the held events whose turn it is. If any came free, or `changed` says so, what is
    /// still held waits for a new gap.
    void follow(entry& found, steady_time now, bool changed) {
        record& at = records_[found.details()];
        while (at.count != 0) {
            const slot_id slot = events_.find(at, at.progress.next());
            if (slot == no_slot) {
                break;
            }
            at.progress.advance_past(at.progress.next());
            free_expected(at, slot, 0);
            changed = true;
        }
        if (at.count != 0 && changed) {
            await(found, now);
        }
        sort_in(found);
    }

    // Time.

    /// A gap begins to wait.
    void await(entry& found, steady_time now) {
        const std::uint32_t number = found.details();
        keys_.set_busy(found);
        times_.start(records_, number, now);
        apply_limits(number, now);
    }

    void apply_limits(std::uint32_t number, steady_time now) {
        if (records_[number].count >= options_.held_per_key_max) {
            times_.make_due(records_, number, now);
        }
        if (held() >= options_.held_max) {
            times_.make_due(records_, times_.longest(), now);
        }
    }

    detail::sequence_keys keys_;
    detail::sequence_records records_;
    detail::held_events events_;
    detail::gap_times times_;
    resequencer_options options_;
    steady_time latest_ = steady_time::min();
    bool has_store_;
};

}  // namespace sinew
