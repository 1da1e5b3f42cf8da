// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a finished pipeline is, read off its type: which stages stand in it, and what it promises.

#include <sinew/consume/duplicates.hpp>
#include <sinew/consume/failures.hpp>
#include <sinew/consume/guarantee.hpp>
#include <sinew/consume/handler.hpp>
#include <sinew/consume/in_sequence.hpp>
#include <sinew/consume/observed_by.hpp>
#include <sinew/consume/pipeline.hpp>
#include <sinew/consume/retry.hpp>
#include <sinew/consume/subscribe.hpp>
#include <sinew/core/attempts.hpp>
#include <sinew/core/observer.hpp>

#include <concepts>
#include <type_traits>

namespace sinew::detail {

/// Stands for a part that a pipeline does not have.
struct nothing {};

template <class T>
concept keeps_attempts = requires(T& t) {
    { t.attempts() } -> attempt_log;
};

template <class Stage>
struct store_of {
    using type = nothing;
    using transaction = no_transaction;
};
template <class Store>
struct store_of<once_stage<Store>> {
    using type = Store;
    using transaction = typename Store::transaction_type;
};

template <class Stage>
struct place_of {
    using type = nothing;
};
template <class Place>
struct place_of<dead_letter_stage<Place>> {
    using type = typename dead_letter_stage<Place>::place_type;
};

template <class Stage>
struct observer_of {
    using type = null_observer;
};
template <class Observer>
struct observer_of<observe_stage<Observer>> {
    using type = Observer;
};

/// Everything that follows from the types alone.
template <class Parts, class Handler>
struct plan {
    using source_type = std::remove_cvref_t<decltype(Parts::from.from)>;
    using message_type = typename source_type::message;
    using observer_type = typename observer_of<decltype(Parts::observe)>::type;
    using store_type = typename store_of<decltype(Parts::duplicate)>::type;
    using transaction_type = typename store_of<decltype(Parts::duplicate)>::transaction;
    using place_type = typename place_of<decltype(Parts::failure)>::type;
    using handler_type = Handler;

    static constexpr bool has_sequence = std::same_as<decltype(Parts::sequence), in_sequence_stage>;
    static constexpr bool has_retry = Parts::retry_type::retries;
    static constexpr bool has_once = !std::same_as<store_type, nothing>;
    static constexpr bool has_place = !std::same_as<place_type, nothing>;
    static constexpr bool halts = std::same_as<decltype(Parts::failure), halt_stage>;
    static constexpr bool deduplicates =
        std::same_as<decltype(Parts::duplicate), deduplicate_stage>;
    static constexpr bool forgets = std::same_as<decltype(Parts::duplicate), at_most_once_stage>;
    static constexpr bool is_watched = !std::same_as<observer_type, null_observer>;

    static constexpr bool with_transaction = takes_transaction<Handler, transaction_type>;
    static constexpr bool with_ticket = takes_ticket<Handler, transaction_type>;
    static constexpr bool attempts_in_store = keeps_attempts<store_type>;
    static constexpr bool attempts_in_place = !attempts_in_store && keeps_attempts<place_type>;
    static constexpr bool guards = (attempts_in_store || attempts_in_place) && !forgets;

    /// Whether an event may be undone, and run again, because another one failed: nobody may have
    /// seen its effects.
    static constexpr bool shares_parts = has_once && acts_inside<Handler, transaction_type>();

    [[nodiscard]] static constexpr sinew::guarantee guarantee() noexcept {
        if (forgets) {
            return sinew::guarantee::at_most_once;
        }
        return shares_parts ? sinew::guarantee::effectively_once : sinew::guarantee::at_least_once;
    }
};

/// The letters can be written in the transaction of `once`, if both are of one store.
template <class Plan>
inline constexpr bool letters_in_transaction = [] {
    if constexpr (Plan::has_once && Plan::has_place) {
        return dead_letters_in_transaction<typename Plan::place_type, typename Plan::store_type>;
    } else {
        return false;
    }
}();

template <class Plan>
inline constexpr bool can_replay = [] {
    if constexpr (Plan::has_place) {
        return dead_letter_store<typename Plan::place_type>;
    } else {
        return false;
    }
}();

}  // namespace sinew::detail
