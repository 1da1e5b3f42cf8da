// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a transactional store, in which a consumer's effects live.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <string_view>

namespace sinew {

/// A `transaction` groups effects so that all of them happen or none.
///
/// 1. Effects are seen by others only after `commit`, and then all at once.
/// 2. Transactions are serialisable: those that committed had the effect of running one after the
///    other, in some order. What would contradict that does not commit.
/// 3. `commit` answers committed only once the effects are durable. After `unknown` the effects
///    are either all there or none is, and that no longer changes.
/// 4. `rollback`, or destruction without a commit, undoes all effects. After `commit` it does
///    nothing.
template <class T>
concept transaction = std::movable<T> && requires(T& tx) {
    { tx.commit() } noexcept -> std::same_as<commit_result>;
    { tx.rollback() } noexcept;
};

/// A transaction in which a part can be undone alone (a savepoint, one level deep).
///
/// 1. `nest` opens the part; `keep_nested` joins it to the whole; `undo_nested` undoes it, and
///    what stood before it stays.
template <class T>
concept nestable_transaction = transaction<T> && requires(T& tx) {
    tx.nest();
    tx.keep_nested();
    tx.undo_nested();
};

/// A transaction that remembers which events a consumer has applied (the inbox).
///
/// 1. `remember(consumer, identity, now)` writes the identity down and answers true; if it was
///    there already it answers false and changes nothing. Rolled back, it was never there.
/// 2. Identities are compared byte by byte, per consumer.
template <class T>
concept inbox_transaction = transaction<T> && requires(T& tx, std::string_view consumer,
                                                       event_identity who, wall_time now) {
    { tx.remember(consumer, who, now) } -> std::same_as<bool>;
};

/// A transaction that keeps each key's progress for a consumer.
///
/// 1. `progress(consumer, key)` is what `set_progress` last wrote, or an unknown progress.
template <class T>
concept progress_transaction =
    transaction<T> &&
    requires(T& tx, std::string_view consumer, std::string_view key, const key_progress& progress) {
        { tx.progress(consumer, key) } -> std::same_as<key_progress>;
        tx.set_progress(consumer, key, progress);
    };

/// A transaction that keeps a consumer's applied offsets.
///
/// 1. `offsets(consumer, topic, partition)` is what `set_offsets` last wrote, or nothing applied.
template <class T>
concept offsets_transaction =
    transaction<T> && requires(T& tx, std::string_view consumer, std::string_view topic,
                               partition_id partition, const applied_offsets& offsets) {
        { tx.offsets(consumer, topic, partition) } -> std::same_as<applied_offsets>;
        tx.set_offsets(consumer, topic, partition, offsets);
    };

/// A `store` opens transactions.
///
/// **Syntax.** `S::transaction_type`; `begin(until)`.
///
/// **Semantics.**
/// 1. `begin(until)` opens a transaction and returns at the latest at `until`.
/// 2. At most one transaction of a store object is open at a time.
///
/// **On failure.** `begin` throws `unavailable_error` if the store cannot be reached or is locked
/// until `until`. Calls on a transaction throw an `error` with the class that fits.
/// **On crash.** What was not committed is gone.
/// **Models.** `memory::store`, `sqlite::store`. Not a model: a store whose commit returns `bool`.
template <class S>
concept store = requires(S& s, steady_time until) {
    typename S::transaction_type;
    { s.begin(until) } -> std::same_as<typename S::transaction_type>;
} && transaction<typename S::transaction_type>;

/// A store on which `once` can be built.
///
/// 1. `progress(consumer, key, until)` is the committed progress, read without holding up others.
template <class S>
concept consumer_store =
    store<S> && inbox_transaction<typename S::transaction_type> &&
    progress_transaction<typename S::transaction_type> &&
    offsets_transaction<typename S::transaction_type> &&
    requires(S& s, std::string_view consumer, std::string_view key, steady_time until) {
        { s.progress(consumer, key, until) } -> std::same_as<key_progress>;
    };

}  // namespace sinew
