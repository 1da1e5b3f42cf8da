// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transactional store in an SQLite file; models `consumer_store`.
///
/// **Guarantees.** Every numbered sentence of the concept and of its transactions holds, with any
/// number of processes on one file. A store is one connection; its dead letters, attempts, outboxes
/// and journals use the same.
///
/// **On failure.** The errors of `errors.hpp`. `last_commit_failure` says why a commit was aborted
/// or unknown.
/// **Bounds.** One thread at a time for a store and all that was made of it. The inbox grows until
/// `purge_inbox`.
///
/// **Example.**
/// ```cpp
/// sinew::sqlite::store db("stock.db", {.synchronous = sinew::sqlite::synchronous::normal});
/// db.connection().execute_script("CREATE TABLE IF NOT EXISTS stock(sku TEXT PRIMARY KEY, ...)");
/// ```

#include <sinew/adapters/sqlite/attempts.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/dead_letters.hpp>
#include <sinew/adapters/sqlite/journal.hpp>
#include <sinew/adapters/sqlite/outbox.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/adapters/sqlite/transaction.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sinew::sqlite {

class store {
public:
    using transaction_type = transaction;
    using outbox_type = sqlite::outbox;
    using journal_type = sqlite::journal;

    /// How many rows of the inbox one purge looks at.
    static constexpr std::size_t purge_scan_max = 50'000;

    /// Opens a file, in WAL mode, and makes the library's tables in it if they are not there.
    ///
    /// **On failure.** Throws the `unavailable_error` that fits (cannot be opened, locked, read
    /// only, corrupt, tables of a newer version), and `usage_error` for a prefix that is no name.
    explicit store(const std::string& file, const store_options& options = {})
        : session_(std::make_shared<detail::session>(file, options)) {}

    /// Uses a connection that the service has, and makes the tables in its file. The handle has to
    /// outlive the store and all that was made of it, and to be outside of a transaction whenever
    /// the store is called. Its journal mode and its other pragmas stay as they are. One store for
    /// each handle: two would take the busy handler from each other.
    explicit store(sqlite3* connection, const store_options& options = {})
        : session_(std::make_shared<detail::session>(connection, options)) {}

    store(store&&) noexcept = default;
    store& operator=(store&&) noexcept = default;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// **On failure.** Throws `busy_error` if the file is locked until `until`, and `usage_error`
    /// if this store's last transaction is still open.
    [[nodiscard]] transaction begin(steady_time until = never) { return {session_, until}; }

    /// The committed progress. Beside an open transaction a second connection reads it, which needs
    /// a file.
    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time until = never) {
        auto& s = *session_;
        if (!s.is_open) {
            const sqlite::connection::deadline wait(s.db, until);
            return detail::read_progress(s.db.handle(), s.sql.progress, consumer, key);
        }
        auto& beside = s.beside();
        const sqlite::connection::deadline wait(beside.db, until);
        return detail::read_progress(beside.db.handle(), beside.progress, consumer, key);
    }

    /// Whether the inbox holds the event. Inside of an open transaction, what that one sees.
    [[nodiscard]] bool remembers(std::string_view consumer, event_identity who) {
        return session_->db
            .query_one<std::int64_t>(
                named("SELECT 1 FROM ~inbox WHERE consumer = ? AND source = ? AND id = ?"),
                consumer, blob{who.source}, blob{who.id})
            .has_value();
    }
    [[nodiscard]] std::size_t inbox_size() {
        return std::get<0>(
            *session_->db.query_one<std::size_t>(named("SELECT count(*) FROM ~inbox")));
    }

    /// Forgets events that were remembered before `older_than`, at most so many; answers how many.
    ///
    /// A call looks at `purge_scan_max` rows at most and goes on where the last one stopped, round
    /// and round, so it is to be called now and then for as long as the store is in use. An answer
    /// below `limit` does not say that nothing old is left.
    /// **Bounds.** Looking holds no lock; the deletes are one short transaction.
    std::size_t purge_inbox(wall_time older_than, std::size_t limit) {
        session_->check_idle("purge_inbox");
        const auto old = old_in_inbox(older_than, limit);
        if (old.empty()) {
            return 0;
        }
        transaction tx = begin(later(machine_clock::now().steady, session_->busy_timeout));
        std::size_t gone = 0;
        for (const auto& one : old) {
            gone += static_cast<std::size_t>(tx.execute(
                named("DELETE FROM ~inbox WHERE consumer = ? AND source = ? AND id = ? AND at < ?"),
                one.consumer, blob{one.source}, blob{one.id}, older_than));
        }
        if (tx.commit() != commit_result::committed) {
            throw session_->why();
        }
        return gone;
    }

    /// The place for dead letters in this store's file.
    [[nodiscard]] sqlite::dead_letters dead_letters() const {
        return sqlite::dead_letters(session_);
    }
    /// The record of attempts in this store's file.
    [[nodiscard]] sqlite::attempts attempts() const { return sqlite::attempts(session_); }

    /// The outbox of that name in this store's file. It and its tables are made if they are not
    /// there.
    ///
    /// **On failure.** Throws `usage_error` for an empty name, for options that `check` refuses,
    /// and for another number of shards than the outbox was made with; `schema_error` for tables of
    /// a newer version.
    [[nodiscard]] sqlite::outbox outbox(const std::string& name,
                                        const outbox_options& options = {}) const {
        return sqlite::outbox(session_, name, options);
    }

    /// The journal of that name in this store's file. It and its tables are made if they are not
    /// there.
    ///
    /// **On failure.** Throws `usage_error` for options that `check` refuses, and for another
    /// number of seats than the journal was made with; `schema_error` for tables of a newer
    /// version.
    [[nodiscard]] sqlite::journal journal(const std::string& name,
                                          const journal_options& options = {}) const {
        return sqlite::journal(session_, name, options);
    }

    /// The connection, for the service's own tables and queries outside of events.
    [[nodiscard]] sqlite::connection& connection() const noexcept { return session_->db; }

    /// Why the last commit that did not commit was aborted or is unknown.
    [[nodiscard]] const std::optional<failure>& last_commit_failure() const noexcept {
        return session_->why_not;
    }

private:
    friend class sqlite::dead_letters;
    friend class sqlite::journal;
    friend class sqlite::outbox;

    struct inbox_key {
        std::string consumer;
        std::string source;
        std::string id;
    };

    [[nodiscard]] std::string named(std::string_view sql) const { return session_->named(sql); }

    /// The next old rows behind the cursor, which goes on to the last row that was looked at.
    [[nodiscard]] std::vector<inbox_key> old_in_inbox(wall_time older_than, std::size_t limit) {
        std::vector<inbox_key> old;
        std::size_t looked_at = 0;
        detail::prepared sql(
            named("SELECT consumer, source, id, at FROM ~inbox WHERE (consumer, source, id) > "
                  "(?, ?, ?) ORDER BY consumer, source, id"));
        detail::statement rows(session_->db.handle(), sql);
        rows.bind(purged_.consumer, blob{purged_.source}, blob{purged_.id});
        while (old.size() < limit && looked_at < purge_scan_max) {
            if (!rows.step()) {
                purged_ = {};
                return old;
            }
            ++looked_at;
            const bool is_old = rows.column<wall_time>(3) < older_than;
            if (is_old || looked_at == purge_scan_max) {
                purged_ = {rows.column<std::string>(0), rows.column<std::string>(1),
                           rows.column<std::string>(2)};
            }
            if (is_old) {
                old.push_back(purged_);
            }
        }
        return old;
    }

    std::shared_ptr<detail::session> session_;
    inbox_key purged_;  ///< where the last purge stopped
};

inline bool dead_letters::shares(const store& other) const noexcept {
    return session_ == other.session_;
}

inline bool outbox::shares(const store& other) const noexcept { return session_ == other.session_; }

inline bool journal::shares(const store& other) const noexcept {
    return session_ == other.session_;
}

}  // namespace sinew::sqlite
