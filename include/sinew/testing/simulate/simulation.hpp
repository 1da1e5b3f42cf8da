// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a user says of a handler that is to be simulated.
///
/// | field | says |
/// | --- | --- |
/// | `events` | what comes, in this order |
/// | `open` | makes what outlives the process: databases, other systems. Anew for each schedule |
/// | `connect` | opens the store in it, once in each life of the process; models `consumer_store` |
/// | `handle` | the handler. Each life has its own copy: what it keeps in itself is process memory |
/// | `state` | what each key has come to, as pairs. It is all that the master oracle compares |
/// | `pipeline` | makes the consumer, if it is to be the user's own |
/// | `expect_dead` | the ids of the events that belong into the dead letters |
///
/// Without `connect`, what `open` makes is the store itself, and all lives share it. As a store has
/// one transaction at a time, no schedule has a zombie then.
///
/// The handler is called as the first of these that it can be called as: `(event, transaction)`,
/// `(event, transaction, outside)`, the same with what `open` made before the event, and all four
/// without the transaction.

#include <sinew/consume/handler.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/outcome.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/fault.hpp>
#include <sinew/testing/random_tapes.hpp>
#include <sinew/testing/simulate/outside.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing {

/// `connect` where there is none: what `open` made is the store.
struct the_store_itself {
    template <class World>
    [[nodiscard]] World& operator()(World& world) const noexcept {
        return world;
    }
};

struct standard_pipeline;

/// A handler with all that it needs. Its types follow from its fields.
template <class Open, class Handle, class State, class Connect = the_store_itself,
          class Pipeline = standard_pipeline>
struct simulation {
    std::vector<event> events;
    Open open;
    Connect connect{};
    Handle handle;
    State state;
    Pipeline pipeline{};
    std::vector<std::string> expect_dead{};
};

/// How far it goes.
struct simulation_options {
    /// Every schedule with up to so many faults.
    unsigned faults = 2;
    /// Random schedules with more of them. Each is run twice.
    std::uint64_t random_tapes = 100;
    /// Repeats one schedule, and runs no other.
    std::vector<std::uint8_t> tape{};
    /// Only the events with these ids; empty: all.
    std::vector<std::string> only{};
    /// Which faults there are. `fault_set::all().without({fault::zombie})`.
    fault_set allowed = fault_set::all();
    /// Whether the producer may write an event twice.
    bool duplicates = true;
    std::uint32_t partitions = 1;
    /// Whether the effects of a key have to stand in its order, as all pipelines promise but those
    /// with `ordering::none`.
    bool in_order = true;
    /// Whether it ends at the first schedule that fails, or goes on and counts.
    bool stop_at_first_failure = true;
    std::uint64_t schedules_max = UINT64_MAX;
    /// Steps of one schedule: the bound of "everything drains".
    unsigned steps_max = 2'000;
    random_tape_options like{};
    std::uint64_t seed = 1;
};

/// What each key has come to, sorted.
using key_states = std::vector<std::pair<std::string, std::string>>;

namespace detail {

[[nodiscard]] inline std::string as_text_of(std::string_view text) { return std::string(text); }

template <class T>
    requires std::is_arithmetic_v<T>
[[nodiscard]] std::string as_text_of(T number) {
    return std::to_string(number);
}

/// Whatever range of pairs `.state` answers, as sorted texts. A key that is there twice has both.
template <class Range>
[[nodiscard]] key_states key_states_of(const Range& range) {
    key_states out;
    for (const auto& one : range) {
        out.emplace_back(as_text_of(std::get<0>(one)), as_text_of(std::get<1>(one)));
    }
    std::sort(out.begin(), out.end());
    for (std::size_t i = 1; i < out.size();) {
        if (out[i].first == out[i - 1].first) {
            out[i - 1].second += ", " + out[i].second;
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
        } else {
            ++i;
        }
    }
    return out;
}

/// What is different, key by key: `alice: 20, expected 15`.
[[nodiscard]] inline std::string difference(const key_states& have, const key_states& want,
                                            std::string_view expected = "expected") {
    std::string out;
    const auto tell = [&](const std::string& key, std::string_view is, std::string_view should) {
        out += out.empty() ? "" : "; ";
        out += (key.empty() ? std::string("(no key)") : key) + ": ";
        out += is;
        out += ", " + std::string(expected) + ' ';
        out += should;
    };
    std::size_t i = 0;
    std::size_t k = 0;
    while (i < have.size() || k < want.size()) {
        if (k == want.size() || (i < have.size() && have[i].first < want[k].first)) {
            tell(have[i].first, have[i].second, "nothing");
            ++i;
        } else if (i == have.size() || want[k].first < have[i].first) {
            tell(want[k].first, "nothing", want[k].second);
            ++k;
        } else {
            if (have[i].second != want[k].second) {
                tell(have[i].first, have[i].second, want[k].second);
            }
            ++i;
            ++k;
        }
    }
    return out;
}

/// The transaction that the handler takes.
template <class Tx>
[[nodiscard]] Tx& there(Tx* tx) {
    if (tx == nullptr) {
        throw permanent_error("no_transaction",
                              "the handler takes a transaction, and no stage of the pipeline opens "
                              "one; put once(p.store) into it");
    }
    return *tx;
}

template <class H, class... Args>
inline constexpr bool takes = sinew::detail::answers<H, Args...>;

/// Calls a user's handler as the first that it can be called as. `tx` may be null.
template <class H, class World, class Tx>
outcome call_handler_of(H& h, World& world, const event_view& e, Tx* tx, outside& out) {
    using ev = const event_view&;
    if constexpr (takes<H, ev, Tx&>) {
        return sinew::detail::call(h, e, there(tx));
    } else if constexpr (takes<H, ev, Tx&, outside&>) {
        return sinew::detail::call(h, e, there(tx), out);
    } else if constexpr (takes<H, World&, ev, Tx&>) {
        return sinew::detail::call(h, world, e, there(tx));
    } else if constexpr (takes<H, World&, ev, Tx&, outside&>) {
        return sinew::detail::call(h, world, e, there(tx), out);
    } else if constexpr (takes<H, ev>) {
        return sinew::detail::call(h, e);
    } else if constexpr (takes<H, ev, outside&>) {
        return sinew::detail::call(h, e, out);
    } else if constexpr (takes<H, World&, ev>) {
        return sinew::detail::call(h, world, e);
    } else {
        static_assert(takes<H, World&, ev, outside&>,
                      "sinew: .handle of a simulation takes (const event_view&, transaction&), "
                      "where the transaction is that of the store; what .open made can stand "
                      "before it, and sinew::testing::outside& behind it; it returns nothing or "
                      "an outcome");
        return sinew::detail::call(h, world, e, out);
    }
}

}  // namespace detail

/// The types that a simulation comes to.
template <class What>
struct simulation_types;

template <class Open, class Handle, class State, class Connect, class Pipeline>
struct simulation_types<simulation<Open, Handle, State, Connect, Pipeline>> {
    using handle = Handle;
    using world = std::remove_cvref_t<std::invoke_result_t<const Open&>>;
    /// A reference if all lives share the store.
    using connection = std::invoke_result_t<const Connect&, world&>;
    using store = std::remove_cvref_t<connection>;
    static constexpr bool shared = std::is_reference_v<connection>;

    static_assert(consumer_store<store>,
                  "sinew: the store of a simulation is what .connect answers, or what .open "
                  "answers where there is no .connect; see the concept sinew::consumer_store for "
                  "what is missing here");
    static_assert(std::copy_constructible<Handle>,
                  "sinew: .handle of a simulation is copied for each life of its process");
    static_assert(std::invocable<const State&, store&> || std::invocable<const State&, world&>,
                  "sinew: .state of a simulation takes the store, or what .open made");

    /// What each key has come to, seen by somebody who has just come.
    [[nodiscard]] static key_states read(
        const simulation<Open, Handle, State, Connect, Pipeline>& s, world& in) {
        try {
            if constexpr (std::invocable<const State&, world&>) {
                return detail::key_states_of(s.state(in));
            } else {
                connection eyes = s.connect(in);
                return detail::key_states_of(s.state(eyes));
            }
        } catch (const std::exception& problem) {
            throw usage_error(std::string("simulate: .state threw: ") + problem.what());
        }
    }
};

}  // namespace sinew::testing
