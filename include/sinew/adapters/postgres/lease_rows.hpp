// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Leases as rows: what an outbox and a journal share as `lease_keeper`.
///
/// **Guarantees.** Sentences 2 to 6 of the concept: each change is one statement, whose condition
/// is the epoch, so the row's lock decides between those who come at the same time.

#include <sinew/adapters/postgres/codec.hpp>
#include <sinew/adapters/postgres/schema.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sinew::postgres::detail {

/// Where leases are kept.
struct lease_table {
    std::string_view name;      ///< with columns `epoch`, `beat` and `owner`
    std::string_view of;        ///< the column that says whose they are
    std::string_view one;       ///< the column of the shard's number; also its word in messages
    std::string_view at_end{};  ///< what else is set where a lease ends
};

[[nodiscard]] inline std::int32_t number_of(shard_id shard) noexcept {
    return static_cast<std::int32_t>(shard);
}
[[nodiscard]] inline std::int64_t number_of(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>(value);
}

/// The statements about leases; $1 is whose they are, $2 the shard.
struct lease_statements {
    lease_statements(const naming& named, const lease_table& in)
        : one(in.one),
          holder(named(
              std::string("SELECT epoch, beat, owner FROM ").append(in.name).append(place(in)))),
          take(named(change(in, "epoch = epoch + 1, beat = 0, owner = $5", in.at_end)
                         .append(" AND epoch = $3 AND beat = $4 RETURNING epoch"))),
          renew(named(change(in, "beat = beat + 1", {}).append(held))),
          release(named(change(in, "owner = ''", in.at_end).append(held))) {}

    std::string one;
    prepared holder;
    prepared take;
    prepared renew;
    prepared release;

private:
    static constexpr std::string_view held = " AND epoch = $3 AND owner <> '' RETURNING 1";

    [[nodiscard]] static std::string place(const lease_table& in) {
        return std::string(" WHERE ")
            .append(in.of)
            .append(" = $1 AND ")
            .append(in.one)
            .append(" = $2");
    }
    [[nodiscard]] static std::string change(const lease_table& in, std::string_view sets,
                                            std::string_view more) {
        return std::string("UPDATE ")
            .append(in.name)
            .append(" SET ")
            .append(sets)
            .append(more.empty() ? "" : ", ")
            .append(more)
            .append(place(in));
    }
};

/// The leases of one outbox or journal; made for a call.
class lease_rows {
public:
    lease_rows(session& in, lease_statements& sql, std::int32_t of, shard_id count) noexcept
        : in_(&in), sql_(&sql), of_(of), count_(count) {}

    [[nodiscard]] shard_lease holder(shard_id shard, steady_time until) const {
        check(shard);
        const auto row =
            in_->settled("looking at a lease", until, sql_->holder, of_, number_of(shard));
        if (PQntuples(row.get()) == 0) {
            refuse_damaged("a lease");
        }
        return {shard, column<epoch_number>(row.get(), 0, 0),
                column<std::uint64_t>(row.get(), 0, 1), std::string(column_bytes(row.get(), 0, 2))};
    }

    [[nodiscard]] std::optional<shard_lease> take(const shard_lease& seen, std::string_view owner,
                                                  steady_time until) const {
        if (owner.empty()) {
            throw usage_error("whoever takes a " + sql_->one + " needs a name");
        }
        check(seen.shard);
        const auto row = in_->settled("a lease", until, sql_->take, of_, number_of(seen.shard),
                                      number_of(seen.epoch), number_of(seen.beat), bytea{owner});
        if (PQntuples(row.get()) == 0) {
            return std::nullopt;
        }
        return shard_lease{seen.shard, column<epoch_number>(row.get(), 0, 0), 0,
                           std::string(owner)};
    }

    fenced_result renew(const shard_lease& lease, steady_time until) const {
        return write(lease, until, sql_->renew);
    }
    fenced_result release(const shard_lease& lease, steady_time until) const {
        return write(lease, until, sql_->release);
    }

    /// A write under a lease. `sql` begins with whose it is, shard and epoch, and answers a row if
    /// the lease holds.
    template <class... Args>
    fenced_result write(const shard_lease& lease, steady_time until, prepared& sql,
                        const Args&... args) const {
        const auto row = in_->settle("a write under a lease", until, sql, of_,
                                     number_of(lease.shard), number_of(lease.epoch), args...);
        return !row                         ? fenced_result::unknown
               : PQntuples(row->get()) != 0 ? fenced_result::done
                                            : fenced_result::stale;
    }

private:
    void check(shard_id shard) const {
        if (shard >= count_) {
            throw usage_error("postgres: there is no " + sql_->one + " of that number");
        }
    }

    session* in_;
    lease_statements* sql_;
    std::int32_t of_;
    shard_id count_;
};

}  // namespace sinew::postgres::detail
