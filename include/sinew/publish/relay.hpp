// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The relay: the driver that publishes what services have added to an outbox.
///
/// ```cpp
/// sinew::relay orders_relay(db.outbox("orders"), kafka, {.owner = "relay-1"});
/// sinew::run(orders_relay, stop);
/// ```
///
/// It claims entries of the shards that it holds, publishes them, and marks them. Any number of
/// relays may run on one outbox; they share its shards and take over from one that dies.
///
/// **Delivers.** Each event whose transaction committed, at least once, and no other.
/// **On failure.** An entry that is refused is put off, and after `max_attempts` or a permanent
/// refusal parked; it holds back its own key and nothing else. While the sink or the outbox is
/// unavailable the relay waits, and nothing is counted against an entry.
/// **On crash.** What was published and not marked is published again by whoever takes the shard,
/// at most `batch_max` entries of it.
/// **Order.** Of one key, readers see for the first time in order what they see, also while relays
/// come, go and fail. Only what is parked with `following::pass` comes out of order.
/// **Bounds.** One batch per shard that is held. A step lasts for `step_time_max` and two calls,
/// one of which renews a lease; what it has no time for is done by the next one.

#include <sinew/core/run.hpp>
#include <sinew/publish/relay_state.hpp>
#include <sinew/publish/relay_work.hpp>

#include <cstddef>
#include <utility>

namespace sinew {

/// A relay on one outbox. One thread at a time may call it.
template <class Outbox, class Sink, class Observer = null_relay_observer>
class relay {
    // Not the concepts themselves: the compiler would list each of their parts.
    static constexpr bool publishes_to_sink = sink<Sink>;
    static constexpr bool is_observed = relay_observer<Observer>;
    static_assert(publishes_to_sink,
                  "sinew: relay publishes to a sink: it needs publish(event_view, steady_time), "
                  "which answers a publish_result");
    static_assert(is_observed,
                  "sinew: relay takes an observer last; derive it from sinew::null_relay_observer "
                  "and hide the hooks of interest");

public:
    /// `box` is a handle on the outbox, over a connection that nobody else uses; what it is a
    /// handle on, and the sink, have to outlive this.
    ///
    /// **On failure.** Throws `usage_error` that names the option.
    relay(Outbox box, Sink& to, relay_options options = {}, Observer observer = {})
        : state_(std::move(box), to, std::move(options), std::move(observer)) {}
    /// A sink that is gone at the end of the line cannot be published to: give it a name first.
    relay(Outbox box, const Sink&& to, relay_options options = {}, Observer observer = {}) = delete;

    /// Does what can be done now: renews leases, writes down what was published, claims, publishes,
    /// purges. Waits for something to do until `wait_until` at most; by default not at all.
    ///
    /// **Delivers.** Whether anything happened: if not, nothing will before `next_deadline()`,
    /// unless something is added.
    /// **On failure.** Throws what no waiting can mend: an `error` with the class permanent from
    /// the outbox. After a throw the relay can be stepped again.
    bool step(moment now, steady_time wait_until = steady_time::min()) {
        auto& s = state_;
        s.begin(now, never, never);
        s.step_ends = later(s.clock(), s.options.step_time_max);
        s.sweep();
        s.begin_claims();
        bool busy = false;
        if (s.store_is_open()) {
            detail::beat(s);
            s.has_called = false;
            busy = do_parts();
        }
        return busy || wait(wait_until);
    }

    /// When there is something to do without anybody's asking.
    [[nodiscard]] steady_time next_deadline() {
        const auto& s = state_;
        steady_time due = s.next_look < s.next_beat ? s.next_look : s.next_beat;
        const auto take = [&due](steady_time at) { due = at < due ? at : due; };
        take(s.next_purge.value_or(steady_time::min()));
        if constexpr (state_type::is_watched) {
            take(s.next_lag.value_or(steady_time::min()));
        }
        const steady_time sink_opens = s.sink_gate.until();
        for (const auto& w : s.works) {
            if (w.has_unwritten()) {
                take(steady_time::min());
            }
            const bool at_once = w.is_busy() || (s.claims_anew && !w.is_fresh);
            const steady_time at = at_once ? steady_time::min() : w.next_claim;
            take(at < sink_opens ? sink_opens : at);
        }
        const steady_time opens = s.store_gate.until();
        due = due < opens ? opens : due;
        return due < s.now.steady ? s.now.steady : due;
    }

    /// Writes down what was published, and gives its shards to the other relays. To be called until
    /// it answers true, which it does at the latest at `until`; what is not written down by then is
    /// published again by whoever takes the shard.
    bool shut_down(moment now, steady_time until) {
        auto& s = state_;
        s.begin(now, until, until);
        s.moves.reset();
        s.look_at = 0;
        s.sweep();
        bool written = true;
        for (auto& w : s.works) {
            w.batch.end();
            if (w.has_unwritten() && s.clock() < until) {
                written &= detail::settle(s, w) || w.gone;
            }
        }
        if (!written && s.clock() < until) {
            return false;
        }
        bool reached = true;
        for (auto& w : s.works) {
            if (!w.gone && reached && s.clock() < until) {
                reached = detail::give_back(s, w, "shut_down", s.next_call_ends());
            }
            s.forget(w);
        }
        s.sweep();
        s.next_beat = never;
        s.next_look = steady_time::min();
        return true;
    }

    /// Nothing is under way: all that was to be written down is, and each shard was just claimed
    /// and brought nothing, also of what this relay had put off.
    ///
    /// What is added between two claims shows at the second one, so an old claim tells nothing. One
    /// counts until the next step begins, and asking lets the next steps claim once more, without
    /// waiting for `poll_interval`: who asks and steps by turns, as `drain` does, hears of a rest
    /// only if nothing was there after the first question.
    [[nodiscard]] bool is_idle() {
        auto& s = state_;
        bool at_rest = s.next_look != steady_time::min();
        bool fresh = true;
        for (const auto& w : s.works) {
            at_rest &= !w.has_unwritten() && !w.is_busy() && w.rests_from >= w.retries_at;
            fresh &= w.is_fresh;
        }
        s.claims_anew = at_rest && !fresh;
        return at_rest && fresh;
    }

    /// Gives the clock of which `now` is a reading, for use within a step: publishing takes time.
    /// With it a lease is not worked on beyond its end, renewals are sent during long batches, and
    /// `step_time_max` holds; `run` gives the machine's.
    void measure_with(steady_time (*stopwatch)()) noexcept { state_.stopwatch = stopwatch; }

    [[nodiscard]] const relay_counts& counts() const noexcept { return state_.counts; }

    /// The options, with the owner's name and the seed as they are.
    [[nodiscard]] const relay_options& options() const noexcept { return state_.options; }

    /// The shards that it holds.
    [[nodiscard]] std::size_t shards_held() const noexcept { return state_.works.size(); }

    [[nodiscard]] Observer& observer() noexcept { return state_.observer; }

private:
    using state_type = detail::relay_state<Outbox, Sink, Observer>;

    /// Does one part of the work after the other. If the time is up behind one of them, the next
    /// step begins with the one after it, so that each has its turn, however slow another is.
    bool do_parts() {
        constexpr std::size_t parts = 5;
        auto& s = state_;
        bool busy = false;
        for (std::size_t i = std::exchange(s.part, 0), left = parts; left != 0; --left) {
            busy |= do_part(i);
            s.sweep();
            i = (i + 1) % parts;
            if (!s.may_call()) {
                s.part = i;
                break;
            }
        }
        return busy;
    }

    bool do_part(std::size_t part) {
        switch (part) {
            case 0: return detail::settle_all(state_);
            case 1: return detail::balance_shares(state_);
            case 2: return detail::serve_in_turn(state_);
            case 3: return purge();
            default: report_lag(); return false;
        }
    }

    /// Forgets old entries, a bite at a time. One that fails waits for its next time as if it had
    /// not: what is published does not wait for it.
    bool purge() {
        auto& s = state_;
        const steady_time at = s.clock();
        if (!s.next_purge) {
            s.next_purge = later(at, s.options.purge_interval);
        }
        if (at < *s.next_purge || !s.store_gate.is_open(at)) {
            return false;
        }
        // By the time at which the step began: what is kept a little longer does no harm.
        const auto older_than =
            s.now.wall - std::chrono::duration_cast<wall_time::duration>(s.options.retention);
        s.next_purge = later(at, s.options.purge_interval);
        const auto gone = s.ask_aside(
            [&](steady_time until) { return s.box.purge(older_than, s.options.purge_max, until); });
        if (!gone) {
            s.next_purge = later(s.clock(), s.options.purge_interval);
            ++s.counts.purges_failed;
            return false;
        }
        if (*gone >= s.options.purge_max) {
            s.next_purge = at;
        }
        s.counts.purged += *gone;
        if (*gone != 0) {
            s.tell([&](auto& o) { o.on_purged({s.options.owner, *gone}); });
        }
        return *gone != 0;
    }

    void report_lag() {
        if constexpr (state_type::is_watched) {
            auto& s = state_;
            const steady_time at = s.clock();
            if ((s.next_lag && at < *s.next_lag) || !s.store_gate.is_open(at)) {
                return;
            }
            s.next_lag = later(at, s.options.lag_interval);
            const auto lag = s.ask_aside([&](steady_time until) { return s.box.lag(until); });
            if (lag) {
                s.observer.on_lag({s.options.owner, lag->waiting, lag->parked, lag->age(s.wall())});
            }
        }
    }

    /// Waits until something was added, or there is something to do anyway. Answers whether it was
    /// woken.
    bool wait(steady_time wait_until) {
        auto& s = state_;
        const steady_time due = next_deadline();
        const steady_time until = wait_until < due ? wait_until : due;
        const steady_time at = s.clock();
        if (until <= at) {
            return false;
        }
        if constexpr (waking_outbox<Outbox>) {
            if (!s.works.empty() && s.sink_gate.is_open(at) && s.store_gate.is_open(at)) {
                const auto woken =
                    s.ask([&](steady_time by) { return s.box.wait_for_added(by); }, until);
                if (!woken || !*woken) {
                    return false;
                }
                for (auto& w : s.works) {
                    w.next_claim = steady_time::min();
                }
                return true;
            }
        }
        detail::pause_for(until - at);
        return false;
    }

    state_type state_;
};

/// What stands in the outbox's place is none. What is made here takes anything, so that this is all
/// the compiler says.
template <class Outbox, class Sink, class Observer>
    requires(!outbox_queue<Outbox>)
class relay<Outbox, Sink, Observer> {
    static constexpr bool takes_from_outbox = outbox_queue<Outbox>;
    static_assert(takes_from_outbox,
                  "sinew: relay takes a handle on an outbox first, such as db.outbox(\"orders\")");

public:
    template <class... Given>
    explicit relay(const Given&...) {}
};

}  // namespace sinew
