// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Prepared statements, and how values get in and out of them.
///
/// | C++ | bound as | read from |
/// | --- | --- | --- |
/// | integers, `bool` | INTEGER; a 64-bit unsigned one by its bit pattern | INTEGER, in range |
/// | `float`, `double` | REAL | REAL |
/// | `std::string`, `std::string_view`, `const char*` | TEXT | the bytes of TEXT or BLOB |
/// | `bytes_view`, `blob` | BLOB | the bytes of TEXT or BLOB |
/// | `wall_time` | INTEGER, microseconds since 1970 | INTEGER |
/// | `std::optional<T>` | NULL or as `T` | NULL or as `T` |
/// | `nullptr`, `std::nullopt` | NULL | |
///
/// **Guarantees.** Bytes come back as they went in: a BLOB always, TEXT in a database whose
/// encoding is UTF-8 (SQLite's default). A statement is reset on every way out, and forgets its
/// values, unless it is told to keep those that live on.
/// **Bounds.** Binding copies nothing: a value has to live until the statement has run.

#include <sinew/adapters/sqlite/errors.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew::sqlite {

/// Text that is to be bound as a BLOB.
struct blob {
    std::string_view bytes;
};

namespace detail {

/// An empty attribute is an absent one, so it is kept as NULL, which takes no room.
struct blob_or_null {
    std::string_view bytes;
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

/// A pointer that is never null: SQLite takes a null pointer for NULL.
[[nodiscard]] inline const char* start_of(std::string_view bytes) noexcept {
    return bytes.data() == nullptr ? "" : bytes.data();
}

template <class T>
int bind_one(sqlite3_stmt* to, int at, const T& value) {
    if constexpr (is_optional<T>) {
        return value ? bind_one(to, at, *value) : sqlite3_bind_null(to, at);
    } else if constexpr (std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t>) {
        return sqlite3_bind_null(to, at);
    } else if constexpr (std::same_as<T, blob>) {
        return sqlite3_bind_blob64(to, at, start_of(value.bytes), value.bytes.size(),
                                   SQLITE_STATIC);
    } else if constexpr (std::same_as<T, blob_or_null>) {
        return value.bytes.empty() ? sqlite3_bind_null(to, at)
                                   : bind_one(to, at, blob{value.bytes});
    } else if constexpr (std::same_as<T, wall_time>) {
        return sqlite3_bind_int64(to, at, value.time_since_epoch().count());
    } else if constexpr (std::integral<T>) {
        return sqlite3_bind_int64(to, at, static_cast<sqlite3_int64>(value));
    } else if constexpr (std::floating_point<T>) {
        return sqlite3_bind_double(to, at, static_cast<double>(value));
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        const std::string_view text = value;
        return sqlite3_bind_text64(to, at, start_of(text), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    } else if constexpr (std::convertible_to<const T&, bytes_view>) {
        return bind_one(to, at, blob{as_text(value)});
    } else {
        static_assert(std::same_as<T, void>,
                      "sinew: SQLite takes integers, floating-point numbers, text, bytes_view, "
                      "wall_time, nullptr and std::optional of these; convert the value");
        return SQLITE_MISUSE;
    }
}

/// The bytes of a column, valid until the statement moves on.
[[nodiscard]] inline std::string_view column_bytes(sqlite3_stmt* from, int at) noexcept {
    const void* start = sqlite3_column_blob(from, at);
    const int size = sqlite3_column_bytes(from, at);
    return start == nullptr
               ? std::string_view()
               : std::string_view(static_cast<const char*>(start), static_cast<std::size_t>(size));
}

/// A statement that is kept prepared from one use to the next.
class prepared {
public:
    explicit prepared(std::string text) noexcept : text_(std::move(text)) {}
    prepared(const prepared&) = delete;
    prepared& operator=(const prepared&) = delete;
    ~prepared() { sqlite3_finalize(handle_); }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool is_in_use() const noexcept { return in_use_; }

private:
    friend class statement;

    sqlite3_stmt* prepare(sqlite3* db) {
        if (handle_ != nullptr) {
            return handle_;
        }
        const char* tail = nullptr;
        if (sqlite3_prepare_v3(db, text_.data(), static_cast<int>(text_.size()),
                               SQLITE_PREPARE_PERSISTENT, &handle_, &tail) != SQLITE_OK) {
            raise(db, text_);
        }
        const std::string_view rest(tail, text_.data() + text_.size());
        if (handle_ == nullptr || rest.find_first_not_of("; \t\r\n") != std::string_view::npos) {
            sqlite3_finalize(std::exchange(handle_, nullptr));
            throw sql_error(explain(file_of(db), "not exactly one statement", SQLITE_MISUSE, text_,
                                    "Give one statement in each call."));
        }
        return handle_;
    }

    std::string text_;
    sqlite3_stmt* handle_ = nullptr;
    bool in_use_ = false;
};

/// One run of a prepared statement.
class statement {
public:
    /// If the kept statement runs already (a query within a query of the same text), this run
    /// gets one of its own.
    statement(sqlite3* db, prepared& kept) : db_(db) {
        if (kept.in_use_) {
            own_ = std::make_unique<prepared>(kept.text_);
        }
        run_ = own_ ? own_.get() : &kept;
        handle_ = run_->prepare(db);
        run_->in_use_ = true;
    }
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;
    ~statement() {
        sqlite3_reset(handle_);
        forgets_ == 0 ? sqlite3_clear_bindings(handle_) : sqlite3_bind_null(handle_, forgets_);
        run_->in_use_ = false;
    }

    /// Of its values it forgets only this one when it ends. Those that stay bound for the runs that
    /// follow have to outlive the kept statement.
    void forget_only(int at) noexcept { forgets_ = at; }

    [[nodiscard]] sqlite3_stmt* handle() const noexcept { return handle_; }

    /// Binds all parameters, in order.
    template <class... Args>
    statement& bind(const Args&... args) {
        const int wanted = sqlite3_bind_parameter_count(handle_);
        if (wanted != static_cast<int>(sizeof...(args))) {
            throw sql_error(explain(file_of(db_),
                                    "the statement takes " + std::to_string(wanted) +
                                        " values and was given " + std::to_string(sizeof...(args)),
                                    SQLITE_RANGE, run_->text(), "Give one value for each `?`."),
                            SQLITE_RANGE);
        }
        int at = 0;
        (bind_at(++at, args), ...);
        return *this;
    }

    template <class T>
    void bind_at(int at, const T& value) {
        if (bind_one(handle_, at, value) != SQLITE_OK) {
            raise(db_, run_->text());
        }
    }

    /// Goes on to the next row; false if there is none.
    bool step() {
        const int code = sqlite3_step(handle_);
        if (code == SQLITE_ROW) {
            return true;
        }
        if (code != SQLITE_DONE) {
            raise(db_, run_->text());
        }
        return false;
    }

    /// As `step`, but answers with SQLite's code and throws nothing.
    int try_step() noexcept { return sqlite3_step(handle_); }

    /// Runs to its end, and answers how many rows it changed.
    std::int64_t run() {
        const sqlite3_int64 before = sqlite3_total_changes64(db_);
        while (step()) {
        }
        return sqlite3_total_changes64(db_) == before ? 0 : sqlite3_changes64(db_);
    }

    template <class T>
    [[nodiscard]] T column(int at) const {
        if constexpr (is_optional<T>) {
            return is_null(at) ? T() : T(column<typename T::value_type>(at));
        } else if constexpr (std::same_as<T, blob_or_null>) {
            return {column_bytes(handle_, at)};
        } else {
            if (at >= sqlite3_column_count(handle_) || is_null(at)) {
                refuse(at, "is NULL or not there", "Read it as std::optional.");
            }
            return value<T>(at);
        }
    }

private:
    template <class T>
    [[nodiscard]] T value(int at) const {
        if constexpr (std::same_as<T, bool>) {
            return sqlite3_column_int64(handle_, at) != 0;
        } else if constexpr (std::integral<T>) {
            const std::int64_t number = sqlite3_column_int64(handle_, at);
            if (sizeof(T) < 8 && !std::in_range<T>(number)) {
                refuse(at, "is out of range", "Read it as a wider type.");
            }
            return static_cast<T>(number);
        } else if constexpr (std::floating_point<T>) {
            return static_cast<T>(sqlite3_column_double(handle_, at));
        } else if constexpr (std::same_as<T, wall_time>) {
            return wall_time(wall_time::duration(sqlite3_column_int64(handle_, at)));
        } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
            return T(column_bytes(handle_, at));
        } else if constexpr (std::same_as<T, bytes_view>) {
            return as_bytes(column_bytes(handle_, at));
        } else {
            static_assert(std::same_as<T, void>,
                          "sinew: a column is read as an integer, a floating-point number, "
                          "std::string, wall_time, or std::optional of these; in for_each also as "
                          "std::string_view or bytes_view");
        }
    }

    [[nodiscard]] bool is_null(int at) const noexcept {
        return sqlite3_column_type(handle_, at) == SQLITE_NULL;
    }

    [[noreturn]] void refuse(int at, const std::string& says, std::string_view advice) const {
        throw sql_error(explain(file_of(db_), "column " + std::to_string(at + 1) + " " + says,
                                SQLITE_MISMATCH, run_->text(), advice),
                        SQLITE_MISMATCH);
    }

    sqlite3* db_;
    std::unique_ptr<prepared> own_;
    prepared* run_ = nullptr;
    sqlite3_stmt* handle_ = nullptr;
    int forgets_ = 0;  ///< 0: all values
};

}  // namespace detail

}  // namespace sinew::sqlite
