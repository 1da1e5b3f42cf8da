// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Outboxes whose authors take the shards of one call for one thing: where one lease has ended,
/// none is marked; and a shard that was not looked at shows nothing.

#include <sinew/adapters/memory.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sinew::test::broken {

class outbox_of_one_fate : public memory::outbox {
public:
    explicit outbox_of_one_fate(const memory::outbox& inner) : memory::outbox(inner) {}

    using memory::outbox::claim;
    using memory::outbox::mark_published;

    std::vector<fenced_result> mark_published(std::span<const shard_marks> marks, wall_time now,
                                              steady_time until) {
        for (const auto& one : marks) {
            // The mistake: the first that is stale ends it for all.
            if (holder(one.lease.shard, until).epoch != one.lease.epoch) {
                return std::vector(marks.size(), fenced_result::stale);
            }
        }
        return memory::outbox::mark_published(marks, now, until);
    }
};

struct marks_all_or_none {
    memory::database data;

    memory::store open() const { return memory::store(data); }
    outbox_of_one_fate outbox_of(memory::store& s) const {
        return outbox_of_one_fate(s.outbox("orders"));
    }
    void crash() {}
};

class outbox_that_fills_up : public memory::outbox {
public:
    explicit outbox_that_fills_up(const memory::outbox& inner) : memory::outbox(inner) {}

    using memory::outbox::claim;

    std::vector<std::optional<std::vector<outbox_entry>>> claim(std::span<const shard_lease> leases,
                                                                wall_time now, claim_limits limits,
                                                                steady_time until) const {
        auto out = memory::outbox::claim(leases, now, limits, until);
        // The mistake: what was not looked at is answered as if it were empty.
        out.resize(leases.size(), std::vector<outbox_entry>());
        return out;
    }
};

struct answers_for_all_shards {
    memory::database data;

    memory::store open() const { return memory::store(data); }
    outbox_that_fills_up outbox_of(memory::store& s) const {
        return outbox_that_fills_up(s.outbox("orders"));
    }
    void crash() {}
};

}  // namespace sinew::test::broken
