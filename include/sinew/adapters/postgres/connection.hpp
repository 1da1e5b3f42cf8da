// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A connection to a PostgreSQL server: its own, or one that the service has already.
///
/// **Guarantees.** Every call has an end: `call_timeout`, where the caller gives no deadline. An own
/// connection is made again by the next call after it was lost. One that the service handed over
/// stays open, and its settings stay as they are; after a call that got no answer it cannot be used
/// until the service has reset it.
///
/// **Bounds.** At most `statements_max` statements of the service's own texts are kept prepared;
/// further ones are planned at each call. One thread at a time.

#include <sinew/adapters/postgres/errors.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::postgres {

struct connection_options {
    /// How long a call takes at most, where the caller gives no deadline.
    duration call_timeout = std::chrono::seconds(5);
    /// How long a statement waits for another transaction's lock.
    duration lock_timeout = std::chrono::seconds(2);
    /// Whether statements are kept prepared. Not behind a pooler that gives one server connection to
    /// several clients in turn.
    bool prepare = true;
};

namespace detail {

struct session;

/// How many rows a statement changed or found.
[[nodiscard]] inline std::int64_t rows_of(PGresult* from) noexcept {
    return std::strtoll(PQcmdTuples(from), nullptr, 10);
}

template <class... Columns, std::size_t... At>
[[nodiscard]] std::tuple<Columns...> row_of(const PGresult* from, int row,
                                            std::index_sequence<At...>) {
    static_assert(sizeof...(Columns) > 0,
                  "sinew: name the types of the columns, as in query_one<std::int64_t>(...)");
    return std::tuple<Columns...>(column<Columns>(from, row, static_cast<int>(At))...);
}
template <class... Columns>
[[nodiscard]] std::tuple<Columns...> row_of(const PGresult* from, int row) {
    return row_of<Columns...>(from, row, std::index_sequence_for<Columns...>());
}

template <class... Columns>
[[nodiscard]] std::optional<std::tuple<Columns...>> first_row(const PGresult* from) {
    return PQntuples(from) == 0 ? std::nullopt : std::optional(row_of<Columns...>(from, 0));
}
template <class... Columns>
[[nodiscard]] std::vector<std::tuple<Columns...>> all_rows(const PGresult* from) {
    std::vector<std::tuple<Columns...>> rows;
    rows.reserve(static_cast<std::size_t>(PQntuples(from)));
    for (int row = 0; row < PQntuples(from); ++row) {
        rows.push_back(row_of<Columns...>(from, row));
    }
    return rows;
}
template <class... Columns, class F>
void each_row(const PGresult* from, F&& f) {
    for (int row = 0; row < PQntuples(from); ++row) {
        std::apply(f, row_of<Columns...>(from, row));
    }
}

}  // namespace detail

class connection {
public:
    /// How many statements of the service's own texts are kept prepared.
    static constexpr std::size_t statements_max = 64;

    /// A connection of its own, made by the first call that needs it.
    ///
    /// **On failure.** Throws `usage_error` if the string cannot be read.
    explicit connection(std::string conninfo, const connection_options& options = {})
        : wire_(std::move(conninfo), checked(options)) {}
    /// A connection that the service has, which has to outlive this object.
    explicit connection(PGconn* borrowed, const connection_options& options = {})
        : wire_(borrowed, checked(options)) {}

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() = default;

    /// Libpq's own handle; null while there is no connection.
    [[nodiscard]] PGconn* native() const noexcept { return wire_.handle(); }
    /// Its database and server, for messages.
    [[nodiscard]] std::string where() const { return wire_.where(); }
    [[nodiscard]] bool is_in_transaction() const noexcept {
        const auto status = wire_.status();
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
    }

    /// Runs one statement with the values given; answers how many rows it changed.
    template <class... Args>
    std::int64_t execute(std::string_view sql, const Args&... args) {
        return detail::rows_of(ask(sql, args...).get());
    }
    /// The first row, or nothing.
    template <class... Columns, class... Args>
    [[nodiscard]] std::optional<std::tuple<Columns...>> query_one(std::string_view sql,
                                                                  const Args&... args) {
        return detail::first_row<Columns...>(ask(sql, args...).get());
    }
    /// All rows.
    template <class... Columns, class... Args>
    [[nodiscard]] std::vector<std::tuple<Columns...>> query(std::string_view sql,
                                                            const Args&... args) {
        return detail::all_rows<Columns...>(ask(sql, args...).get());
    }
    /// Calls `f` with the columns of each row. Views among them are valid during the call.
    template <class... Columns, class F, class... Args>
    void for_each(std::string_view sql, F&& f, const Args&... args) {
        const detail::result rows = ask(sql, args...);
        detail::each_row<Columns...>(rows.get(), std::forward<F>(f));
    }
    /// Runs several statements without values, such as those that make the service's tables.
    void execute_script(const std::string& sql) {
        const steady_time until = wire_.usual_deadline();
        wire_.ensure(until);
        wire_.script(sql, until);
    }

private:
    friend struct detail::session;

    [[nodiscard]] static detail::wire_options checked(const connection_options& options) {
        if (options.call_timeout <= duration::zero() || options.lock_timeout <= duration::zero()) {
            throw usage_error("postgres: options call_timeout and lock_timeout have to be above 0");
        }
        return {options.call_timeout, options.lock_timeout, options.prepare};
    }

    template <class... Args>
    [[nodiscard]] detail::result ask(std::string_view sql, const Args&... args) {
        const steady_time until = wire_.usual_deadline();
        wire_.ensure(until);
        return ask_now(sql, until, args...);
    }

    /// On the connection that is there.
    template <class... Args>
    [[nodiscard]] detail::result ask_now(std::string_view sql, steady_time until,
                                         const Args&... args) {
        const detail::parameters values(args...);
        if (auto* statement = kept(sql, values.types(), sizeof...(args))) {
            wire_.queue(*statement, values);
            return wire_.run(until);
        }
        const std::string text(sql);
        wire_.queue_once(text.c_str(), values);
        return wire_.run(until);
    }

    /// The kept statement of that text for values of these types, or null if there is no room.
    [[nodiscard]] detail::prepared* kept(std::string_view sql, const Oid* types,
                                         std::size_t count) {
        key_.assign(sql);
        for (std::size_t i = 0; i < count; ++i) {
            key_.append(1, '\0').append(std::to_string(types[i]));
        }
        const auto found = statements_.find(key_);
        if (found != statements_.end()) {
            return found->second.get();
        }
        if (statements_.size() >= statements_max) {
            return nullptr;
        }
        return statements_.emplace(key_, std::make_unique<detail::prepared>(std::string(sql)))
            .first->second.get();
    }

    detail::wire wire_;
    std::map<std::string, std::unique_ptr<detail::prepared>, std::less<>> statements_;
    std::string key_;
};

}  // namespace sinew::postgres
