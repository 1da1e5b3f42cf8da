// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Which event may run next: a queue for each key, one running event in each.
///
/// **Guarantees.** Events of one lane run in the order in which they were pushed, one at a time. A
/// lane stays busy until the event that runs in it is answered. An event that waits for its retry
/// holds its own lane alone. Lanes take turns: whoever becomes ready first runs first. Answers
/// about a slot that is not here, or not running where it has to be, change nothing.
///
/// **Invariants.** A lane has at least one event. In it stand first the provisional ones, then the
/// running one, then the queued ones; after a rewind under a running event the ones to run again
/// stand before it. Each lane is in exactly one phase:
///
/// | phase | it has | becomes |
/// | --- | --- | --- |
/// | ready | a queued event at its cursor, and a place in the line | busy by `take` |
/// | busy | a running event | any other by `ran`, `finish`, `retry_at`, `rewind` |
/// | waiting | at its cursor an event whose retry is not due | ready by `take`, when it is due |
/// | resting | provisional events only | ready by `push` and `rewind` |
///
/// **Bounds.** All memory is taken when it is made, for `slots_max` events. Every operation takes
/// constant time, but `rewind` (one step for each event that runs again) and what touches a waiting
/// lane (logarithmic).

#include <sinew/consume/deadline_heap.hpp>
#include <sinew/consume/index_list.hpp>
#include <sinew/consume/index_table.hpp>
#include <sinew/consume/slot.hpp>
#include <sinew/consume/turn_line.hpp>
#include <sinew/core/time.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace sinew {

/// The queues of a consumer's events, by key.
class lanes {
public:
    /// What an event is to its lane.
    enum class state : std::uint8_t {
        queued,       ///< it has to run
        running,      ///< it was taken and is not answered yet
        provisional,  ///< it ran well, and its commit is outstanding
    };

    /// Slot ids are below `slots_max`.
    explicit constexpr lanes(std::size_t slots_max)
        : slots_max_(slots_max),
          slots_(slots_max),
          due_(slots_max),
          lanes_(slots_max),
          numbers_(slots_max),
          waiting_(slots_max),
          ready_(slots_max) {
        for (std::size_t i = slots_max; i > 0; --i) {
            lanes_[i - 1].place = free_;
            free_ = static_cast<std::uint32_t>(i - 1);
        }
    }

    /// Queues an event, which must not be here already, behind the others of its lane. A lane's
    /// number is a seeded hash of the key (a collision only shares a lane) or a partition; with
    /// none the event has a lane of its own.
    constexpr void push(slot_id slot, std::optional<std::uint64_t> lane) noexcept {
        assert(slot < slots_.size() && !contains(slot));
        const std::uint32_t id = lane ? find_or_open(*lane) : open(0, false);
        lane_record& at = lanes_[id];
        slots_[slot].lane = id;
        slots_[slot].what = state::queued;
        at.events.push_back(slots_, slot);
        ++size_;
        if (at.cursor == no_slot) {
            at.cursor = slot;
            if (at.stage == phase::resting) {
                line_up(id);
            }
        }
    }

    /// The next event that may run. It is running from now on, and its lane is busy.
    [[nodiscard]] constexpr std::optional<slot_id> take(steady_time now) noexcept {
        if (!waiting_.empty()) {
            end_waits(now);
        }
        if (ready_.empty()) {
            return std::nullopt;
        }
        const detail::turn_line::turn one = ready_.take();
        const slot_id slot = one.slot();
        lane_record& at = lanes_[one.lane()];
        at.running = slot;
        at.cursor = slots_[slot].next;
        ++running_;
        return slot;
    }

    /// The running event ran well and is not committed yet; its lane goes on. If the lane was
    /// rewound meanwhile, that run was in vain, and the event runs again in its turn.
    constexpr void ran(slot_id slot) noexcept {
        if (is(slot, state::running)) {
            const std::uint32_t id = slots_[slot].lane;
            slots_[slot].what = lanes_[id].rewound ? state::queued : state::provisional;
            stop_running(id);
            place(id);
        }
    }

    /// The event is done with for good, whatever it was. A wait that was its own ends with it.
    constexpr void finish(slot_id slot) noexcept {
        if (!contains(slot)) {
            return;
        }
        const std::uint32_t id = slots_[slot].lane;
        lane_record& at = lanes_[id];
        if (at.running == slot && at.events.first == slot && !at.rewound && may_run(at)) {
            at.events.first = at.cursor;  // whose `previous` counts no more
            at.running = no_slot;
            slots_[slot].lane = none;
            --size_;
            --running_;
            at.place = ready_.join(id, at.cursor);
            return;
        }
        finish_one_of(id, slot);
    }

    /// The running event runs again at `due` or later, and nothing of its lane before it.
    constexpr void retry_at(slot_id slot, steady_time due) noexcept {
        if (is(slot, state::running)) {
            const std::uint32_t id = slots_[slot].lane;
            slots_[slot].what = state::queued;
            set_waits(slot, due != no_wait);
            due_[slot] = due;
            if (!lanes_[id].rewound) {
                lanes_[id].cursor = slot;
            }
            stop_running(id);
            place(id);
        }
    }

    /// The provisional event was undone: it, and everything after it in its lane, runs again in
    /// order. An event that runs right now is still waited for, but its run counts for nothing. For
    /// a running event this is an answer: it runs again at once. A queued one stays queued.
    constexpr void rewind(slot_id slot) noexcept {
        if (is(slot, state::running)) {
            retry_at(slot, no_wait);
        }
        if (!is(slot, state::provisional)) {
            return;
        }
        const std::uint32_t id = slots_[slot].lane;
        lane_record& at = lanes_[id];
        for (slot_id one = slot; one != no_slot && slots_[one].what == state::provisional;
             one = slots_[one].next) {
            slots_[one].what = state::queued;
        }
        at.cursor = slot;
        if (at.running != no_slot) {
            at.rewound = true;
        } else if (at.stage == phase::ready) {
            ready_.change(at.place, slot);
        } else {
            place(id);
        }
    }

    [[nodiscard]] constexpr bool contains(slot_id slot) const noexcept {
        return slot < slots_max_ && slots_[slot].lane != none;
    }
    [[nodiscard]] constexpr std::optional<state> state_of(slot_id slot) const noexcept {
        return contains(slot) ? std::optional(state_in(slots_[slot].lane, slot)) : std::nullopt;
    }

    /// When the first waiting lane is due.
    [[nodiscard]] constexpr std::optional<steady_time> next_due() const noexcept {
        return waiting_.empty() ? std::nullopt : std::optional(waiting_.top().at);
    }
    /// Whether `take` would answer an event.
    [[nodiscard]] constexpr bool has_ready(steady_time now) const noexcept {
        return !ready_.empty() || (!waiting_.empty() && waiting_.top().at <= now);
    }

    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr std::size_t running() const noexcept { return running_; }
    [[nodiscard]] constexpr std::size_t waiting_lanes() const noexcept { return waiting_.size(); }
    [[nodiscard]] constexpr std::size_t open_lanes() const noexcept { return open_; }

    /// Calls `f(slot, state)` for each event, lane by lane, in the order of each lane. `f` must not
    /// change the lanes.
    template <class F>
    constexpr void for_each(F&& f) const {
        for (const lane_record& lane : lanes_) {
            if (lane.stage == phase::closed) {
                continue;
            }
            for (slot_id slot = lane.events.first; slot != no_slot; slot = slots_[slot].next) {
                f(slot, state_in(slots_[slot].lane, slot));
            }
        }
    }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        totals seen;
        for (std::uint32_t id = 0; id < lanes_.size(); ++id) {
            if (lanes_[id].stage != phase::closed && !check_lane(id, seen)) {
                return false;
            }
        }
        return seen.events == size_ && seen.running == running_ && seen.lanes == open_ &&
               seen.waiting == waiting_.size() && seen.ready == ready_.size() &&
               seen.waits == waits_ && ready_.check_invariants() && waiting_.check_invariants() &&
               numbers_.check_invariants();
    }

private:
    static constexpr std::uint32_t none = detail::index_list::none;
    static constexpr steady_time no_wait = steady_time::min();

    enum class phase : std::uint8_t { closed, ready, busy, waiting, resting };

    struct slot_record {
        slot_id previous = no_slot;  ///< of the first one of a lane it means nothing
        slot_id next = no_slot;
        std::uint32_t lane = none;
        state what = state::queued;  ///< but while it runs: that its lane knows
        bool waits = false;          ///< for its retry
    };

    /// Half a line of the cache. (What is written together does not stand side by side: compilers
    /// would make one vector of it, for which whoever reads a part of it has to wait.)
    struct lane_record {
        std::uint64_t number = 0;
        detail::index_list events;
        slot_id cursor = no_slot;    ///< the first one that has to run
        std::uint32_t place = none;  ///< in the line of ready lanes; the next closed one
        slot_id running = no_slot;
        phase stage = phase::closed;  ///< means nothing while an event runs
        bool numbered = false;
        bool rewound = false;  ///< since the running event was taken
    };

    struct totals {
        std::size_t events = 0, running = 0, lanes = 0, ready = 0, waiting = 0, waits = 0;
    };

    [[nodiscard]] constexpr bool is(slot_id slot, state what) const noexcept {
        return contains(slot) && state_in(slots_[slot].lane, slot) == what;
    }
    [[nodiscard]] constexpr state state_in(std::uint32_t lane, slot_id slot) const noexcept {
        return lanes_[lane].running == slot ? state::running : slots_[slot].what;
    }

    constexpr std::uint32_t find_or_open(std::uint64_t number) noexcept {
        const std::uint32_t found = numbers_.find(number);
        return found != none ? found : open_numbered(number);
    }

    [[gnu::noinline]] constexpr std::uint32_t open_numbered(std::uint64_t number) noexcept {
        const std::uint32_t id = open(number, true);
        numbers_.insert(number, id);
        return id;
    }

    constexpr std::uint32_t open(std::uint64_t number, bool numbered) noexcept {
        const std::uint32_t id = free_;
        free_ = lanes_[id].place;
        lanes_[id] = {};
        lanes_[id].number = number;
        lanes_[id].numbered = numbered;
        lanes_[id].stage = phase::resting;
        ++open_;
        return id;
    }

    constexpr void close(std::uint32_t id) noexcept {
        if (lanes_[id].numbered) {
            numbers_.erase(lanes_[id].number);
        }
        lanes_[id].stage = phase::closed;
        lanes_[id].place = free_;
        free_ = id;
        --open_;
    }

    /// Whether there is an event to run in a lane, whose retry is due.
    [[nodiscard]] constexpr bool may_run(const lane_record& at) const noexcept {
        return at.cursor != no_slot && (waits_ == 0 || !slots_[at.cursor].waits);
    }

    constexpr void set_waits(slot_id slot, bool waits) noexcept {
        if (slots_[slot].waits != waits) {
            slots_[slot].waits = waits;
            waits ? ++waits_ : --waits_;
        }
    }

    /// `finish`, wherever the event stands.
    [[gnu::noinline]] constexpr void finish_one_of(std::uint32_t id, slot_id slot) noexcept {
        lane_record& at = lanes_[id];
        const bool answered = at.running == slot;
        const bool at_cursor = at.cursor == slot;
        if (answered) {
            stop_running(id);
        }
        if (at_cursor) {
            at.cursor = slots_[slot].next;
        }
        set_waits(slot, false);
        if (at.events.first == slot) {
            slots_[slot].previous = none;
        }
        at.events.erase(slots_, slot);
        slots_[slot].lane = none;
        --size_;
        const bool is_busy = at.running != no_slot;
        const bool keeps_its_turn = !is_busy && at.stage == phase::ready && may_run(at);
        if (keeps_its_turn && at_cursor) {
            ready_.change(at.place, at.cursor);
        }
        if (answered || at.events.empty() || (at_cursor && !is_busy && !keeps_its_turn)) {
            place(id);
        }
    }

    // The phases.

    [[gnu::noinline]] constexpr void end_waits(steady_time now) noexcept {
        while (!waiting_.empty() && waiting_.top().at <= now) {
            const std::uint32_t due = waiting_.top().member;
            waiting_.erase(due);
            set_waits(lanes_[due].cursor, false);
            line_up(due);
        }
    }

    constexpr void line_up(std::uint32_t id) noexcept {
        lane_record& at = lanes_[id];
        at.stage = phase::ready;
        at.place = ready_.join(id, at.cursor);
    }

    constexpr void stop_running(std::uint32_t id) noexcept {
        lanes_[id].running = no_slot;
        lanes_[id].rewound = false;
        lanes_[id].stage = phase::resting;
        --running_;
    }

    /// Puts a lane, in which nothing runs, into the phase that its events say.
    constexpr void place(std::uint32_t id) noexcept {
        lane_record& at = lanes_[id];
        if (at.stage == phase::ready) {
            ready_.leave(at.place, [this](std::uint32_t lane, std::uint32_t place) {
                lanes_[lane].place = place;
            });
        } else if (at.stage == phase::waiting) {
            waiting_.erase(id);
        }
        if (at.events.empty()) {
            close(id);
        } else if (at.cursor == no_slot) {
            at.stage = phase::resting;
        } else if (!may_run(at)) {
            at.stage = phase::waiting;
            waiting_.set(id, due_[at.cursor]);
        } else {
            line_up(id);
        }
    }

    constexpr bool check_lane(std::uint32_t id, totals& seen) const noexcept {
        const lane_record& lane = lanes_[id];
        const std::size_t running_before = seen.running;
        bool past_cursor = false;
        std::size_t events = 0;
        slot_id before = no_slot;
        for (slot_id slot = lane.events.first; slot != no_slot; slot = slots_[slot].next) {
            const slot_record& one = slots_[slot];
            past_cursor = past_cursor || slot == lane.cursor;
            const bool runs = lane.running == slot;
            const bool to_run = runs ? lane.rewound : one.what == state::queued;
            if (one.lane != id || past_cursor != to_run || ++events > size_ ||
                one.what == state::running || (before != no_slot && one.previous != before)) {
                return false;
            }
            before = slot;
            seen.waits += one.waits ? 1U : 0U;
            seen.running += runs ? 1U : 0U;
        }
        seen.events += events;
        ++seen.lanes;
        const phase stage = lane.running != no_slot ? phase::busy : lane.stage;
        seen.ready += stage == phase::ready ? 1U : 0U;
        seen.waiting += stage == phase::waiting ? 1U : 0U;
        const bool has_cursor = lane.cursor != no_slot;
        const bool waits = has_cursor && slots_[lane.cursor].waits;
        const phase expected = seen.running != running_before ? phase::busy
                               : !has_cursor                  ? phase::resting
                               : waits                        ? phase::waiting
                                                              : phase::ready;
        const bool in_line = expected != phase::ready || (ready_[lane.place].lane() == id &&
                                                          ready_[lane.place].slot() == lane.cursor);
        return events != 0 && lane.events.last == before && in_line && stage == expected &&
               has_cursor == past_cursor && waiting_.contains(id) == (expected == phase::waiting) &&
               (!lane.numbered || numbers_.find(lane.number) == id);
    }

    std::size_t slots_max_;
    std::vector<slot_record> slots_;
    std::vector<steady_time> due_;  ///< by slot: when it runs again, if it waits
    std::vector<lane_record> lanes_;
    detail::index_table<std::uint64_t> numbers_;
    detail::deadline_heap waiting_;
    detail::turn_line ready_;
    std::uint32_t free_ = none;
    std::size_t size_ = 0;
    std::size_t waits_ = 0;  ///< events that wait for their retry, whatever stands before them
    std::size_t running_ = 0;
    std::size_t open_ = 0;
};

}  // namespace sinew
