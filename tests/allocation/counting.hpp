// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Counts what is allocated in this program, which therefore is one of its own: it replaces the
/// global operator new.

#include <cstddef>

namespace sinew::test {

/// How often memory was allocated so far.
[[nodiscard]] std::size_t allocations() noexcept;

}  // namespace sinew::test
