// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How instances of a journal in SQLite are claimed.
///
/// A claim looks along the indexes of what is due, and at the few seats that ended a lease since
/// the last sweep. So it costs what it gives, whatever waits, is held, or has ended beside it.
///
/// **Bounds.** What was held under leases that have ended is made free by the next claims, at most
/// `sweep_bite` instances by each. While the clock stands before waits began (it was set back), a
/// claim looks at each of these.

#include <sinew/adapters/sqlite/journal_instances.hpp>
#include <sinew/adapters/sqlite/journal_part.hpp>
#include <sinew/adapters/sqlite/journal_rows.hpp>
#include <sinew/adapters/sqlite/leases.hpp>
#include <sinew/adapters/sqlite/own_writes.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/process_instance.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::sqlite::detail {

inline constexpr std::size_t sweep_bite = 4'096;

/// What is due, by the time since when it is, and the number.
using due_instances = std::vector<std::pair<wall_time, std::int64_t>>;

/// The instances that have been due for longest, at most so many, of those that are free.
[[nodiscard]] inline due_instances find_due(sqlite3* db, journal_reads& sql,
                                            const journal_rows& rows,
                                            std::span<const std::string_view> types, wall_time now,
                                            std::size_t limit) {
    due_instances out;
    const auto add = [&](prepared& which, const auto&... values) {
        statement from(db, which);
        from.bind(values..., at_most(limit));
        while (from.step()) {
            out.emplace_back(from.column<wall_time>(0), from.column<std::int64_t>(1));
        }
    };
    for (const auto type : types) {
        if (const auto kind = rows.kind(type)) {
            add(sql.ready, *kind);
            add(sql.due, *kind, now);
            add(sql.due_from, *kind, now);
        }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    out.resize(out.size() < limit ? out.size() : limit);
    return out;
}

class journal_claim {
public:
    journal_claim(session& s, const book_state& book) noexcept
        : session_(&s), book_(&book), to_(s, book) {}

    /// Whether there is anything to claim. Reads only.
    [[nodiscard]] static bool may_find(const journal_reading& from, const book_state& book,
                                       std::span<const std::string_view> types, wall_time now) {
        statement unswept(from.db(), from.sql().unswept);
        return unswept.bind(book.stream(0), book.last_stream()).step() ||
               !find_due(from.db(), from.sql(), from.rows(), types, now, 1).empty();
    }

    /// Within a write transaction, and under a lease that is held.
    [[nodiscard]] std::vector<journal_entry> take(const shard_lease& lease,
                                                  std::span<const std::string_view> types,
                                                  wall_time now, std::size_t limit) const {
        sweep();
        std::vector<journal_entry> out;
        for (const auto& [at, number] :
             find_due(db(), session_->journal->reads, to_.rows(), types, now, limit)) {
            out.push_back(take(lease, number));
        }
        return out;
    }

private:
    [[nodiscard]] journal_entry take(const shard_lease& lease, std::int64_t number) const {
        auto row = to_.rows().find(number);
        if (!row) {
            refuse_damaged("an instance of a journal");
        }
        ++row->what.epoch;
        ++row->unsettled;
        row->held = book_->stream(lease.shard);
        row->seat_epoch = lease.epoch;
        row->is_woken = false;
        to_.keep(*row, row->what.state);
        return to_.rows().entry(*std::move(row));
    }

    struct unswept_seat {
        std::int64_t stream = 0;
        epoch_number ended = 0;  ///< the last epoch that has ended
    };
    /// Makes free what was held under leases that have ended. Its claims may still be written under
    /// until somebody else claims it.
    void sweep() const {
        std::vector<unswept_seat> seats;
        {
            auto from = to_.use(session_->journal->reads.unswept);
            from.bind(book_->stream(0), book_->last_stream());
            while (from.step()) {
                const auto epoch = from.column<epoch_number>(1);
                seats.push_back({from.column<std::int64_t>(0),
                                 from.column<bool>(2) || epoch == 0 ? epoch : epoch - 1});
            }
        }
        std::size_t left = sweep_bite;
        for (const auto& seat : seats) {
            const std::size_t swept = sweep(seat, left);
            if (swept < left) {
                to_.use(to_.writes().set_unswept).bind(false, seat.stream).run();
            }
            left -= swept;
        }
    }
    [[nodiscard]] std::size_t sweep(const unswept_seat& seat, std::size_t at_once) const {
        std::vector<std::int64_t> numbers;
        {
            auto from = to_.use(to_.writes().held);
            from.bind(seat.stream, seat.ended, at_once);
            while (from.step()) {
                numbers.push_back(from.column<std::int64_t>(0));
            }
        }
        for (const auto number : numbers) {
            if (auto row = to_.rows().find(number)) {
                row->held.reset();
                to_.keep(*row, row->what.state);
            }
        }
        return numbers.size();
    }

    [[nodiscard]] sqlite3* db() const noexcept { return session_->db.handle(); }

    session* session_;
    const book_state* book_;
    journal_instances to_;
};

}  // namespace sinew::sqlite::detail
