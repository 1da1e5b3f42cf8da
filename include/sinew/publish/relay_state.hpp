// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The state of a running relay: its ports, its machines, and its work on each shard.
///
/// What is done with it stands in the headers beside this one: `relay_leases` (which shards are
/// held), `relay_work` (claim, publish, mark), `relay` (the order of both, and the waiting).
///
/// **Invariants.** There is one work for each shard that is held. What the sink accepted stays in
/// its work's `marks` until the outbox answered done or stale.

#include <sinew/core/outbox.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/publish/port_gate.hpp>
#include <sinew/publish/relay_batch.hpp>
#include <sinew/publish/relay_observer.hpp>
#include <sinew/publish/relay_options.hpp>
#include <sinew/publish/shard_balance.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::detail {

/// An entry that was not accepted, until that is written down.
struct relay_refusal {
    std::size_t index = 0;  ///< in the batch
    relay_decision what{};
};

/// What a relay does in one shard.
struct shard_work {
    shard_id shard = 0;
    relay_batch batch{};
    std::vector<std::int64_t> marks{};           ///< accepted by the sink, and not recorded yet
    std::vector<relay_refusal> refusals{};       ///< of the batch, and not recorded yet
    steady_time last_beat = steady_time::min();  ///< when its renewal was tried last
    steady_time next_claim = steady_time::min();
    steady_time rests_from = never;               ///< since when a claim brings nothing
    steady_time retries_at = steady_time::min();  ///< when the last of those put off is due
    bool is_fresh = false;                        ///< a claim brought nothing, and that counts
    bool gone = false;                            ///< its lease has ended: to be forgotten

    [[nodiscard]] bool has_unwritten() const noexcept {
        return !marks.empty() || !refusals.empty();
    }
    /// Whether there is something to publish, as far as it is known.
    [[nodiscard]] bool is_busy() const noexcept { return !batch.is_over() || rests_from == never; }
};

[[nodiscard]] inline relay_options completed(relay_options options) {
    check(options);
    splitmix64 random(options.seed != 0 ? options.seed : entropy_seed());
    if (options.seed == 0) {
        options.seed = random();
    }
    if (options.owner.empty()) {
        options.owner = new_owner_name(random());
    }
    return options;
}

/// The backoff of the store: leases have to be renewed, so it is asked at least once per heartbeat.
[[nodiscard]] inline decorrelated_jitter store_backoff(const relay_options& o) noexcept {
    const duration cap = o.cap < o.heartbeat ? o.cap : o.heartbeat;
    return {o.base < cap ? o.base : cap, cap};
}

template <class Box>
[[nodiscard]] shard_id checked_shards(Box& box) {
    const shard_id shards = box.shards();
    if (shards == 0 || shards > shards_max) {
        throw usage_error("relay: the outbox has to have between 1 and " +
                          std::to_string(shards_max) + " shards");
    }
    return shards;
}

template <class Outbox, class Sink, class Observer>
struct relay_state {
    static constexpr bool publishes_batches = batch_sink<Sink>;
    static constexpr bool asks_together = multi_shard_outbox<Outbox>;
    static constexpr bool is_watched = !std::same_as<Observer, null_relay_observer>;

    relay_state(Outbox outbox, Sink& sink, relay_options given, Observer watcher)
        : options(completed(std::move(given))),
          box(std::move(outbox)),
          to(&sink),
          observer(std::move(watcher)),
          rules{options.max_attempts, {options.base, options.cap}, options.seed},
          balance(options.owner, options.lease, checked_shards(box)),
          store_gate(store_backoff(options), options.seed),
          sink_gate({options.base, options.cap}, ~options.seed) {}

    relay_options options;
    Outbox box;
    Sink* to;
    Observer observer;
    relay_rules rules;
    shard_balance balance;
    port_gate store_gate;
    port_gate sink_gate;
    std::vector<shard_work> works{};
    std::vector<shard_lease> leases{};  ///< room for those of one call
    relay_counts counts{};
    moment now{};
    steady_time (*stopwatch)() = nullptr;  ///< tells the time within a step
    std::size_t turn = 0;                  ///< with which work the next step begins
    steady_time next_beat = never;         ///< when the first lease is to be renewed
    steady_time next_look = steady_time::min();
    std::optional<steady_time> next_purge{};  ///< nothing before the first step
    std::optional<steady_time> next_lag{};
    shard_id look_at = 0;                ///< where a look goes on
    std::optional<shard_moves> moves{};  ///< what is left of them
    bool claims_anew = false;            ///< somebody asked whether it is idle
    std::size_t part = 0;                ///< with which of its parts the next step begins
    steady_time step_ends = never;       ///< what comes later waits for the next step
    steady_time calls_end = never;       ///< when each call has to be back
    bool has_called = false;             ///< in this step

    /// Bounds what follows: calls are begun until `step_ends`, at least one, and end at
    /// `calls_end`.
    void begin(moment at, steady_time ends, steady_time calls) {
        now = at;
        step_ends = ends;
        calls_end = calls;
        has_called = false;
    }
    /// Forgets of the claims so far that they brought nothing, unless a round of them is under way.
    void begin_claims() noexcept {
        bool all = true;
        for (const auto& w : works) {
            all &= w.is_fresh;
        }
        claims_anew &= !all;
        for (auto& w : works) {
            w.is_fresh &= claims_anew;
        }
    }
    [[nodiscard]] bool has_time() const { return clock() < step_ends; }
    [[nodiscard]] bool may_call() const { return !has_called || has_time(); }

    /// The time; without a stopwatch it stands still within a step.
    [[nodiscard]] steady_time clock() const {
        if (stopwatch == nullptr) {
            return now.steady;
        }
        const steady_time at = stopwatch();
        return at < now.steady ? now.steady : at;
    }
    /// The time of the wall, also within a step.
    [[nodiscard]] wall_time wall() const { return wall_at(clock()); }
    [[nodiscard]] wall_time wall_at(steady_time at) const {
        return now.wall + std::chrono::duration_cast<wall_time::duration>(at - now.steady);
    }

    [[nodiscard]] bool store_is_open() const { return store_gate.is_open(clock()); }

    template <class Tell>
    void tell(Tell&& say) {
        if constexpr (is_watched) {
            say(observer);
        }
    }

    [[nodiscard]] relay_lease_note lease_note(shard_id shard, std::string_view reason) const {
        return {options.owner, shard, balance.lease(shard).epoch, reason};
    }

    void store_failed(std::string_view reason, std::optional<duration> retry_after = {}) {
        store_paused(reason, store_gate.close(clock(), retry_after));
    }
    void store_paused(std::string_view reason, duration pause) {
        ++counts.store_pauses;
        tell([&](auto& o) { o.on_paused({options.owner, "store", reason, pause}); });
    }
    void store_answered() {
        if (store_gate.answered()) {
            tell([&](auto& o) { o.on_resumed({options.owner, "store", {}, {}}); });
        }
    }

    /// Asks the outbox. Answers nothing if it could not be reached, and then leaves it alone for a
    /// while; after a failure that is transient, such as a conflict, not before the second in a
    /// row.
    ///
    /// **On failure.** Throws what no waiting can mend.
    template <class F>
    [[nodiscard]] auto ask(F call, steady_time until) -> std::optional<decltype(call(until))> {
        has_called = true;
        try {
            auto answer = call(until);
            if (is_unknown(answer)) {
                store_failed("no_answer");
                return answer;
            }
            store_answered();
            return answer;
        } catch (const error& why) {
            if (why.kind() == failure_class::permanent) {
                throw;
            }
            if (why.kind() != failure_class::transient) {
                store_failed(why.reason(), why.retry_after());
            } else if (const auto pause = store_gate.went_silent(clock())) {
                store_paused(why.reason(), *pause);
            }
            return std::nullopt;
        }
    }
    template <class F>
    [[nodiscard]] auto ask(F call) {
        return ask(std::move(call), next_call_ends());
    }

    /// Asks the outbox for what publishing does not need: a failure says nothing of the outbox.
    ///
    /// **On failure.** Throws what no waiting can mend.
    template <class F>
    [[nodiscard]] auto ask_aside(F call) -> std::optional<decltype(call(never))> {
        has_called = true;
        try {
            return call(next_call_ends());
        } catch (const error& why) {
            if (why.kind() == failure_class::permanent) {
                throw;
            }
            return std::nullopt;
        }
    }

    /// Whether what was written, or some of it, has no answer.
    template <class Answer>
    [[nodiscard]] static bool is_unknown(const Answer& answer) {
        if constexpr (std::same_as<Answer, fenced_result>) {
            return answer == fenced_result::unknown;
        } else if constexpr (std::same_as<Answer, std::vector<fenced_result>>) {
            for (const auto one : answer) {
                if (one == fenced_result::unknown) {
                    return true;
                }
            }
        }
        return false;
    }

    [[nodiscard]] steady_time next_call_ends() const {
        const steady_time by = later(clock(), options.call_timeout);
        return by < calls_end ? by : calls_end;
    }

    /// The shard belongs to another relay now: nothing is written for it any more.
    void lose(shard_work& w) {
        if (w.gone) {
            return;
        }
        counts.marks_stale += w.marks.size();
        ++counts.leases_lost;
        tell([&](auto& o) { o.on_lease_lost(lease_note(w.shard, "stale")); });
        forget(w);
        next_look = steady_time::min();
        look_at = 0;
    }

    void forget(shard_work& w) noexcept {
        balance.lost(w.shard);
        w.marks.clear();
        w.refusals.clear();
        w.batch.end();
        w.gone = true;
    }

    void sweep() {
        std::erase_if(works, [](const shard_work& w) { return w.gone; });
    }
};

}  // namespace sinew::detail
