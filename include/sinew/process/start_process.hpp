// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Starting instances: in the transaction of whatever is the reason for it, or alone.
///
/// ```cpp
/// sinew::start(journal, tx, checkout, basket.id, basket.order);
/// ```
///
/// **Guarantees.** An instance is started once, however often its start is repeated: it is known by
/// the name of its process and its id.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/time.hpp>
#include <sinew/process/codec.hpp>
#include <sinew/process/definition.hpp>

#include <concepts>
#include <string_view>

namespace sinew {

/// What `steps` and `saga` make: it has a list of steps, and a type of input that can be kept.
template <class P>
concept startable_process = recordable<typename P::input_type> && requires {
    { P::definition() } -> std::convertible_to<const process_definition&>;
};

/// Starts an instance as part of `tx`. A runner can claim it after the commit.
///
/// **Delivers.** `was_there` if it was started before with the same input, `differs` if with
/// another one.
/// **On failure.** As `start` of the journal: a `permanent_error` for an id that is malformed or an
/// input that is too large, and the transaction can go on. What the codec throws.
template <class Journal, class Tx, startable_process Process>
start_result start(Journal& journal, Tx& tx, const Process&, std::string_view id,
                   const typename Process::input_type& input,
                   wall_time now = machine_clock::now().wall) {
    const auto steps = entries_of(Process::definition());
    const auto bytes = codec<typename Process::input_type>::encode(input);
    return journal.start(tx, new_instance{Process::definition().type, id, steps, bytes}, now);
}

namespace detail {

template <class Store, class Start>
start_result start_alone(Store& in, steady_time until, Start start) {
    auto tx = in.begin(until);
    const start_result came = start(tx);
    if (tx.commit() != commit_result::committed) {
        throw unavailable_error("start_not_committed",
                                "the start of an instance was not committed for sure; start it "
                                "again");
    }
    return came;
}

}  // namespace detail

/// Starts an instance in a transaction of its own of `in`, a `store`.
///
/// **On failure.** Throws `unavailable_error` if the commit was aborted or has no answer. Starting
/// again is harmless: it then says that the instance was there.
template <class Store, journal_writer<Store> Journal>
start_result start_process(Store& in, Journal& journal, const new_instance& one, wall_time now,
                           steady_time until) {
    return detail::start_alone(in, until, [&](auto& tx) { return journal.start(tx, one, now); });
}

/// The same of a process.
template <class Store, journal_writer<Store> Journal, startable_process Process>
start_result start_process(Store& in, Journal& journal, const Process& process, std::string_view id,
                           const typename Process::input_type& input, wall_time now,
                           steady_time until) {
    return detail::start_alone(
        in, until, [&](auto& tx) { return start(journal, tx, process, id, input, now); });
}

}  // namespace sinew
