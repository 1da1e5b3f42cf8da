// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The runner: the driver that takes long work through its steps.
///
/// ```cpp
/// sinew::runner orders(db, db.journal("orders"), {.owner = "runner-1"}, checkout, fulfil);
/// sinew::run(orders, stop);
/// ```
///
/// It sits on a seat of the journal, claims instances that are due, makes attempts at their steps,
/// and writes down what came of them. Any number of runners may be on one journal; they share its
/// instances, and take over from one that dies.
///
/// **Delivers.** Each instance ends completed, or compensated in reverse order, or parked with the
/// reason and the list of what is not undone. A step that is recorded never runs again; one that
/// joins the transaction has its effect once, any other at least once, under one key.
/// **On failure.** A step that fails is tried again after a backoff, which is kept in the journal,
/// until it is given up. While the store is away the runner waits, and nothing is counted against
/// an instance. A runner whose claim has ended writes nothing more.
/// **On crash.** What was claimed is claimed by another once the lease has ended, or by the runner
/// itself, started again under the same name, at once. A step that kills its process again and
/// again is found out, and its instance is parked.
/// **Latency.** A journal that wakes its runners (`waking_journal`) tells a waiting one of what was
/// started, replied to, cancelled or decided on. Any other is looked at each `poll_interval`.
/// **Order.** Of one instance, one step at a time. Instances have no order among them.
/// **Bounds.** `instances_max + ahead_max` instances with their histories. A step of the runner
/// lasts for `step_time_max`, one attempt and two calls; a lease is renewed between attempts, and
/// an attempt that lasts longer than the lease is made again by others.

#include <sinew/core/journal.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/run.hpp>
#include <sinew/core/store.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/runner_observer.hpp>
#include <sinew/process/runner_options.hpp>
#include <sinew/process/runner_round.hpp>
#include <sinew/process/runner_seat.hpp>
#include <sinew/process/runner_state.hpp>
#include <sinew/process/runner_work.hpp>
#include <sinew/process/runner_writes.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace sinew {

namespace detail {

template <class Process>
consteval bool may_send_commands() {
    if constexpr (requires { Process::sends_commands; }) {
        return Process::sends_commands;
    } else {
        return false;  // it is found out when it sends one
    }
}

/// What a runner takes as a process: everything but what stands before the processes.
template <class P>
concept given_process = !runner_observer<P> && !std::same_as<P, runner_options>;

/// A process as a runner of that store keeps it. What is none is left as it is, since some
/// compilers ask before they look whether it is one.
template <class Store, class Process>
struct bound_for {
    using type = Process;
};
template <class Store, given_process Process>
struct bound_for<Store, Process> {
    using type = decltype(bind_process<typename Store::transaction_type>(std::declval<Process>()));
};
template <class Store, class Process>
using bound_to = typename bound_for<Store, Process>::type;

}  // namespace detail

/// A runner on one journal, for a fixed set of processes. One thread at a time may call it.
template <class Store, class Journal, class Outbox, runner_observer Observer, class... Processes>
class runner {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool begins_transactions = store<Store>;
    static constexpr bool keeps_instances = journal<Journal, Store>;
    static_assert(begins_transactions,
                  "sinew: runner takes a store first, which makes the transactions of steps that "
                  "join one");
    static_assert(keeps_instances,
                  "sinew: runner takes a journal of the store second, such as "
                  "db.journal(\"orders\")");
    static_assert(sizeof...(Processes) > 0,
                  "sinew: runner takes one process at least, behind its options");
    static_assert(!std::same_as<Outbox, no_outbox> ||
                      !(detail::may_send_commands<Processes>() || ...),
                  "sinew: a step sends a command, and the runner has no outbox; give it one behind "
                  "the journal, such as db.outbox(\"orders\")");

public:
    /// `in` and what the handles are on have to outlive this; nobody else uses `in` meanwhile.
    ///
    /// **On failure.** Throws `usage_error` that names the option, or if the journal or the outbox
    /// is of another store.
    template <detail::given_process... Given>
    runner(Store& in, Journal book, runner_options options, Given... processes)
        requires(std::same_as<Outbox, no_outbox> && std::same_as<Observer, null_runner_observer>)
        : state_(in, std::move(book), {}, std::move(options), {}, bound(std::move(processes))...) {}

    /// The same, with an observer. Its type is left to the deduction guides: a compiler may take a
    /// process for one otherwise.
    template <detail::given_process... Given>
    runner(Store& in, Journal book, runner_options options, std::type_identity_t<Observer> observer,
           Given... processes)
        requires(std::same_as<Outbox, no_outbox> && runner_observer<Observer>)
        : state_(in, std::move(book), {}, std::move(options), std::move(observer),
                 bound(std::move(processes))...) {}

    /// With an outbox of the same store, to which commands are added.
    template <detail::given_process... Given>
    runner(Store& in, Journal book, Outbox box, runner_options options, Given... processes)
        requires(!std::same_as<Outbox, no_outbox> && std::same_as<Observer, null_runner_observer>)
        : state_(in, std::move(book), std::move(box), std::move(options), {},
                 bound(std::move(processes))...) {}

    /// With an outbox and an observer.
    template <detail::given_process... Given>
    runner(Store& in, Journal book, Outbox box, runner_options options,
           std::type_identity_t<Observer> observer, Given... processes)
        requires(!std::same_as<Outbox, no_outbox> && runner_observer<Observer>)
        : state_(in, std::move(book), std::move(box), std::move(options), std::move(observer),
                 bound(std::move(processes))...) {}

    /// Does what can be done now: renews the lease, writes down what was done, looks after the
    /// seats, claims, makes an attempt of each instance, purges. Waits for something to do until
    /// `wait_until` at most; by default not at all.
    ///
    /// **Delivers.** Whether anything happened: if not, nothing will before `next_deadline()`,
    /// unless an instance is started, replied to, cancelled or decided on.
    /// **On failure.** Throws what no waiting can mend: an `error` with the class permanent from
    /// the journal. After a throw the runner can be stepped again.
    bool step(moment now, steady_time wait_until = steady_time::min()) {
        auto& s = state_;
        s.begin(now, never, never);
        s.step_ends = later(s.clock(), s.options.step_time_max);
        s.sweep();
        s.claims_anew = s.claims_anew && !s.is_fresh;
        s.is_fresh = false;
        bool busy = false;
        if (s.store_is_open()) {
            detail::keep_seat(s);
            s.has_called = false;
            busy = do_parts();
        }
        return busy || wait(wait_until);
    }

    /// When there is something to do without anybody's asking.
    [[nodiscard]] steady_time next_deadline() {
        const auto& s = state_;
        steady_time due = s.next_look;
        const auto take = [&due](steady_time at) { due = at < due ? at : due; };
        take(s.next_purge.value_or(steady_time::min()));
        if (s.has_unwritten() || !s.leaving.empty()) {
            take(steady_time::min());
        }
        if (s.seat) {
            take(later(s.seat->sent, s.options.heartbeat));
            take(s.ready_at());
            if (s.held.size() < s.options.instances_max) {
                const bool at_once =
                    s.has_more || s.rests_from == never || (s.claims_anew && !s.is_fresh);
                take(at_once ? steady_time::min() : s.next_claim);
            }
        }
        const steady_time opens = s.store_gate.until();
        due = due < opens ? opens : due;
        return due < s.now.steady ? s.now.steady : due;
    }

    /// Writes down what was done, gives its instances and its seat to the other runners. To be
    /// called until it answers true, which it does at the latest at `until`; what is not written
    /// down by then is done again by whoever takes over.
    bool shut_down(moment now, steady_time until) {
        auto& s = state_;
        s.begin(now, until, until);
        s.sweep();
        if (s.clock() < until && detail::leave(s, "shut_down")) {
            return true;
        }
        if (s.clock() < until) {
            return false;
        }
        s.held.clear();
        s.has_gone = false;
        s.seat.reset();
        s.leaving = {};
        s.next_look = steady_time::min();
        s.look_at = 0;
        s.rests_from = never;
        return true;
    }

    /// Nothing is under way: it holds no instance, and a claim was just made and brought nothing,
    /// also of what it had put off. Instances that wait for replies, or that others hold, do not
    /// count.
    ///
    /// Asking lets the next steps claim once more, without waiting for `poll_interval`: who asks
    /// and steps by turns, as `drain` does, hears of a rest only if nothing was there after the
    /// first question.
    [[nodiscard]] bool is_idle() {
        auto& s = state_;
        bool at_rest = s.seat && s.leaving.empty() && s.rests_from >= s.retries_at;
        for (const auto& h : s.held) {
            at_rest = at_rest && h.gone;
        }
        s.claims_anew = at_rest && !s.is_fresh;
        return at_rest && s.is_fresh;
    }

    /// Gives the clock of which `now` is a reading, for use within a step: attempts take time. With
    /// it no attempt is begun beyond the lease's end, renewals are sent between attempts, and
    /// `step_time_max` holds; `run` gives the machine's.
    void measure_with(steady_time (*stopwatch)()) noexcept { state_.stopwatch = stopwatch; }

    [[nodiscard]] const runner_counts& counts() const noexcept { return state_.counts; }

    /// The options, with the owner's name and the seed as they are.
    [[nodiscard]] const runner_options& options() const noexcept { return state_.options; }

    /// How many instances it holds.
    [[nodiscard]] std::size_t instances_held() const noexcept { return state_.held.size(); }
    /// Whether it has a seat. Without one it waits.
    [[nodiscard]] bool has_seat() const noexcept { return state_.seat.has_value(); }

    [[nodiscard]] Observer& observer() noexcept { return state_.observer; }

private:
    using state_type = detail::runner_state<Store, Journal, Outbox, Observer, Processes...>;

    template <class Given>
    static auto bound(Given one) {
        return bind_process<typename Store::transaction_type>(std::move(one));
    }

    /// Does one part of the work after the other. If the time is up behind one of them, the next
    /// step begins with the one after it, so that each has its turn, however slow another is.
    bool do_parts() {
        constexpr std::size_t parts = 5;
        auto& s = state_;
        bool busy = false;
        for (std::size_t i = std::exchange(part_, 0), left = parts; left != 0; --left) {
            busy |= do_part(i);
            s.sweep();
            i = (i + 1) % parts;
            if (!s.store_is_open() || !s.may_call()) {
                part_ = i;
                break;
            }
        }
        return busy;
    }

    bool do_part(std::size_t part) {
        auto& s = state_;
        switch (part) {
            case 0: return write_or_leave();
            case 1: return detail::look_at_seats(s);
            case 2: return detail::claim_due(s);
            case 3: {
                const bool busy = detail::serve_round(s);
                detail::write_down(s);
                return busy;
            }
            default: return purge();
        }
    }

    /// Writes down what earlier steps could not, and leaves the seat if that is needed.
    bool write_or_leave() {
        auto& s = state_;
        if (!s.leaving.empty() && s.seat) {
            detail::leave(s, s.leaving);
            return true;
        }
        if (!s.has_unwritten()) {
            return false;
        }
        detail::write_down(s);
        return true;
    }

    /// Forgets old instances and replies, a bite at a time. One that fails waits for its next time
    /// as if it had not: the work does not wait for it.
    bool purge() {
        auto& s = state_;
        const steady_time at = s.clock();
        if (!s.next_purge) {
            s.next_purge = later(at, s.options.purge_interval);
        }
        if (at < *s.next_purge || !s.store_is_open()) {
            return false;
        }
        const auto before = [&](duration kept) {
            return s.now.wall - std::chrono::duration_cast<wall_time::duration>(kept);
        };
        const std::size_t most = s.options.purge_max;
        s.next_purge = later(at, s.options.purge_interval);
        const auto gone = s.ask_aside([&](steady_time until) {
            return s.book.purge(before(s.options.retention), most, until);
        });
        const auto replies = s.ask_aside([&](steady_time until) {
            return s.book.purge_replies(before(s.options.reply_retention), most, until);
        });
        s.counts.purges_failed += (gone ? 0U : 1U) + (replies ? 0U : 1U);
        const std::size_t both[] = {gone.value_or(0), replies.value_or(0)};
        if (both[0] >= most || both[1] >= most) {
            s.next_purge = at;
        }
        s.counts.purged += both[0];
        s.counts.replies_purged += both[1];
        if (both[0] + both[1] == 0) {
            return false;
        }
        s.tell([&](auto& o) { o.on_purged({s.options.owner, both[0], both[1]}); });
        return true;
    }

    /// Waits until there is something to do, or something was started that it has room for. Answers
    /// whether it was woken.
    bool wait(steady_time wait_until) {
        auto& s = state_;
        const steady_time due = next_deadline();
        const steady_time until = wait_until < due ? wait_until : due;
        const steady_time at = s.clock();
        if (until <= at) {
            return false;
        }
        if constexpr (waking_journal<Journal>) {
            if (s.may_work() && s.held.size() < s.options.instances_max) {
                const auto woken =
                    s.ask([&](steady_time by) { return s.book.wait_for_due(by); }, until);
                if (!woken || !*woken) {
                    return false;
                }
                s.next_claim = steady_time::min();
                return true;
            }
        }
        detail::pause_for(until - at);
        return false;
    }

    state_type state_;
    std::size_t part_ = 0;  ///< with which of its parts the next step begins
};

template <class Store, class Journal, detail::given_process... Given>
runner(Store&, Journal, runner_options, Given...)
    -> runner<Store, Journal, no_outbox, null_runner_observer, detail::bound_to<Store, Given>...>;

template <class Store, class Journal, runner_observer Observer, detail::given_process... Given>
runner(Store&, Journal, runner_options, Observer, Given...)
    -> runner<Store, Journal, no_outbox, Observer, detail::bound_to<Store, Given>...>;

template <class Store, class Journal, class Outbox, detail::given_process... Given>
    requires(!std::same_as<Outbox, runner_options>)
runner(Store&, Journal, Outbox, runner_options, Given...)
    -> runner<Store, Journal, Outbox, null_runner_observer, detail::bound_to<Store, Given>...>;

template <class Store, class Journal, class Outbox, runner_observer Observer,
          detail::given_process... Given>
    requires(!std::same_as<Outbox, runner_options>)
runner(Store&, Journal, Outbox, runner_options, Observer, Given...)
    -> runner<Store, Journal, Outbox, Observer, detail::bound_to<Store, Given>...>;

}  // namespace sinew
