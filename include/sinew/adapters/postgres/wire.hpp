// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Statements to the server and results from it, each with an end: libpq without its blocking
/// calls.
///
/// Statements are queued and go out together (pipeline mode); then all their results are awaited,
/// so several of them cost one round trip. If one fails, the server skips those behind it. One that
/// is prepared already and goes alone needs no pipeline, which halves what libpq does for it.
///
/// **Guarantees.** Nothing waits past its deadline, except that libpq resolves host names as the
/// system does. A connection that did not answer in time is not used again. Before the next one is
/// used, the server has ended what was left of it, so a commit whose answer never came is decided.
///
/// | state | event | becomes |
/// | --- | --- | --- |
/// | none | `ensure` | open, or throws |
/// | open | the server ends it; the deadline passes | none, or dead if it is the service's own |
/// | dead | the service resets it (`PQreset`) | open |
/// | dead | `ensure` | throws `connection_lost_error` |
///
/// There is no `PQcancel`, as it blocks: the server's `statement_timeout`, which is shorter than
/// the client's deadline, ends what takes too long.

#include <sinew/adapters/postgres/connecting.hpp>
#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/round_trip.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>
#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

class wire {
public:
    wire(std::string conninfo, const wire_options& options)
        : conninfo_(std::move(conninfo)), options_(options), owned_(true) {
        check_conninfo(conninfo_);
    }
    wire(PGconn* borrowed, const wire_options& options)
        : options_(options), conn_(borrowed), owned_(false) {
        if (conn_ == nullptr) {
            throw usage_error("postgres: the handle is null");
        }
        adopt();
    }
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;
    ~wire() {
        if (owned_) {
            PQfinish(conn_);
        }
    }

    [[nodiscard]] PGconn* handle() const noexcept { return conn_; }
    [[nodiscard]] const wire_options& options() const noexcept { return options_; }
    [[nodiscard]] bool is_owned() const noexcept { return owned_; }
    [[nodiscard]] std::string where() const {
        return conn_ == nullptr ? last_place_ : place_of(conn_);
    }
    [[nodiscard]] PGTransactionStatusType status() const noexcept {
        return conn_ == nullptr || is_dead_ ? PQTRANS_UNKNOWN : PQtransactionStatus(conn_);
    }
    /// By which connection statements are prepared; another one after each new connection.
    [[nodiscard]] std::uint64_t life() const noexcept { return life_; }

    /// Which session it is; another one after each new connection.
    [[nodiscard]] std::uint64_t session_number() const noexcept { return session_; }
    /// Whether what is set for the session holds for all that follows: it is nobody else's.
    [[nodiscard]] bool keeps_settings() const noexcept { return owned_ && options_.prepare; }

    /// The deadline of a call for which the caller gives none. The server gives up before that.
    [[nodiscard]] steady_time usual_deadline() const {
        return usual_deadline(machine_clock::now().steady);
    }
    [[nodiscard]] steady_time usual_deadline(steady_time now) const noexcept {
        return later(now, options_.call_timeout + options_.call_timeout / 10);
    }

    /// Whether the server has not ended the connection meanwhile, as far as can be told at once.
    [[nodiscard]] bool is_alive() const noexcept {
        for (int i = 0; i < 100 && PQstatus(conn_) == CONNECTION_OK; ++i) {
            if (!wait_for(PQsocket(conn_), POLLIN, steady_time::min())) {
                return true;
            }
            if (PQconsumeInput(conn_) == 0) {
                return false;
            }
        }
        return PQstatus(conn_) == CONNECTION_OK;
    }

    /// Makes sure that there is a connection. One that has answered just now is not looked at.
    void ensure(steady_time until, steady_time now) {
        if (!owned_) {
            ensure_borrowed();
            return;
        }
        if (conn_ != nullptr && now >= fresh_until_ && !is_alive()) {
            drop();
        }
        if (conn_ == nullptr) {
            conn_ = open_connection(conninfo_, until, last_place_).release();
            adopt();
            set_up(until);
        }
    }
    void ensure(steady_time until) { ensure(until, never); }

    /// Gives the connection up: its state is not known.
    void drop() noexcept {
        sent_.clear();
        if (!owned_) {
            is_dead_ = true;
            dead_pid_ = PQbackendPID(conn_);
            return;
        }
        if (conn_ != nullptr) {
            try {
                last_place_ = place_of(conn_);
            } catch (...) {
                last_place_.clear();
            }
            if (self_) {
                former_ = std::exchange(self_, std::nullopt);
            }
            PQfinish(std::exchange(conn_, nullptr));
        }
    }

    /// Queues a statement.
    template <std::size_t N>
    void queue(prepared& sql, const parameters<N>& values) {
        open_pipeline();
        if (!options_.prepare) {
            queue_once(sql.text_.c_str(), values);
            return;
        }
        if (sql.life_ != life_) {
            sql.name_ = name_of(sql.text_);
            add(PQsendPrepare(conn_, sql.name_.c_str(), sql.text_.c_str(), values.count(),
                              values.types()),
                sql.text_.c_str(), &sql);
            sql.life_ = life_;
        }
        send(sql, values);
    }
    /// Queues a statement that is not kept. Its text has to live until the results are there.
    template <std::size_t N>
    void queue_once(const char* sql, const parameters<N>& values) {
        open_pipeline();
        add(PQsendQueryParams(conn_, sql, values.count(), values.types(), values.values(),
                              values.lengths(), values.formats(), 1),
            sql, nullptr);
    }
    /// Queues a statement that is not kept and has no values.
    void queue(const char* sql) { queue_once(sql, parameters<0>()); }
    /// For `exchange`: no statement's result in particular.
    static constexpr std::size_t last_rows = SIZE_MAX;

    /// How many statements are queued.
    [[nodiscard]] std::size_t queued() const noexcept { return sent_.size(); }

    /// Sends what is queued and waits for all results; of them it keeps that of the statement
    /// `wanted`, or else the last rows. A reply that is not complete has cost the connection.
    [[nodiscard]] reply exchange(steady_time until, std::size_t wanted = last_rows) {
        reply out;
        if (PQpipelineSync(conn_) == 0) {
            out.how = reply::ending::lost;
        } else {
            receive(out, until, wanted);
        }
        conclude(out);
        return out;
    }

    /// Sends a statement, behind what is queued, and waits for all results, of which it keeps its
    /// own if `its_own`, or else the last rows.
    template <std::size_t N>
    [[nodiscard]] reply ask(prepared& sql, const parameters<N>& values, steady_time until,
                            bool its_own) {
        if (!owned_ || !options_.prepare || !sent_.empty() || sql.life_ != life_) {
            queue(sql, values);
            return exchange(until, its_own ? queued() - 1 : last_rows);
        }
        enter();
        send(sql, values);
        reply out;
        receive_plain(out, until);
        if (!out.is_good()) {
            out.doing = sql.text_;
        }
        conclude(out);
        return out;
    }

    /// Waits until the server says something that nobody asked for; false if the deadline passed
    /// first.
    [[nodiscard]] bool wait_for_input(steady_time until) {
        if (!wait_for(PQsocket(conn_), POLLIN, until)) {
            return false;
        }
        if (PQconsumeInput(conn_) == 0) {
            lose(one_line(PQerrorMessage(conn_)));
        }
        return true;
    }
    /// Takes the notifications that came, by the names of their channels.
    template <class F>
    void each_notice(F f) {
        while (PGnotify* one = conn_ == nullptr ? nullptr : PQnotifies(conn_)) {
            f(std::string_view(one->relname));
            PQfreemem(one);
        }
    }

    /// The same, for the result of the last statement. **On failure.** Throws the error that fits.
    result run(steady_time until) {
        reply got = exchange(until);
        if (!got.is_good()) {
            raise(got);
        }
        return std::move(got.last);
    }

    /// Runs several statements without values.
    void script(const std::string& sql, steady_time until) {
        if (!sent_.empty()) {
            static_cast<void>(exchange(until));  // left over from a call that failed before it sent
        }
        enter();
        reply out;
        if (PQsendQuery(conn_, sql.c_str()) == 0) {
            out.how = reply::ending::lost;
        } else {
            receive_plain(out, until);
        }
        out.doing = sql;
        leave(out);
        if (!out.is_good()) {
            raise(out);
        }
    }

    [[noreturn]] void raise(const reply& got) const {
        if (got.how == reply::ending::late) {
            throw deadline_error(explain(where(), "no answer before the deadline", {}, got.doing,
                                         "Is the server overloaded or the network gone?"));
        }
        if (got.wrong) {
            detail::raise(where(), got.wrong.get(), got.doing);
        }
        throw connection_lost_error(
            explain(where(), "the connection was lost", {}, got.doing, "Is the server running?"));
    }

private:
    /// A session as the server knows it.
    struct session_id {
        std::int32_t pid = 0;
        std::string start;  ///< as the server wrote it: a process number alone may come again
    };
    struct sent_statement {
        const char* text;
        prepared* preparing = nullptr;
    };

    void adopt() {
        session_ = life_ = next_number();
        is_dead_ = false;
        adopted_pid_ = PQbackendPID(conn_);
    }

    void ensure_borrowed() {
        const int pid = PQbackendPID(conn_);
        if (PQstatus(conn_) == CONNECTION_OK && pid != adopted_pid_ && pid != dead_pid_) {
            adopt();  // the service has reset it
        }
        if (is_dead_ || PQstatus(conn_) != CONNECTION_OK) {
            throw connection_lost_error(
                explain(place_of(conn_), "the service's own connection cannot be used any more", {},
                        {}, "Reset it with PQreset, or give the store a connection string."));
        }
        if (PQpipelineStatus(conn_) != PQ_PIPELINE_OFF) {
            throw usage_error("postgres: the service's own connection is in pipeline mode");
        }
    }

    /// The session's own limits, and the end of the one before it.
    void set_up(steady_time until) {
        try {
            if (PQserverVersion(conn_) < 120'000) {
                throw sql_error(explain(place_of(conn_), "the server is older than PostgreSQL 12",
                                        {}, {}, "Use a newer one."));
            }
            const bool has_idle_timeout = options_.idle_timeout > duration::zero();
            queue_once(
                "SELECT set_config('statement_timeout', $1, false), "
                "set_config('lock_timeout', $2, false), CASE WHEN $3 THEN "
                "set_config('idle_in_transaction_session_timeout', $4, false) END",
                parameters(milliseconds(options_.call_timeout), milliseconds(options_.lock_timeout),
                           has_idle_timeout, milliseconds(options_.idle_timeout)));
            queue(
                "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = "
                "pg_catalog.pg_backend_pid()");
            const result row = run(until);
            if (PQntuples(row.get()) == 1) {
                self_ = session_id{column<std::int32_t>(row.get(), 0, 0),
                                   column<std::string>(row.get(), 0, 1)};
            }
            end_former(until);
        } catch (...) {
            if (conn_ != nullptr) {
                self_.reset();
                drop();
            }
            throw;
        }
    }

    /// Waits until the session that was given up is gone: what it had under way is decided then.
    void end_former(steady_time until) {
        while (former_) {
            queue_once(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM "
                "pg_catalog.pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
                parameters(former_->pid, former_->start));
            if (PQntuples(run(until).get()) == 0) {
                former_.reset();
            } else if (!pause(until)) {
                throw busy_error(explain(place_of(conn_),
                                         "the session before this one has not "
                                         "ended yet",
                                         {}, {}, "It is asked again."));
            }
        }
    }

    [[nodiscard]] static bool pause(steady_time until) noexcept {
        const steady_time now = machine_clock::now().steady;
        const steady_time soon = later(now, std::chrono::milliseconds(2));
        static_cast<void>(wait_for(-1, 0, soon < until ? soon : until));
        return now < until;
    }

    void enter() {
        if (conn_ == nullptr || is_dead_) {
            throw connection_lost_error(
                explain(where(), "there is no connection", {}, {}, "Begin another transaction."));
        }
        if (!owned_) {
            was_nonblocking_ = PQisnonblocking(conn_) != 0;
            PQsetnonblocking(conn_, 1);
        }
    }

    void open_pipeline() {
        if (sent_.empty()) {
            enter();
            if (PQenterPipelineMode(conn_) == 0) {
                lose("the connection is busy with something else");
            }
        }
    }

    /// A name that no other statement has, and that says what it is about: `sinew_12_COMMIT`.
    [[nodiscard]] static std::string name_of(std::string_view sql) {
        return "sinew_" + std::to_string(next_number()) + "_" +
               std::string(sql.substr(0, sql.find_first_of(" (")));
    }

    template <std::size_t N>
    void send(const prepared& sql, const parameters<N>& values) {
        add(PQsendQueryPrepared(conn_, sql.name_.c_str(), values.count(), values.values(),
                                values.lengths(), values.formats(), 1),
            sql.text_.c_str(), nullptr);
    }

    void add(int sent, const char* text, prepared* preparing) {
        if (sent == 0) {
            lose(one_line(PQerrorMessage(conn_)));
        }
        sent_.push_back({text, preparing});
    }

    [[noreturn]] void lose(const std::string& says) {
        const std::string text = explain(where(), says, {}, {}, "Is the server running?");
        drop();
        throw connection_lost_error(text);
    }

    /// Waits until a result can be taken without blocking.
    [[nodiscard]] reply::ending await(steady_time until) noexcept {
        while (PQisBusy(conn_) != 0) {
            const int flushed = PQflush(conn_);
            if (flushed < 0) {
                return reply::ending::lost;
            }
            const auto events = static_cast<short>(flushed == 1 ? POLLIN | POLLOUT : POLLIN);
            if (PQsocket(conn_) < 0) {
                return reply::ending::lost;
            }
            if (!wait_for(PQsocket(conn_), events, until)) {
                return reply::ending::late;
            }
            if (PQconsumeInput(conn_) == 0) {
                return reply::ending::lost;
            }
        }
        return reply::ending::complete;
    }

    void receive(reply& out, steady_time until, std::size_t wanted) {
        for (std::size_t at = 0;;) {
            out.how = await(until);
            if (out.how != reply::ending::complete) {
                note_loss(out, at);
                return;
            }
            result got(PQgetResult(conn_));
            if (!got) {
                if (PQstatus(conn_) == CONNECTION_BAD || ++at > sent_.size()) {
                    out.how = reply::ending::lost;
                    note_loss(out, at);
                    return;
                }
                continue;
            }
            if (PQresultStatus(got.get()) == PGRES_PIPELINE_SYNC) {
                return;
            }
            if (is_wrong(got.get()) && !out.wrong) {
                out.at = at;
                out.doing = at < sent_.size() ? std::string(sent_[at].text) : std::string();
                out.wrong = std::move(got);
            } else if (wanted == last_rows ? PQresultStatus(got.get()) == PGRES_TUPLES_OK ||
                                                 (at + 1 == sent_.size() && !has_rows(out))
                                           : at == wanted) {
                out.last = std::move(got);
            }
        }
    }

    [[nodiscard]] static bool has_rows(const reply& of) noexcept {
        return of.last && PQresultStatus(of.last.get()) == PGRES_TUPLES_OK;
    }

    void note_loss(reply& out, std::size_t at) const {
        if (!out.wrong) {
            out.at = at;
            out.doing = at < sent_.size() ? std::string(sent_[at].text) : std::string();
        }
    }

    /// Without a pipeline.
    void receive_plain(reply& out, steady_time until) {
        for (;;) {
            out.how = await(until);
            if (out.how != reply::ending::complete) {
                return;
            }
            result got(PQgetResult(conn_));
            if (!got) {
                out.how = PQstatus(conn_) == CONNECTION_BAD ? reply::ending::lost : out.how;
                return;
            }
            if (is_wrong(got.get())) {
                if (PQresultStatus(got.get()) != PGRES_FATAL_ERROR) {
                    out.how = reply::ending::lost;
                    return;  // a COPY that nobody feeds
                }
                if (!out.wrong) {
                    out.wrong = std::move(got);
                }
            } else {
                out.last = std::move(got);
            }
        }
    }

    /// What follows from a reply: statements that were not prepared after all, a lost connection.
    void conclude(reply& out) noexcept {
        if (!out.is_good()) {
            for (std::size_t i = out.at; i < sent_.size(); ++i) {
                if (sent_[i].preparing != nullptr) {
                    sent_[i].preparing->life_ = 0;
                }
            }
            const std::string_view state =
                out.wrong ? field_of(out.wrong.get(), PG_DIAG_SQLSTATE) : std::string_view();
            if (state == "26000" || state == "0A000") {
                life_ = next_number();  // a pooler or a change of a table: prepare everything anew
            }
        }
        leave(out);
    }

    void leave(reply& out) noexcept {
        sent_.clear();
        if (out.how == reply::ending::complete && PQpipelineStatus(conn_) != PQ_PIPELINE_OFF &&
            PQexitPipelineMode(conn_) == 0) {
            out.how = reply::ending::lost;
        }
        if (out.how != reply::ending::complete || PQstatus(conn_) != CONNECTION_OK) {
            out.how = out.how == reply::ending::late ? out.how : reply::ending::lost;
            drop();
            return;
        }
        if (!owned_ && !was_nonblocking_) {
            PQsetnonblocking(conn_, 0);
        }
        fresh_until_ = later(machine_clock::now().steady, fresh_for);
    }

    /// How long a connection that has answered is taken to be there.
    static constexpr duration fresh_for = std::chrono::milliseconds(1);

    std::string conninfo_;
    wire_options options_;
    PGconn* conn_ = nullptr;
    bool owned_;
    bool is_dead_ = false;
    bool was_nonblocking_ = false;
    int adopted_pid_ = 0;
    int dead_pid_ = -1;
    std::uint64_t life_ = 0;
    std::uint64_t session_ = 0;
    steady_time fresh_until_ = steady_time::min();
    std::optional<session_id> self_;
    std::optional<session_id> former_;
    std::string last_place_ = "no server";
    std::vector<sent_statement> sent_;
};

}  // namespace sinew::postgres::detail
