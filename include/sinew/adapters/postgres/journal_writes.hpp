// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How runners' writes go to the server: records alone as one insertion, any others as one statement.
///
/// | the writes | what is sent |
/// | --- | --- |
/// | one record, and its claim goes on | `add_one` |
/// | records, and all claims go on | `add` |
/// | any others; those of the above that it did not do | `write` |
/// | of those, some wait for a reply | `write`, then `refresh` |
///
/// The insertions leave alone what they cannot decide by the instance's row: replies that are to be
/// taken away, a wait for a reply that ends, a cancellation that is to be told, a record that is there
/// already, a claim that has ended. `write` does and answers for all of these.

#include <sinew/adapters/postgres/event_columns.hpp>
#include <sinew/adapters/postgres/journal_codec.hpp>
#include <sinew/adapters/postgres/journal_rows.hpp>
#include <sinew/adapters/postgres/journal_statements.hpp>
#include <sinew/adapters/postgres/lease_rows.hpp>
#include <sinew/adapters/postgres/session.hpp>
#include <sinew/adapters/postgres/values.hpp>
#include <sinew/adapters/postgres/wire.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/journal_values.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sinew::postgres::detail {

/// Calls `f` with the values of `journal_statements::write`.
template <class F>
void with_values(const write_arrays& all, std::int32_t book, wall_time now, bool in_transaction,
                 F f) {
    const auto& r = all.records;
    f(book, stamp_of(now), in_transaction, all.numbers.value(), all.epochs.value(),
      all.knowns.value(), all.totals.value(), all.ends.value(), all.from.value(), all.due.value(),
      all.phases.value(), all.steps.value(), all.progress.value(), all.whys.value(),
      r.numbers.value(), r.places.value(), r.steps.value(), r.phases.value(), r.kinds.value(),
      r.attempts.value(), r.begun.value(), r.at.value(), r.results.value(), r.whys.value());
}

/// A write that was not done though its claim goes on knows more records than there are. `is_held`
/// asks for that with the values of `journal_statements::is_held`.
template <class F>
void refuse_gap(const journal_write& one, std::int32_t book, F is_held) {
    if (one.known != 0 && is_held(one.claim.number, book, number_of(one.claim.epoch))) {
        throw usage_error("journal: a write knows more records than there are");
    }
}

/// Writes of one journal; made for a call.
class journal_writes {
public:
    /// How much goes in one commit at most.
    static constexpr std::size_t writes_at_once = 1'000;
    static constexpr std::size_t bytes_at_once = std::size_t{64} << 20U;

    journal_writes(session& in, journal_statements& sql, std::int32_t book) noexcept
        : in_(&in), sql_(&sql), book_(book) {}

    [[nodiscard]] std::vector<write_result> write(std::span<const journal_write> writes,
                                                  wall_time now, steady_time until) {
        std::vector<write_result> out(writes.size());
        while (!writes.empty()) {
            const auto some = writes.first(fitting(writes));
            write_some(some, std::span(out).last(writes.size()).first(some.size()), now, until);
            writes = writes.subspan(some.size());
        }
        return out;
    }

private:
    /// Whether a write is records and no more.
    [[nodiscard]] static bool is_plain(const journal_write& one) noexcept {
        return !one.records.empty() && !one.progress && one.end == claim_end::none;
    }

    /// How many of the writes go together.
    [[nodiscard]] static std::size_t fitting(std::span<const journal_write> writes) noexcept {
        std::size_t bytes = 0;
        std::size_t count = 0;
        for (const auto& one : writes) {
            for (const auto& record : one.records) {
                bytes += record.result.size();
            }
            if (count == writes_at_once || (count != 0 && bytes > bytes_at_once)) {
                break;
            }
            ++count;
        }
        return count;
    }

    void write_some(std::span<const journal_write> writes, std::span<write_result> out,
                    wall_time now, steady_time until) {
        std::vector<std::size_t> left;
        if (std::all_of(writes.begin(), writes.end(), is_plain)) {
            left = add_records(writes, out, now, until);
        } else {
            for (std::size_t i = 0; i < writes.size(); ++i) {
                left.push_back(i);
            }
        }
        if (!left.empty()) {
            write_any(writes, std::move(left), out, now, until);
        }
    }

    /// Adds the records of instances about which nothing else changes; answers which writes are left.
    [[nodiscard]] std::vector<std::size_t> add_records(std::span<const journal_write> writes,
                                                       std::span<write_result> out, wall_time now,
                                                       steady_time until) {
        const auto rows = writes.size() == 1 && writes[0].records.size() == 1
                              ? add_one(writes[0], now, until)
                              : add_all(writes, now, until);
        if (!rows) {
            std::fill(out.begin(), out.end(), write_result{fenced_result::unknown, false});
            return {};
        }
        std::map<std::int64_t, std::size_t> added;
        for (int row = 0; row < PQntuples(rows->get()); ++row) {
            ++added[number_at(rows->get(), row, 0)];
        }
        std::vector<std::size_t> left;
        for (std::size_t i = 0; i < writes.size(); ++i) {
            if (added[writes[i].claim.number] == writes[i].records.size()) {
                out[i] = {fenced_result::done, false};
            } else {
                left.push_back(i);
            }
        }
        return left;
    }

    [[nodiscard]] std::optional<result> add_one(const journal_write& one, wall_time now,
                                                steady_time until) {
        const auto& record = one.records.front();
        const std::string why = encode_note(record.why);
        return in_->settle("a record", until, sql_->add_one, book_, stamp_of(now), one.claim.number,
                           number_of(one.claim.epoch), static_cast<std::int32_t>(one.known),
                           static_cast<std::int32_t>(record.where.phase),
                           static_cast<std::int32_t>(record.kind), std::int64_t{record.attempts},
                           stamp_of(record.begun), stamp_of(record.at), bytea{record.where.step},
                           bytea{record.result}, bytea{why});
    }
    [[nodiscard]] std::optional<result> add_all(std::span<const journal_write> writes,
                                                wall_time now, steady_time until) {
        record_arrays all;
        for (const auto& one : writes) {
            for (std::size_t i = 0; i < one.records.size(); ++i) {
                all.add(one, i);
            }
        }
        return in_->settle("records", until, sql_->add, book_, stamp_of(now), all.numbers.value(),
                           all.epochs.value(), all.knowns.value(), all.places.value(),
                           all.steps.value(), all.phases.value(), all.kinds.value(),
                           all.attempts.value(), all.begun.value(), all.at.value(),
                           all.results.value(), all.whys.value());
    }

    [[nodiscard]] std::optional<result> send(const write_arrays& all, wall_time now,
                                             steady_time until) {
        std::optional<result> rows;
        with_values(all, book_, now, false, [&](const auto&... values) {
            if (!all.awaits) {
                rows = in_->settle("a write", until, sql_->write, values...);
                return;
            }
            rows = in_->settle_several("a write", until, [&](wire& to) {
                to.queue(sql_->write, parameters(values...));
                to.queue(sql_->refresh, parameters(book_, all.awaiting.value()));
            });
        });
        return rows;
    }

    /// Does any writes, in the order of their instances, so that two who meet take locks in one order.
    void write_any(std::span<const journal_write> writes, std::vector<std::size_t> which,
                   std::span<write_result> out, wall_time now, steady_time until) {
        std::sort(which.begin(), which.end(), [&](std::size_t a, std::size_t b) {
            return writes[a].claim.number < writes[b].claim.number;
        });
        write_arrays all;
        for (const auto i : which) {
            all.add(writes[i]);
        }
        const auto rows = send(all, now, until);
        std::map<std::int64_t, write_result> came;
        for (int row = 0; rows && row < PQntuples(rows->get()); ++row) {
            came.emplace(number_at(rows->get(), row, 0),
                         write_result{fenced_result::done, column<bool>(rows->get(), row, 1)});
        }
        for (const auto i : which) {
            const auto found = came.find(writes[i].claim.number);
            if (rows && found == came.end()) {
                refuse_gap(writes[i], book_, [&](const auto&... values) {
                    return PQntuples(
                               in_->settled("a write", until, sql_->is_held, values...).get()) != 0;
                });
            }
            out[i] = !rows                 ? write_result{fenced_result::unknown, false}
                     : found != came.end() ? found->second
                                           : write_result{fenced_result::stale, false};
        }
    }

    session* in_;
    journal_statements* sql_;
    std::int32_t book_;
};

}  // namespace sinew::postgres::detail
