// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Where an event stands in a log, and under which assignment it was read.

#include <compare>
#include <cstdint>

namespace sinew {

/// The number of a partition within its topic.
using partition_id = std::uint32_t;

/// The place of a record within its partition. Places rise, but not by one: transactions and
/// compaction leave holes. So an offset is only ever compared, and "the next" is never computed.
using log_offset = std::int64_t;

/// The number of an assignment of a partition. It rises each time the partition changes hands;
/// whoever acts under an older one is refused (a fencing token).
using epoch_number = std::uint64_t;

/// A place in a topic.
struct position {
    partition_id partition = 0;
    log_offset offset = 0;

    friend constexpr auto operator<=>(const position&, const position&) = default;
};

}  // namespace sinew
