// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// When the gaps of waiting keys are looked into, and when they are due.
///
/// **Guarantees.** A gap that begins to wait has the whole of its time, however long the key has
/// waited for others. With a store a gap is not due before the store was looked into, at its
/// deadline or after it.
///
/// Keys wait in the order in which their gaps began to, and so the first alarm of each is not
/// earlier than that of the one before it: nobody has to sort what closes before its first alarm,
/// as most gaps do. Only what is told another time later lies in a heap.
///
/// **Invariants.** A key has an alarm exactly while it waits: for the next look, or for its
/// deadline. It has it in the heap, or is new; `new_` is the first of the new ones in the line.

#include <sinew/consume/deadline_heap.hpp>
#include <sinew/consume/index_list.hpp>
#include <sinew/consume/resequencer_options.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>

namespace sinew::detail {

/// What the record of a key that can wait is derived from.
struct gap_wait {
    std::uint32_t previous = index_list::none;  ///< in the line of waiting keys
    std::uint32_t next = index_list::none;
    bool waits = false;
    bool is_new = false;    ///< its alarm is the one with which its gap began
    bool looked = false;    ///< the store was looked into at the deadline or after it
    bool by_count = false;  ///< the deadline is that of a limit
    steady_time deadline{};
    steady_time look_at{};
};

/// The waiting keys, as numbers of their records.
class gap_times {
public:
    static constexpr std::uint32_t none = index_list::none;

    gap_times(const resequencer_options& options, bool has_store)
        : gap_timeout_(options.gap_timeout),
          look_again_(options.look_again),
          has_store_(has_store) {}

    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    /// The earliest alarm. There has to be one.
    template <class Records>
    [[nodiscard]] deadline_heap::entry first(const Records& records) const noexcept {
        if (new_ == none) {
            return alarms_.top();
        }
        const steady_time at = alarm(records[new_]);
        return alarms_.empty() || at < alarms_.top().at ? deadline_heap::entry{at, new_}
                                                        : alarms_.top();
    }
    /// The key that has waited longest, or `none`.
    [[nodiscard]] std::uint32_t longest() const noexcept { return waiting_.first; }

    [[nodiscard]] bool must_look(const gap_wait& at) const noexcept {
        return has_store_ && !at.looked;
    }

    /// A gap begins to wait. `now` must not go back from call to call.
    template <class Records>
    void start(Records& records, std::uint32_t number, steady_time now) {
        gap_wait& at = records[number];
        stop(records, number);
        waiting_.push_back(records, number);
        new_ = new_ == none ? number : new_;
        at.waits = true;
        at.is_new = true;
        at.looked = false;
        at.by_count = false;
        at.deadline = later(now, gap_timeout_);
        const steady_time look = later(now, look_again_);
        at.look_at = look < at.deadline ? look : at.deadline;
    }

    /// Nothing waits there any more.
    template <class Records>
    void stop(Records& records, std::uint32_t number) {
        gap_wait& at = records[number];
        if (at.waits) {
            if (at.is_new) {
                end_new(records, number);
            } else {
                alarms_.erase(number);
            }
            at.waits = false;
            waiting_.erase(records, number);
        }
    }

    /// The store answered; what it said was not enough.
    template <class Records>
    void looked(Records& records, std::uint32_t number, steady_time now) {
        gap_wait& at = records[number];
        at.looked = at.looked || at.deadline <= now;
        plan_look(records, number, now);
    }

    /// When to look next, if this look gets no answer. A look at the deadline counts as the last
    /// one; from there on it is only tried again.
    template <class Records>
    void plan_look(Records& records, std::uint32_t number, steady_time now) {
        gap_wait& at = records[number];
        const steady_time next = later(now, look_again_);
        at.look_at = now < at.deadline && next > at.deadline ? at.deadline : next;
        set_alarm(records, number);
    }

    /// Too many events wait for the gap to have more time.
    template <class Records>
    void make_due(Records& records, std::uint32_t number, steady_time now) {
        gap_wait& at = records[number];
        if (at.deadline > now) {
            at.deadline = now;
            at.look_at = now;
            at.by_count = true;
            set_alarm(records, number);
        }
    }

    /// Whether the record's alarm is as it says.
    [[nodiscard]] bool check_record(const gap_wait& at, std::uint32_t number) const noexcept {
        return alarms_.contains(number) == (at.waits && !at.is_new);
    }

    template <class Records>
    [[nodiscard]] bool check_invariants(const Records& records,
                                        std::size_t waiting) const noexcept {
        if (waiting_.count(records, waiting) != waiting) {
            return false;
        }
        std::size_t new_here = 0;
        std::uint32_t before = none;
        for (std::uint32_t id = waiting_.first; id != none; id = records[id].next) {
            if (records[id].is_new) {
                if (before == none ? id != new_ : alarm(records[id]) < alarm(records[before])) {
                    return false;
                }
                before = id;
                ++new_here;
            }
        }
        return (before == none) == (new_ == none) && alarms_.size() + new_here == waiting &&
               alarms_.check_invariants();
    }

private:
    [[nodiscard]] steady_time alarm(const gap_wait& at) const noexcept {
        return must_look(at) ? at.look_at : at.deadline;
    }

    template <class Records>
    void set_alarm(Records& records, std::uint32_t number) {
        if (records[number].is_new) {
            end_new(records, number);
        }
        alarms_.set(number, alarm(records[number]));
    }

    template <class Records>
    void end_new(Records& records, std::uint32_t number) noexcept {
        records[number].is_new = false;
        while (new_ != none && !records[new_].is_new) {
            new_ = records[new_].next;
        }
    }

    index_list waiting_;        ///< the longest waiting first
    std::uint32_t new_ = none;  ///< the first of them that is new
    deadline_heap alarms_;      ///< of those that are not new
    duration gap_timeout_;
    duration look_again_;
    bool has_store_;
};

}  // namespace sinew::detail
