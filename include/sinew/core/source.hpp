// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a partitioned log that a group of consumers reads, such as a Kafka topic.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace sinew {

/// A partition is ours from now on.
struct assignment {
    partition_id partition = 0;
    epoch_number epoch = 0;

    friend bool operator==(const assignment&, const assignment&) = default;
};

/// A partition is to be given back: finish what runs, commit, and call `release` before `until`.
struct revocation {
    partition_id partition = 0;
    epoch_number epoch = 0;
    steady_time until = never;
};

/// How much one `poll` may deliver.
struct poll_limits {
    std::size_t events = 0;  ///< at most so many; 0 only keeps the membership alive
    std::size_t bytes = 0;   ///< stop once so many were delivered; one event may go beyond
};

/// What a `source` delivers: a handle that keeps the bytes of one record alive.
///
/// 1. `view()` shows the event. It stays valid, at the same address, until the message is destroyed
///    or moved from, whatever the log does in the meantime.
/// 2. `where()` and `epoch()` name the record's place and the assignment it was read under.
/// 3. `broken()` is empty if the record could be read as an event. If not, it says why, and the
///    view holds what could be read, with the raw bytes as `data`.
template <class M>
concept source_message = std::movable<M> && requires(const M& m) {
    { m.view() } -> std::convertible_to<event_view>;
    { m.where() } -> std::same_as<position>;
    { m.epoch() } -> std::same_as<epoch_number>;
    { m.broken() } -> std::same_as<std::optional<defect>>;
};

/// Who is told what a poll brought.
template <class L, class M>
concept source_listener = requires(L& l, M&& m) {
    l.assigned(assignment{});
    l.revoked(revocation{});
    l.lost(assignment{});
    l.message(std::forward<M>(m));
};

namespace archetype {

/// The least that a listener can be: what a source may rely on.
template <class M>
struct source_listener {
    void assigned(assignment) {}
    void revoked(revocation) {}
    void lost(assignment) {}
    void message(M&&) {}
};

}  // namespace archetype

/// A `source` is a member of a consumer group that reads a partitioned log.
///
/// **Syntax.** `S::message`; `poll(limits, until, listener)`; `commit(partition, epoch, through,
/// until)`; `release(partition, epoch)`; `pause(partition)`, `resume(partition)`.
///
/// **Semantics.**
/// 1. `poll` tells the listener of assignments, revocations, losses and messages, in the order in
///    which they happened. A partition's messages come after its assignment, in rising offset.
/// 2. A partition starts after the last committed offset of its group, or at its beginning.
/// 3. `poll` returns at the latest at `until`; with `until` in the past it does not wait.
/// 4. `poll` delivers at most `limits.events` messages; with 0 it delivers none and keeps the
///    membership.
/// 5. `commit` stores `through`, the offset of a delivered message, as the last finished one. Under
///    an epoch that has ended it changes nothing and answers aborted.
/// 6. After `revoked` the partition delivers nothing more, and stays ours until `release`, or until
///    the time in the revocation, after which `lost` is told.
/// 7. After `release` or `lost` the epoch has ended. The next assignment of the partition, to
///    whomever, has a higher one.
/// 8. A paused partition delivers nothing, stays assigned, and resumes where it stood. Pausing
///    twice, or resuming what is not paused, does nothing.
///
/// **On failure.** Every call but `release`, `pause` and `resume` may throw `unavailable_error`.
/// **On crash.** The group forgets the member after a while and gives its partitions away.
/// **Complexity.** No call blocks beyond its `until`. One thread at a time.
/// **Models.** `memory::log::member`, `sqlite::log::member`.
template <class S>
concept source =
    requires { typename S::message; } && source_message<typename S::message> &&
    requires(S& s, archetype::source_listener<typename S::message>& listener,
             partition_id partition, epoch_number epoch, log_offset through, steady_time until) {
        s.poll(poll_limits{}, until, listener);
        { s.commit(partition, epoch, through, until) } -> std::same_as<commit_result>;
        s.release(partition, epoch);
        s.pause(partition);
        s.resume(partition);
    };

/// A source that holds nothing while it tells (no lock, no cursor, no transaction), so that its
/// listener may take its time in `message`, and may call the source and whatever the source reads
/// from. It says so by a constant: `static constexpr bool lets_listeners_act = true`. A consumer
/// then handles an event as it comes, where nothing else has to go before it.
///
/// 1. What `poll` did not deliver yet while `message` runs counts as not delivered.
template <class S>
concept patient_source = source<S> && requires { requires S::lets_listeners_act; };

/// A log is where sources come from: it can be subscribed to, as a member of a group.
template <class L>
concept subscribable = requires(L& log, std::string topic, std::string group) {
    { log.join(topic, group) } -> source;
};

}  // namespace sinew
