// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A journal in an SQLite file; models `journal` and `waking_journal`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds, with any number of processes on
/// one file. The file has one writer at a time, so a transaction that writes of an instance keeps
/// others from changing it until it ends. Reading takes no lock and sees what is committed, also
/// while the store's own transaction is open. Instances that are due for equally long come in the
/// order of their numbers.
///
/// **On failure.** The errors of `errors.hpp`. Calls that write, and are not given a transaction,
/// throw `unavailable_error` while one of the store is open. A write whose commit the operating
/// system reported an error for answers `unknown`.
/// **Bounds.** A record is one insertion (`journal_appends.hpp`), a claim costs what it gives
/// (`journal_claim.hpp`). `stuck` looks at each instance that has not ended, from `after` to the
/// last that it answers; `counts` at each that has not ended. A history has at most a million
/// records. One thread at a time for a store and all that was made of it: a runner on a thread of
/// its own has a store of its own.

#include <sinew/adapters/sqlite/added_signal.hpp>
#include <sinew/adapters/sqlite/journal_appends.hpp>
#include <sinew/adapters/sqlite/journal_arrivals.hpp>
#include <sinew/adapters/sqlite/journal_books.hpp>
#include <sinew/adapters/sqlite/journal_claim.hpp>
#include <sinew/adapters/sqlite/journal_instances.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_rows.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/own_writes.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite {

class store;

using sinew::journal_options;

class journal {
public:
    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;
    [[nodiscard]] const journal_options& options() const noexcept { return options_; }

    start_result start(transaction& tx, const new_instance& one, wall_time now) {
        check_mine(tx);
        check_startable(one, options_);
        const start_result how =
            own_writes::all_or_nothing(tx, [&] { return arrivals().start(one, now); });
        wake_with_commit(how == start_result::started);
        return how;
    }

    reply_result reply(transaction& tx, const process_reply& one, wall_time now) {
        check_mine(tx);
        check_reply(one, options_);
        const reply_result how = own_writes::all_or_nothing(
            tx, [&] { return arrivals().reply(one, now, options_.early_replies_max); });
        wake_with_commit(how == reply_result::awaited);
        return how;
    }

    bool cancel(transaction& tx, std::string_view type, std::string_view id,
                const failure_note& note) {
        check_mine(tx);
        const bool is_noted =
            own_writes::all_or_nothing(tx, [&] { return arrivals().cancel(type, id, note); });
        wake_with_commit(is_noted);
        return is_noted;
    }

    /// How many seats there are.
    [[nodiscard]] shard_id shards() const noexcept { return options_.seats; }

    [[nodiscard]] shard_lease holder(shard_id seat, steady_time until = never) const {
        check_seat(seat);
        return look(until).rows().lease(seat);
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until = never) {
        if (owner.empty()) {
            throw usage_error("whoever takes a seat needs a name");
        }
        check_seat(seen.shard);
        auto tx = begin("taking a seat", until);
        const std::int64_t stream = book_.stream(seen.shard);
        if (use(writes().leases.take).bind(owner, stream, seen.epoch, seen.beat).run() == 0) {
            return std::nullopt;
        }
        if (seen.epoch != 0) {
            use(writes().set_unswept).bind(true, stream).run();
        }
        finish(tx);
        return shard_lease{seen.shard, seen.epoch + 1, 0, std::string(owner)};
    }

    fenced_result renew(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until, [&](std::int64_t stream) {
            use(writes().leases.renew).bind(stream).run();
        });
    }

    fenced_result release(const shard_lease& lease, steady_time until = never) {
        return write_under(lease, until, [&](std::int64_t stream) {
            use(writes().leases.release).bind(stream).run();
            use(writes().set_unswept).bind(true, stream).run();
        });
    }

    /// Where nothing is due it takes no lock.
    [[nodiscard]] std::optional<std::vector<journal_entry>> claim(
        const shard_lease& lease, std::span<const std::string_view> types, wall_time now,
        std::size_t limit, steady_time until = never) {
        check_seat(lease.shard);
        session_->check_idle("claiming instances");
        if (const auto from = look(until); !is_held(from.rows(), lease)) {
            return std::nullopt;
        } else if (!detail::journal_claim::may_find(from, book_, types, now)) {
            return std::vector<journal_entry>();
        }
        auto tx = begin("claiming instances", until);
        if (!is_held(rows(), lease)) {
            return std::nullopt;
        }
        auto out = detail::journal_claim(*session_, book_).take(lease, types, now, limit);
        finish(tx);
        for (const auto& one : out) {
            session_->journal->known.note(one.what.number, one.history.size());
        }
        return out;
    }

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until = never) {
        for (const auto& one : writes) {
            check_writable(one, options_);
        }
        std::vector<write_result> out;
        if (writes.empty()) {
            return out;
        }
        out.reserve(writes.size());
        auto tx = begin("writing to a journal", until);
        const auto to = appends();
        for (const auto& one : writes) {
            out.push_back(to.write(one, now));
        }
        if (end(tx) == commit_result::unknown) {
            out.assign(writes.size(), {fenced_result::unknown, false});
        }
        for (std::size_t i = 0; i < writes.size(); ++i) {
            note_written(writes[i], out[i].how);
        }
        return out;
    }

    write_result write(transaction& tx, const journal_write& one, wall_time now) {
        check_mine(tx);
        check_writable(one, options_);
        return own_writes::all_or_nothing(tx, [&] { return appends().write(one, now); });
    }

    std::size_t purge(wall_time older_than, std::size_t limit, steady_time until = never) {
        auto tx = begin("purging a journal", until);
        std::vector<std::int64_t> numbers;
        {
            auto from = use(writes().ended);
            from.bind(book_.number, older_than, detail::at_most(limit));
            while (from.step()) {
                numbers.push_back(from.column<std::int64_t>(0));
            }
        }
        for (const auto number : numbers) {
            use(writes().forget_records)
                .bind(detail::record_place(number, 0),
                      detail::record_place(number, detail::records_max))
                .run();
            use(writes().purge_input).bind(number).run();
            use(writes().purge).bind(number).run();
        }
        finish(tx);
        return numbers.size();
    }

    std::size_t purge_replies(wall_time older_than, std::size_t limit, steady_time until = never) {
        auto tx = begin("purging replies", until);
        const auto gone = use(writes().purge_replies)
                              .bind(book_.number, older_than, detail::at_most(limit))
                              .run();
        detail::journal_instances(*session_, book_).count_early(-gone);
        finish(tx);
        return static_cast<std::size_t>(gone);
    }

    [[nodiscard]] std::optional<journal_entry> find(std::string_view type, std::string_view id,
                                                    steady_time until = never) const {
        const auto from = look(until);
        // All of it is one look at the file, which lasts as long as one of its statements.
        detail::statement whole(from.db(), from.sql().holder);
        whole.bind(book_.stream(0)).step();
        auto row = from.rows().find(type, id);
        return row ? std::optional(from.rows().entry(*std::move(row))) : std::nullopt;
    }

    [[nodiscard]] std::vector<process_instance> stuck(wall_time older_than, std::int64_t after,
                                                      std::size_t limit,
                                                      steady_time until = never) const {
        std::vector<process_instance> out;
        const auto from = look(until);
        detail::statement live(from.db(), from.sql().live);
        live.bind(book_.number, after);
        while (out.size() < limit && live.step()) {
            if (auto row = from.rows().read(live); row.what.since < older_than) {
                from.rows().read_input(row.what);
                out.push_back(std::move(row.what));
            }
        }
        return out;
    }

    bool decide(std::int64_t number, epoch_number epoch, const desk_decision& decision,
                wall_time now, steady_time until = never) {
        if (decision.becomes == instance_state::completed ||
            decision.becomes == instance_state::compensated) {
            throw usage_error("journal: people open, park or abandon an instance");
        }
        auto tx = begin("deciding on an instance", until);
        if (!appends().decide(number, epoch, decision, now)) {
            return false;
        }
        wake_with_commit(decision.becomes == instance_state::open);
        finish(tx);
        return true;
    }

    /// As `waking_journal` says, of what this program commits, by whichever store on the same file.
    /// What other programs commit is found when a runner looks the next time.
    [[nodiscard]] bool wait_for_due(steady_time until) {
        session_->check_idle("waiting for a journal");
        const std::uint64_t raised = book_.signal->count();
        if (raised == seen_raised_ && machine_clock::now().steady < until) {
            book_.signal->wait(raised, until);
        }
        const std::uint64_t seen = std::exchange(seen_raised_, book_.signal->count());
        return seen != seen_raised_;
    }

    [[nodiscard]] journal_counts counts(steady_time until = never) const {
        const auto from = look(until);
        detail::statement row(from.db(), from.sql().counts);
        if (!row.bind(book_.number).step()) {
            detail::refuse_damaged("a journal");
        }
        const auto parked = row.column<std::uint64_t>(1);
        return {.open = row.column<std::uint64_t>(0) - parked,
                .parked = parked,
                .early_replies = row.column<std::uint64_t>(2)};
    }

private:
    friend class store;
    using own_writes = detail::own_writes;

    journal(std::shared_ptr<detail::session> session, const std::string& name,
            const journal_options& options)
        : session_(std::move(session)), options_(options) {
        check(options_);
        book_ = detail::open_book(session_, name, options_.seats);
        if (book_.seats != options_.seats) {
            throw usage_error("journal: it was made with " + std::to_string(book_.seats) +
                              " seats, and is opened with " + std::to_string(options_.seats) +
                              "; open it with .seats = " + std::to_string(book_.seats));
        }
        seen_raised_ = book_.signal->count();
    }

    void check_mine(const transaction& tx) const {
        if (!own_writes::is_of(tx, *session_)) {
            throw usage_error("the transaction belongs to another store than the journal");
        }
        own_writes::check(tx);
    }
    void wake_with_commit(bool is_due) const {
        if (is_due) {
            session_->journal->touch(book_);
        }
    }
    void check_seat(shard_id seat) const {
        if (seat >= options_.seats) {
            throw usage_error("the journal has no seat of that number");
        }
    }
    [[nodiscard]] static bool is_held(const detail::journal_rows& in, const shard_lease& lease) {
        return detail::is_held(in.lease(lease.shard), lease);
    }

    template <class F>
    fenced_result write_under(const shard_lease& lease, steady_time until, F write) {
        check_seat(lease.shard);
        auto tx = begin("writing a lease", until);
        // Within the transaction, so nobody changes the lease in between.
        if (!is_held(rows(), lease)) {
            return fenced_result::stale;
        }
        write(book_.stream(lease.shard));
        return end(tx) == commit_result::committed ? fenced_result::done : fenced_result::unknown;
    }

    /// What was committed of a write.
    void note_written(const journal_write& one, fenced_result how) {
        auto& known = session_->journal->known;
        if (how == fenced_result::done && one.end == claim_end::none) {
            known.note(one.claim.number, one.known + one.records.size());
        } else if (how != fenced_result::unknown) {
            known.forget(one.claim.number);
        }
    }

    [[nodiscard]] transaction begin(const char* what, steady_time until) const {
        return own_writes::begin(session_, what, until);
    }
    commit_result end(transaction& tx) const { return own_writes::end(*session_, tx); }
    void finish(transaction& tx) const { own_writes::finish(*session_, tx); }

    [[nodiscard]] detail::journal_reading look(steady_time until) const {
        return {*session_, book_, until};
    }
    [[nodiscard]] detail::journal_rows rows() const noexcept {
        return {session_->db.handle(), session_->journal->reads, book_};
    }
    [[nodiscard]] detail::journal_appends appends() const noexcept { return {*session_, book_}; }
    [[nodiscard]] detail::journal_arrivals arrivals() const noexcept { return {*session_, book_}; }
    [[nodiscard]] detail::journal_writes& writes() const noexcept {
        return session_->journal->writes;
    }
    [[nodiscard]] detail::statement use(detail::prepared& sql) const {
        return detail::statement(session_->db.handle(), sql);
    }

    std::shared_ptr<detail::session> session_;
    journal_options options_;
    detail::book_state book_;
    std::uint64_t seen_raised_ = 0;
};

}  // namespace sinew::sqlite
