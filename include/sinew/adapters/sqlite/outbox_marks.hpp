// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Marking entries of an outbox in SQLite as published.

#include <sinew/adapters/sqlite/outbox_behind.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sinew::sqlite::detail {

/// Whether an entry can have that number.
[[nodiscard]] inline bool is_outbox_number(std::int64_t number) noexcept {
    return number > 0 && number <= numbers_max;
}

/// An entry lies at its place or behind; `change` answers how many it found there.
template <class F>
void at_either(std::int64_t place, F change) {
    if (change(place) == 0) {
        static_cast<void>(change(behind(place)));
    }
}

/// Marks entries. Within a write transaction.
class outbox_marks {
public:
    outbox_marks(session& s, const box_state& box, bool keeps) noexcept
        : session_(&s), box_(&box), keeps_(keeps) {}

    void mark(shard_id shard, std::span<const std::int64_t> numbers, wall_time now) const {
        while (!numbers.empty()) {
            const auto part = numbers.first(std::min(numbers.size(), at_once));
            if (are_neighbours(shard, part)) {
                settle(box_->place(shard, part.front()), box_->place(shard, part.back()), now);
            } else {
                for (const auto number : part) {
                    if (is_outbox_number(number)) {
                        at_either(box_->place(shard, number),
                                  [&](std::int64_t at) { return settle(at, at, now); });
                    }
                }
            }
            numbers = numbers.subspan(part.size());
        }
    }

private:
    /// How many entries are marked in one statement at most; one that was refused among them has the
    /// others of these marked one by one.
    static constexpr std::size_t at_once = 64;

    /// Whether these are all that wait in the shard from the first to the last of them. So it is as a
    /// rule, and what lies side by side costs far less to take out at once.
    [[nodiscard]] bool are_neighbours(shard_id shard, std::span<const std::int64_t> numbers) const {
        if (!is_outbox_number(numbers.front()) || !is_outbox_number(numbers.back())) {
            return false;
        }
        statement run = use(session_->outbox->writes.places);
        run.bind(box_->place(shard, numbers.front()), box_->place(shard, numbers.back()),
                 numbers.size() + 1);
        for (const auto number : numbers) {
            if (!run.step() || number_of(run.column<std::int64_t>(0)) != number) {
                return false;
            }
        }
        return !run.step();
    }

    std::int64_t settle(std::int64_t from, std::int64_t to, wall_time now) const {
        auto& sql = session_->outbox->writes;
        if (keeps_ && use(sql.settle).bind(from, to, box_->number, now).run() == 0) {
            return 0;
        }
        return use(sql.forget).bind(from, to).run();
    }

    [[nodiscard]] statement use(prepared& sql) const {
        return statement(session_->db.handle(), sql);
    }

    session* session_;
    const box_state* box_;
    bool keeps_;
};

}  // namespace sinew::sqlite::detail
