// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a store, its transactions, its dead letters and its attempts share: one connection, the
/// names of the tables, and the statements of a transaction.

#include <sinew/adapters/postgres/connection.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/notices.hpp>
#include <sinew/adapters/postgres/outbox_claims.hpp>
#include <sinew/adapters/postgres/outgoing.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/transaction_statements.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::postgres {

/// What transactions that run at the same time may see of each other.
enum class isolation : std::uint8_t {
    /// As if one ran after the other, whatever the handlers read and write.
    serializable,
    /// A snapshot: of two that write one row, one gives way, so what the library keeps is as exact.
    /// Handlers that decide by rows that they do not write have to lock them (`FOR UPDATE`).
    repeatable_read,
};

/// Options of a store.
struct store_options {
    /// The schema of the library's tables.
    std::string schema = "sinew";
    /// How long a call takes at most, where the caller gives no deadline.
    duration call_timeout = std::chrono::seconds(5);
    /// How long a statement waits for another transaction's lock.
    duration lock_timeout = std::chrono::seconds(2);
    /// How long a transaction may do nothing before the server ends it: a consumer that was stopped
    /// in the middle must not hold its locks for ever. Longer than any handler runs.
    duration idle_timeout = std::chrono::minutes(1);
    postgres::isolation isolation = postgres::isolation::serializable;
    /// Whether the schema and its tables are made if they are not there.
    bool create = true;
    /// Whether a commit that added to an outbox wakes its relays, and one that gave a journal
    /// something to do its runners (NOTIFY, right behind the commit). Without it they look from
    /// time to time.
    bool notify = true;
    /// Whether statements are kept prepared. Not behind a pooler that gives one server connection
    /// to several clients in turn.
    bool prepare = true;
};

namespace detail {

struct outbox_statements;
struct journal_statements;

/// An outbox as its row says.
struct opened_box {
    box_id box = 0;
    shard_id shards = 0;
    std::string channel{};
    mutable claim_pace pace{};
};

/// A journal as its row says.
struct opened_journal {
    std::int32_t book = 0;
    shard_id seats = 0;
    std::string channel{};
};

/// A second connection, which reads what is committed while the first has a transaction open.
struct side_reader {
    side_reader(std::string conninfo, const connection_options& options, const naming& named)
        : db(std::move(conninfo), options),
          progress(named("SELECT next, gaps, merged FROM ~progress WHERE consumer = $1 AND key = "
                         "~key_of($2)")) {}

    connection db;
    prepared progress;
};

/// How many rows at most, as PostgreSQL takes it.
[[nodiscard]] inline std::int64_t limit_of(std::size_t limit) noexcept {
    constexpr std::size_t most = INT64_MAX;
    return static_cast<std::int64_t>(limit < most ? limit : most);
}

/// How many rows a statement changed.
[[nodiscard]] inline std::size_t changed_by(PGresult* by) noexcept {
    std::size_t count = 0;
    for (const char* at = PQcmdTuples(by); *at >= '0' && *at <= '9'; ++at) {
        count = count * 10 + static_cast<std::size_t>(*at - '0');
    }
    return count;
}

/// The words that connect to where a connection is connected already.
[[nodiscard]] inline std::string conninfo_of(PGconn* conn) {
    std::string text;
    PQconninfoOption* all = PQconninfo(conn);
    for (const auto* one = all; one != nullptr && one->keyword != nullptr; ++one) {
        if (one->val == nullptr || *one->val == '\0' ||
            std::string_view(one->keyword) == "client_encoding") {
            continue;
        }
        text.append(one->keyword).append("='");
        for (const char* c = one->val; *c != '\0'; ++c) {
            text.append(*c == '\'' || *c == '\\' ? "\\" : "").append(1, *c);
        }
        text.append("' ");
    }
    PQconninfoFree(all);
    return text;
}

/// The state behind a store and the handles that were made of it.
struct session {
    session(std::string the_conninfo, const store_options& the_options)
        : options(checked(the_options)),
          named(options.schema),
          conninfo(std::move(the_conninfo)),
          db(wiring(options), conninfo),
          statements(named) {
        open();
    }
    session(PGconn* borrowed, const store_options& the_options)
        : options(checked(the_options)),
          named(options.schema),
          db(wiring(options), borrowed),
          statements(named) {
        conninfo = conninfo_of(borrowed);
        open();
    }

    [[nodiscard]] static const store_options& checked(const store_options& options) {
        if (options.idle_timeout <= duration::zero()) {
            throw usage_error("postgres: option idle_timeout has to be above 0");
        }
        return options;
    }
    [[nodiscard]] static connection_options connecting(const store_options& options) {
        return {options.call_timeout, options.lock_timeout, options.prepare};
    }

    [[nodiscard]] static wire_options wiring(const store_options& options) {
        wire_options with = connection::checked(connecting(options));
        with.idle_timeout = options.prepare ? options.idle_timeout : duration::zero();
        return with;
    }

    [[nodiscard]] detail::wire& line() noexcept { return db.wire_; }
    [[nodiscard]] bool is_serializable() const noexcept {
        return options.isolation == isolation::serializable;
    }
    /// What begins a transaction of the service.
    [[nodiscard]] prepared& begin_one() noexcept {
        return is_serializable() ? statements.begin_serializable : statements.begin_repeatable_read;
    }
    /// The same with its limits, where those are not set for the session.
    [[nodiscard]] std::string begin_text() {
        std::string sql = begin_one().text();
        if (!line().keeps_settings()) {
            sql += ";SET LOCAL statement_timeout=" + milliseconds(options.call_timeout);
            sql += ";SET LOCAL lock_timeout=" + milliseconds(options.lock_timeout);
            sql += ";SET LOCAL idle_in_transaction_session_timeout=" +
                   milliseconds(options.idle_timeout);
        }
        return is_lazy ? sql + ";SET LOCAL synchronous_commit=on" : sql;
    }
    /// Before a transaction of the service.
    void leave_own_settings(steady_time until) { db.own_.leave(line(), until); }
    /// The statement that begins the open transaction, until it is sent; or null.
    [[nodiscard]] prepared*& begin_due() noexcept { return db.begin_due_; }

    [[nodiscard]] prepared* kept(std::string_view sql, const Oid* types, std::size_t count) {
        return db.kept(sql, types, count);
    }

    /// The deadline of a call that was given one: it may say less than the usual, not more.
    [[nodiscard]] steady_time deadline(steady_time until) {
        return deadline(until, machine_clock::now().steady);
    }
    [[nodiscard]] steady_time deadline(steady_time until, steady_time now) {
        const steady_time usual = line().usual_deadline(now);
        return until < usual ? until : usual;
    }

    /// Whether a call that is begun now would have about its usual time until then.
    [[nodiscard]] bool leaves_time_for_call(steady_time until) const {
        const duration span = options.call_timeout - options.call_timeout / 10;
        return until >= later(machine_clock::now().steady, span);
    }

    /// Connects, if need be, for a call outside of transactions.
    detail::wire& connected(steady_time until) {
        return connected(until, machine_clock::now().steady);
    }
    detail::wire& connected(steady_time until, steady_time now) {
        if (now >= until) {
            throw deadline_error(explain(db.where(), "the deadline has passed already", {}, {},
                                         "Give it more time."));
        }
        line().ensure(until, now);
        hear();
        return line();
    }

    /// Does one of the library's statements in a transaction of its own, which sees what is
    /// committed when the statement runs. Answers nothing if no answer came: it may be done.
    ///
    /// **On failure.** Throws what the server refused it for.
    template <class... Args>
    [[nodiscard]] std::optional<result> settle(const char* what, steady_time until, prepared& sql,
                                               const Args&... args) {
        return settle_one(what, until, false, sql, args...);
    }
    /// The same for a statement that answers no rows: how many it changed.
    template <class... Args>
    [[nodiscard]] std::optional<std::size_t> settle_count(const char* what, steady_time until,
                                                          prepared& sql, const Args&... args) {
        const auto got = settle_one(what, until, true, sql, args...);
        return got ? std::optional(changed_by(got->get())) : std::nullopt;
    }
    /// The same for what `queue` queues: several statements in one transaction, each of which sees
    /// what was committed before it. Answers the last rows.
    template <class Queue>
    [[nodiscard]] std::optional<result> settle_several(const char* what, steady_time until,
                                                       Queue queue) {
        check_idle(what);
        const steady_time now = machine_clock::now().steady;
        const steady_time end = deadline(until, now);
        auto& to = connected(end, now);
        if (db.own_.are_set(to)) {
            queue_rest(to);
            queue(to);
            return settled_at(to, ends_with_reply, end);
        }
        queue_begin(to);
        queue_rest(to);
        queue(to);
        to.queue(statements.commit, parameters());
        return settled_at(to, to.queued() - 1, end);
    }
    /// The same, where no answer is an error.
    template <class... Args>
    [[nodiscard]] result settled(const char* what, steady_time until, prepared& sql,
                                 const Args&... args) {
        auto got = settle(what, until, sql, args...);
        if (!got) {
            line().raise(lost);
        }
        return *std::move(got);
    }

    /// Queues a call on a channel (`NOTIFY`), which the server leaves out where nobody waits for
    /// it. A session does not see its own lock: where it has that itself, it always calls.
    void queue_call(const std::string& channel) {
        if (line().is_owned() && heard.waits_for(channel)) {
            line().queue(adding->notify, parameters(channel));
        } else {
            line().queue(adding->notify_listeners, parameters(channel, lock_of_listeners(channel)));
        }
    }

    /// The connection that listens: the store's own, or one beside the service's.
    [[nodiscard]] bool wait_for_call(const std::string& channel, steady_time until) {
        if (!line().is_owned()) {
            auto& ear = line_of(beside());
            ear.ensure(ear.usual_deadline());
            return heard.wait(ear, channel, until);
        }
        check_idle("waiting for what is added");
        line().ensure(line().usual_deadline());
        return heard.wait(line(), channel, until);
    }

    /// Makes sure that the tables of a part are there.
    void require(const schema_part& part) {
        if (options.create) {
            ensure_schema(db, named, part);
        } else if (!schema_is_there(db, named, part)) {
            if (is_of_older_version(db, named, part)) {
                throw usage_error("postgres: schema \"" + named.schema() +
                                  "\" has tables of sinew's '" + std::string(part.name) +
                                  "' in an older version, and option create is off; run this:\n" +
                                  upgrade_script_of(named, part));
            }
            throw usage_error("postgres: schema \"" + named.schema() +
                              "\" has no tables of sinew's '" + std::string(part.name) +
                              "', and option create is off; make them with what schema_script "
                              "answers");
        }
    }

    /// Looks at one of the library's tables, outside of transactions or within the one that is
    /// open.
    template <class... Args>
    [[nodiscard]] result look(prepared& sql, const Args&... args) {
        const steady_time until = line().usual_deadline();
        auto& to = connected(until);
        db.begin_if_due(until);
        to.queue(sql, parameters(args...));
        return to.run(until);
    }

    /// Removes some rows in a transaction of its own; `sql` answers how many.
    template <class... Args>
    [[nodiscard]] std::size_t remove(const char* what, steady_time until, prepared& sql,
                                     const Args&... args) {
        return static_cast<std::size_t>(
            column<std::int64_t>(settled(what, until, sql, args...).get(), 0, 0));
    }

    /// The connection that reads beside an open transaction.
    [[nodiscard]] side_reader& beside() {
        if (!reader) {
            reader = std::make_unique<side_reader>(conninfo, connecting(options), named);
        }
        return *reader;
    }
    [[nodiscard]] static detail::wire& line_of(side_reader& reader) noexcept {
        return reader.db.wire_;
    }

    /// For writes that are no part of a transaction: one that is open would swallow them.
    void check_idle(const char* what) const {
        if (is_open) {
            throw unavailable_error("transaction_open",
                                    std::string("postgres: ") + what +
                                        " has to wait until the store's open transaction has "
                                        "ended, or be called with it");
        }
    }

    /// Why the last commit did not commit, to be thrown.
    [[nodiscard]] unavailable_error why() const {
        return why_not ? unavailable_error(why_not->reason, why_not->detail)
                       : unavailable_error("transaction_lost", "postgres: the commit failed");
    }

    store_options options;
    naming named;
    std::string conninfo;
    connection db;
    transaction_statements statements;
    std::unique_ptr<side_reader> reader;
    /// What the open transaction has added to outboxes.
    outgoing added;
    std::unique_ptr<adding_statements> adding;
    /// The outboxes that were opened, by name.
    std::map<std::string, std::shared_ptr<const opened_box>, std::less<>> boxes;
    std::shared_ptr<outbox_statements> outboxes;
    /// The journals that were opened, by name.
    std::map<std::string, opened_journal, std::less<>> books;
    std::shared_ptr<journal_statements> journals;
    notices heard;
    /// A reply that did not come whole.
    reply lost;
    /// Why the last commit did not commit.
    std::optional<failure> why_not;
    bool is_open = false;
    /// Whether the server would answer a commit before it is durable.
    bool is_lazy = false;

private:
    std::unique_ptr<prepared> set_up_alone;

    /// Does one statement; of all that is sent with it, answers its own result if `its_own`, or
    /// else the last rows.
    template <class... Args>
    [[nodiscard]] std::optional<result> settle_one(const char* what, steady_time until,
                                                   bool its_own, prepared& sql,
                                                   const Args&... args) {
        check_idle(what);
        const steady_time now = machine_clock::now().steady;
        const steady_time end = deadline(until, now);
        auto& to = connected(end, now);
        const parameters values(args...);
        if (db.own_.are_set(to)) {
            queue_rest(to);
            return settled_by(to.ask(sql, values, end, its_own), ends_with_reply);
        }
        queue_begin(to);
        queue_rest(to);
        to.queue(sql, values);
        const std::size_t wanted = its_own ? to.queued() - 1 : wire::last_rows;
        to.queue(statements.commit, parameters());
        return settled_at(to, to.queued() - 1, end, wanted);
    }

    /// Sends what is queued. Answers nothing if no answer came.
    [[nodiscard]] std::optional<result> settled_at(wire& to, std::size_t commit, steady_time end,
                                                   std::size_t wanted = wire::last_rows) {
        return settled_by(to.exchange(end, wanted), commit);
    }
    /// What goes out together without a commit is a transaction of its own.
    static constexpr std::size_t ends_with_reply = SIZE_MAX;

    /// What a reply says of what was sent, of which the statement `commit` ends the transaction.
    [[nodiscard]] std::optional<result> settled_by(reply got, std::size_t commit) {
        auto& to = line();
        db.own_.sent(to, got.is_good());
        if (got.is_good()) {
            return std::move(got.last);
        }
        if (got.how != reply::ending::complete && !(got.was_refused() && got.at < commit)) {
            lost = std::move(got);
            return std::nullopt;
        }
        if (db.is_in_transaction()) {
            to.script("ROLLBACK", to.usual_deadline());
        }
        to.raise(got);
    }

    /// Takes the calls that came meanwhile, so that they do not pile up.
    void hear() {
        if (line().is_owned()) {
            heard.collect(line());
        } else if (reader && !heard.empty() && line_of(*reader).is_alive()) {
            heard.collect(line_of(*reader));
        }
    }

    /// On the connection that listens, as far as it is the store's own.
    void queue_rest(wire& to) {
        if (to.is_owned()) {
            heard.queue_rest(to);
        }
    }

    /// Begins a transaction that sees what is committed, finds rows by index, and plans a statement
    /// once.
    void queue_begin(wire& to) {
        to.queue(statements.begin_committed, parameters());
        if (!db.own_.queue_if_due(to)) {
            to.queue(*set_up_alone, parameters());
        }
    }
    [[nodiscard]] std::string set_up_text() const {
        const auto set = [](std::string name, const std::string& value) {
            return "pg_catalog.set_config('" + std::move(name) + "', '" + value + "', true)";
        };
        // To compile a plan takes up to a second, for statements that take less than a millisecond.
        std::string sql = "SELECT " + set("enable_seqscan", "off") + ", " + set("jit", "off") +
                          ", " + set("plan_cache_mode", "force_generic_plan");
        sql += ", " + set("statement_timeout", milliseconds(options.call_timeout));
        sql += ", " + set("lock_timeout", milliseconds(options.lock_timeout));
        return is_lazy ? sql + ", " + set("synchronous_commit", "on") : sql;
    }

    void open() {
        require(consumer_schema);
        const auto found =
            db.query_one<std::string>("SELECT pg_catalog.current_setting('synchronous_commit')");
        is_lazy = found && std::get<0>(*found) == "off";
        set_up_alone = std::make_unique<prepared>(set_up_text());
    }
};

}  // namespace detail

}  // namespace sinew::postgres
