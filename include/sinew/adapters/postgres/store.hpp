// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transactional store in a PostgreSQL database; models `consumer_store`.
///
/// **Guarantees.** With any number of processes on one database: what `transaction.hpp` says. A
/// store is one connection; its dead letters, attempts, outboxes and journals use the same.
///
/// **On failure.** The errors of `errors.hpp`. `last_commit_failure` says why a commit was aborted
/// or unknown. A connection of its own that was lost is made again by the next call.
/// **On crash.** What was not committed is undone by the server, at the latest after
/// `idle_timeout`. A commit is durable when it is answered, whatever `synchronous_commit` says;
/// `fsync` has to be on.
/// **Bounds.** One thread at a time for a store and all that was made of it. Every call has a
/// deadline. The inbox grows until `purge_inbox`.
///
/// **Example.**
/// ```cpp
/// sinew::postgres::store db("host=db.internal dbname=shop user=stock");
/// db.connection().execute_script("CREATE TABLE IF NOT EXISTS stock(sku text PRIMARY KEY, ...)");
/// ```

#include <sinew/adapters/postgres/attempts.hpp>
#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/dead_letters.hpp>
#include <sinew/adapters/postgres/journal.hpp>
#include <sinew/adapters/postgres/outbox.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/transaction.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::postgres {

namespace detail {

/// The statements of a store outside of transactions.
struct store_statements {
    explicit store_statements(const naming& named)
        : remembers(named("SELECT 1 FROM ~inbox WHERE consumer = $1 AND source = ~key_of($2) AND "
                          "id = ~key_of($3)")),
          purge(named("WITH gone AS (DELETE FROM ~inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM "
                      "~inbox WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1) "
                      "SELECT count(*) FROM gone")) {}

    prepared remembers;
    prepared purge;
};

}  // namespace detail

class store {
public:
    using transaction_type = transaction;
    using outbox_type = postgres::outbox;
    using journal_type = postgres::journal;

    /// Connects, and makes the library's tables if they are not there. The string is libpq's:
    /// `host=... dbname=...` or `postgresql://...`.
    ///
    /// **On failure.** Throws `usage_error` for a string that cannot be read and for a schema that
    /// is no name, and the `unavailable_error` that fits: no server, no rights (with the SQL that
    /// somebody else may run), tables of a newer version.
    explicit store(const std::string& conninfo, const store_options& options = {})
        : store(std::make_shared<detail::session>(conninfo, options)) {}

    /// Uses a connection that the service has, and makes the tables in its database. The handle has
    /// to outlive the store and all that was made of it, and to be idle and outside of a
    /// transaction whenever the store is called. Its settings stay as they are. A second connection
    /// to the same place is made if progress is read beside an open transaction.
    explicit store(PGconn* connection, const store_options& options = {})
        : store(std::make_shared<detail::session>(connection, options)) {}

    store(store&&) noexcept = default;
    store& operator=(store&&) noexcept = default;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// **On failure.** Throws `unavailable_error` if there is no server or no answer until `until`,
    /// at once if that has passed already, and `usage_error` if this store's last transaction is
    /// still open. Without a deadline, or with one that leaves a call its time, the server is told
    /// of the transaction along with its first statement, which is one round trip less, and throws
    /// that error then.
    [[nodiscard]] transaction begin(steady_time until = never) { return {session_, until}; }

    /// The committed progress. Beside an open transaction a second connection reads it.
    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time until = never) {
        auto& s = *session_;
        const steady_time end = s.deadline(until);
        const detail::parameters values(bytea{consumer}, bytea{key});
        if (!s.is_open) {
            auto& line = s.connected(end);
            line.queue(s.statements.progress, values);
            return detail::read_progress(line.run(end).get());
        }
        auto& beside = s.beside();
        auto& line = detail::session::line_of(beside);
        line.ensure(end);
        line.queue(beside.progress, values);
        return detail::read_progress(line.run(end).get());
    }

    /// Whether the inbox holds the event. Inside of an open transaction, what that one sees.
    [[nodiscard]] bool remembers(std::string_view consumer, event_identity who) {
        return PQntuples(
                   session_
                       ->look(sql_->remembers, bytea{consumer}, bytea{who.source}, bytea{who.id})
                       .get()) != 0;
    }
    [[nodiscard]] std::size_t inbox_size() {
        return std::get<0>(
            *session_->db.query_one<std::size_t>(session_->named("SELECT count(*) FROM ~inbox")));
    }

    /// Forgets events that were remembered before `older_than`, at most so many; answers how many.
    std::size_t purge_inbox(wall_time older_than, std::size_t limit) {
        return session_->remove("purge_inbox", never, sql_->purge,
                                older_than.time_since_epoch().count(), detail::limit_of(limit));
    }

    /// The place for dead letters in this store's database.
    [[nodiscard]] postgres::dead_letters dead_letters() const {
        return postgres::dead_letters(session_);
    }
    /// The record of attempts in this store's database.
    [[nodiscard]] postgres::attempts attempts() const { return postgres::attempts(session_); }

    /// The outbox of that name in this store's database, which is made if it is not there.
    ///
    /// **On failure.** Throws `usage_error` for an empty name, for options that `check` refuses,
    /// and for another number of shards than the outbox was made with; the error that fits if the
    /// tables cannot be made.
    [[nodiscard]] postgres::outbox outbox(const std::string& name,
                                          const outbox_options& with = {}) const {
        return {session_, name, with};
    }

    /// The journal of that name in this store's database, which is made if it is not there.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses, and for another
    /// number of seats than the journal was made with; the error that fits if the tables cannot be
    /// made.
    [[nodiscard]] postgres::journal journal(const std::string& name,
                                            const journal_options& with = {}) const {
        return {session_, name, with};
    }

    /// The connection, for the service's own tables and queries outside of events.
    [[nodiscard]] postgres::connection& connection() const noexcept { return session_->db; }

    /// Why the last commit that did not commit was aborted or is unknown.
    [[nodiscard]] const std::optional<failure>& last_commit_failure() const noexcept {
        return session_->why_not;
    }

private:
    friend class postgres::dead_letters;
    friend class postgres::outbox;
    friend class postgres::journal;

    explicit store(std::shared_ptr<detail::session> session)
        : session_(std::move(session)),
          sql_(std::make_unique<detail::store_statements>(session_->named)) {}

    std::shared_ptr<detail::session> session_;
    std::unique_ptr<detail::store_statements> sql_;
};

inline bool dead_letters::shares(const store& other) const noexcept {
    return session_ == other.session_;
}

inline bool outbox::shares(const store& other) const noexcept { return session_ == other.session_; }

inline bool journal::shares(const store& other) const noexcept {
    return session_ == other.session_;
}

}  // namespace sinew::postgres
