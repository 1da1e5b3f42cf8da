// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The consumer: the driver that carries decisions from the machines to the ports.
///
/// It owns no thread and reads no clock. It fits an event loop (`step`, `next_deadline`) or a
/// thread of the caller's (`run` in run.hpp).
///
/// **Guarantees.** Those of the pipeline's type; see `guarantee()` and `describe`.

// First what says what is wrong with a pipeline: a compiler prints the whole way to a message.
#include <sinew/consume/pipeline.hpp>

#include <sinew/consume/around.hpp>
#include <sinew/consume/duplicates.hpp>
#include <sinew/consume/failures.hpp>
#include <sinew/consume/handler.hpp>
#include <sinew/consume/observed_by.hpp>
#include <sinew/consume/subscribe.hpp>

#include <sinew/consume/plan.hpp>

#include <sinew/consume/attempt.hpp>
#include <sinew/consume/engine.hpp>
#include <sinew/consume/intake.hpp>
#include <sinew/consume/replays.hpp>
#include <sinew/consume/settle.hpp>
#include <sinew/consume/straight.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace sinew {

/// A finished pipeline. One thread at a time may call it.
template <class Parts, class Handler>
class consumer {
public:
    using engine_type = detail::engine<Parts, Handler>;
    using plan_type = typename engine_type::plan_type;

    consumer(Parts parts, Handler handler) : engine_(std::move(parts), std::move(handler)) {}

    /// What it promises of each event's effects; it follows from the pipeline's type.
    [[nodiscard]] static constexpr sinew::guarantee guarantee() noexcept {
        return plan_type::guarantee();
    }

    /// Does what can be done now: polls, handles, commits. Waits at the source for something to do
    /// until `wait_until` at most; by default not at all.
    ///
    /// **Delivers.** Whether anything happened: if not, nothing will before `next_deadline()`,
    /// unless an event or a completion comes.
    /// **On failure.** Throws what no waiting can mend: an `error` with the class permanent from
    /// the source. After a throw the consumer can be stepped again.
    bool step(moment now, steady_time wait_until = steady_time::min()) {
        auto& e = engine_;
        e.now = now;
        e.straight = 0;
        const consumer_counts before = e.counts;
        const std::uint64_t commits_before = e.offset_commits;
        const bool completed = !e.completed.empty();
        take_completed(e);
        if (const auto due = next_deadline(); wait_until > due) {
            wait_until = due;
        }
        std::size_t taken = end_pauses(e);
        poll(e, wait_until);
        offer_stalled_events();
        attend_gaps(e);
        note_partitions();
        look_for_replays(e);
        taken += dispatch(e);
        if (e.now.steady >= settle_deadline(e)) {
            settle(e);
        }
        leave_partitions(e);
        commit_if_due();
        purge_inbox(e);
        return completed || taken + e.straight != 0 || before.received != e.counts.received ||
               before.in_flight != e.counts.in_flight || before.gaps != e.counts.gaps ||
               commits_before != e.offset_commits;  // that makes room to read on
    }

    /// When there is something to do without anybody's asking. `never` if there is nothing.
    [[nodiscard]] steady_time next_deadline() {
        auto& e = engine_;
        steady_time due = never;
        const auto take = [&due](std::optional<steady_time> at) {
            due = at && *at < due ? *at : due;
        };
        if (e.halted) {
            return due;
        }
        const bool may_run = !detail::waits_for_tickets(e);
        if (!e.completed.empty() ||
            (may_run && e.queue.has_ready(e.now.steady) && e.now.steady >= e.store_gate)) {
            return e.now.steady;
        }
        if (const auto retry = e.queue.next_due(); retry && may_run) {
            take(*retry < e.store_gate ? e.store_gate : *retry);
        }
        take(settle_deadline(e));
        if constexpr (plan_type::has_sequence) {
            if (const auto gap = e.order.next_deadline()) {
                take(*gap < e.store_gate ? e.store_gate : *gap);
            }
        }
        if constexpr (detail::can_replay<plan_type>) {
            if (!e.replay && e.table.room() != 0) {
                take(e.next_replay_look < e.store_gate ? e.store_gate : e.next_replay_look);
            }
        }
        for (const auto gate :
             {e.store_gate, e.source_gate, e.unavailable_until, e.letters_until}) {
            if (gate > e.now.steady) {
                take(gate);
            }
        }
        for (const auto& p : e.places) {
            if (p.state != detail::partition_state::gone && p.tracker.committable() &&
                !has_open_transaction()) {
                take(e.next_commit);
            }
            if (p.state == detail::partition_state::leaving) {
                take(p.until);
            }
        }
        return due;
    }

    /// Says how an event ended whose handler keeps a ticket. What follows happens in the next step.
    /// Not from another thread.
    completion complete(ticket which, outcome answer) {
        auto& e = engine_;
        if (which.slot() >= e.table.slots_end() || which.run() == 0 ||
            e.at(which.slot()).run != which.run()) {
            return completion::stale;
        }
        auto& d = e.at(which.slot());
        d.run = 0;
        const bool held = detail::is_held(e, d);
        e.completed.push_back({which.slot(), std::move(answer)});
        return held ? completion::taken : completion::stale;
    }

    /// Stops taking on events, lets running handlers finish, commits, and gives its partitions
    /// back. To be called until it answers true, which it does at the latest at `until`; what has
    /// not finished by then is delivered again to whoever reads on.
    bool shut_down(moment now, steady_time until) {
        auto& e = engine_;
        e.now = now;
        ++e.run;
        take_completed(e);
        settle(e);
        bool left = false;
        for (auto& p : e.places) {
            if (p.state != detail::partition_state::gone) {
                p.state = detail::partition_state::leaving;
                p.until = until < p.until ? until : p.until;
                left = true;
            }
        }
        if (left) {
            return_queued(e);
            leave_partitions(e);
        }
        for (const auto& p : e.places) {
            if (p.state != detail::partition_state::gone) {
                return false;
            }
        }
        return true;
    }

    /// Nothing is under way and nothing waits to be committed.
    [[nodiscard]] bool is_idle() const {
        if (engine_.table.size() != 0) {
            return false;
        }
        for (const auto& p : engine_.places) {
            if (p.state != detail::partition_state::gone && p.tracker.committable()) {
                return false;
            }
        }
        return true;
    }

    /// Why and where it stopped by itself (`halt`); nothing while it has not.
    [[nodiscard]] const std::optional<detail::halt_note>& halted() const noexcept {
        return engine_.halted;
    }

    /// Gives the clock of which `now` is a reading, for use within a step: handlers take time. With
    /// it the observer's `took` is measured and `step_time_max` holds; `run` gives the machine's.
    void measure_with(steady_time (*stopwatch)()) noexcept { engine_.stopwatch = stopwatch; }

    [[nodiscard]] const consumer_counts& counts() const noexcept { return engine_.counts; }

    /// When the oldest unfinished event was delivered; its age is the consumer's delay.
    [[nodiscard]] std::optional<steady_time> oldest_unfinished() const {
        std::optional<steady_time> oldest;
        for (const auto& p : engine_.places) {
            const auto at = p.tracker.oldest_unfinished();
            oldest = at && (!oldest || *at < *oldest) ? at : oldest;
        }
        return oldest;
    }

    [[nodiscard]] const subscription_options& options() const noexcept { return engine_.options; }

    /// The stages, for `describe`.
    [[nodiscard]] const Parts& parts() const noexcept { return engine_.parts; }

private:
    void offer_stalled_events() {
        if (!engine_.stalled.empty() && engine_.now.steady >= engine_.unavailable_until) {
            offer_stalled(engine_);
        }
    }

    /// No handler runs before the attempt log knows whose its partition is.
    void note_partitions() {
        auto& e = engine_;
        for (auto& p : e.places) {
            if (p.state == detail::partition_state::ours && !p.noted &&
                e.now.steady >= e.store_gate) {
                detail::intake_listener<engine_type>{e}.note_assigned(p, false);
                if (!p.noted) {
                    e.store_gate = later(e.now.steady, e.policy.options().base);
                }
            }
        }
    }

    [[nodiscard]] bool has_open_transaction() const noexcept {
        if constexpr (plan_type::has_once) {
            return engine_.unit.is_open();
        }
        return false;
    }

    void commit_if_due() {
        if (!has_open_transaction()) {
            commit_offsets(engine_);
        }
    }

    engine_type engine_;
};

namespace detail {

template <class Handler>
struct handle_stage {
    static constexpr stage_kind kind = stage_kind::handle;

    Handler handler;
};

/// What only the whole pipeline can show.
template <class Parts, class Handler>
consteval void check_whole() {
    using plan = plan<Parts, Handler>;
    constexpr bool answers_failure = !std::same_as<typename Parts::failure_type, no_failure_answer>;
    constexpr bool answers_duplicate =
        !std::same_as<typename Parts::duplicate_type, no_duplicate_answer>;
    static_assert(answers_failure,
                  "sinew: what becomes of an event that can never be processed? Write "
                  "dead_letter(place), halt() or discard() after subscribe and in_sequence");
    static_assert(answers_duplicate,
                  "sinew: what becomes of an event that comes twice? Write once(store), "
                  "deduplicate(), idempotent_by_nature() or at_most_once() before handle");
    if constexpr (answers_failure && answers_duplicate) {
        constexpr bool callable =
            plan::with_transaction || takes_event<Handler> || plan::with_ticket;
        static_assert(callable || plan::has_once,
                      "sinew: the handler cannot be called: without once(store) it takes "
                      "(const event_view&) or (const event_view&, ticket), and returns nothing "
                      "or an outcome; a transaction comes only from once(store)");
        static_assert(callable || !plan::has_once,
                      "sinew: the handler cannot be called: after once(store) it takes (const "
                      "event_view&, transaction&) with the store's own transaction, or (const "
                      "event_view&), or (const event_view&, ticket), and returns nothing or an "
                      "outcome");
    }
}

}  // namespace detail

/// Ends the pipeline. The consumer is made, and checked as a whole.
template <class Parts, class Handler>
[[nodiscard]] auto operator|(pipeline_of<Parts>&& so_far, detail::handle_stage<Handler> last) {
    detail::check_whole<Parts, Handler>();
    return consumer<Parts, Handler>(std::move(so_far).parts(), std::move(last.handler));
}

/// Nothing stands to the right of `handle`: failures flow left, so what guards the handler stands
/// before it.
template <class Parts, class Handler, stage Stage>
void operator|(consumer<Parts, Handler>&&, Stage&&) {
    static_assert(std::is_void_v<Stage>,
                  "sinew: handle ends the pipeline; write the stage to the left of handle");
}

/// The last stage: what to do with an event. Called as `f(event, transaction)` with `once`, as
/// `f(event, ticket)` if it finishes later, or as `f(event)`; it returns nothing or an `outcome`.
template <class F>
[[nodiscard]] auto handle(F f) {
    return detail::handle_stage<F>{std::move(f)};
}

/// A handler of `T`: `codec.decode(event)` makes the `T`, and `f` is called with `(value)`,
/// `(value, event)`, `(value, transaction)` or `(value, event, transaction)`.
///
/// **On failure.** What the codec throws is a permanent failure (`undecodable`), unless it is a
/// `sinew::error`, which names its class itself.
template <class T, class Codec, class F>
    requires decoder<Codec, T>
[[nodiscard]] auto handle(Codec codec, F f) {
    return detail::handle_stage<detail::typed_handler<T, Codec, F>>{
        detail::typed_handler<T, Codec, F>(std::move(codec), std::move(f))};
}

}  // namespace sinew
