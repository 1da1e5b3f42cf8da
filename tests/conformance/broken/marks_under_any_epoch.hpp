// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An outbox whose author takes the lease to be enough: who had it once may mark, whoever has it
/// now.

#include <sinew/adapters/memory.hpp>

#include <cstdint>
#include <span>

namespace sinew::test::broken {

class outbox_without_fencing : public memory::outbox {
public:
    explicit outbox_without_fencing(const memory::outbox& inner) : memory::outbox(inner) {}

    // The mistake: UPDATE ... WHERE number = ?, and no word of the epoch.
    fenced_result mark_published(const shard_lease& lease, std::span<const std::int64_t> numbers,
                                 wall_time now, steady_time until) {
        auto current = holder(lease.shard, until);
        if (current.owner.empty()) {
            current = take(current, "nobody", until).value();
        }
        return memory::outbox::mark_published(current, numbers, now, until);
    }
};

struct marks_under_any_epoch {
    memory::database data;

    memory::store open() const { return memory::store(data); }
    outbox_without_fencing outbox_of(memory::store& s) const {
        return outbox_without_fencing(s.outbox("orders"));
    }
    void crash() {}
};

}  // namespace sinew::test::broken
