// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transaction of a store in PostgreSQL.
///
/// **Guarantees.** Under serializable isolation, which is the default, transactions that committed
/// had the effect of running one after the other, handlers' own reads and writes included. Under
/// either isolation, of two that write the same event, key or partition at most one commits. (One
/// that only read what another has changed since commits if some order of the two explains it.)
///
/// Under serializable isolation a key's progress, and a partition's offsets, are taken for writing
/// when they are looked at: another transaction that looks at the same waits, up to `lock_timeout`.
///
/// Savepoints go out with the statement that needs them, progress and offsets with the commit, so
/// an event costs the round trips of its `remember` and of its handler's statements.
///
/// | state | call | becomes |
/// | --- | --- | --- |
/// | open | `commit` | ended; committed, aborted or unknown |
/// | open | `rollback`, destruction, being moved from | ended; aborted |
/// | open | a statement fails within a nested part | spoiled |
/// | open | a statement fails elsewhere, or the connection is lost | lost |
/// | spoiled | `undo_nested` | open |
/// | spoiled | `keep_nested` | lost |
/// | lost, spoiled | `commit` | ended; aborted |
/// | lost | `undo_nested` | lost; there is nothing left to undo |
/// | lost, spoiled | anything else | throws `transaction_lost_error` |
/// | ended | `commit` | ended; answers as the first time |
/// | ended | `rollback` | ended |
/// | ended | anything else | throws `usage_error` |
///
/// A handler that catches an error of its statement cannot go on in the same transaction:
/// PostgreSQL takes nothing more. Where a conflict is expected, say so in the statement (`ON
/// CONFLICT`).
///
/// **On failure.** A commit that the server refused (a conflict, a deferred constraint) is aborted.
/// A commit without an answer is unknown; before the store's next transaction begins, the server
/// has ended the session, so that it is decided then.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/gathered.hpp>
#include <sinew/adapters/postgres/queries.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres {

namespace detail {

template <class F>
auto alone(const std::shared_ptr<session>& of, steady_time until, F f);

}  // namespace detail

class transaction : public detail::queries<transaction> {
public:
    /// How many keys' progress, partitions' offsets and events' keys wait for the commit at most.
    static constexpr std::size_t gathered_max = 1'000;

    transaction(transaction&& other) noexcept { take(std::move(other)); }
    transaction& operator=(transaction&& other) noexcept {
        if (this != &other) {
            rollback();
            take(std::move(other));
        }
        return *this;
    }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction() { rollback(); }

    /// A part that is still nested joins the whole.
    commit_result commit() noexcept {
        if (open_) {
            how_ = end();
            ended();
        }
        return how_;
    }

    void rollback() noexcept {
        if (open_) {
            undo_all();
            how_ = commit_result::aborted;
            ended();
        }
    }

    /// Opens a part that can be undone alone. One level deep.
    void nest() {
        check();
        if (nested_) {
            throw usage_error("a part of this transaction is nested already");
        }
        session_->added.open_part();
        nested_ = true;
        savepoint_ = savepoint::due;
    }
    void keep_nested() {
        check_nested();
        keep_gathered();
        nested_ = false;
        release_due_ = savepoint_ == savepoint::set;
        savepoint_ = savepoint::none;
        write_if_many();
    }
    void undo_nested() {
        check_nested();
        progress_.undo_part();
        offsets_.undo_part();
        session_->added.undo_part();
        nested_ = false;
        const bool is_set = std::exchange(savepoint_, savepoint::none) == savepoint::set;
        if (!is_set || is_gone()) {
            return;
        }
        wire().queue("ROLLBACK TO sinew_nested");
        wire().queue("RELEASE sinew_nested");
        static_cast<void>(good(exchange()));
        spoiled_by_.reset();
    }

    /// The inbox: true if the event is new to that consumer.
    bool remember(std::string_view consumer, event_identity who, wall_time now) {
        return detail::rows_of(use(session_->statements.remember, bytea{consumer},
                                   bytea{who.source}, bytea{who.id}, stamp(now))
                                   .get()) != 0;
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key) {
        check();
        if (const auto* mine = progress_.find({consumer, key})) {
            return *mine;
        }
        auto& sql = session_->statements;
        return detail::read_progress(
            use(session_->is_serializable() ? sql.lock_progress : sql.progress, bytea{consumer},
                bytea{key})
                .get());
    }
    void set_progress(std::string_view consumer, std::string_view key,
                      const key_progress& progress) {
        check();
        progress_.put({consumer, key}, progress, nested_);
        write_if_many();
    }

    [[nodiscard]] applied_offsets offsets(std::string_view consumer, std::string_view topic,
                                          partition_id partition) {
        check();
        if (const auto* mine = offsets_.find({consumer, topic, partition})) {
            return *mine;
        }
        auto& sql = session_->statements;
        const auto got = use(session_->is_serializable() ? sql.lock_offsets : sql.offsets,
                             bytea{consumer}, bytea{topic}, std::int64_t{partition});
        if (PQntuples(got.get()) == 0) {
            return {};
        }
        return detail::decode_offsets(detail::column<log_offset>(got.get(), 0, 0),
                                      detail::column<std::string_view>(got.get(), 0, 1));
    }
    void set_offsets(std::string_view consumer, std::string_view topic, partition_id partition,
                     const applied_offsets& offsets) {
        check();
        offsets_.put({consumer, topic, partition}, offsets, nested_);
        write_if_many();
    }

    /// Libpq's own handle, for what the calls above cannot do. Whoever uses it must not begin or
    /// end a transaction, must leave no results behind, and must stop at the first error. Its calls
    /// know no deadline but the server's.
    [[nodiscard]] PGconn* native() {
        check();
        if (session_->begin_due() != nullptr || release_due_ || savepoint_ == savepoint::due) {
            run([] {});
        }
        return wire().handle();
    }

private:
    friend class detail::queries<transaction>;
    friend class store;
    friend class dead_letters;
    friend class attempts;
    friend class outbox;
    friend class journal;
    template <class F>
    friend auto detail::alone(const std::shared_ptr<detail::session>& of, steady_time until, F f);

    enum class savepoint : std::uint8_t { none, due, set };

    transaction(std::shared_ptr<detail::session> session, steady_time until)
        : session_(std::move(session)) {
        auto& s = *session_;
        if (s.is_open) {
            throw usage_error("a store has one transaction at a time; its last one is still open");
        }
        const steady_time end = s.deadline(until);
        auto& line = s.connected(end);
        if (line.status() != PQTRANS_IDLE) {
            throw usage_error(
                "postgres: the connection is inside a transaction that the store did not begin");
        }
        // What the server is to be told goes out with the first statement, unless the caller wants
        // to know whether the server answers, by a deadline sooner than that of a call.
        if (line.keeps_settings() && !s.is_lazy && s.leaves_time_for_call(until)) {
            s.leave_own_settings(end);
            s.begin_due() = &s.begin_one();
        } else {
            begin(end);
        }
        open_ = true;
        s.is_open = true;
    }

    /// A server that went away while nobody looked is found by the first statement: then a new
    /// connection is asked, once.
    void begin(steady_time until) {
        const std::string sql = session_->begin_text();
        auto& line = session_->line();
        const auto life = line.life();
        try {
            session_->leave_own_settings(until);
            line.script(sql, until);
        } catch (const connection_lost_error&) {
            if (!line.is_owned()) {
                throw;
            }
            line.ensure(until);
            if (line.life() == life) {
                throw;
            }
            line.script(sql, until);
        }
    }

    /// Queues the beginning, if the server has not been told of it.
    void queue_begin() {
        if (auto* const sql = session_->begin_due()) {
            wire().queue(*sql, detail::parameters());
        }
    }

    [[nodiscard]] static std::int64_t stamp(wall_time at) noexcept {
        return at.time_since_epoch().count();
    }
    [[nodiscard]] detail::wire& wire() const noexcept { return session_->line(); }

    void take(transaction&& other) noexcept {
        session_ = std::move(other.session_);
        progress_ = std::move(other.progress_);
        offsets_ = std::move(other.offsets_);
        spoiled_by_ = std::move(other.spoiled_by_);
        how_ = other.how_;
        savepoint_ = other.savepoint_;
        open_ = std::exchange(other.open_, false);
        nested_ = std::exchange(other.nested_, false);
        release_due_ = other.release_due_;
    }

    void ended() noexcept {
        open_ = false;
        nested_ = false;
        savepoint_ = savepoint::none;
        release_due_ = false;
        session_->begin_due() = nullptr;
        progress_.clear();
        offsets_.clear();
        session_->added.clear();
        session_->is_open = false;
    }

    /// Whether the server holds nothing of the transaction any more: the connection is gone, or
    /// another one, or somebody ended the transaction behind the store's back.
    [[nodiscard]] bool is_gone() const noexcept {
        const auto status = wire().status();
        return wire().handle() == nullptr || status == PQTRANS_UNKNOWN ||
               (status == PQTRANS_IDLE && session_->begin_due() == nullptr);
    }
    /// Whether the server takes no further statement.
    [[nodiscard]] bool is_stopped() const noexcept {
        return is_gone() || wire().status() == PQTRANS_INERROR;
    }

    void check() const {
        if (!open_) {
            throw usage_error("the transaction has ended");
        }
        if (is_stopped()) {
            throw transaction_lost_error("postgres: " + wire().where() +
                                         ": the transaction is lost after an earlier error" +
                                         (spoiled_by_ ? " (" + spoiled_by_->reason + ")" : "") +
                                         ". Undo the part, or begin another one.");
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

    /// Queues the beginning and the savepoints that the next statement needs.
    void prepare_the_way() {
        check();
        queue_begin();
        if (release_due_) {
            wire().queue(session_->statements.keep_nested, detail::parameters());
            release_due_ = false;
        }
        if (savepoint_ == savepoint::due) {
            wire().queue(session_->statements.nest, detail::parameters());
            savepoint_at_ = wire().queued() - 1;
        }
    }

    /// Runs what `queue` queues. An error is remembered: the commit tells it, if it comes to that.
    ///
    /// A server that went away while nobody looked is found by the first statement: then a new
    /// connection is asked, once.
    template <class Queue>
    detail::result run(Queue queue) {
        const savepoint before = savepoint_;
        prepare_the_way();
        queue();
        detail::reply got = exchange();
        auto*& begin = session_->begin_due();
        if (begin != nullptr && got.how == detail::reply::ending::lost && got.at == 0) {
            wire().ensure(wire().usual_deadline());
            savepoint_ = before;
            prepare_the_way();
            queue();
            got = exchange();
        }
        begin = nullptr;
        return good(std::move(got));
    }

    [[nodiscard]] detail::reply exchange() {
        detail::reply got = wire().exchange(wire().usual_deadline());
        if (savepoint_ == savepoint::due && (got.is_good() || got.at > savepoint_at_)) {
            savepoint_ = savepoint::set;
        }
        return got;
    }

    [[nodiscard]] detail::result good(detail::reply got) {
        if (got.is_good()) {
            return std::move(got.last);
        }
        try {
            wire().raise(got);
        } catch (const error& e) {
            spoiled_by_ = spoiled_by_ ? spoiled_by_ : e.as_failure();
            throw;
        }
    }

    template <class... Args>
    [[nodiscard]] detail::result ask(std::string_view sql, const Args&... args) {
        const detail::parameters values(args...);
        const std::string text(sql);
        auto* const kept = session_->kept(sql, values.types(), sizeof...(args));
        return run([&] {
            if (kept != nullptr) {
                wire().queue(*kept, values);
            } else {
                wire().queue_once(text.c_str(), values);
            }
        });
    }

    /// Runs one of the library's statements.
    template <class... Args>
    detail::result use(detail::prepared& sql, const Args&... args) {
        const detail::parameters values(args...);
        return run([&] { wire().queue(sql, values); });
    }

    /// Looks at one of the library's tables.
    template <class... Args>
    [[nodiscard]] detail::result read(detail::prepared& sql, const Args&... args) {
        const detail::parameters values(args...);
        const bool hints = session_->is_serializable();
        return run([&] {
            if (hints) {
                wire().queue(session_->statements.no_seqscan, detail::parameters());
            }
            wire().queue(sql, values);
            if (hints) {
                wire().queue(session_->statements.any_scan, detail::parameters());
            }
        });
    }

    void keep_gathered() {
        progress_.keep_part();
        offsets_.keep_part();
        session_->added.keep_part();
    }
    void queue_gathered() {
        auto& s = *session_;
        detail::queue_all(wire(), s.statements, progress_.all(), offsets_.all());
        if (s.adding) {
            s.added.queue_rows(wire(), *s.adding);
        }
    }
    void write_if_many() {
        auto& added = session_->added;
        const std::size_t keys =
            progress_.all().size() + offsets_.all().size() + added.keys.all().size();
        if (!nested_ && (keys > gathered_max || added.is_much())) {
            run([&] { queue_gathered(); });
            progress_.clear();
            offsets_.clear();
            added.written();
        }
    }

    /// Numbers an event of the key. The first in this transaction takes the key's row for writing.
    std::uint64_t next_number(detail::box_id box, std::string_view key) {
        auto& keys = session_->added.keys;
        if (const auto* mine = keys.find({box, key})) {
            detail::key_count count = *mine;
            ++count.last;
            keys.put({box, key}, count, nested_);
            return count.last;
        }
        const auto row = use(session_->adding->next_number, box, bytea{key});
        const auto last = static_cast<std::uint64_t>(detail::column<std::int64_t>(row.get(), 0, 0));
        keys.put({box, key}, {last, last}, nested_);
        return last;
    }

    /// Takes the rows of those keys that are new here, in one round trip and in the order of the
    /// keys; each counts as often as it is named.
    void take_numbers(detail::box_id box, std::vector<std::string_view> keys) {
        auto& known = session_->added.keys;
        std::sort(keys.begin(), keys.end());
        auto names = detail::array_of_bytes();
        auto counts = detail::array_of_numbers();
        std::vector<std::pair<std::string_view, std::uint64_t>> wanted;
        for (const auto key : keys) {
            if (!wanted.empty() && wanted.back().first == key) {
                ++wanted.back().second;
            } else if (known.find({box, key}) == nullptr) {
                wanted.emplace_back(key, 1);
            }
        }
        if (wanted.empty()) {
            return;
        }
        for (const auto& [key, count] : wanted) {
            names.add(key);
            counts.add(static_cast<std::int64_t>(count));
        }
        const auto rows = use(session_->adding->next_numbers, box, names.value(), counts.value());
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const auto last = static_cast<std::uint64_t>(
                detail::column<std::int64_t>(rows.get(), static_cast<int>(i), 0));
            known.put({box, wanted[i].first}, {last - wanted[i].second, last}, nested_);
        }
    }

    [[nodiscard]] commit_result end() noexcept {
        bool was_sent = false;
        try {
            if (is_stopped() || !wire().is_alive()) {
                remember_why(nullptr);
                undo_all();
                return commit_result::aborted;
            }
            if (nested_) {
                keep_gathered();
            }
            queue_begin();
            queue_gathered();
            was_sent = true;
            wire().queue(session_->statements.commit, detail::parameters());
            const std::size_t commit = wire().queued() - 1;
            // Behind the commit, not in it: a transaction that notifies holds a lock of the whole
            // database until it is durable, and all that notify would wait for each other.
            for (const auto& channel : session_->added.channels) {
                session_->queue_call(channel);
            }
            detail::reply got = wire().exchange(wire().usual_deadline(), commit);
            return judge(got, commit);
        } catch (const error& e) {
            const failure why = e.as_failure();
            remember_why(&why);
        } catch (...) {
            remember_why(nullptr);
        }
        if (was_sent) {
            wire().drop();
            return commit_result::unknown;
        }
        undo_all();
        return commit_result::aborted;
    }

    /// How the commit ended, by its answer.
    [[nodiscard]] commit_result judge(detail::reply& got, std::size_t commit) {
        const std::string_view says = got.last ? PQcmdStatus(got.last.get()) : "";
        if (says == "COMMIT") {
            return commit_result::committed;
        }
        const bool is_complete = got.how == detail::reply::ending::complete;
        if (got.is_good()) {
            remember_why(nullptr);  // the server answered ROLLBACK
        } else {
            try {
                wire().raise(got);
            } catch (const error& e) {
                const failure why = e.as_failure();
                remember_why(&why);
            }
        }
        // The server says which statement failed: what is behind it was not carried out. Whether
        // the commit itself was, when the connection is lost, nobody knows; unless the server had
        // ended the session before, as nothing had come for too long.
        const bool was_idle =
            got.wrong && detail::field_of(got.wrong.get(), PG_DIAG_SQLSTATE) == "25P03";
        if (is_complete || was_idle || (got.was_refused() && got.at < commit)) {
            undo_all();
            return commit_result::aborted;
        }
        return commit_result::unknown;
    }

    void undo_all() noexcept {
        if (is_gone() || (session_->begin_due() != nullptr && wire().queued() == 0)) {
            return;
        }
        try {
            wire().script("ROLLBACK", wire().usual_deadline());
        } catch (...) {
            wire().drop();  // nothing of it is committed, and the server undoes it
        }
    }

    void remember_why(const failure* why) noexcept {
        try {
            session_->why_not = spoiled_by_      ? *spoiled_by_
                                : why != nullptr ? *why
                                                 : failure{failure_class::unavailable,
                                                           "transaction_lost",
                                                           "postgres: the transaction was lost",
                                                           {}};
        } catch (...) {
            session_->why_not.reset();
        }
    }

    std::shared_ptr<detail::session> session_;
    detail::progress_rows progress_;
    detail::offsets_rows offsets_;
    std::optional<failure> spoiled_by_;
    std::size_t savepoint_at_ = 0;  ///< its place among what is queued
    commit_result how_ = commit_result::aborted;
    savepoint savepoint_ = savepoint::none;
    bool open_ = false;
    bool nested_ = false;
    bool release_due_ = false;
};

}  // namespace sinew::postgres
