// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The state of a running consumer: its ports, its machines, and the events under way.
///
/// What is done with it stands in the headers beside this one, in the order in which a step goes
/// through them: `intake` (from the source), `admission` (into the lanes), `attempt` (from the
/// lanes through the handler), `straight` (past the lanes), `resign` (into the dead letters),
/// `replays` (and back), `settle` (commits).
///
/// **Invariants.** Each event under way has one slot. A slot is in the lanes, or held by the
/// resequencer, or in `stalled`.

#include <sinew/consume/counts.hpp>
#include <sinew/consume/crash_loop_guard.hpp>
#include <sinew/consume/dedup_window.hpp>
#include <sinew/consume/deliveries.hpp>
#include <sinew/consume/lanes.hpp>
#include <sinew/consume/partitions.hpp>
#include <sinew/consume/plan.hpp>
#include <sinew/consume/resequencer.hpp>
#include <sinew/consume/unit_of_work.hpp>
#include <sinew/core/observer.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/retry_budget.hpp>
#include <sinew/core/timestamp.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::detail {

/// An answer that was given by ticket.
struct completed_run {
    slot_id slot;
    outcome answer;
};

/// Why a consumer stopped by itself.
struct halt_note {
    position where{};
    failure why{};
};

template <class Plan>
auto make_unit(auto& duplicate, std::size_t members_max) {
    if constexpr (Plan::has_once) {
        return unit_of_work<typename Plan::store_type>(
            *duplicate.store, Plan::shares_parts ? duplicate.options.part_max : 1, members_max);
    } else {
        return nothing{};
    }
}

template <class Plan>
auto make_sequence(auto& stage) {
    if constexpr (Plan::has_sequence) {
        return resequencer(stage.options, Plan::has_once);
    } else {
        return nothing{};
    }
}

template <class Plan>
auto make_window(auto& stage) {
    if constexpr (Plan::deduplicates) {
        return dedup_window(stage.options);
    } else {
        return nothing{};
    }
}

template <class Plan>
auto make_policy(auto& stage) {
    if constexpr (Plan::has_retry) {
        return retry_policy(stage.options, stage.backoff);
    } else {
        return retry_policy(retry_options{.max_attempts = 1});
    }
}

template <class Plan>
auto make_attempts(auto& parts) {
    if constexpr (Plan::attempts_in_store && Plan::guards) {
        return parts.duplicate.store->attempts();
    } else if constexpr (Plan::attempts_in_place && Plan::guards) {
        return parts.failure.place.attempts();
    } else {
        return nothing{};
    }
}

template <class Parts, class Handler>
struct engine {
    using plan_type = plan<Parts, Handler>;
    using message_type = typename plan_type::message_type;
    using delivery_type = delivery<message_type>;
    static constexpr bool shows_itself =
        std::same_as<decltype(std::declval<const message_type&>().view()), const event_view&>;

    engine(Parts all, Handler f)
        : parts(std::move(all)),
          handler(std::move(f)),
          options(parts.from.options),
          stream(options.group + '/' + options.topic),
          random(options.seed != 0 ? options.seed : entropy_seed()),
          secret{random(), random()},
          table(options.in_flight_max, options.in_flight_bytes_max),
          queue(options.in_flight_max),
          places(options.window_max),
          order(make_sequence<plan_type>(parts.sequence)),
          unit(make_unit<plan_type>(parts.duplicate, options.in_flight_max)),
          window(make_window<plan_type>(parts.duplicate)),
          policy(make_policy<plan_type>(parts.retry)),
          budget(budget_of(policy.options())),
          attempts(make_attempts<plan_type>(parts)),
          guard(guard_options()) {
        if constexpr (plan_type::has_sequence) {
            if (options.ordering == ordering::none) {
                throw usage_error(
                    "subscribe: option ordering is none, but in_sequence keeps each key's order; "
                    "take by_key");
            }
        }
        stalled.reserve(options.in_flight_max);
        completed.reserve(options.in_flight_max);
    }

    Parts parts;
    Handler handler;
    subscription_options options;
    std::string stream;  ///< by which a key's progress is kept: one group may read several topics
    splitmix64 random;
    hash_seed secret;

    deliveries<message_type> table;
    lanes queue;
    partitions places;
    decltype(make_sequence<plan_type>(std::declval<Parts&>().sequence)) order;
    decltype(make_unit<plan_type>(std::declval<Parts&>().duplicate, 0)) unit;
    decltype(make_window<plan_type>(std::declval<Parts&>().duplicate)) window;
    decltype(make_policy<plan_type>(std::declval<Parts&>().retry)) policy;
    retry_budget budget;
    decltype(make_attempts<plan_type>(std::declval<Parts&>())) attempts;
    crash_loop_guard guard;

    moment now{};
    steady_time (*stopwatch)() = nullptr;  ///< tells the time within a step
    consumer_counts counts;
    std::vector<slot_id> stalled;             ///< could not be offered to the resequencer yet
    std::vector<completed_run> completed;     ///< answers by ticket, for the next step
    std::optional<dead_letter_entry> replay;  ///< the one that is under way
    std::optional<slot_id> replay_slot;
    event_view replay_view{};
    std::optional<halt_note> halted;
    std::uint64_t runs = 0;            ///< tickets given out so far
    std::uint64_t offset_commits = 0;  ///< taken by the source so far
    std::size_t open_tickets = 0;
    std::size_t open_suspects = 0;
    std::size_t straight = 0;      ///< handled in this step as they came (see `straight`)
    std::size_t straight_max = 0;  ///< so many may be
    std::uint64_t run = 1;         ///< of events whose way is clear, as nothing has happened since
    std::uint64_t paid_for = 0;    ///< so many applied events are paid into the budget
    steady_time step_until = steady_time::min();         ///< then this step stops doing so
    steady_time store_gate = steady_time::min();         ///< the store is not asked before
    steady_time unavailable_until = steady_time::min();  ///< something is down, until tried again
    steady_time letters_until = steady_time::min();      ///< the dead-letter place is down
    steady_time source_gate = steady_time::min();        ///< the source is not asked before
    steady_time next_commit = steady_time::min();
    steady_time next_replay_look = steady_time::min();
    std::optional<steady_time> next_purge;  ///< nothing before the first step
    std::uint32_t source_failures = 0;
    std::uint32_t store_failures = 0;
    const char* pause_reason = nullptr;
    std::optional<std::pair<std::int64_t, std::uint64_t>> foreign_replay;
    steady_time foreign_replay_since{};

    [[nodiscard]] auto& source() noexcept { return parts.from.from; }
    [[nodiscard]] delivery_type& at(slot_id slot) noexcept { return table[slot]; }
    [[nodiscard]] steady_time call_deadline() const noexcept {
        return later(now.steady, options.call_timeout);
    }

    /// The event in a slot; copied only if its message makes a view for each who asks.
    [[nodiscard]] auto view(slot_id slot) noexcept
        -> std::conditional_t<shows_itself, const event_view&, event_view> {
        auto& d = table[slot];
        if (d.replay) {
            replay_view = replay->letter.original.view();
            return replay_view;
        }
        return d.message->view();
    }

    /// Whether letters and effects are written in one transaction.
    [[nodiscard]] bool letters_share_store() noexcept {
        if constexpr (letters_in_transaction<plan_type>) {
            return parts.failure.place.shares(*parts.duplicate.store);
        } else {
            return false;
        }
    }

    /// Tells the observer, if there is one. `Hook` is a pointer to a hook of `null_observer`'s
    /// name.
    template <class Tell>
    void tell(Tell&& say) {
        if constexpr (plan_type::is_watched) {
            say(*parts.observe.observer);
        }
    }

    [[nodiscard]] event_note note_of(slot_id slot, const failure* why = nullptr) {
        const auto& d = table[slot];
        const event_view e = view(slot);
        event_note note{options.group,   options.topic, d.where, e.id, e.source, e.type,
                        d.past.attempts, d.took,        {},      {},   {},       {}};
        if (const auto time = parse_time(e.time)) {
            note.event_age = wall_between(*time, now.wall);
        }
        if (why != nullptr) {
            note.reason = why->reason;
            note.kind = why->kind;
        }
        return note;
    }

    [[nodiscard]] partition_note note_of(const partition& p) const {
        return {options.group, options.topic, p.id, p.tracker.epoch(), p.committed};
    }

private:
    [[nodiscard]] crash_loop_options guard_options() {
        crash_loop_options result;
        if constexpr (plan_type::has_place) {
            result.deaths_max = parts.failure.options.deaths_max;
        }
        result.suspects_max = 2 * options.window_max;
        return result;
    }
};

}  // namespace sinew::detail
