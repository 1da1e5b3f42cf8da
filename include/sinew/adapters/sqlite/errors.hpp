// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What SQLite's errors mean to a consumer.
///
/// | SQLite says | thrown | class | reason |
/// | --- | --- | --- | --- |
/// | BUSY, LOCKED, PROTOCOL | `busy_error` | unavailable | `sqlite_busy` |
/// | FULL | `disk_full_error` | unavailable | `disk_full` |
/// | READONLY, PERM, AUTH | `read_only_error` | unavailable | `read_only` |
/// | CORRUPT, NOTADB | `corrupt_error` | unavailable | `corrupt` |
/// | IOERR | `io_error` | unavailable | `io_error` |
/// | CANTOPEN | `cannot_open_error` | unavailable | `cannot_open` |
/// | CONSTRAINT, MISMATCH | `constraint_error` | permanent | `constraint` |
/// | TOOBIG | `too_big_error` | permanent | `too_big` |
/// | anything else, such as wrong SQL | `sql_error` | transient | `sql_error` |
/// | NOMEM | `std::bad_alloc` | unavailable | `out_of_memory` |
///
/// A constraint that a handler violates is a property of the event's data, so no further attempt
/// can succeed. A handler for which it can (a row that another consumer will insert) catches it and
/// answers `outcome::retry`. A damaged file is not the event's fault: the consumer waits until
/// somebody has put it right.
///
/// **Guarantees.** A message names the file, what SQLite says, the statement and what to do. It
/// holds no bound value, so no data of an event.

#include <sinew/core/error.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::sqlite {

namespace detail {

/// An error that remembers SQLite's extended result code.
template <class Base>
class coded : public Base {
public:
    [[nodiscard]] int code() const noexcept { return code_; }

protected:
    coded(const char* reason, const std::string& text, int code)
        : Base(reason, text), code_(code) {}

private:
    int code_;
};

}  // namespace detail

/// Somebody else holds the lock.
class busy_error : public detail::coded<unavailable_error> {
public:
    busy_error(const std::string& text, int code) : coded("sqlite_busy", text, code) {}
};

/// No room on the disk, or the file is as large as it may be.
class disk_full_error : public detail::coded<unavailable_error> {
public:
    disk_full_error(const std::string& text, int code) : coded("disk_full", text, code) {}
};

/// The file may not be written.
class read_only_error : public detail::coded<unavailable_error> {
public:
    read_only_error(const std::string& text, int code) : coded("read_only", text, code) {}
};

/// The file is damaged, or is no SQLite database.
class corrupt_error : public detail::coded<unavailable_error> {
public:
    corrupt_error(const std::string& text, int code) : coded("corrupt", text, code) {}
};

/// The operating system could not read or write.
class io_error : public detail::coded<unavailable_error> {
public:
    io_error(const std::string& text, int code) : coded("io_error", text, code) {}
};

/// The file, or one beside it, cannot be opened.
class cannot_open_error : public detail::coded<unavailable_error> {
public:
    cannot_open_error(const std::string& text, int code) : coded("cannot_open", text, code) {}
};

/// The tables were made by a newer version of the library.
class schema_error : public detail::coded<unavailable_error> {
public:
    explicit schema_error(const std::string& text) : coded("schema_too_new", text, SQLITE_OK) {}
};

/// SQLite ended the transaction by itself after an earlier error; nothing of it is there.
class transaction_lost_error : public detail::coded<unavailable_error> {
public:
    explicit transaction_lost_error(const std::string& text)
        : coded("transaction_lost", text, SQLITE_ABORT_ROLLBACK) {}
};

/// A constraint of a table does not hold.
class constraint_error : public detail::coded<permanent_error> {
public:
    constraint_error(const std::string& text, int code) : coded("constraint", text, code) {}
};

/// A value is larger than SQLite takes (1 GB, unless configured otherwise).
class too_big_error : public detail::coded<permanent_error> {
public:
    too_big_error(const std::string& text, int code) : coded("too_big", text, code) {}
};

/// The statement is wrong, or was interrupted.
class sql_error : public detail::coded<transient_error> {
public:
    explicit sql_error(const std::string& text, int code = SQLITE_ERROR)
        : coded("sql_error", text, code) {}
};

namespace detail {

/// How much of a statement an error message quotes.
inline constexpr std::size_t quoted_sql_max = 160;

/// The file behind a connection, for messages.
[[nodiscard]] inline std::string file_of(sqlite3* db) {
    const char* name = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
    return name == nullptr || *name == '\0' ? "a database without a file" : name;
}

[[nodiscard]] inline std::string explain(std::string_view file, std::string_view says, int code,
                                         std::string_view doing, std::string_view advice) {
    std::string text = "sqlite: ";
    text.append(file).append(": ").append(says);
    text.append(" (code ").append(std::to_string(code)).append(")");
    if (!doing.empty()) {
        text.append(", while doing: ").append(doing.substr(0, quoted_sql_max));
        text.append(doing.size() > quoted_sql_max ? "..." : "");
    }
    return text.append(". ").append(advice);
}

/// Throws the error that fits an extended result code.
[[noreturn]] inline void raise(std::string_view file, std::string_view says, int code,
                               std::string_view doing) {
    const auto text = [&](std::string_view advice) {
        return explain(file, says, code, doing, advice);
    };
    switch (code & 0xff) {
        case SQLITE_NOMEM: throw std::bad_alloc();
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            throw busy_error(text("Another connection holds the lock; if it lasts, look for a "
                                  "transaction that is left open."),
                             code);
        case SQLITE_FULL:
            throw disk_full_error(text("Make room on the disk, or raise max_page_count."), code);
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            throw read_only_error(text("Give the process the right to write the file and its "
                                       "folder."),
                                  code);
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            throw corrupt_error(text("Stop the service, keep a copy of the file with its -wal, and "
                                     "restore a backup or use sqlite3 .recover."),
                                code);
        case SQLITE_IOERR:
            throw io_error(text("Look into the system log: disk and file system."), code);
        case SQLITE_CANTOPEN:
            throw cannot_open_error(text("Is the path right, is its folder there, and may the "
                                         "process open it?"),
                                    code);
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
            throw constraint_error(text("The values do not fit the table."), code);
        case SQLITE_TOOBIG:
            throw too_big_error(text("A value is larger than SQLite's limit."), code);
        default: throw sql_error(text("Look at the statement."), code);
    }
}

[[noreturn]] inline void raise(sqlite3* db, std::string_view doing) {
    raise(file_of(db), sqlite3_errmsg(db), sqlite3_extended_errcode(db), doing);
}

}  // namespace detail

}  // namespace sinew::sqlite
