// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How entries that wait for a parked one are kept out of the way of claims in SQLite.
///
/// | when | what becomes of the key's entries |
/// | --- | --- |
/// | one is parked and holds its key | nothing yet; from now on what is added goes behind |
/// | a claim had to pass many of them | a bite of what follows it goes behind, the last first |
/// | what held the key is decided on | a bite goes back before, the first first |
/// | a relay writes in the shard | the next bite goes back |
///
/// A claim looks at what lies before only, and shows what it may of it, as if nothing lay behind:
/// so after a long wait a key comes back bite by bite, while it is being published.
///
/// **Invariants.** Of one key, what lies behind has higher numbers than what lies before: a sweep
/// goes from the last entry of the shard to the first, what goes back begins with the first, and
/// until all of it is back what is added goes behind.
/// **Bounds.** One call looks at `look_bite` entries and moves `move_bite` of them at most. Before
/// it looks it gives as many that lie in bundles rows of their own.

#include <sinew/adapters/sqlite/outbox_bundles.hpp>
#include <sinew/adapters/sqlite/outbox_claim.hpp>
#include <sinew/adapters/sqlite/outbox_part.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/session.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/shard_lease.hpp>

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sinew::sqlite::detail {

/// A claim that passes more than so many entries has them moved out of its way.
inline constexpr std::size_t passed_max = 256;
inline constexpr std::size_t look_bite = 4'096;
inline constexpr std::int64_t move_bite = 512;

/// What is behind in a shard. Within a write transaction.
class outbox_behind {
public:
    outbox_behind(session& s, const box_state& box, shard_id shard) noexcept
        : session_(&s), box_(&box), shard_(shard) {}

    /// The entry in that slot was parked: if it holds its key, the rest of the key goes behind.
    void hold(std::int64_t slot) {
        if (const auto key = text(use(sql().held_key).bind(slot))) {
            use(sql().set_behind).bind(true, box_->number, blob{*key}).run();
            use(sql().set_unswept).bind(last_place(), stream()).run();
        }
    }

    /// Moves entries behind the parked ones of their keys, from `place` on towards the first.
    void sweep(std::int64_t place) {
        const std::int64_t from = outbox_bundles(*session_, *box_).unpack_last(place, look_bite);
        const held_keys held = read_held_keys(db(), session_->outbox->reads.holds, *box_, shard_);
        std::vector<std::int64_t> moved;
        std::int64_t next = 0;
        std::size_t looked = 0;
        {
            statement rows = use(sql().unswept);
            rows.bind(from, place, look_bite);
            while (std::ssize(moved) < move_bite && rows.step()) {
                const auto at = rows.column<std::int64_t>(0);
                const auto found = held.find(std::string(column_bytes(rows.handle(), 1)));
                if (found != held.end() && found->second < at) {
                    moved.push_back(at);
                }
                next = at - 1;
                ++looked;
            }
        }
        for (const auto at : moved) {
            use(sql().push_behind).bind(behind(at), at).run();
        }
        const bool is_through = looked < look_bite && std::ssize(moved) < move_bite;
        if (is_through) {
            next = from == first_place() ? 0 : from - 1;
        }
        use(sql().set_unswept).bind(next, stream()).run();
    }

    /// Where an entry that was parked is to lie: before, unless others of its key that come first
    /// are behind.
    [[nodiscard]] std::int64_t place_again(const std::string& key, std::int64_t place) {
        const bool follows =
            !key.empty() &&
            use(sql().is_behind).bind(blob{key}, behind(first_place()), behind(place)).step();
        return follows ? behind(place) : place;
    }

    /// An entry that held the key is parked no more.
    void free(const std::string& key) {
        use(sql().free_key).bind(stream(), blob{key}).run();
        use(sql().set_freed).bind(true, stream()).run();
        move_freed();
    }

    /// Moves entries of freed keys back.
    void move_freed() {
        std::int64_t left = move_bite;
        while (left > 0) {
            const auto key = text(use(sql().freed_key).bind(stream()));
            if (!key) {
                use(sql().set_freed).bind(false, stream()).run();
                return;
            }
            left -= move_back(*key, left);
        }
    }

private:
    /// Up to the next parked entry that holds the key; answers how many.
    std::int64_t move_back(const std::string& key, std::int64_t at_most) {
        const held_keys held = read_held_keys(db(), session_->outbox->reads.holds, *box_, shard_);
        const auto holder = held.find(key);
        const bool is_held = holder != held.end();
        const std::int64_t moved =
            use(sql().pull_before)
                .bind(blob{key}, behind(first_place()),
                      behind(is_held ? holder->second : last_place()), at_most)
                .run();
        if (moved < at_most) {
            use(sql().forget_freed).bind(stream(), blob{key}).run();
            if (!is_held) {
                use(sql().set_behind).bind(false, box_->number, blob{key}).run();
            }
        }
        return moved;
    }

    /// The text in the first column of the first row.
    [[nodiscard]] static std::optional<std::string> text(statement& from) {
        return from.step() ? std::optional(from.column<std::string>(0)) : std::nullopt;
    }
    [[nodiscard]] sqlite3* db() const noexcept { return session_->db.handle(); }
    [[nodiscard]] outbox_writes& sql() const noexcept { return session_->outbox->writes; }
    [[nodiscard]] statement use(prepared& kept) const { return statement(db(), kept); }
    [[nodiscard]] std::int64_t stream() const noexcept { return box_->stream(shard_); }
    [[nodiscard]] std::int64_t first_place() const noexcept { return box_->place(shard_, 0); }
    [[nodiscard]] std::int64_t last_place() const noexcept {
        return box_->place(shard_, numbers_max);
    }

    session* session_;
    const box_state* box_;
    shard_id shard_;
};

}  // namespace sinew::sqlite::detail
