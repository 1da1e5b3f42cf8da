// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How runners' writes go to the server: records alone as one insertion, any others as one
/// statement.
///
/// | the writes | what is sent |
/// | --- | --- |
/// | one record, and its claim goes on | `add_there`; `add_one` |
/// | one record, and its instance has ended | `end_there`; `end_one` |
/// | records, and all claims go on | `add` |
/// | any others; those of the above that it did not do | `write` |
/// | of those, some wait for a reply | `refresh` behind it |
/// | in a transaction, one record, and its claim goes on | `join_one` |
/// | in a transaction, any other, and what `join_one` did not do | `write_one`, or `write` |
///
/// Those that say `there` are for an instance that this program claimed and of which nothing but
/// records was written since: the row that they lock is found without an index. All but the last
/// two leave alone what they cannot decide by the instance's row: replies that are to be taken
/// away, a wait for a reply that ends, a cancellation that is to be told, a record that is there
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
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

/// Whether a write goes without arrays.
[[nodiscard]] inline bool is_for_one(const journal_write& one) noexcept {
    return one.records.size() <= 1;
}

/// Calls `f` with the values of `journal_statements::write_one`.
template <class F>
void with_values(const journal_write& one, const write_columns& w, std::int32_t book, wall_time now,
                 bool in_transaction, F f) {
    const step_record none{.where = {}, .kind = record_kind::retried};
    const bool has_record = !one.records.empty();
    const step_record& r = has_record ? one.records.front() : none;
    const std::string why = encode_note(r.why);
    f(book, stamp_of(now), in_transaction, w.number, w.epoch, w.known, w.total, w.end, w.from,
      w.due, w.phase, bytea{w.step}, bytea{w.progress}, bytea{w.why}, w.number,
      has_record ? w.known : std::int64_t{-1}, bytea{r.where.step},
      static_cast<std::int64_t>(r.where.phase), static_cast<std::int64_t>(r.kind),
      std::int64_t{r.attempts}, stamp_of(r.begun), stamp_of(r.at), bytea{r.result}, bytea{why});
}

/// Where a row lies, as the server says it in binary.
class row_address {
public:
    /// PostgreSQL's number of the type `tid`.
    static constexpr type its_type = static_cast<type>(27);

    row_address() = default;
    explicit row_address(std::string_view bytes) noexcept : is_known_(bytes.size() == size) {
        for (std::size_t i = 0; is_known_ && i < size; ++i) {
            bytes_[i] = bytes[i];
        }
    }
    [[nodiscard]] bool is_known() const noexcept { return is_known_; }
    [[nodiscard]] array_value value() const noexcept {
        return {its_type, std::string_view(bytes_.data(), size)};
    }

private:
    static constexpr std::size_t size = 6;
    std::array<char, size> bytes_{};
    bool is_known_ = false;
};

/// How many records there are of claimed instances, as far as this program knows: at least so many,
/// as long as the claim lasts. So the server need not look for the record before the next one. And
/// where the rows of their states lay when they were claimed.
class known_records {
public:
    /// Of how many instances it is known at most.
    static constexpr std::size_t most = 10'000;

    void add(const std::vector<journal_entry>& claimed) {
        for (const auto& one : claimed) {
            put(claim_of(one.what), one.history.size(), {});
        }
    }
    /// Where the row of a claimed instance lies.
    void add(std::int64_t number, row_address where) {
        if (const auto found = all_.find(number); found != all_.end()) {
            found->second.where = where;
        }
    }
    /// A write was done. `where`: the row is still there.
    void add(const journal_write& one, row_address where) {
        if (one.end == claim_end::none) {
            put(one.claim, one.known + one.records.size(), where);
        } else {
            all_.erase(one.claim.number);
        }
    }
    /// Whether there are as many as the writer knows.
    [[nodiscard]] bool has(const journal_write& one) const {
        const auto found = all_.find(one.claim.number);
        return found != all_.end() && found->second.epoch == one.claim.epoch &&
               found->second.records >= one.known;
    }
    /// Where the row of an instance lies of which that, and how many records there are, is known.
    [[nodiscard]] row_address where(const journal_write& one) const {
        return has(one) ? all_.find(one.claim.number)->second.where : row_address();
    }

private:
    struct counted {
        epoch_number epoch = 0;
        std::size_t records = 0;
        row_address where{};
    };

    void put(const instance_claim& of, std::size_t records, row_address where) {
        if (all_.size() >= most) {
            all_.clear();
        }
        all_[of.number] = {of.epoch, records, where};
    }

    std::map<std::int64_t, counted> all_{};
};

/// Calls `f` with the values of `journal_statements::add_one`, for a write of one record.
template <class F>
void with_record(const journal_write& one, std::int32_t book, wall_time now, bool is_known, F f) {
    const auto& r = one.records.front();
    const std::string why = encode_note(r.why);
    f(book, stamp_of(now), one.claim.number, number_of(one.claim.epoch),
      static_cast<std::int32_t>(one.known), static_cast<std::int32_t>(r.where.phase),
      static_cast<std::int32_t>(r.kind), std::int64_t{r.attempts}, stamp_of(r.begun),
      stamp_of(r.at), bytea{r.where.step}, bytea{r.result}, bytea{why}, is_known);
}

/// Calls `f` with the values of `journal_statements::add_there`, for a write of one record.
template <class F>
void with_record_there(const journal_write& one, const row_address& where, wall_time now, F f) {
    const auto& r = one.records.front();
    const std::string why = encode_note(r.why);
    f(where.value(), one.claim.number, number_of(one.claim.epoch),
      static_cast<std::int32_t>(one.known), static_cast<std::int32_t>(r.where.phase),
      static_cast<std::int32_t>(r.kind), std::int64_t{r.attempts}, stamp_of(now), stamp_of(r.begun),
      stamp_of(r.at), bytea{r.where.step}, bytea{r.result}, bytea{why});
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

    journal_writes(session& in, journal_statements& sql, std::int32_t book,
                   known_records& known) noexcept
        : in_(&in), sql_(&sql), known_(&known), book_(book) {}

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
        bool has_moved = true;  // each row is a new one now
        if (writes.size() == 1 && is_single(writes[0])) {
            const auto done = write_single(writes[0], now, until);
            if (!done || *done) {
                out[0] = {done ? fenced_result::done : fenced_result::unknown, false};
                has_moved = false;
            } else {
                left.push_back(0);
            }
        } else if (std::all_of(writes.begin(), writes.end(), is_plain)) {
            left = add_records(writes, out, now, until);
            has_moved = !left.empty();
        } else {
            for (std::size_t i = 0; i < writes.size(); ++i) {
                left.push_back(i);
            }
        }
        if (!left.empty()) {
            write_any(writes, std::move(left), out, now, until);
        }
        for (std::size_t i = 0; i < writes.size(); ++i) {
            if (out[i].how == fenced_result::done) {
                known_->add(writes[i], has_moved ? row_address() : known_->where(writes[i]));
            }
        }
    }

    /// Whether a write is one record, with which its instance goes on or has ended.
    [[nodiscard]] static bool is_single(const journal_write& one) noexcept {
        return one.records.size() == 1 && !one.progress && !one.why &&
               (one.end == claim_end::none || one.end == claim_end::completed ||
                one.end == claim_end::compensated);
    }

    /// Answers whether it is done; nothing if no answer came.
    [[nodiscard]] std::optional<bool> write_single(const journal_write& one, wall_time now,
                                                   steady_time until) {
        const row_address where = known_->where(one);
        const auto with = [&](prepared& there, prepared& sql, const auto&... more) {
            std::optional<std::size_t> count;
            if (where.is_known()) {
                with_record_there(one, where, now, [&](const auto&... values) {
                    count = in_->settle_count("a record", until, there, values..., more...);
                });
                return count;
            }
            with_record(one, book_, now, known_->has(one), [&](const auto&... values) {
                count = in_->settle_count("a record", until, sql, values..., more...);
            });
            return count;
        };
        try {
            const auto added =
                one.end == claim_end::none
                    ? with(sql_->add_there, sql_->add_one)
                    : with(sql_->end_there, sql_->end_one, static_cast<std::int32_t>(one.end) - 1);
            return added ? std::optional(*added != 0) : std::nullopt;
        } catch (const constraint_error& e) {
            if (e.state() != "23505") {
                throw;
            }
            return false;  // the record is there already
        }
    }

    /// Adds the records of instances about which nothing else changes; answers which writes are
    /// left.
    [[nodiscard]] std::vector<std::size_t> add_records(std::span<const journal_write> writes,
                                                       std::span<write_result> out, wall_time now,
                                                       steady_time until) {
        const auto rows = add_all(writes, now, until);
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

    /// Does any writes, in the order of their instances, so that two who meet take locks in one
    /// order.
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
    known_records* known_;
    std::int32_t book_;
};

}  // namespace sinew::postgres::detail
