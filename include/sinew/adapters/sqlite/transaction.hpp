// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transaction of a store in SQLite.
///
/// **Guarantees.** It is the only writer of the file from its beginning to its end (`BEGIN
/// IMMEDIATE`), so transactions are serialisable, and one that has begun is never refused for what
/// another has done.
///
/// | state | call | becomes |
/// | --- | --- | --- |
/// | open | `commit` | ended; committed, aborted or unknown |
/// | open | `rollback`, destruction, being moved from | ended; aborted |
/// | open | SQLite gives it up (disk full, I/O) | lost |
/// | lost | `commit` | ended; aborted |
/// | lost | `undo_nested` | lost; there is nothing left to undo |
/// | lost | anything else | throws `transaction_lost_error` |
/// | ended | `commit` | ended; answers as the first time |
/// | ended | `rollback` | ended |
/// | ended | anything else | throws `usage_error` |
///
/// **On failure.** A commit that finds no room is rolled back and aborted. One during which the
/// operating system reports an error is unknown: what was written before a failed sync may come
/// back after a loss of power. A deferred foreign key is looked at by the commit alone, so where
/// one does not hold the commit is aborted, each time: leave such keys immediate.

#include <sinew/adapters/sqlite/codec.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::sqlite {

namespace detail {

class own_writes;

}  // namespace detail

class transaction {
public:
    transaction(transaction&& other) noexcept
        : session_(std::move(other.session_)),
          how_(other.how_),
          open_(std::exchange(other.open_, false)),
          nested_(std::exchange(other.nested_, false)) {}
    transaction& operator=(transaction&& other) noexcept {
        if (this != &other) {
            rollback();
            session_ = std::move(other.session_);
            how_ = other.how_;
            open_ = std::exchange(other.open_, false);
            nested_ = std::exchange(other.nested_, false);
        }
        return *this;
    }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction() { rollback(); }

    /// A part that is still nested joins the whole. Waits for readers in the way (there are none in
    /// WAL mode) as long as `busy_timeout`.
    commit_result commit() noexcept {
        if (!open_) {
            return how_;
        }
        how_ = end();
        close();
        return how_;
    }

    void rollback() noexcept {
        if (!open_) {
            return;
        }
        undo_all();
        how_ = commit_result::aborted;
        close();
    }

    /// Opens a part that can be undone alone. One level deep.
    void nest() {
        check();
        if (nested_) {
            throw usage_error("a part of this transaction is nested already");
        }
        run(session_->sql.nest);
        nested_ = true;
    }
    void keep_nested() {
        check_nested();
        check();
        run(session_->sql.keep_nested);
        nested_ = false;
    }
    void undo_nested() {
        check_nested();
        nested_ = false;
        if (is_lost()) {
            return;
        }
        run(session_->sql.undo_nested);
        run(session_->sql.keep_nested);
    }

    /// The inbox: true if the event is new to that consumer.
    bool remember(std::string_view consumer, event_identity who, wall_time now) {
        check();
        return session_->sql.inbox.add(handle_of(), consumer, who, now);
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key) {
        check();
        return detail::read_progress(handle_of(), session_->sql.progress, consumer, key);
    }
    void set_progress(std::string_view consumer, std::string_view key,
                      const key_progress& progress) {
        detail::encode(session_->scratch, progress.gaps());
        use(session_->sql.set_progress)
            .bind(consumer, blob{key}, progress.next(), detail::blob_or_null{session_->scratch},
                  progress.has_merged_gaps())
            .step();
    }

    [[nodiscard]] applied_offsets offsets(std::string_view consumer, std::string_view topic,
                                          partition_id partition) {
        detail::statement sql = use(session_->sql.offsets);
        if (!sql.bind(consumer, topic, partition).step()) {
            return {};
        }
        return detail::decode_offsets(sql.column<log_offset>(0),
                                      sql.column<detail::blob_or_null>(1).bytes);
    }
    void set_offsets(std::string_view consumer, std::string_view topic, partition_id partition,
                     const applied_offsets& offsets) {
        detail::encode(session_->scratch, offsets.beyond());
        use(session_->sql.set_offsets)
            .bind(consumer, topic, partition, offsets.through(),
                  detail::blob_or_null{session_->scratch})
            .step();
    }

    /// Runs one statement with the values given; answers how many rows it changed.
    ///
    /// **Example.** `tx.execute("UPDATE stock SET left = left - ? WHERE sku = ?", 2, sku)`.
    template <class... Args>
    std::int64_t execute(std::string_view sql, const Args&... args) {
        check();
        return session_->db.execute(sql, args...);
    }
    /// The first row, or nothing.
    ///
    /// **Example.** `auto row = tx.query_one<std::int64_t>("SELECT left FROM stock WHERE sku = ?",
    /// sku)`.
    template <class... Columns, class... Args>
    [[nodiscard]] std::optional<std::tuple<Columns...>> query_one(std::string_view sql,
                                                                  const Args&... args) {
        check();
        return session_->db.query_one<Columns...>(sql, args...);
    }
    /// All rows.
    template <class... Columns, class... Args>
    [[nodiscard]] std::vector<std::tuple<Columns...>> query(std::string_view sql,
                                                            const Args&... args) {
        check();
        return session_->db.query<Columns...>(sql, args...);
    }
    /// Calls `f` with the columns of each row. Views among them are valid during the call.
    template <class... Columns, class F, class... Args>
    void for_each(std::string_view sql, F&& f, const Args&... args) {
        check();
        session_->db.for_each<Columns...>(sql, std::forward<F>(f), args...);
    }

    /// SQLite's own handle, for what the calls above cannot do. Whoever uses it must not begin or
    /// end a transaction, and must stop at the first error.
    [[nodiscard]] sqlite3* handle() {
        check();
        return handle_of();
    }

private:
    friend class store;
    friend class dead_letters;
    friend class attempts;
    friend class outbox;
    friend class detail::own_writes;

    transaction(std::shared_ptr<detail::session> session, steady_time until)
        : session_(std::move(session)) {
        auto& s = *session_;
        if (s.is_open) {
            throw usage_error("a store has one transaction at a time; its last one is still open");
        }
        if (s.db.is_in_transaction()) {
            throw usage_error(
                "sqlite: the connection is inside a transaction that the store did "
                "not begin");
        }
        const connection::deadline wait(s.db, until);
        run(s.sql.begin);
        open_ = true;
        s.is_open = true;
    }

    [[nodiscard]] sqlite3* handle_of() const noexcept { return session_->db.handle(); }
    [[nodiscard]] bool is_lost() const noexcept { return !session_->db.is_in_transaction(); }

    void check() const {
        if (!open_) {
            throw usage_error("the transaction has ended");
        }
        if (is_lost()) {
            throw transaction_lost_error(
                "sqlite: " + session_->db.file() +
                ": SQLite rolled the transaction back after an earlier error, such as a full "
                "disk. Begin another one.");
        }
    }
    void check_nested() const {
        if (!open_) {
            throw usage_error("the transaction has ended");
        }
        if (!nested_) {
            throw usage_error("no part of this transaction is nested");
        }
    }

    [[nodiscard]] detail::statement use(detail::prepared& sql) {
        check();
        return detail::statement(handle_of(), sql);
    }
    void run(detail::prepared& sql) { detail::statement(handle_of(), sql).step(); }

    [[nodiscard]] commit_result end() noexcept {
        if (is_lost()) {
            remember_why();
            return commit_result::aborted;
        }
        try {
            if (session_->outbox) {
                session_->outbox->before_commit(session_->db);
            }
            run(session_->sql.commit);
            return commit_result::committed;
        } catch (const io_error& e) {
            remember_why(&e);
            undo_all();
            return commit_result::unknown;
        } catch (const error& e) {
            remember_why(&e);
        } catch (...) {
            remember_why();
        }
        undo_all();
        return commit_result::aborted;
    }

    void close() noexcept {
        open_ = false;
        nested_ = false;
        session_->is_open = false;
        if (session_->outbox) {
            session_->outbox->after_end(how_);
        }
        if (session_->journal) {
            session_->journal->after_end(how_);
        }
    }

    void undo_all() noexcept {
        if (is_lost()) {
            return;
        }
        try {
            run(session_->sql.rollback);
        } catch (...) {
            // Nothing of it is committed, and SQLite undoes it when the connection ends.
            sqlite3_exec(handle_of(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
    }

    void remember_why(const error* why = nullptr) noexcept {
        try {
            session_->why_not = why != nullptr
                                    ? why->as_failure()
                                    : failure{failure_class::unavailable,
                                              "transaction_lost",
                                              "sqlite: SQLite rolled the transaction back",
                                              {}};
        } catch (...) {
            session_->why_not.reset();
        }
    }

    std::shared_ptr<detail::session> session_;
    commit_result how_ = commit_result::aborted;
    bool open_ = false;
    bool nested_ = false;
};

}  // namespace sinew::sqlite
