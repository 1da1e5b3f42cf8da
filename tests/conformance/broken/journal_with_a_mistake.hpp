// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Journals whose authors each made one mistake that is easy to make.

#include <sinew/adapters/memory.hpp>
#include <sinew/core/journal.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test::broken {

inline constexpr journal_options few_early_replies{.early_replies_max = 20};

/// An environment whose journal is a `Journal`.
template <class Journal>
struct journal_environment_of {
    memory::database data;

    memory::store open() const { return memory::store(data); }
    Journal journal_of(memory::store& s) const {
        return Journal(s.journal("processes", few_early_replies));
    }
    void crash() {}
};

/// Who had a claim once may write, whoever has it now.
class journal_without_fencing : public memory::journal {
public:
    explicit journal_without_fencing(memory::journal inner) : memory::journal(std::move(inner)) {}

    write_result write(memory::transaction& tx, const journal_write& one, wall_time now) {
        return memory::journal::write(tx, one, now);
    }
    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until) {
        std::vector<journal_write> all(writes.begin(), writes.end());
        for (auto& one : all) {
            // The mistake: WHERE number = ?, and no word of the epoch.
            for (epoch_number later = one.claim.epoch; later < one.claim.epoch + 4; ++later) {
                auto as_later = one;
                as_later.claim.epoch = later;
                if (memory::journal::write({&as_later, 1}, now, until).front().how ==
                    fenced_result::done) {
                    return {{fenced_result::done, false}};
                }
            }
        }
        return memory::journal::write(all, now, until);
    }
};

/// A reply is taken only from instances that are there, and wait.
class journal_that_drops_early_replies : public memory::journal {
public:
    explicit journal_that_drops_early_replies(memory::journal inner)
        : memory::journal(std::move(inner)) {}

    reply_result reply(memory::transaction& tx, const process_reply& one, wall_time now) {
        const auto its = find(one.type, one.id);
        if (!its || !its->what.wait || its->what.wait->reply != one.to) {
            return reply_result::late;
        }
        return memory::journal::reply(tx, one, now);
    }
};

/// Abandoned instances are looked for when a runner starts, and not again.
class journal_swept_once : public memory::journal {
public:
    explicit journal_swept_once(memory::journal inner) : memory::journal(std::move(inner)) {}

    std::optional<std::vector<journal_entry>> claim(const shard_lease& lease,
                                                    std::span<const std::string_view> types,
                                                    wall_time now, std::size_t limit,
                                                    steady_time until) {
        auto some = memory::journal::claim(lease, types, now, limit, until);
        if (some) {
            std::erase_if(*some, [](const auto& one) { return one.unsettled > 1; });
        }
        return some;
    }
};

/// A wait is over when its end has passed, and not before: a clock that is set back prolongs it.
class journal_that_trusts_the_clock : public memory::journal {
public:
    explicit journal_that_trusts_the_clock(memory::journal inner)
        : memory::journal(std::move(inner)) {}

    std::vector<write_result> write(std::span<const journal_write> writes, wall_time now,
                                    steady_time until) {
        std::vector<journal_write> all(writes.begin(), writes.end());
        for (auto& one : all) {
            if (one.wait) {
                one.wait->time.from = wall_time::min();
            }
        }
        return memory::journal::write(all, now, until);
    }
    write_result write(memory::transaction& tx, const journal_write& one, wall_time now) {
        return memory::journal::write(tx, one, now);
    }
};

}  // namespace sinew::test::broken
