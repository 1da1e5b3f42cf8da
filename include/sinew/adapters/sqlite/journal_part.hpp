// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a session keeps for its journals: their statements, and which there are.

#include <sinew/adapters/sqlite/added_signal.hpp>
#include <sinew/adapters/sqlite/journal_statements.hpp>
#include <sinew/adapters/sqlite/journal_tables.hpp>
#include <sinew/adapters/sqlite/schema.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/shard_lease.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sinew::sqlite::detail {

/// A journal as it is in the file.
struct book_state {
    std::int64_t number = 0;
    shard_id seats = 0;
    std::int64_t first_stream = 0;
    /// Raised when there may be something to claim.
    std::shared_ptr<added_signal> signal{};

    [[nodiscard]] std::int64_t stream(shard_id seat) const noexcept { return first_stream + seat; }
    [[nodiscard]] std::int64_t last_stream() const noexcept { return first_stream + seats - 1; }
};

/// How many records of an instance are committed for certain, of those that this session has seen.
/// There may be more, and never fewer, as a history only grows and a number belongs to one
/// instance.
class known_records {
public:
    void note(std::int64_t number, std::size_t records) {
        if (records_.size() >= instances_max) {
            records_.clear();
        }
        records_.insert_or_assign(number, records);
    }
    [[nodiscard]] bool has(std::int64_t number, std::size_t records) const {
        const auto found = records_.find(number);
        return records == 0 || (found != records_.end() && found->second >= records);
    }
    void forget(std::int64_t number) { records_.erase(number); }

private:
    static constexpr std::size_t instances_max = 16'384;
    std::unordered_map<std::int64_t, std::size_t> records_;
};

struct journal_part {
    explicit journal_part(const naming& named) : reads(named), writes(named) {}

    /// What the open transaction has written may be claimed when it has committed.
    void touch(const book_state& book) { touched_.push_back(book.signal); }
    /// The transaction has ended. Those that wait are told of what may be there now.
    void after_end(commit_result how) {
        for (const auto& one : touched_) {
            if (how != commit_result::aborted) {
                one->raise();
            }
        }
        touched_.clear();
    }

    journal_reads reads;
    /// Those of the connection that reads beside an open transaction.
    std::optional<journal_reads> reads_beside;
    journal_writes writes;
    std::map<std::string, book_state> books;
    known_records known;

private:
    std::vector<std::shared_ptr<added_signal>> touched_;
};

}  // namespace sinew::sqlite::detail
