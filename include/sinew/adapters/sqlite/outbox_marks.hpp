// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Marking entries of an outbox in SQLite as published.

#include <sinew/adapters/sqlite/outbox_behind.hpp>
#include <sinew/adapters/sqlite/outbox_bundles.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

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
        std::vector<std::int64_t> sorted;
        if (!are_in_order(numbers)) {
            sorted.assign(numbers.begin(), numbers.end());
            std::sort(sorted.begin(), sorted.end());
            sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
            sorted.erase(sorted.begin(), std::upper_bound(sorted.begin(), sorted.end(), 0));
            sorted.erase(std::upper_bound(sorted.begin(), sorted.end(), numbers_max), sorted.end());
            numbers = sorted;
        }
        if (!numbers.empty()) {
            const auto rest = mark_bundles(shard, numbers, now);
            mark_rows(shard, rest ? std::span<const std::int64_t>(*rest) : numbers, now);
        }
    }

private:
    /// Whether these are numbers of entries, each higher than the one before.
    [[nodiscard]] static bool are_in_order(std::span<const std::int64_t> numbers) noexcept {
        std::int64_t last = 0;
        for (const auto number : numbers) {
            if (number <= last || number > numbers_max) {
                return false;
            }
            last = number;
        }
        return true;
    }

    /// Marks bundles whose entries are all among the numbers, and unpacks those of which some are.
    /// Answers the numbers that are not marked yet, if these are not all of them.
    [[nodiscard]] std::optional<std::vector<std::int64_t>> mark_bundles(
        shard_id shard, std::span<const std::int64_t> numbers, wall_time now) const {
        std::vector<bundle_row> whole;
        std::vector<bundle_row> in_part;
        std::vector<std::int64_t> rest;
        auto at = numbers.begin();
        {
            statement rows = use(session_->outbox->writes.bundle_places);
            rows.bind(box_->place(shard, 0), box_->place(shard, numbers.front()),
                      box_->place(shard, numbers.back()));
            while (rows.step()) {
                const bundle_row bundle(rows);
                const auto first = std::lower_bound(at, numbers.end(), number_of(bundle.place));
                rest.insert(rest.end(), at, first);
                at = std::upper_bound(first, numbers.end(), number_of(bundle.last()));
                if (at - first == bundle.entries) {
                    whole.push_back(bundle);
                } else if (at != first) {
                    in_part.push_back(bundle);
                    rest.insert(rest.end(), first, at);
                }
            }
        }
        if (whole.empty() && in_part.empty()) {
            return std::nullopt;
        }
        rest.insert(rest.end(), at, numbers.end());
        const outbox_bundles bundles(*session_, *box_);
        for (const auto& one : in_part) {
            bundles.unpack_at(one.place);
        }
        for (const auto& one : whole) {
            if (keeps_) {
                bundles.settle(one, now);
            }
            bundles.forget(one.place, one.place);
        }
        return rest;
    }

    void mark_rows(shard_id shard, std::span<const std::int64_t> numbers, wall_time now) const {
        while (!numbers.empty()) {
            const auto part = numbers.first(std::min(numbers.size(), at_once));
            if (are_neighbours(shard, part)) {
                settle(box_->place(shard, part.front()), box_->place(shard, part.back()), now);
            } else {
                for (const auto number : part) {
                    at_either(box_->place(shard, number),
                              [&](std::int64_t at) { return settle(at, at, now); });
                }
            }
            numbers = numbers.subspan(part.size());
        }
    }

    /// How many entries are marked in one statement at most; one that was refused among them has
    /// the others of these marked one by one.
    static constexpr std::size_t at_once = 64;

    /// Whether these are all that wait in the shard from the first to the last of them. So it is as
    /// a rule, and what lies side by side costs far less to take out at once.
    [[nodiscard]] bool are_neighbours(shard_id shard, std::span<const std::int64_t> numbers) const {
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
