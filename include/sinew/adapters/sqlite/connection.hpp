// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A connection to an SQLite file: its own, or one that the service has already.
///
/// **Guarantees.** Waiting for a lock has an end, which a call can set. Statements are prepared
/// once and kept by their text. A connection of its own is closed, and its file is in WAL mode, so
/// that readers and the writer do not hold each other up. One that the service handed over stays
/// open, and its pragmas stay as they are; its busy handler alone is replaced while this object
/// lives, and afterwards is the time-out that `PRAGMA busy_timeout` had named.
///
/// **On crash.** What a process wrote for a commit and did not sync before it died can be read by
/// its successor, and a loss of power could still take it along. So opening syncs the write-ahead
/// log: what a connection reads is safe, unless `synchronous` is below `full`. A rollback journal
/// has no such cure; a service that must survive a loss of power stays with the write-ahead log.
///
/// **Bounds.** At most `statements_max` statements of the service's own texts are kept. One thread
/// at a time: own connections are opened without SQLite's mutexes.

#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::sqlite {

/// What a commit waits for.
enum class synchronous : std::uint8_t {
    /// In WAL mode: a commit survives the end of the process. A loss of power may take the last
    /// commits along; the file stays consistent.
    normal,
    /// A commit survives a loss of power too. It costs a sync of the disk for each commit.
    full,
};

struct connection_options {
    /// How long a call waits for a lock, where the caller gives no deadline.
    duration busy_timeout = std::chrono::seconds(5);
    sqlite::synchronous synchronous = sqlite::synchronous::full;
    /// Whether the file is made if it is not there.
    bool create = true;
    bool read_only = false;
};

namespace detail {

/// How long to wait for a lock: SQLite's busy handler.
class patience {
public:
    explicit patience(duration usual) noexcept : usual_(usual) {}

    /// Until then, for the calls that follow; nothing stands for the usual time.
    void set(std::optional<steady_time> until) noexcept { until_ = until; }
    [[nodiscard]] std::optional<steady_time> until() const noexcept { return until_; }

    static int wait(void* self, int tries) noexcept {
        auto& me = *static_cast<patience*>(self);
        const steady_time now = machine_clock::now().steady;
        if (tries == 0) {
            me.end_ = me.until_ ? *me.until_ : later(now, me.usual_);
        }
        if (now >= me.end_) {
            return 0;
        }
        constexpr duration shortest = std::chrono::microseconds(100);
        const duration step = tries < 6 ? shortest * (1 << tries) : shortest * 50;
        const duration left = me.end_ - now;
        std::this_thread::sleep_for(step < left ? step : left);
        return 1;
    }

private:
    duration usual_;
    std::optional<steady_time> until_;
    steady_time end_{};
};

}  // namespace detail

class connection {
public:
    /// How many statements of the service's own texts are kept prepared.
    static constexpr std::size_t statements_max = 64;

    /// Opens a file. A name that begins with `file:` is a URI, as SQLite defines it.
    ///
    /// **On failure.** Throws the error that fits, all of them `unavailable_error`.
    explicit connection(const std::string& file, const connection_options& options = {},
                        const char* vfs = nullptr)
        : patience_(options.busy_timeout), owned_(true) {
        const int flags = options.read_only ? SQLITE_OPEN_READONLY
                          : options.create  ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                            : SQLITE_OPEN_READWRITE;
        const int code =
            sqlite3_open_v2(file.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, vfs);
        try {
            if (code != SQLITE_OK) {
                detail::raise(file, db_ == nullptr ? "out of memory" : sqlite3_errmsg(db_), code,
                              "open");
            }
            sqlite3_extended_result_codes(db_, 1);
            sqlite3_busy_handler(db_, &detail::patience::wait, &patience_);
            set_up(options);
        } catch (...) {
            close();
            throw;
        }
    }

    /// Uses a connection that the service has. It is not closed.
    explicit connection(sqlite3* borrowed, const connection_options& options = {})
        : patience_(options.busy_timeout), db_(borrowed) {
        if (db_ == nullptr) {
            throw usage_error("sqlite: the handle is null");
        }
        if (const auto had = query_one<std::int64_t>("PRAGMA busy_timeout")) {
            busy_timeout_before_ = static_cast<int>(std::get<0>(*had));
        }
        sqlite3_busy_handler(db_, &detail::patience::wait, &patience_);
        sync_what_is_there();
    }

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() { close(); }

    [[nodiscard]] sqlite3* handle() const noexcept { return db_; }
    /// The file's absolute path; empty for a database without a file.
    [[nodiscard]] std::string file() const {
        const char* name = sqlite3_db_filename(db_, "main");
        return name == nullptr ? std::string() : std::string(name);
    }
    [[nodiscard]] bool is_in_transaction() const noexcept {
        return sqlite3_get_autocommit(db_) == 0;
    }

    /// Runs one statement with the values given; answers how many rows it changed.
    template <class... Args>
    std::int64_t execute(std::string_view sql, const Args&... args) {
        detail::statement run(db_, kept(sql));
        return run.bind(args...).run();
    }

    /// The first row, or nothing.
    template <class... Columns, class... Args>
    [[nodiscard]] std::optional<std::tuple<Columns...>> query_one(std::string_view sql,
                                                                  const Args&... args) {
        detail::statement run(db_, kept(sql));
        if (!run.bind(args...).step()) {
            return std::nullopt;
        }
        auto first = row<Columns...>(run, std::index_sequence_for<Columns...>());
        // What writes has done so only when it has ended, and only then says if that went wrong.
        while (sqlite3_stmt_readonly(run.handle()) == 0 && run.step()) {
        }
        return first;
    }

    /// All rows.
    template <class... Columns, class... Args>
    [[nodiscard]] std::vector<std::tuple<Columns...>> query(std::string_view sql,
                                                            const Args&... args) {
        std::vector<std::tuple<Columns...>> rows;
        detail::statement run(db_, kept(sql));
        run.bind(args...);
        while (run.step()) {
            rows.push_back(row<Columns...>(run, std::index_sequence_for<Columns...>()));
        }
        return rows;
    }

    /// Calls `f` with the columns of each row. Views among them are valid during the call.
    template <class... Columns, class F, class... Args>
    void for_each(std::string_view sql, F&& f, const Args&... args) {
        detail::statement run(db_, kept(sql));
        run.bind(args...);
        while (run.step()) {
            std::apply(f, row<Columns...>(run, std::index_sequence_for<Columns...>()));
        }
    }

    /// Runs several statements without values, such as those that make the service's tables.
    void execute_script(const std::string& sql) {
        if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
            detail::raise(db_, sql);
        }
    }

    /// While this lives, locks are waited for until a deadline.
    class deadline {
    public:
        deadline(connection& on, steady_time until) noexcept
            : on_(&on), before_(on.patience_.until()) {
            on.patience_.set(until);
        }
        deadline(const deadline&) = delete;
        deadline& operator=(const deadline&) = delete;
        ~deadline() { on_->patience_.set(before_); }

    private:
        connection* on_;
        std::optional<steady_time> before_;
    };

private:
    // The rows of an inbox lie at random places, so transactions touch the same pages again and
    // again. A log of 16 MB before it is written back, instead of 4, doubled their rate.
    static constexpr const char* wal_pragma = "PRAGMA wal_autocheckpoint = 4000";

    struct kept_statement {
        explicit kept_statement(std::string_view text) : sql(std::string(text)) {}
        detail::prepared sql;
        std::uint64_t used = 0;
    };

    template <class... Columns, std::size_t... At>
    [[nodiscard]] static std::tuple<Columns...> row(const detail::statement& from,
                                                    std::index_sequence<At...>) {
        static_assert(sizeof...(Columns) > 0,
                      "sinew: name the types of the columns, as in query_one<std::int64_t>(...)");
        return std::tuple<Columns...>(from.template column<Columns>(static_cast<int>(At))...);
    }

    void set_up(const connection_options& options) {
        if (options.read_only) {
            return;
        }
        if (sqlite3_db_readonly(db_, "main") == 1) {
            detail::raise(detail::file_of(db_), "the file cannot be written", SQLITE_READONLY,
                          "open");
        }
        const steady_time end = later(machine_clock::now().steady, options.busy_timeout);
        for (;;) {
            // While another connection changes the mode too, SQLite refuses at once instead of
            // waiting, as each could be waiting for the other.
            try {
                const auto mode = query_one<std::string>("PRAGMA journal_mode");
                if (!mode || std::get<0>(*mode) != "wal") {
                    change_to_wal();
                }
                break;
            } catch (const busy_error&) {
                if (machine_clock::now().steady >= end) {
                    throw;
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
        }
        execute_script(options.synchronous == synchronous::full ? "PRAGMA synchronous = FULL"
                                                                : "PRAGMA synchronous = NORMAL");
        execute_script(wal_pragma);
        sync_what_is_there();
    }

    /// A file system without shared memory stays in the mode it had, without an error.
    void change_to_wal() {
        // With less, the journal of this change could come back after a loss of power, and undo the
        // change together with all that was committed after it.
        execute_script("PRAGMA synchronous = EXTRA");
        const auto mode = query_one<std::string>("PRAGMA journal_mode = WAL");
        if (!file().empty() && (!mode || std::get<0>(*mode) != "wal")) {
            detail::raise(file(), "the file cannot be put into WAL mode", SQLITE_IOERR, "open");
        }
    }

    /// Makes safe what can be read. Without it, an event that the inbox holds would be taken for
    /// finished, its offset committed elsewhere, and then the power could go.
    void sync_what_is_there() {
        constexpr std::int64_t full = 2;
        const auto level = query_one<std::int64_t>("PRAGMA synchronous");
        if (!level || std::get<0>(*level) < full) {
            return;
        }
        // The log is opened, and recovered if need be, by the first read.
        static_cast<void>(query_one<std::int64_t>("PRAGMA schema_version"));
        sqlite3_file* log = nullptr;
        sqlite3_file_control(db_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
        if (log == nullptr || log->pMethods == nullptr) {
            return;
        }
        const int code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
        if (code != SQLITE_OK) {
            detail::raise(detail::file_of(db_), "the write-ahead log cannot be synced", code,
                          "open");
        }
    }

    /// The kept statement of that text; the one that was not used for longest gives way. What is
    /// run for each event is asked for again and again, so the last one is looked at first.
    [[nodiscard]] detail::prepared& kept(std::string_view sql) {
        if (last_ == nullptr || last_->sql.text() != sql) {
            auto found = statements_.find(sql);
            if (found == statements_.end()) {
                make_room();
                auto made = std::make_unique<kept_statement>(sql);
                const std::string_view key = made->sql.text();
                found = statements_.emplace(key, std::move(made)).first;
            }
            last_ = found->second.get();
        }
        last_->used = ++uses_;
        return last_->sql;
    }

    void make_room() {
        if (statements_.size() < statements_max) {
            return;
        }
        auto oldest = statements_.end();
        for (auto one = statements_.begin(); one != statements_.end(); ++one) {
            if (!one->second->sql.is_in_use() &&
                (oldest == statements_.end() || one->second->used < oldest->second->used)) {
                oldest = one;
            }
        }
        if (oldest != statements_.end()) {
            last_ = nullptr;
            statements_.erase(oldest);
        }
    }

    void close() noexcept {
        last_ = nullptr;
        statements_.clear();
        if (owned_) {
            sqlite3_close_v2(std::exchange(db_, nullptr));
        } else if (db_ != nullptr) {
            sqlite3_busy_timeout(db_, busy_timeout_before_);
        }
    }

    detail::patience patience_;
    sqlite3* db_ = nullptr;
    bool owned_ = false;
    int busy_timeout_before_ = 0;
    std::uint64_t uses_ = 0;
    kept_statement* last_ = nullptr;  ///< the one used last, if there is one
    std::map<std::string_view, std::unique_ptr<kept_statement>> statements_;
};

}  // namespace sinew::sqlite
