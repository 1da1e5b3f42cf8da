// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// SQLite's own interface, as somebody uses it who writes for speed alone.

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace sinew::bench {

struct sqlite_closer {
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
    void operator()(sqlite3_stmt* one) const noexcept { sqlite3_finalize(one); }
};
using prepared = std::unique_ptr<sqlite3_stmt, sqlite_closer>;

/// A connection with the settings that the library's own connections have.
class raw_sqlite {
public:
    raw_sqlite(const std::string& file, bool is_durable) {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open_v2(
            file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
            nullptr);
        db_.reset(opened);
        if (code != SQLITE_OK) {
            throw std::runtime_error("cannot open " + file);
        }
        sqlite3_busy_timeout(opened, 5'000);
        run("PRAGMA journal_mode = WAL");
        run(is_durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
        run("PRAGMA wal_autocheckpoint = 4000");
    }

    void run(const char* sql) const {
        if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
            throw std::runtime_error(sqlite3_errmsg(db_.get()));
        }
    }
    [[nodiscard]] prepared prepare(const std::string& sql) const {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v3(db_.get(), sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &made,
                               nullptr) != SQLITE_OK) {
            throw std::runtime_error(sqlite3_errmsg(db_.get()));
        }
        return prepared(made);
    }

private:
    std::unique_ptr<sqlite3, sqlite_closer> db_;
};

/// Runs a statement that gives no rows.
inline void step(const prepared& one) {
    if (sqlite3_step(one.get()) != SQLITE_DONE) {
        throw std::runtime_error(sqlite3_errmsg(sqlite3_db_handle(one.get())));
    }
    sqlite3_reset(one.get());
}

}  // namespace sinew::bench
