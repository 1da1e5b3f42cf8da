// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A journal in PostgreSQL; models `journal` with all its sides, and `waking_journal`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds, with any number of processes on
/// one database. A record of an instance about which nothing else changes is one insertion, under
/// the lock of the instance's row; writes that go together are one statement and one commit. What
/// services write, and `write` in a transaction, takes the instance's row for writing: another that
/// wants the same waits for its end, up to `lock_timeout`, and is refused as
/// `serialization_failure` if it began before that. A claim leaves alone what is locked. Instances
/// that are due for equally long come in the order of their numbers, by a clock that was set back
/// in about the order of their waits.
///
/// What runners and people do are transactions of their own, under read committed.
///
/// **On failure.** The errors of `errors.hpp`. All but `start`, `reply`, `cancel` and `write` in a
/// transaction throw `unavailable_error` while a transaction of the store is open: a runner has a
/// store of its own, or goes on when that has ended. A write in a transaction of an instance that
/// was purged leaves nothing.
/// **On crash.** As the concepts say.
/// **Bounds.** A copy is a handle on the same journal; store, journals and transactions are used by
/// one thread at a time. Input, result and reply have 512 MiB at most, whatever the options say.
/// `claim` looks at what is due and at nothing else, and sets free up to 1,000 instances of dead
/// runners. Near the limit of early replies, each further one looks at all of them; two of those
/// that come at the same time may contradict each other. `stuck` looks at what has not ended,
/// `counts` at that and at each reply.

#include <sinew/adapters/postgres/journal_rows.hpp>
#include <sinew/adapters/postgres/journal_statements.hpp>
#include <sinew/adapters/postgres/journal_writes.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/notices.hpp>
#include <sinew/adapters/postgres/outgoing.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres {

class store;

using sinew::journal_options;

class journal {
public:
    /// How large an input, a result or a reply may be, whatever the options say.
    static constexpr std::size_t value_bytes_limit = std::size_t{512} << 20U;

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;
    [[nodiscard]] const journal_options& options() const noexcept { return options_; }

    start_result start(transaction& tx, const new_instance& one, wall_time now) {
        check_mine(tx);
        check_startable(one, options_);
        const std::string steps = detail::encode_steps(one.steps);
        const auto made =
            tx.use(sql_->start, book(), detail::hash_of_type(one.type), bytea{one.type},
                   bytea{one.id}, bytea{steps}, bytea{one.input}, detail::stamp_of(now));
        if (PQntuples(made.get()) != 0) {
            wake_with_commit();
            return start_result::started;
        }
        const auto known =
            tx.read(sql_->known, book(), bytea{one.type}, bytea{one.id}, bytea{one.input});
        if (PQntuples(known.get()) == 0) {
            detail::refuse_damaged("an instance");
        }
        if (detail::number_at(known.get(), 0, 2) == unborn) {
            tx.use(sql_->bear, detail::number_at(known.get(), 0, 0), bytea{steps}, bytea{one.input},
                   detail::stamp_of(now));
            wake_with_commit();
            return start_result::started;
        }
        return detail::column<bool>(known.get(), 0, 1) ? start_result::was_there
                                                       : start_result::differs;
    }

    reply_result reply(transaction& tx, const process_reply& one, wall_time now) {
        check_mine(tx);
        check_reply(one, options_);
        const auto its = tx.use(sql_->address, book(), detail::hash_of_type(one.type),
                                bytea{one.type}, bytea{one.id});
        const std::int64_t number = detail::number_at(its.get(), 0, 0);
        const std::int64_t state = detail::number_at(its.get(), 0, 1);
        if (is_ended(state)) {
            return reply_result::late;
        }
        const bool is_awaited = state == static_cast<std::int64_t>(instance_state::open) &&
                                detail::address_at(its.get(), 0, 2, 3) == one.to;
        const auto phase = static_cast<std::int32_t>(one.to.phase);
        const auto kept =
            tx.read(sql_->reply, number, book(), phase, bytea{one.to.step}, detail::stamp_of(now),
                    bytea{one.data}, is_awaited, detail::limit_of(options_.early_replies_max));
        if (detail::column<bool>(kept.get(), 0, 0)) {
            if (is_awaited) {
                wake_with_commit();
            }
            return is_awaited ? reply_result::awaited : reply_result::early;
        }
        if (detail::column<bool>(kept.get(), 0, 1)) {
            return reply_result::late;
        }
        if (is_awaited ||
            PQntuples(tx.read(sql_->has_reply, number, phase, bytea{one.to.step}).get()) != 0) {
            return reply_result::duplicate;
        }
        if (state == unborn) {
            tx.use(sql_->drop_unborn, number);
        }
        return reply_result::refused;
    }

    bool cancel(transaction& tx, std::string_view type, std::string_view id,
                const failure_note& note) {
        check_mine(tx);
        const auto its = tx.read(sql_->known, book(), bytea{type}, bytea{id}, bytea{});
        if (PQntuples(its.get()) == 0 || detail::number_at(its.get(), 0, 2) > parked) {
            return false;
        }
        const std::int64_t number = detail::number_at(its.get(), 0, 0);
        const auto row = tx.use(sql_->cancel, book(), number, bytea{detail::encode_note(note)});
        const bool is_noted = PQntuples(row.get()) != 0 && !forgotten(tx, number, row.get(), 0);
        if (is_noted) {
            wake_with_commit();
        }
        return is_noted;
    }

    /// How many seats there are.
    [[nodiscard]] shard_id shards() const noexcept { return options_.seats; }
    [[nodiscard]] shard_lease holder(shard_id seat, steady_time until = never) const {
        return leases().holder(seat, until);
    }
    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until = never) {
        return leases().take(seen, owner, until);
    }
    fenced_result renew(const shard_lease& lease, steady_time until = never) {
        return leases().renew(lease, until);
    }
    fenced_result release(const shard_lease& lease, steady_time until = never) {
        return leases().release(lease, until);
    }

    [[nodiscard]] std::optional<std::vector<journal_entry>> claim(
        const shard_lease& lease, std::span<const std::string_view> types, wall_time now,
        std::size_t limit, steady_time until = never) {
        if (is_dirty_) {
            static_cast<void>(session_->settled("sweeping", until, sql_->clean, book()));
        }
        auto kinds = detail::array_of_numbers();
        auto names = detail::array_of_bytes();
        for (const auto type : types) {
            kinds.add(detail::hash_of_type(type));
            names.add(type);
        }
        const auto seat = detail::number_of(lease.shard);
        const auto epoch = detail::number_of(lease.epoch);
        // Where a runner has died, its instances are set free first.
        for (bool sweeps = std::exchange(is_dirty_, false);; sweeps = true) {
            const auto tag = detail::number_of(detail::next_number());
            const auto rows = several("a claim", until, [&](detail::wire& to) {
                if (sweeps) {
                    to.queue(sql_->mark, detail::parameters(book(), tag));
                    to.queue(sql_->sweep, detail::parameters(book(), tag));
                }
                to.queue(sql_->take, detail::parameters(book(), seat, epoch, detail::stamp_of(now),
                                                        kinds.value(), names.value(),
                                                        detail::limit_of(limit), tag, sweeps));
                to.queue(sql_->claimed, detail::parameters(book(), seat, epoch, tag));
            });
            const detail::journal_reader read(rows.get());
            const auto is_dirty = read.lease();
            if (!is_dirty) {
                return std::nullopt;
            }
            auto entries = read.entries(true);
            if (*is_dirty && !sweeps && entries.empty()) {
                continue;
            }
            is_dirty_ = *is_dirty;
            known_.add(entries);
            read.each_place([&](std::int64_t number, std::string_view where) {
                known_.add(number, detail::row_address(where));
            });
            return entries;
        }
    }

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until = never) {
        for (const auto& one : writes) {
            check_writable(one, options_);
        }
        return detail::journal_writes(*session_, *sql_, book(), known_).write(writes, now, until);
    }

    write_result write(transaction& tx, const journal_write& one, wall_time now) {
        check_mine(tx);
        check_writable(one, options_);
        if (const auto joined = join_plainly(tx, one, now)) {
            return *joined;
        }
        detail::result row;
        bool awaits = false;
        if (detail::is_for_one(one)) {
            const detail::write_columns columns(one);
            awaits = columns.awaits;
            detail::with_values(one, columns, book(), now, true, [&](const auto&... values) {
                row = tx.read(sql_->write_one, values...);
            });
        } else {
            detail::write_arrays all;
            all.add(one);
            awaits = all.awaits;
            detail::with_values(all, book(), now, true, [&](const auto&... values) {
                row = tx.read(sql_->write, values...);
            });
        }
        if (PQntuples(row.get()) == 0) {
            detail::refuse_gap(one, book(), [&](const auto&... values) {
                return PQntuples(tx.read(sql_->is_held, values...).get()) != 0;
            });
            return {fenced_result::stale, false};
        }
        if (forgotten(tx, one.claim.number, row.get(), 2)) {
            return {fenced_result::stale, false};
        }
        if (awaits && detail::column<bool>(row.get(), 0, 3)) {
            auto awaiting = detail::array_of_numbers();
            awaiting.add(one.claim.number);
            static_cast<void>(tx.read(sql_->refresh, book(), awaiting.value()));
        }
        return {fenced_result::done, detail::column<bool>(row.get(), 0, 1)};
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until = never) {
        return session_->remove("purging a journal", until, sql_->purge, book(),
                                detail::stamp_of(older_than), detail::limit_of(limit));
    }

    std::size_t purge_replies(wall_time older_than, std::size_t limit, steady_time until = never) {
        const auto tag = detail::number_of(detail::next_number());
        const detail::parameters values(book(), detail::stamp_of(older_than),
                                        detail::limit_of(limit), tag);
        const auto rows = several("purging replies", until, [&](detail::wire& to) {
            to.queue(sql_->mark_early, values);
            to.queue(sql_->purge_early, values);
            to.queue(sql_->drop_unused, detail::parameters(book(), tag));
        });
        return static_cast<std::size_t>(detail::number_at(rows.get(), 0, 0));
    }

    [[nodiscard]] std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                                    steady_time until = never) const {
        const auto rows =
            session_->settled(looking, until, sql_->find, book(), bytea{type}, bytea{id});
        auto found = detail::journal_reader(rows.get()).entries(false);
        return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
    }

    [[nodiscard]] std::vector<process_instance> stuck(wall_time older_than, std::int64_t after,
                                                      std::size_t limit,
                                                      steady_time until = never) const {
        const auto rows =
            session_->settled(looking, until, sql_->stuck, book(), detail::stamp_of(older_than),
                              after, detail::limit_of(limit));
        std::vector<process_instance> out;
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            out.push_back(detail::journal_reader(rows.get()).instance(row));
        }
        return out;
    }

    bool decide(std::int64_t number, epoch_number epoch, const desk_decision& decision,
                wall_time now, steady_time until = never) {
        if (decision.becomes == instance_state::completed ||
            decision.becomes == instance_state::compensated) {
            throw usage_error("journal: people open, park or abandon an instance");
        }
        detail::record_arrays records;
        for (const auto& one : decision.records) {
            records.add(one);
        }
        const auto count = static_cast<std::int32_t>(decision.records.size());
        const auto state = static_cast<std::int32_t>(decision.becomes);
        const std::string why = detail::encode_note(decision.why);
        const std::int64_t known = decision.known ? detail::limit_of(*decision.known) : -1;
        const auto rows = several("a decision", until, [&](detail::wire& to) {
            to.queue(sql_->lock, detail::parameters(number));
            to.queue(sql_->decide,
                     detail::parameters(
                         book(), number, detail::number_of(epoch), detail::stamp_of(now), state,
                         bytea{why}, count, records.steps.value(), records.phases.value(),
                         records.kinds.value(), records.attempts.value(), records.begun.value(),
                         records.at.value(), records.results.value(), records.whys.value(), known));
        });
        const bool is_decided = PQntuples(rows.get()) != 0;
        if (is_decided && decision.becomes == instance_state::open) {
            wake(until);
        }
        return is_decided;
    }

    /// Listens on the server (`LISTEN`), so that a commit wakes this one wherever it runs. The
    /// first call on a new connection asks the server to call, takes as long as that takes, and
    /// answers true: something may have been started before.
    [[nodiscard]] bool wait_for_due(steady_time until) {
        return session_->wait_for_call(opened_.channel, until);
    }

    [[nodiscard]] journal_counts counts(steady_time until = never) const {
        const auto row = session_->settled(looking, until, sql_->counts, book());
        return {detail::column<std::uint64_t>(row.get(), 0, 0),
                detail::column<std::uint64_t>(row.get(), 0, 1),
                detail::column<std::uint64_t>(row.get(), 0, 2)};
    }

private:
    friend class store;

    static constexpr const char* looking = "looking into a journal";
    /// States of rows beside those of instances.
    static constexpr std::int64_t parked = static_cast<std::int64_t>(instance_state::parked);
    static constexpr std::int64_t unborn = 5;
    static constexpr std::int64_t not_there = 9;

    journal(std::shared_ptr<detail::session> session, const std::string& name,
            const journal_options& options)
        : session_(std::move(session)), options_(options) {
        sinew::check(options_);
        options_.input_bytes_max = std::min(options_.input_bytes_max, value_bytes_limit);
        options_.result_bytes_max = std::min(options_.result_bytes_max, value_bytes_limit);
        open(name);
        if (opened_.seats != options_.seats) {
            throw usage_error("journal: it was made with " + std::to_string(opened_.seats) +
                              " seats, and is opened with " + std::to_string(options_.seats) +
                              "; give the option seats its first value");
        }
    }

    /// Finds the journal, or makes it. What was found once is not looked for again.
    void open(const std::string& name) {
        auto& s = *session_;
        if (const auto known = s.books.find(name); known != s.books.end()) {
            opened_ = known->second;
            sql_ = s.journals;
            return;
        }
        constexpr const char* what = "a journal";
        s.check_idle(what);
        s.require(detail::journal_schema);
        if (!s.journals) {
            s.journals = std::make_shared<detail::journal_statements>(s.named);
        }
        sql_ = s.journals;
        if (!s.adding) {
            s.adding = std::make_unique<detail::adding_statements>(s.named);  // it calls, too
        }
        auto row = s.settled(what, never, sql_->open, bytea{name});
        if (PQntuples(row.get()) == 0) {
            static_cast<void>(
                s.settled(what, never, sql_->make, bytea{name}, detail::number_of(options_.seats)));
            row = s.settled(what, never, sql_->open, bytea{name});
        }
        opened_ = {detail::column<std::int32_t>(row.get(), 0, 0),
                   detail::column<shard_id>(row.get(), 0, 1),
                   detail::channel_of(s.named.schema(), "journal." + name)};
        s.books.emplace(name, opened_);
    }

    void check_mine(const transaction& tx) const {
        if (tx.session_ != session_) {
            throw usage_error("the transaction belongs to another store than the journal");
        }
        tx.check();
    }

    /// The commit of the open transaction wakes runners.
    void wake_with_commit() const {
        if (session_->options.notify) {
            session_->added.channels.insert(opened_.channel);
        }
    }
    /// Wakes runners for what is committed. If that fails, they look for themselves.
    void wake(steady_time until) const {
        if (!session_->options.notify) {
            return;
        }
        try {
            static_cast<void>(session_->settle_several("waking runners", until, [&](detail::wire&) {
                session_->queue_call(opened_.channel);
            }));
        } catch (const error&) {
        }
    }

    [[nodiscard]] detail::lease_rows leases() const noexcept {
        return {*session_, sql_->leases, book(), options_.seats};
    }

    /// Several statements in one transaction; answers the last rows.
    template <class Queue>
    [[nodiscard]] detail::result several(const char* what, steady_time until, Queue queue) const {
        auto got = session_->settle_several(what, until, queue);
        if (!got) {
            session_->line().raise(session_->lost);
        }
        return *std::move(got);
    }

    /// Writes one record, if nothing else of its instance changes; nothing: `write` has to decide.
    [[nodiscard]] std::optional<write_result> join_plainly(transaction& tx,
                                                           const journal_write& one,
                                                           wall_time now) {
        if (one.records.size() != 1 || one.progress || one.end != claim_end::none) {
            return std::nullopt;
        }
        detail::result row;
        detail::with_record(one, book(), now, known_.has(one), [&](const auto&... values) {
            row = tx.use(sql_->join_one, values...);
        });
        if (PQntuples(row.get()) == 0) {
            return std::nullopt;
        }
        const bool is_gone = forgotten(tx, one.claim.number, row.get(), 0);
        return write_result{is_gone ? fenced_result::stale : fenced_result::done, false};
    }

    /// The row of an instance that is not there was made in order to take it: forgets it.
    bool forgotten(transaction& tx, std::int64_t number, const PGresult* row, int state) {
        if (detail::number_at(row, 0, state) != not_there) {
            return false;
        }
        tx.use(sql_->forget, number);
        return true;
    }

    [[nodiscard]] static bool is_ended(std::int64_t state) noexcept {
        return state > parked && state < unborn;
    }
    [[nodiscard]] std::int32_t book() const noexcept { return opened_.book; }

    std::shared_ptr<detail::session> session_;
    journal_options options_;
    std::shared_ptr<detail::journal_statements> sql_;
    detail::opened_journal opened_;
    detail::known_records known_{};
    bool is_dirty_ = false;  ///< there may be seats with nothing left to sweep
};

}  // namespace sinew::postgres
