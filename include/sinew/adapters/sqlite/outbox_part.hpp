// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a session keeps for its outboxes: their statements, and what the open transaction added.
///
/// A session draws numbers in blocks, so that not every transaction writes how far they are used.
/// What is left of its block is good as long as nobody has drawn another one since, which each
/// transaction looks at first. So numbers rise in the order of the commits, with gaps.
///
/// **Guarantees.** Nothing that is kept can be made wrong by a rollback: a block that was drawn in
/// a transaction is written again before its commit, in case the part that drew it was undone, and
/// forgotten if it did not commit.

#include <sinew/adapters/sqlite/added_signal.hpp>
#include <sinew/adapters/sqlite/connection.hpp>
#include <sinew/adapters/sqlite/outbox_rows.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/adapters/sqlite/statement.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/shard_lease.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sinew::sqlite::detail {

/// An outbox as it is in the file, and the block of numbers that the session has drawn.
struct box_state {
    std::int64_t number = 0;
    shard_id shards = 0;
    std::int64_t first_stream = 0;
    std::shared_ptr<added_signal> signal{};
    std::int64_t used = 0;    ///< the last number that was given to an entry
    std::int64_t drawn = 0;   ///< the last number of the block
    bool is_touched = false;  ///< the open transaction added something
    bool has_drawn = false;   ///< the open transaction has drawn the block

    [[nodiscard]] std::int64_t stream(shard_id shard) const noexcept {
        return first_stream + shard;
    }
    [[nodiscard]] std::int64_t place(shard_id shard, std::int64_t at) const noexcept {
        return place_of(stream(shard), at);
    }
    [[nodiscard]] shard_id shard_at(std::int64_t place) const noexcept {
        return static_cast<shard_id>((place >> number_bits) - first_stream);
    }
    [[nodiscard]] std::int64_t slot(std::int64_t at) const noexcept { return place_of(number, at); }
    [[nodiscard]] std::int64_t first_place() const noexcept { return place(0, 0); }
    [[nodiscard]] std::int64_t last_place() const noexcept {
        return place(shards - 1, numbers_max);
    }
};

class outbox_part {
public:
    /// `drawer` tells this session from all others that draw in the file.
    outbox_part(const naming& named, std::int64_t drawer)
        : reads(named), writes(named), drawer_(drawer) {}

    /// The number of the next entry that the open transaction adds to a box.
    [[nodiscard]] std::int64_t next(connection& db, const std::shared_ptr<box_state>& kept) {
        box_state& box = *kept;
        if (!box.is_touched) {
            touched_.push_back(kept);
            box.is_touched = true;
            look(db, box);
        }
        if (box.used == box.drawn) {
            box.drawn += block;
            if (box.drawn > numbers_max) {
                throw unavailable_error("outbox_exhausted",
                                        "sqlite: the outbox has no numbers left");
            }
            write(db, box);
            box.has_drawn = true;
        }
        return ++box.used;
    }

    void before_commit(connection& db) {
        for (const auto& box : touched_) {
            if (box->has_drawn) {
                write(db, *box);
            }
        }
    }

    /// The transaction has ended. Those that wait are told of what may be there now.
    void after_end(commit_result how) {
        for (const auto& box : touched_) {
            if (box->has_drawn && how != commit_result::committed) {
                box->drawn = 0;
            }
            box->is_touched = false;
            box->has_drawn = false;
            if (how != commit_result::aborted) {
                box->signal->raise();
            }
        }
        touched_.clear();
    }

    outbox_reads reads;
    /// Those of the connection that reads beside an open transaction.
    std::optional<outbox_reads> reads_beside;
    outbox_writes writes;
    std::map<std::string, std::shared_ptr<box_state>> boxes;

private:
    static constexpr std::int64_t block = 256;

    /// Goes on behind the numbers that others have drawn.
    void look(connection& db, box_state& box) {
        statement sql(db.handle(), writes.drawn);
        if (!sql.bind(box.number).step()) {
            refuse_damaged("an outbox");
        }
        const auto drawn = sql.column<std::int64_t>(0);
        if (drawn != box.drawn || sql.column<std::int64_t>(1) != drawer_) {
            box.drawn = drawn;
            box.used = drawn;
        }
    }
    void write(connection& db, const box_state& box) {
        statement(db.handle(), writes.draw).bind(box.number, box.drawn, drawer_).step();
    }

    std::int64_t drawer_;
    std::vector<std::shared_ptr<box_state>> touched_;
};

}  // namespace sinew::sqlite::detail
