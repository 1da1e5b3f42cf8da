// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The state of a running runner: its ports, its seat, and the instances that it has claimed.
///
/// What is done with it stands in the headers beside this one: `runner_seat` (on which seat it is),
/// `runner_writes` (what became of attempts is written down), `runner_work` (claims and attempts),
/// `runner_joint` (steps that share a transaction), `runner` (the order of all, and the waiting).
///
/// | a held instance | may |
/// | --- | --- |
/// | is ready | make an attempt, if it is one of the first `instances_max` |
/// | is ready, and has waited long for its turn | be given back |
/// | has something to be written | be written, and nothing else |
/// | was in a commit without an answer | be looked up, and nothing else |
/// | is gone | be forgotten |
///
/// **Invariants.** What has been done outside of a transaction stays in its instance's `pending`
/// until the journal answered done or stale.

#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/owner_name.hpp>
#include <sinew/core/port_gate.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/attempt.hpp>
#include <sinew/process/claimed_instance.hpp>
#include <sinew/process/runner_observer.hpp>
#include <sinew/process/runner_options.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew {

/// Stands for the outbox of a runner whose processes send no commands.
struct no_outbox {};

namespace detail {

/// What became of an instance, until that is written down.
struct pending_write {
    journal_write what{};
    std::optional<event> command{};     ///< goes out in the same transaction
    duration took{};                    ///< the attempt
    bool is_failure = false;            ///< the attempt failed
    bool is_cancelled = false;          ///< as the answer to a write in a transaction said
    bool is_repeated = false;           ///< it was written before, without an answer
    bool is_committed_blindly = false;  ///< with effects, in a commit without an answer
};

/// An instance that a runner has claimed.
struct held_instance {
    claimed_instance run;
    std::size_t type = 0;  ///< which of the runner's processes
    std::optional<pending_write> pending{};
    steady_time not_before = steady_time::min();  ///< after conflicts
    std::uint32_t conflicts = 0;                  ///< in a row, alone
    bool alone = false;                           ///< its next transaction is shared with nobody
    bool is_last = false;  ///< its seat was lost: what is pending is written, and no more
    bool gone = false;     ///< to be forgotten

    [[nodiscard]] bool is_ready() const noexcept { return !gone && !pending; }
};

/// The seat on which a runner is.
struct taken_seat {
    shard_lease lease{};
    steady_time sent{};  ///< when the last good renewal was sent
};

[[nodiscard]] inline runner_options completed(runner_options options) {
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

/// The backoff of the store: the seat has to be renewed, so it is asked at least once per
/// heartbeat.
[[nodiscard]] inline decorrelated_jitter store_backoff(const runner_options& o) noexcept {
    const duration cap = o.cap < o.heartbeat ? o.cap : o.heartbeat;
    return {o.base < cap ? o.base : cap, cap};
}

template <class Journal>
[[nodiscard]] shard_id checked_seats(Journal& book) {
    const shard_id seats = book.shards();
    if (seats == 0 || seats > shards_max) {
        throw usage_error("runner: the journal has to have between 1 and " +
                          std::to_string(shards_max) + " seats");
    }
    return seats;
}

template <class Store, class Journal, class Outbox, class Observer, class... Processes>
struct runner_state {
    using transaction_type = typename Store::transaction_type;

    static constexpr bool has_outbox = !std::same_as<Outbox, no_outbox>;
    static constexpr bool is_watched = !std::same_as<Observer, null_runner_observer>;

    runner_state(Store& store, Journal journal, Outbox outbox, runner_options given,
                 Observer watcher, Processes... all)
        : options(completed(std::move(given))),
          db(&store),
          book(std::move(journal)),
          box(std::move(outbox)),
          observer(std::move(watcher)),
          processes(std::move(all)...),
          watch(options.owner, options.lease, checked_seats(book)),
          store_gate(store_backoff(options), options.seed),
          random(options.seed),
          ahead(options.ahead_max) {
        check_processes();
    }

    runner_options options;
    Store* db;
    Journal book;
    Outbox box;
    Observer observer;
    std::tuple<Processes...> processes;
    std::array<std::string_view, sizeof...(Processes)> types{};
    lease_watch watch;
    port_gate store_gate;
    splitmix64 random;
    std::optional<taken_seat> seat{};
    std::deque<held_instance> held{};  ///< those in their turn first
    bool has_gone = false;             ///< one of them is to be forgotten
    std::size_t written_from = 0;      ///< from here on nothing of them is to be written
    runner_counts counts{};
    moment now{};
    steady_time (*stopwatch)() = nullptr;         ///< tells the time within a step
    steady_time step_ends = never;                ///< what comes later waits for the next step
    steady_time calls_end = never;                ///< when each call has to be back
    bool has_called = false;                      ///< in this step
    std::optional<failure_class> last_failure{};  ///< of the last call, if it failed
    steady_time next_look = steady_time::min();
    shard_id look_at = 0;  ///< where a look goes on
    steady_time next_claim = steady_time::min();
    bool has_more = false;                        ///< the last claim was full
    std::size_t ahead = 0;                        ///< how many may be claimed before their turn
    steady_time claimed_at = steady_time::min();  ///< the last claim that brought something
    std::size_t turn = 0;                         ///< with which instance the next step begins
    steady_time unwritten_since = never;          ///< the first attempt that is not written down
    std::string_view leaving{};                   ///< why it is to leave its seat; empty: it is not
    steady_time rests_from = never;               ///< since when a claim brings nothing
    steady_time retries_at = steady_time::min();  ///< when the last that was put off is due
    bool is_fresh = false;                        ///< a claim brought nothing, and that counts
    bool claims_anew = false;                     ///< somebody asked whether it is idle
    std::optional<steady_time> next_purge{};      ///< nothing before the first step

    /// Bounds what follows: calls are begun until `step_ends`, at least one, and end at
    /// `calls_end`.
    void begin(moment at, steady_time ends, steady_time calls) {
        now = at;
        step_ends = ends;
        calls_end = calls;
        has_called = false;
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
    [[nodiscard]] wall_time wall() const { return wall(clock()); }
    [[nodiscard]] wall_time wall(steady_time at) const {
        return now.wall + std::chrono::duration_cast<wall_time::duration>(at - now.steady);
    }

    [[nodiscard]] bool store_is_open() const {
        // A clock is dear enough to be read only where it matters.
        return store_gate.is_open(now.steady) || store_gate.is_open(clock());
    }
    /// Until when it may work, if its lease is not renewed.
    [[nodiscard]] steady_time valid_until() const noexcept {
        return seat ? later(seat->sent, options.lease) : steady_time::min();
    }
    /// Whether it may make attempts.
    [[nodiscard]] bool may_work() const {
        return seat && leaving.empty() && store_is_open() && clock() < valid_until();
    }

    template <class Tell>
    void tell(Tell&& say) {
        if constexpr (is_watched) {
            say(observer);
        }
    }
    [[nodiscard]] runner_seat_note seat_note(const shard_lease& of, std::string_view reason) const {
        return {options.owner, of.shard, of.epoch, reason};
    }
    [[nodiscard]] runner_instance_note instance_note(const held_instance& h,
                                                     std::string_view reason = {}) const {
        const auto& what = h.run.what();
        return {options.owner, what.type, what.id, what.number,
                what.epoch,    0,         reason,  wall_between(what.started, wall())};
    }

    /// Calls with the process of that index.
    template <class F>
    decltype(auto) with_process(std::size_t index, F f) {
        return with_process_from<0>(index, f);
    }

    void store_failed(std::string_view reason, std::optional<duration> retry_after = {}) {
        store_paused(reason, store_gate.close(clock(), retry_after));
    }
    void store_paused(std::string_view reason, duration pause) {
        ++counts.store_pauses;
        tell([&](auto& o) { o.on_paused({options.owner, reason, pause}); });
    }
    void store_answered() {
        if (store_gate.answered()) {
            tell([&](auto& o) { o.on_resumed({options.owner, {}, {}}); });
        }
    }
    /// A call to the store failed. Leaves it alone for a while; after a failure that is transient,
    /// such as a conflict, not before the second in a row.
    void heed_store(failure_class kind, std::string_view reason,
                    std::optional<duration> retry_after = {}) {
        if (kind != failure_class::transient) {
            store_failed(reason, retry_after);
        } else if (const auto pause = store_gate.went_silent(clock())) {
            store_paused(reason, *pause);
        }
    }

    /// Asks the store. Answers nothing if it could not be reached.
    ///
    /// **On failure.** Throws what no waiting can mend.
    template <class F>
    [[nodiscard]] auto ask(F call, steady_time until) -> std::optional<decltype(call(until))> {
        has_called = true;
        last_failure.reset();
        try {
            auto answer = call(until);
            if constexpr (std::same_as<decltype(answer), fenced_result>) {
                if (answer == fenced_result::unknown) {
                    store_failed("no_answer");
                    return answer;
                }
            }
            store_answered();
            return answer;
        } catch (const error& why) {
            if (why.kind() == failure_class::permanent) {
                throw;
            }
            last_failure = why.kind();
            heed_store(why.kind(), why.reason(), why.retry_after());
            return std::nullopt;
        }
    }
    template <class F>
    [[nodiscard]] auto ask(F call) {
        return ask(std::move(call), next_call_ends());
    }
    /// Asks for what the work does not need: a failure says nothing of the store.
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

    [[nodiscard]] steady_time next_call_ends() const {
        const steady_time by = later(clock(), options.call_timeout);
        return by < calls_end ? by : calls_end;
    }

    /// Something of the first `count` may have to be written from now on.
    void may_write(std::size_t count) noexcept {
        written_from = count < written_from ? written_from : count;
    }
    /// How many of the first may have something to be written: they are large, and those that wait
    /// for their turn are not looked at for that.
    [[nodiscard]] std::size_t unwritten_most() const noexcept {
        return held.size() < written_from ? held.size() : written_from;
    }
    [[nodiscard]] bool has_unwritten() const noexcept {
        for (std::size_t i = 0; i < unwritten_most(); ++i) {
            if (!held[i].gone && held[i].pending) {
                return true;
            }
        }
        return false;
    }
    /// How many of the instances that it holds have their turn; those behind them wait for it.
    [[nodiscard]] std::size_t in_turn() const noexcept {
        return held.size() < options.instances_max ? held.size() : options.instances_max;
    }
    /// Until when what was claimed ahead may wait for its turn.
    [[nodiscard]] steady_time ahead_until() const noexcept {
        return later(claimed_at, options.step_time_max);
    }
    /// When the next attempt can be made, or what waits for its turn is given back.
    [[nodiscard]] steady_time ready_at() const noexcept {
        steady_time due = never;
        for (std::size_t i = 0; i < held.size(); ++i) {
            const auto& h = held[i];
            const steady_time at = i < in_turn()         ? h.not_before
                                   : !h.run.is_suspect() ? ahead_until()
                                                         : never;
            due = h.is_ready() && at < due ? at : due;
        }
        return due;
    }
    /// The instance is to be forgotten.
    void let_go(held_instance& h) noexcept {
        h.gone = true;
        has_gone = true;
    }
    /// Forgets those that are gone. Where the first one goes, no other is moved: they are large.
    void sweep() {
        if (!std::exchange(has_gone, false)) {
            return;
        }
        while (!held.empty() && held.front().gone) {
            held.pop_front();
        }
        std::erase_if(held, [](const held_instance& h) { return h.gone; });
    }

private:
    template <std::size_t I, class F>
    decltype(auto) with_process_from(std::size_t index, F& f) {
        if constexpr (I + 1 == sizeof...(Processes)) {
            return f(std::get<I>(processes));
        } else {
            return index == I ? f(std::get<I>(processes)) : with_process_from<I + 1>(index, f);
        }
    }

    void check_processes() {
        if (!book.shares(*db)) {
            throw usage_error("runner: the journal is of another store than the one given");
        }
        if constexpr (has_outbox) {
            if (!box.shares(*db)) {
                throw usage_error("runner: the outbox is of another store than the one given");
            }
        }
        for (std::size_t i = 0; i < types.size(); ++i) {
            types[i] = with_process(
                i, [](const auto& p) -> std::string_view { return p.definition().type; });
            for (std::size_t k = 0; k < i; ++k) {
                if (types[k] == types[i]) {
                    throw usage_error(
                        std::string("runner: two processes have the name ").append(types[i]));
                }
            }
        }
    }
};

}  // namespace detail

}  // namespace sinew
