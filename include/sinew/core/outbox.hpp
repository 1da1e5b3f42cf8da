// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to an outbox: events that are written in a service's own transaction, and published
/// afterwards by a relay.
///
/// An outbox belongs to a stream, such as one topic, and numbers the events of each key in it. It
/// has three sides: the service adds in its transactions (`outbox_writer`), relays claim, publish
/// and mark (`outbox_queue`), and people look at what was parked (`outbox_desk`).
///
/// | state | becomes | by |
/// | --- | --- | --- |
/// | waiting | published, waiting (put off), parked | a relay, under its lease |
/// | parked | waiting, discarded | people |
/// | published, discarded | forgotten | `purge` |
///
/// **Guarantees.** An entry is found by its state alone, never by how it compares with a number or
/// a time that was reached before: one that commits late is never skipped.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/following.hpp>
#include <sinew/core/put_off.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sinew {

/// Where an entry stands.
enum class outbox_state : std::uint8_t {
    waiting,    ///< to be published
    parked,     ///< for somebody to decide
    published,  ///< the sink accepted it
    discarded,  ///< given up by somebody, with a reason
};

[[nodiscard]] constexpr std::string_view to_string(outbox_state s) noexcept {
    switch (s) {
        case outbox_state::waiting: return "waiting";
        case outbox_state::parked: return "parked";
        case outbox_state::published: return "published";
        case outbox_state::discarded: return "discarded";
    }
    return "invalid";
}

/// An entry in its outbox. Each change raises `version`.
struct outbox_entry {
    std::int64_t number = 0;  ///< a name for it, and no more: order is in the event's `sequence`
    std::uint64_t version = 0;
    outbox_state state = outbox_state::waiting;
    sinew::following following = sinew::following::pass;  ///< where it is parked
    event what{};                                         ///< as it is to be published
    wall_time added{};
    wall_time settled{};         ///< where it is published or discarded
    std::uint32_t attempts = 0;  ///< those that failed and count; only grows
    std::optional<failure_note> last_failure{};
    std::optional<put_off_until> waits{};

    /// Whether it may be tried at `now`. It waits only while the clock stands within its wait, so a
    /// clock that is set back ends a wait and never makes one longer.
    [[nodiscard]] bool is_due(wall_time now) const noexcept {
        return !waits || now < waits->from || now >= waits->due;
    }

    friend bool operator==(const outbox_entry&, const outbox_entry&) = default;
};

/// Options of an outbox, the same for every adapter.
struct outbox_options {
    /// Into how many shards the work is dealt. It belongs to the data: an outbox that is there
    /// already can only be opened with the number that it was made with.
    shard_id shards = 8;
    /// The largest event that is added; a larger one is refused (`payload_too_large`).
    std::size_t event_bytes_max = std::size_t{8} << 20U;
    /// Whether published entries stay until they are purged, to be looked at. If not, marking
    /// forgets them, which is one write less for each.
    bool keep_published = true;
};

/// Refuses options that are out of their range.
///
/// **On failure.** Throws `usage_error` that names the option.
inline void check(const outbox_options& options) {
    if (options.shards == 0 || options.shards > shards_max) {
        throw usage_error("outbox: option shards has to be between 1 and " +
                          std::to_string(shards_max));
    }
    if (options.event_bytes_max == 0) {
        throw usage_error("outbox: option event_bytes_max has to be above 0");
    }
}

/// Refuses to open an outbox without a name, or with options that are out of their range.
///
/// **On failure.** Throws `usage_error` that says what is wrong.
inline void check_opening(std::string_view name, const outbox_options& options) {
    if (name.empty()) {
        throw usage_error(
            "outbox: it needs a name, by which writers and relays find the same one, such as "
            "db.outbox(\"orders\")");
    }
    check(options);
}

/// Refuses another number of shards than an outbox was made with.
///
/// **On failure.** Throws `usage_error` that says what to do.
inline void check_shards(std::string_view name, shard_id made_with, shard_id opened_with) {
    if (made_with != opened_with) {
        const std::string had = std::to_string(made_with);
        throw usage_error(std::string("outbox: ")
                              .append(name)
                              .append(" was made with ")
                              .append(had)
                              .append(" shards, and is opened with ")
                              .append(std::to_string(opened_with))
                              .append("; open it with .shards = ")
                              .append(had)
                              .append(", or begin one of another name, and let relays publish what "
                                      "is left in this one"));
    }
}

/// Refuses an event that cannot be added.
///
/// **On failure.** Throws `permanent_error` with the reason of the event's defect, or
/// `payload_too_large`.
inline void check_addable(const event_view& e, const outbox_options& options) {
    if (const auto defect = find_defect(e)) {
        throw permanent_error(std::string(defect->reason), std::string(defect->detail));
    }
    if (const auto size = e.size_bytes(); size > options.event_bytes_max) {
        throw permanent_error("payload_too_large",
                              "the event has " + std::to_string(size) +
                                  " bytes, and the outbox takes " +
                                  std::to_string(options.event_bytes_max) +
                                  " at most; make it smaller, or raise event_bytes_max");
    }
}

/// How much one `claim` may bring.
struct claim_limits {
    std::size_t entries = 0;  ///< at most so many
    std::size_t bytes = 0;    ///< stop once so many were claimed; one entry may go beyond
};

/// What is still to be done.
struct outbox_lag {
    std::uint64_t waiting = 0;          ///< entries to be published, put off or held back included
    std::uint64_t parked = 0;           ///< entries for somebody to decide
    std::optional<wall_time> oldest{};  ///< when the first of those that wait was added

    /// How long the oldest has waited.
    [[nodiscard]] duration age(wall_time now) const noexcept {
        return oldest && *oldest < now ? wall_between(*oldest, now) : duration::zero();
    }

    friend bool operator==(const outbox_lag&, const outbox_lag&) = default;
};

/// The shard of an event: that of its key; without a key, that of its id.
[[nodiscard]] constexpr shard_id shard_of(const event_view& e, shard_id shards) noexcept {
    return shard_of(e.partitionkey.empty() ? e.id : e.partitionkey, shards);
}

/// An `outbox_writer` adds events in the transactions of a store.
///
/// **Syntax.** `shares(store)`; `add(tx, event, now)`.
///
/// **Semantics.**
/// 1. `shares(store)` is whether transactions of that store can be used here; one of another store
///    is refused with a `usage_error`.
/// 2. What `add` writes is part of `tx`: relays see it after the commit, and rolled back it leaves
///    no trace. A part of `tx` that is undone takes its events along.
/// 3. The events of one key are numbered 1, 2, 3, ... in the order in which their transactions
///    commit, and within one in the order of the calls. There are no holes, and no number comes
///    twice, also after a rollback, a purge or a crash.
/// 4. The number, in decimal digits, replaces the `sequence` that the event brought, and is the
///    answer. An event without a key has no order: it keeps what it brought, and the answer is 0.
/// 5. All else of the event is published as it was added, bit for bit.
/// 6. An event that has a defect, or is larger than `outbox_options::event_bytes_max`, is refused
///    with a `permanent_error` (`check_addable`), and the transaction goes on as if `add` had not
///    been called.
///
/// An event that is added twice is published twice, under two numbers. For an event without an id
/// see `add_new` in core/new_event.hpp.
///
/// **On failure.** As any call on a transaction of that store.
/// **Complexity.** Writers of one key may wait for each other, or abort each other's commit. One
/// number per key is kept for ever: without it the numbers would begin again, and readers would
/// take new events for duplicates.
/// **Models.** `memory::outbox`, `sqlite::outbox`, `postgres::outbox`.
template <class O, class Store>
concept outbox_writer = requires(O& box, const Store& s, typename Store::transaction_type& tx,
                                 const event_view& e, wall_time now) {
    { box.shares(s) } -> std::same_as<bool>;
    { box.add(tx, e, now) } -> std::same_as<std::uint64_t>;
};

/// An `outbox_queue` gives relays what is to be published, and keeps what became of it.
///
/// **Syntax.** That of `lease_keeper`; `claim(lease, now, limits, until)`;
/// `mark_published(lease, numbers, now, until)`; `put_off(lease, number, note, delay, until)`;
/// `park(lease, number, note, following, until)`; `lag(until)`; `purge(older_than, limit, until)`.
///
/// **Semantics.**
/// 1. `claim` shows entries of the lease's shard that wait, whose transactions have committed. An
///    event is in the shard that `shard_of` says. Claiming changes nothing: what is not marked is
///    claimed again.
/// 2. Of each key it shows the entries in order of their numbers, none left out, from the first
///    that waits. It stops before one that is not due, and behind one that is parked with
///    `following::park`; it goes past one that is parked with `pass`.
/// 3. A key that is held back holds back nothing else, and an entry without a key holds back
///    nothing.
/// 4. It shows at most `limits.entries`, and none more once `limits.bytes` were shown; those that
///    were added first come first, so each gets its turn.
/// 5. After `mark_published` answered done the entries are never shown again, also after a crash.
/// 6. `put_off` keeps the note, adds one to the entry's attempts if the note's kind counts
///    (`counts_as_attempt`), and holds the entry back until `delay` after `note.at`.
/// 7. `park` keeps the note and counts it as `put_off` does, and holds the entry back until people
///    decide.
/// 8. Under a lease whose epoch has ended, `claim` answers nothing, and the three writes change
///    nothing and answer stale.
/// 9. The three writes change nothing in an entry that does not wait or is of another shard, so
///    doing one again is harmless. They answer done all the same.
/// 10. `lag()` counts the committed entries of all shards.
/// 11. `purge(older_than, limit)` forgets entries that were published or discarded before
///    `older_than`, at most so many, and answers how many. It needs no lease, and never forgets one
///    that waits or is parked.
///
/// A relay publishes what it claimed in the order of the claim; of a key that failed it publishes
/// no more until it has claimed again. So, of one key, what readers see for the first time they see
/// in order, whichever relays took part, and even if one of them was a zombie.
/// Only what was parked with `pass` comes out of order.
///
/// **On failure.** Each call throws `unavailable_error` if the store cannot be reached by `until`.
/// **On crash.** What was claimed and not marked is claimed again, by whoever takes the shard.
/// **Bounds.** A note's detail is kept up to `dead_letter_record::detail_max` bytes.
/// **Models.** `memory::outbox`, `sqlite::outbox`, `postgres::outbox`.
template <class O>
concept outbox_queue =
    lease_keeper<O> &&
    requires(O& box, const shard_lease& lease, wall_time now, claim_limits limits,
             std::span<const std::int64_t> numbers, std::int64_t number, const failure_note& note,
             duration delay, std::size_t limit, steady_time until) {
        {
            box.claim(lease, now, limits, until)
        } -> std::same_as<std::optional<std::vector<outbox_entry>>>;
        { box.mark_published(lease, numbers, now, until) } -> std::same_as<fenced_result>;
        { box.put_off(lease, number, note, delay, until) } -> std::same_as<fenced_result>;
        { box.park(lease, number, note, following::pass, until) } -> std::same_as<fenced_result>;
        { box.lag(until) } -> std::same_as<outbox_lag>;
        { box.purge(now, limit, until) } -> std::same_as<std::size_t>;
    };

/// What is to be marked as published under one lease. Views of both, valid for the call.
struct shard_marks {
    const shard_lease& lease;
    std::span<const std::int64_t> numbers{};
};

/// A `multi_shard_outbox` answers for several shards in one call, which costs a relay that holds
/// many of them one round trip, and one commit, instead of one for each.
///
/// **Syntax.** `claim(leases, now, limits, until)`; `mark_published(marks, now, until)`. The leases
/// of one call are of different shards.
///
/// **Semantics.**
/// 1. `claim(leases)` answers for each lease, in the order given, what `claim` answers for it
///    alone, so an ended one keeps nothing of the others back. `limits` are for all of them
///    together: each lease has what those before it left.
/// 2. Where a limit is reached the answer ends, with that lease or before it, but not before the
///    first. Behind its end nothing was looked at, so who asks again begins there, and each shard
///    gets its turn.
/// 3. `mark_published(marks)` does for each lease what `mark_published` does for it alone, and
///    answers for each, in the order given: one that is stale keeps the others from nothing.
///
/// **On failure.** Each throws as it does for one lease, and then nothing was marked.
/// **On crash.** Of the marks of one call all are kept, or none.
/// **Complexity.** Marking is one transaction.
/// **Models.** `memory::outbox`, `sqlite::outbox`, `postgres::outbox`.
template <class O>
concept multi_shard_outbox =
    outbox_queue<O> &&
    requires(O& box, std::span<const shard_lease> leases, std::span<const shard_marks> marks,
             wall_time now, claim_limits limits, steady_time until) {
        {
            box.claim(leases, now, limits, until)
        } -> std::same_as<std::vector<std::optional<std::vector<outbox_entry>>>>;
        { box.mark_published(marks, now, until) } -> std::same_as<std::vector<fenced_result>>;
    };

/// A `waking_outbox` tells a relay that something was added, so that it need not look all the time.
///
/// 1. `wait_for_added(until)` answers true as soon as a transaction that added entries has
///    committed since the last call, and false once it is `until`. It may answer true without such
///    a cause.
/// 2. It may miss some: a relay looks from time to time all the same.
/// 3. Relays of all processes that the outbox can reach are told, whoever added.
///
/// **On failure.** Throws `unavailable_error` if the store cannot be reached.
/// **Models.** `sqlite::outbox` (within one process at once, across processes within a few
/// milliseconds), `postgres::outbox`.
template <class O>
concept waking_outbox = outbox_queue<O> && requires(O& box, steady_time until) {
    { box.wait_for_added(until) } -> std::same_as<bool>;
};

/// An `outbox_desk` lets people decide on parked entries. Who decides names the version that they
/// saw.
///
/// 1. `parked(after, limit, until)` lists the parked entries with a number above `after`, by
///    number, at most so many.
/// 2. `unpark(number, version, until)` lets a parked entry wait again, due at once, if its version
///    is still the one given, and answers whether it did. Its number in the key, its attempts and
///    its last failure stay.
/// 3. `discard(number, version, note, until)` gives a parked entry up, if its version is still the
///    one given, and answers whether it did. It is never published; what waited behind it goes on.
///
/// **On failure.** Each throws `unavailable_error` if the store cannot be reached by `until`.
/// **Models.** `memory::outbox`, `sqlite::outbox`, `postgres::outbox`.
template <class O>
concept outbox_desk = requires(O& box, std::int64_t number, std::uint64_t version,
                               std::size_t limit, const failure_note& note, steady_time until) {
    { box.parked(number, limit, until) } -> std::same_as<std::vector<outbox_entry>>;
    { box.unpark(number, version, until) } -> std::same_as<bool>;
    { box.discard(number, version, note, until) } -> std::same_as<bool>;
};

/// An outbox with all its sides.
template <class O, class Store>
concept outbox = outbox_writer<O, Store> && outbox_queue<O> && outbox_desk<O>;

/// Whether a failure of that kind is one of the entry itself, and so counts against it. A broker
/// that is down, or does not answer, says nothing of the entry.
[[nodiscard]] constexpr bool counts_as_attempt(failure_class kind) noexcept {
    return kind == failure_class::transient || kind == failure_class::permanent;
}

/// What an adapter keeps of a note: its detail within bounds.
[[nodiscard]] inline failure_note kept_note(const failure_note& note) {
    dead_letter_record letter;
    letter.add(note);
    return letter.history.front();
}

}  // namespace sinew
