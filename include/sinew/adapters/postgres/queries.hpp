// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The four ways to run a statement of the service's own and to read its rows, the same on a
/// connection and within a transaction.

#include <sinew/adapters/postgres/round_trip.hpp>
#include <sinew/adapters/postgres/values.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

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

/// What `Self::ask(sql, args...)` makes possible, which answers the statement's result.
template <class Self>
class queries {
public:
    /// Runs one statement with the values given; answers how many rows it changed.
    ///
    /// **Example.** `tx.execute("UPDATE stock SET left = left - $1 WHERE sku = $2", 2, sku)`.
    template <class... Args>
    std::int64_t execute(std::string_view sql, const Args&... args) {
        return rows_of(self().ask(sql, args...).get());
    }
    /// The first row, or nothing.
    ///
    /// **Example.** `auto row = tx.query_one<std::int64_t>("SELECT left FROM stock WHERE sku = $1",
    /// sku)`.
    template <class... Columns, class... Args>
    [[nodiscard]] std::optional<std::tuple<Columns...>> query_one(std::string_view sql,
                                                                  const Args&... args) {
        const result rows = self().ask(sql, args...);
        return PQntuples(rows.get()) == 0 ? std::nullopt
                                          : std::optional(row_of<Columns...>(rows.get(), 0));
    }
    /// All rows.
    template <class... Columns, class... Args>
    [[nodiscard]] std::vector<std::tuple<Columns...>> query(std::string_view sql,
                                                            const Args&... args) {
        const result rows = self().ask(sql, args...);
        std::vector<std::tuple<Columns...>> out;
        out.reserve(static_cast<std::size_t>(PQntuples(rows.get())));
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            out.push_back(row_of<Columns...>(rows.get(), row));
        }
        return out;
    }
    /// Calls `f` with the columns of each row. Views among them are valid during the call.
    template <class... Columns, class F, class... Args>
    void for_each(std::string_view sql, F&& f, const Args&... args) {
        const result rows = self().ask(sql, args...);
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            std::apply(f, row_of<Columns...>(rows.get(), row));
        }
    }

protected:
    queries() = default;
    ~queries() = default;

private:
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }
};

}  // namespace sinew::postgres::detail
