// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What PostgreSQL's errors mean to a consumer.
///
/// | SQLSTATE | thrown | class | reason |
/// | --- | --- | --- | --- |
/// | 40001, and class 40 | `serialization_error` | transient | `serialization_failure` |
/// | 40P01 | `deadlock_error` | transient | `deadlock` |
/// | 55P03, 55006, 57014 | `busy_error` | unavailable | `postgres_busy` |
/// | (the caller's deadline) | `deadline_error` | unavailable | `deadline` |
/// | (no connection), 28, 3D000, 57P03 | `cannot_connect_error` | unavailable | `cannot_connect` |
/// | (lost), 08, 57P01, 57P02, 57P05, 25P03 | `connection_lost_error` | unavailable | `connection_lost` |
/// | 53100 | `disk_full_error` | unavailable | `disk_full` |
/// | class 53 | `overloaded_error` | unavailable | `overloaded` |
/// | 25006 | `read_only_error` | unavailable | `read_only` |
/// | 42501 | `rights_error` | unavailable | `no_rights` |
/// | XX001, XX002 | `corrupt_error` | unavailable | `corrupt` |
/// | class 58 | `io_error` | unavailable | `io_error` |
/// | 25P02 | `transaction_lost_error` | unavailable | `transaction_lost` |
/// | class 23, 44000 | `constraint_error` | permanent | `constraint` |
/// | class 22 | `data_error` | permanent | `invalid_data` |
/// | class 54 | `too_big_error` | permanent | `too_big` |
/// | anything else, such as wrong SQL | `sql_error` | transient | `sql_error` |
///
/// A constraint that a handler violates, and a value that its SQL cannot take, are properties of
/// the event's data, so no further attempt can succeed. A handler for which one can (a row that
/// another consumer will insert) catches it and answers `outcome::retry`.
///
/// **Guarantees.** A message names the database, what PostgreSQL says, the statement and what to
/// do. It holds no bound value: PostgreSQL's detail, which quotes rows, is left out, and so is its
/// text where that quotes values (class 22). A connection string is not quoted, as it may hold a
/// password.

#include <sinew/core/error.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::postgres {

namespace detail {

/// An error that remembers PostgreSQL's SQLSTATE; empty if it did not come from there.
template <class Base>
class stated : public Base {
public:
    [[nodiscard]] const std::string& state() const noexcept { return state_; }

protected:
    stated(const char* reason, const std::string& text, std::string_view state)
        : Base(reason, text), state_(state) {}

private:
    std::string state_;
};

}  // namespace detail

/// Another transaction changed or read what this one needs; running it again can succeed.
class serialization_error : public detail::stated<transient_error> {
public:
    explicit serialization_error(const std::string& text, std::string_view state = "40001")
        : stated("serialization_failure", text, state) {}
};

/// Two transactions waited for each other, and this one was chosen to give way.
class deadlock_error : public detail::stated<transient_error> {
public:
    explicit deadlock_error(const std::string& text, std::string_view state = "40P01")
        : stated("deadlock", text, state) {}
};

/// Somebody else holds the lock, or the statement took longer than it may.
class busy_error : public detail::stated<unavailable_error> {
public:
    explicit busy_error(const std::string& text, std::string_view state = "55P03")
        : stated("postgres_busy", text, state) {}
};

/// The server did not answer before the caller's deadline.
class deadline_error : public detail::stated<unavailable_error> {
public:
    explicit deadline_error(const std::string& text, std::string_view state = {})
        : stated("deadline", text, state) {}
};

/// There is no server, or it lets nobody in.
class cannot_connect_error : public detail::stated<unavailable_error> {
public:
    explicit cannot_connect_error(const std::string& text, std::string_view state = {})
        : stated("cannot_connect", text, state) {}
};

/// The connection ended while it was in use.
class connection_lost_error : public detail::stated<unavailable_error> {
public:
    explicit connection_lost_error(const std::string& text, std::string_view state = {})
        : stated("connection_lost", text, state) {}
};

/// No room on the server's disk.
class disk_full_error : public detail::stated<unavailable_error> {
public:
    explicit disk_full_error(const std::string& text, std::string_view state = "53100")
        : stated("disk_full", text, state) {}
};

/// The server has no memory, no connection or no other resource left.
class overloaded_error : public detail::stated<unavailable_error> {
public:
    explicit overloaded_error(const std::string& text, std::string_view state = "53000")
        : stated("overloaded", text, state) {}
};

/// The server takes no writes: it is a standby, or was told so.
class read_only_error : public detail::stated<unavailable_error> {
public:
    explicit read_only_error(const std::string& text, std::string_view state = "25006")
        : stated("read_only", text, state) {}
};

/// The role may not do that.
class rights_error : public detail::stated<unavailable_error> {
public:
    explicit rights_error(const std::string& text, std::string_view state = "42501")
        : stated("no_rights", text, state) {}
};

/// What is in a table, or the database itself, is damaged.
class corrupt_error : public detail::stated<unavailable_error> {
public:
    explicit corrupt_error(const std::string& text, std::string_view state = {})
        : stated("corrupt", text, state) {}
};

/// The server's operating system could not read or write.
class io_error : public detail::stated<unavailable_error> {
public:
    explicit io_error(const std::string& text, std::string_view state = "58030")
        : stated("io_error", text, state) {}
};

/// The tables were made by a newer version of the library.
class schema_error : public detail::stated<unavailable_error> {
public:
    explicit schema_error(const std::string& text) : stated("schema_too_new", text, {}) {}
};

/// An earlier error ended the transaction; nothing of it is there.
class transaction_lost_error : public detail::stated<unavailable_error> {
public:
    explicit transaction_lost_error(const std::string& text, std::string_view state = "25P02")
        : stated("transaction_lost", text, state) {}
};

/// A constraint of a table does not hold.
class constraint_error : public detail::stated<permanent_error> {
public:
    explicit constraint_error(const std::string& text, std::string_view state = "23000")
        : stated("constraint", text, state) {}
};

/// A value that its type does not take.
class data_error : public detail::stated<permanent_error> {
public:
    explicit data_error(const std::string& text, std::string_view state = "22000")
        : stated("invalid_data", text, state) {}
};

/// A value is larger than PostgreSQL takes (1 GB; 2.7 kB in an index).
class too_big_error : public detail::stated<permanent_error> {
public:
    explicit too_big_error(const std::string& text, std::string_view state = "54000")
        : stated("too_big", text, state) {}
};

/// The statement is wrong.
class sql_error : public detail::stated<transient_error> {
public:
    explicit sql_error(const std::string& text, std::string_view state = {})
        : stated("sql_error", text, state) {}
};

namespace detail {

/// How much of a statement an error message quotes.
inline constexpr std::size_t quoted_sql_max = 160;

[[nodiscard]] inline std::string explain(std::string_view where, std::string_view says,
                                         std::string_view state, std::string_view doing,
                                         std::string_view advice) {
    std::string text = "postgres: ";
    text.append(where).append(": ").append(says);
    if (!state.empty()) {
        text.append(" (SQLSTATE ").append(state).append(")");
    }
    if (!doing.empty()) {
        text.append(", while doing: ").append(doing.substr(0, quoted_sql_max));
        text.append(doing.size() > quoted_sql_max ? "..." : "");
    }
    return text.append(". ").append(advice);
}

/// A connection for messages: its database and server, nothing secret.
[[nodiscard]] inline std::string place_of(const PGconn* conn) {
    const auto text = [](const char* from) {
        return std::string_view(from == nullptr ? "" : from);
    };
    if (conn == nullptr) {
        return "no server";
    }
    std::string place(text(PQdb(conn)));
    return place.append(" at ").append(text(PQhost(conn))).append(":").append(text(PQport(conn)));
}

/// Libpq ends its messages with line feeds, and some have several lines.
[[nodiscard]] inline std::string one_line(const char* text) {
    std::string out(text == nullptr ? "" : text);
    while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) {
        out.pop_back();
    }
    for (char& c : out) {
        c = c == '\n' || c == '\t' ? ' ' : c;
    }
    return out;
}

/// A part of an error report; empty if it has none.
[[nodiscard]] inline std::string_view field_of(const PGresult* from, int field) noexcept {
    const char* text = PQresultErrorField(from, field);
    return text == nullptr ? std::string_view() : std::string_view(text);
}

/// What PostgreSQL says, without what quotes values.
[[nodiscard]] inline std::string says(const PGresult* from, std::string_view state) {
    if (!state.starts_with("22")) {
        return one_line(PQresultErrorField(from, PG_DIAG_MESSAGE_PRIMARY));
    }
    std::string text = state == "22021"   ? "text that its encoding does not take"
                       : state == "22P02" ? "text that the type does not take"
                       : state == "22003" ? "a number out of range"
                       : state == "22001" ? "text that is too long for its column"
                       : state == "22012" ? "a division by zero"
                                          : "a value that its type does not take";
    if (const auto column = field_of(from, PG_DIAG_COLUMN_NAME); !column.empty()) {
        text.append(", in column ").append(column);
    }
    return text;
}

/// Throws the errors whose class of SQLSTATE decides.
[[noreturn]] inline void raise_by_class(std::string_view state, const std::string& text) {
    const std::string_view kind = state.substr(0, 2);
    if (kind == "40") {
        throw serialization_error(text, state);
    }
    if (kind == "08" && state != "08P01") {  // that is a wrong number of values
        throw connection_lost_error(text, state);
    }
    if (kind == "28") {
        throw cannot_connect_error(text, state);
    }
    if (kind == "53") {
        throw overloaded_error(text, state);
    }
    if (kind == "58") {
        throw io_error(text, state);
    }
    if (kind == "23" || kind == "44") {
        throw constraint_error(text, state);
    }
    if (kind == "22") {
        throw data_error(text, state);
    }
    if (kind == "54") {
        throw too_big_error(text, state);
    }
    throw sql_error(text, state);
}

[[nodiscard]] inline std::string_view advice_for(std::string_view state) noexcept {
    const std::string_view kind = state.substr(0, 2);
    if (kind == "40") {
        return "Run the transaction again.";
    }
    if (state == "57014") {
        return "The statement took longer than statement_timeout; is an index missing?";
    }
    if (kind == "55") {
        return "Another transaction holds the lock; if it lasts, look for one that is left open "
               "(pg_stat_activity).";
    }
    if (kind == "53" || kind == "58" || kind == "XX") {
        return "Look into the server's log: disk, memory, max_connections.";
    }
    if (state == "42501") {
        return "Give the role the right, or run it as another role.";
    }
    if (state == "25006") {
        return "Connect to the primary (target_session_attrs=read-write).";
    }
    if (state == "25P02") {
        return "An earlier statement failed; roll the transaction back.";
    }
    if (kind == "08" || kind == "57" || kind == "28" || kind == "3D" || state == "25P03") {
        return "Is the server running, and does it let this role in?";
    }
    if (kind == "23" || kind == "44" || kind == "22" || kind == "54") {
        return "The values do not fit the table.";
    }
    return "Look at the statement.";
}

/// Throws the error that fits a SQLSTATE.
[[noreturn]] inline void raise(std::string_view state, const std::string& text) {
    if (state == "40P01") {
        throw deadlock_error(text, state);
    }
    if (state == "55P03" || state == "55006" || state == "57014") {
        throw busy_error(text, state);
    }
    if (state == "57P03" || state == "3D000") {
        throw cannot_connect_error(text, state);
    }
    if (state.empty() || state == "57P01" || state == "57P02" || state == "57P05" ||
        state == "25P03") {
        throw connection_lost_error(text, state);
    }
    if (state == "53100") {
        throw disk_full_error(text, state);
    }
    if (state == "25006") {
        throw read_only_error(text, state);
    }
    if (state == "42501") {
        throw rights_error(text, state);
    }
    if (state == "XX001" || state == "XX002") {
        throw corrupt_error(text, state);
    }
    if (state == "25P02") {
        throw transaction_lost_error(text, state);
    }
    raise_by_class(state, text);
}

/// Throws the error that fits a result that is one.
[[noreturn]] inline void raise(std::string_view where, const PGresult* from,
                               std::string_view doing) {
    if (from == nullptr) {
        throw std::bad_alloc();
    }
    const std::string_view state = field_of(from, PG_DIAG_SQLSTATE);
    const std::string what =
        state.empty() ? one_line(PQresultErrorMessage(from)) : says(from, state);
    raise(state, explain(where, what, state, doing,
                         state.empty() ? "Is the server running?" : advice_for(state)));
}

}  // namespace detail

}  // namespace sinew::postgres
