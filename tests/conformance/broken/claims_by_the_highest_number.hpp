// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox whose relay reads on from the highest number that it has published: SELECT ... WHERE
/// number > ? ORDER BY number. The checkpoint is kept beside the entries.

#include <sinew/adapters/memory.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sinew::test::broken {

class outbox_with_a_cursor : public memory::outbox {
public:
    outbox_with_a_cursor(const memory::outbox& inner, std::shared_ptr<std::int64_t> published)
        : memory::outbox(inner), published_(std::move(published)) {}

    // The mistake: numbers are given before the commit, so a lower one can appear later.
    std::optional<std::vector<outbox_entry>> claim(const shard_lease& lease, wall_time now,
                                                   claim_limits limits, steady_time until) const {
        auto out = memory::outbox::claim(lease, now, limits, until);
        if (out) {
            std::erase_if(*out, [&](const outbox_entry& one) { return one.number <= *published_; });
        }
        return out;
    }
    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until) {
        const auto result = memory::outbox::mark_published(lease, numbers, now, until);
        for (const auto number : numbers) {
            if (result == fenced_result::done && number > *published_) {
                *published_ = number;
            }
        }
        return result;
    }

private:
    std::shared_ptr<std::int64_t> published_;
};

struct claims_by_the_highest_number {
    memory::database data;
    std::shared_ptr<std::int64_t> published = std::make_shared<std::int64_t>(0);

    memory::store open() const { return memory::store(data); }
    outbox_with_a_cursor outbox_of(memory::store& s) const {
        return {s.outbox("orders", {.shards = 1}), published};
    }
    void crash() {}
};

}  // namespace sinew::test::broken
