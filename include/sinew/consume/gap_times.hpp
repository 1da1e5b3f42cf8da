// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// When the gaps of waiting keys are looked into, and when they are due.
///
/// **Guarantees.** A gap that begins to wait has the whole of its time, however long the key has
/// waited for others. With a store a gap is not due before the store was looked into, at its deadline
/// or after it.
///
/// **Invariants.** A key has an alarm exactly while it waits: for the next look, or for its deadline.

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

    [[nodiscard]] bool empty() const noexcept { return alarms_.empty(); }
    /// The earliest alarm. There has to be one.
    [[nodiscard]] deadline_heap::entry first() const noexcept { return alarms_.top(); }
    /// The key that has waited longest, or `none`.
    [[nodiscard]] std::uint32_t longest() const noexcept { return waiting_.first; }

    [[nodiscard]] bool must_look(const gap_wait& at) const noexcept {
        return has_store_ && !at.looked;
    }

    /// A gap begins to wait.
    template <class Records>
    void start(Records& records, std::uint32_t number, steady_time now) {
        gap_wait& at = records[number];
        if (at.waits) {
            waiting_.erase(records, number);
        }
        waiting_.push_back(records, number);
        at.waits = true;
        at.looked = false;
        at.by_count = false;
        at.deadline = later(now, gap_timeout_);
        const steady_time look = later(now, look_again_);
        at.look_at = look < at.deadline ? look : at.deadline;
        set_alarm(at, number);
    }

    /// Nothing waits there any more.
    template <class Records>
    void stop(Records& records, std::uint32_t number) {
        if (records[number].waits) {
            records[number].waits = false;
            waiting_.erase(records, number);
            alarms_.erase(number);
        }
    }

    /// The store answered; what it said was not enough.
    void looked(gap_wait& at, std::uint32_t number, steady_time now) {
        at.looked = at.looked || at.deadline <= now;
        plan_look(at, number, now);
    }

    /// When to look next, if this look gets no answer. A look at the deadline counts as the last
    /// one; from there on it is only tried again.
    void plan_look(gap_wait& at, std::uint32_t number, steady_time now) {
        const steady_time next = later(now, look_again_);
        at.look_at = now < at.deadline && next > at.deadline ? at.deadline : next;
        set_alarm(at, number);
    }

    /// Too many events wait for the gap to have more time.
    void make_due(gap_wait& at, std::uint32_t number, steady_time now) {
        if (at.deadline > now) {
            at.deadline = now;
            at.look_at = now;
            at.by_count = true;
            set_alarm(at, number);
        }
    }

    /// Whether the record's alarm is as it says.
    [[nodiscard]] bool check_record(const gap_wait& at, std::uint32_t number) const noexcept {
        return alarms_.contains(number) == at.waits;
    }

    template <class Records>
    [[nodiscard]] bool check_invariants(const Records& records,
                                        std::size_t waiting) const noexcept {
        return waiting_.count(records, waiting) == waiting && alarms_.size() == waiting &&
               alarms_.check_invariants();
    }

private:
    void set_alarm(const gap_wait& at, std::uint32_t number) {
        alarms_.set(number, must_look(at) ? at.look_at : at.deadline);
    }

    index_list waiting_;  ///< the longest waiting first
    deadline_heap alarms_;
    duration gap_timeout_;
    duration look_again_;
    bool has_store_;
};

}  // namespace sinew::detail
