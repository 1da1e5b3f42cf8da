// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stages `once`, `deduplicate`, `idempotent_by_nature` and `at_most_once`: what if an event
/// comes twice?

#include <sinew/consume/dedup_window.hpp>
#include <sinew/consume/stage.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/store.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace sinew {

/// By what `once` recognises a duplicate. Each is written in the handler's own transaction.
enum class duplicates : std::uint8_t {
    /// By sequence where `in_sequence` stands in the pipeline and the event has a key, else by id.
    automatic,
    /// By (`source`, `id`): recognises all duplicates; costs a row per event.
    by_id,
    /// By partition and offset: recognises what the broker delivers again, in constant space. Right
    /// where the producer cannot write an event twice.
    by_offset,
};

[[nodiscard]] constexpr std::string_view to_string(duplicates d) noexcept {
    switch (d) {
        case duplicates::automatic: return "automatic";
        case duplicates::by_id: return "by id";
        case duplicates::by_offset: return "by offset";
    }
    return "invalid";
}

/// Options of `once`.
struct once_options {
    /// Events in one transaction at most.
    std::size_t batch_max = 100;
    /// Events of a transaction that share a savepoint at most, where the handler keeps its effects
    /// in the transaction. If one of them fails, all of them are undone, and the others run again,
    /// each with a savepoint of its own. With 1 nobody runs again because another event failed, and
    /// each event pays for a savepoint.
    std::size_t part_max = 32;
    /// How long a transaction may stay open for further events. 0: it is closed at the end of the
    /// step that opened it, so a batch is what was there to be read.
    duration batch_time = duration::zero();
    sinew::duplicates duplicates = sinew::duplicates::automatic;
    /// How long ids are remembered. An id that comes again later is taken for a new one, so it has
    /// to be longer than anything that may bring old events back.
    duration retention = std::chrono::hours(7 * 24);
    /// How far back somebody may replay the topic, or a producer repeat itself: checked against
    /// `retention` when the stage is made.
    duration replay_horizon = duration::zero();
    /// How often ids that are too old are removed, and how many at once.
    duration purge_interval = std::chrono::minutes(1);
    std::size_t purge_max = 500;
};

namespace detail {

template <class Store>
struct once_stage {
    static constexpr stage_kind kind = stage_kind::duplicate;
    static constexpr bool forgets = false;
    static constexpr std::string_view answer = "once";
    using store_type = Store;

    Store* store;
    once_options options;
};

struct deduplicate_stage {
    static constexpr stage_kind kind = stage_kind::duplicate;
    static constexpr bool forgets = false;
    static constexpr std::string_view answer = "deduplicate";

    dedup_options options;
};

struct idempotent_stage {
    static constexpr stage_kind kind = stage_kind::duplicate;
    static constexpr bool forgets = false;
    static constexpr std::string_view answer = "idempotent by nature";
};

struct at_most_once_stage {
    static constexpr stage_kind kind = stage_kind::duplicate;
    static constexpr bool forgets = true;
    static constexpr std::string_view answer = "at most once";
};

}  // namespace detail

/// Opens a transaction around the handler and writes there that the event was applied, so that the
/// effects and the memory of them are one. `db` has to outlive the consumer.
///
/// **Delivers.** `guarantee::effectively_once` if the handler takes the transaction and keeps its
/// effects in it; `at_least_once` if it acts elsewhere.
/// **On failure.** A failing event is undone alone; its neighbours in the batch stand. Those that
/// shared a savepoint with it (`part_max`) have run in vain, and run again before the transaction
/// is committed: that is no attempt, and nobody is told.
/// **On crash.** Effects and memory are both there or both not.
template <class Store>
    requires consumer_store<Store>
[[nodiscard]] auto once(Store& db, once_options options = {}) {
    if (options.batch_max == 0) {
        throw usage_error("once: option batch_max has to be at least 1");
    }
    if (options.part_max == 0) {
        throw usage_error("once: option part_max has to be at least 1");
    }
    if (options.batch_time < duration::zero()) {
        throw usage_error("once: option batch_time is below 0");
    }
    if (options.retention <= duration::zero() || options.purge_interval <= duration::zero() ||
        options.purge_max == 0) {
        throw usage_error("once: option retention, purge_interval or purge_max is not above 0");
    }
    if (options.retention < options.replay_horizon) {
        throw usage_error(
            "once: option retention is shorter than replay_horizon, so duplicates would be "
            "forgotten before they come");
    }
    return detail::once_stage<Store>{&db, options};
}

/// Anything else is no store that `once` can use.
template <class Other>
    requires(!consumer_store<std::remove_cvref_t<Other>>)
auto once(Other&&, once_options = {}) {
    // Not the concept itself: the compiler would list its parts.
    constexpr bool remembers_events = consumer_store<std::remove_cvref_t<Other>>;
    static_assert(remembers_events,
                  "sinew: once takes a store whose transactions remember events, such as "
                  "sqlite::store; static_assert(sinew::consumer_store<...>) says what is missing");
}

/// The store has to outlive the consumer: give `once` a variable.
template <class Store>
    requires consumer_store<Store>
auto once(const Store&&, once_options options = {}) {
    constexpr bool outlives_consumer = sizeof(Store) == 0;
    static_assert(outlives_consumer,
                  "sinew: the store has to outlive the consumer; give once a variable");
    return detail::once_stage<Store>{nullptr, options};
}

/// Suppresses duplicates from memory, for handlers without a transaction: as far back as the window
/// reaches, and not beyond a restart.
///
/// **Delivers.** `guarantee::at_least_once`, with fewer duplicates.
[[nodiscard]] inline auto deduplicate(dedup_options options = {}) {
    check(options);
    return detail::deduplicate_stage{options};
}

/// Says that applying an event twice is the same as applying it once, as with "set to 5".
[[nodiscard]] constexpr auto idempotent_by_nature() noexcept { return detail::idempotent_stage{}; }

/// Commits the offset before the handler runs: an event is applied once or not at all. Each event
/// costs a commit to the source.
[[nodiscard]] constexpr auto at_most_once() noexcept { return detail::at_most_once_stage{}; }

}  // namespace sinew
