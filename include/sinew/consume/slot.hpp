// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// How the machines of the consuming side name a delivery without holding it.

#include <cstdint>

namespace sinew {

/// The index of a delivery in its driver's table. An index is used again once its delivery is
/// finished, so a machine that is handed a slot forgets it no later than its driver does.
using slot_id = std::uint32_t;

/// No delivery.
inline constexpr slot_id no_slot = UINT32_MAX;

}  // namespace sinew
