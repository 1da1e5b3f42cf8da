// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to a journal: long work that goes on where it stopped.
///
/// A journal keeps instances of processes and what became of their steps. It has three sides: the
/// service starts instances and brings replies in its transactions (`journal_writer`), runners
/// claim instances, take their steps and write (`journal_queue`), and people look at what is stuck
/// and decide (`journal_desk`).
///
/// **Leases.** A runner has a seat, under a lease as in core/shard_lease.hpp: the lease keeper's
/// shards are the journal's seats. An instance is claimed under a seat, so one beat of a runner
/// keeps all that it claimed, and a sweep looks at seats and not at instances. When a runner's beat
/// has stood still, another takes its seat, which ends the lease; from then on everybody may claim
/// what it held. So a seat may be taken to sit on it, or only to be released at once.
///
/// **Fencing.** A claim is an instance's number and epoch. Each claim raises the epoch, and so does
/// everything that ends one. A write names its claim, and is stale if the epoch is another one.

#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sinew {

/// A `journal_writer` takes part in the transactions of a store.
///
/// **Syntax.** `shares(store)`; `options()`; `start(tx, instance, now)`; `reply(tx, reply, now)`;
/// `cancel(tx, type, id, note)`.
///
/// **Semantics.**
/// 1. `shares(store)` is whether transactions of that store can be used here; one of another store
///    is refused with a `usage_error`. What is written with `tx` is part of it: rolled back, it was
///    never there.
/// 2. `start` makes an open instance, which can be claimed after the commit. If its type and id are
///    known it changes nothing, and says whether the input was the same. They are known until the
///    instance is purged, also after it has ended.
/// 3. Steps and input are kept as they were given, bit for bit.
/// 4. `reply` keeps a reply to a step that has no record yet, for an instance that has not ended or
///    is not known yet. The first to a step stays; a later one is `duplicate`.
/// 5. A reply to a step that has a record (a `retried` one does not count), or to an instance that
///    has ended, is `late`: it changes nothing.
/// 6. An instance that waits for a reply which is there can be claimed, whichever of the two came
///    first, also if they came at the same time.
/// 7. No more than `early_replies_max` replies that no instance waits for are kept; one more is
///    `refused`.
/// 8. `cancel` notes that an instance is to turn back, and makes it due; it answers false if the
///    instance is not known or has ended. The first note stays. It ends no claim: whoever has it is
///    told by its next write.
/// 9. An instance or a reply whose parts are out of bounds is refused (`check_startable`,
///    `check_reply`), and the transaction goes on as if nothing had been called.
///
/// **On failure.** As any call on a transaction of that store.
/// **Models.** `memory::journal`, `sqlite::journal`, `postgres::journal`.
template <class J, class Store>
concept journal_writer = requires(J& journal, const Store& s, typename Store::transaction_type& tx,
                                  const new_instance& one, const process_reply& reply,
                                  std::string_view text, const failure_note& note, wall_time now) {
    { journal.shares(s) } -> std::same_as<bool>;
    { journal.options() } -> std::convertible_to<const journal_options&>;
    { journal.start(tx, one, now) } -> std::same_as<start_result>;
    { journal.reply(tx, reply, now) } -> std::same_as<reply_result>;
    { journal.cancel(tx, text, text, note) } -> std::same_as<bool>;
};

/// A `journal_queue` gives runners what is to be done, and keeps what became of it.
///
/// **Syntax.** That of `lease_keeper`; `claim(lease, types, now, limit, until)`;
/// `write(writes, now, until)`; `write(tx, one, now)`; `purge(older_than, limit, until)`;
/// `purge_replies(older_than, limit, until)`.
///
/// **Semantics.**
/// 1. `claim` gives open instances of the types, at most so many, that are due and that nobody
///    holds: those never claimed, those whose claim has ended, and those whose seat's lease has
///    ended. Those that have been due for longest come first. Under a lease that has ended it
///    answers nothing.
/// 2. An instance that waits is due when its time is over, when the reply is there that it waits
///    for, once after it was cancelled or people decided on it, and by a clock that stands before
///    the wait began. One that was claimed stays due until a record or the claim's end: whoever
///    takes over from a runner that fell silent is given it at once. `reply` is the reply; the wait
///    stays as long, so that whoever has the claim sees what was waited for.
/// 3. What is claimed has a higher epoch than ever before, and nobody else is given it until the
///    claim ends. `unsettled` is 1, or more if claims before ended without a write that appends a
///    record or ends the claim.
/// 4. `write` appends the records behind those that the writer knows, keeps the progress, and ends
///    the claim as it says. All of one write happens, or nothing.
/// 5. Under a claim that has ended it changes nothing and answers stale. The claim alone counts,
///    not the seat's lease: what was claimed by nobody else may still be written.
/// 6. A write that was done already appends nothing twice: it answers done, or stale if it had
///    ended its claim.
/// 7. A record ends the progress that was there; a write without record and progress keeps it. A
///    record other than `retried` takes away the reply to its step.
/// 8. `write(writes)` does several in as few commits as it can, and answers for each in their
///    order; one that is stale does not keep the others from being done. No claim may come twice.
/// 9. `write(tx, one)` is the same as part of `tx`, so that a step's effect and its record are
///    decided together: if the claim ends meanwhile, either `tx` does not commit, or what ends it
///    waits for `tx` and sees the record. After stale, `tx` has to be rolled back.
/// 10. A write with a record over `result_bytes_max` is refused with a `permanent_error`
///    (`check_writable`), and nothing of the batch is done.
/// 11. `purge` forgets instances that ended before `older_than`, with their history and replies, at
///    most so many; it answers how many. It never forgets one that is open or parked.
/// 12. `purge_replies` forgets replies that came before `older_than` and that no instance waits
///     for,
///    at most so many; it answers how many.
///
/// **On failure.** Each call throws `unavailable_error` if the store cannot be reached by `until`.
/// A claim without an answer is lost until its seat's lease ends.
/// **On crash.** What was claimed stays so until the seat's lease has ended, and is then claimed
/// again, with its history as it was written last.
/// **Bounds.** A note's detail is kept up to `dead_letter_record::detail_max` bytes.
/// **Models.** `memory::journal`, `sqlite::journal`, `postgres::journal`.
template <class J, class Store>
concept journal_queue =
    lease_keeper<J> &&
    requires(J& journal, const shard_lease& lease, std::span<const std::string_view> types,
             std::span<const journal_write> writes, const journal_write& one,
             typename Store::transaction_type& tx, wall_time now, std::size_t limit,
             steady_time until) {
        {
            journal.claim(lease, types, now, limit, until)
        } -> std::same_as<std::optional<std::vector<journal_entry>>>;
        { journal.write(writes, now, until) } -> std::same_as<std::vector<write_result>>;
        { journal.write(tx, one, now) } -> std::same_as<write_result>;
        { journal.purge(now, limit, until) } -> std::same_as<std::size_t>;
        { journal.purge_replies(now, limit, until) } -> std::same_as<std::size_t>;
    };

/// A `journal_desk` lets people see where instances stand, and decide on them. Who decides names
/// the epoch that they saw.
///
/// 1. `find(type, id, until)` is the instance with its history, as it was committed last.
/// 2. `stuck(older_than, after, limit, until)` lists instances with a number above `after`, by
///    number, that have not ended, and whose `since` is before `older_than`.
/// 3. `decide(number, epoch, decision, now, until)` appends the records and gives the state, if the
///    instance has not ended, its epoch is still the one given, and it has as many records as the
///    decision says, where it does; and answers whether it did. The epoch rises: who holds the
///    instance finds its claim ended.
/// 4. An instance that becomes open is due at once. Its attempts, waits and starts begin anew; its
///    doubt and its last failure stay.
/// 5. `counts(until)` counts what is committed.
///
/// **On failure.** Each throws `unavailable_error` if the store cannot be reached by `until`.
/// **Models.** `memory::journal`, `sqlite::journal`, `postgres::journal`.
template <class J>
concept journal_desk = requires(
    J& journal, std::string_view text, wall_time now, std::int64_t number, epoch_number epoch,
    const desk_decision& decision, std::size_t limit, steady_time until) {
    { journal.find(text, text, until) } -> std::same_as<std::optional<journal_entry>>;
    { journal.stuck(now, number, limit, until) } -> std::same_as<std::vector<process_instance>>;
    { journal.decide(number, epoch, decision, now, until) } -> std::same_as<bool>;
    { journal.counts(until) } -> std::same_as<journal_counts>;
};

/// A `waking_journal` tells a runner that there may be something to claim, so that it need not wait
/// until it looks the next time.
///
/// 1. `wait_for_due(until)` answers true as soon as a transaction has committed since the last call
///    that started an instance, brought a reply for which one waits, cancelled one, or a decision
///    opened one; and false once it is `until`. It may answer true without such a cause.
/// 2. It may miss some, and it says nothing of waits whose time is over: a runner looks from time
///    to time all the same.
///
/// **On failure.** Throws `unavailable_error` if the store cannot be reached.
/// **Models.** `sqlite::journal` (what the same program commits), `postgres::journal` (whoever
/// commits).
/// **Non-models.** `memory::journal`: it has one thread, so nobody would commit meanwhile.
template <class J>
concept waking_journal = requires(J& journal, steady_time until) {
    { journal.wait_for_due(until) } -> std::same_as<bool>;
};

/// A journal with all its sides.
template <class J, class Store>
concept journal = journal_writer<J, Store> && journal_queue<J, Store> && journal_desk<J>;

}  // namespace sinew
