// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the books must say: one plain pass over the file, in order, in one thread, without sinew.
///
/// It shares no code with the consumer that reads lines, fields or numbers, so that a mistake there
/// cannot hide by being made twice.

#include "books.hpp"

#include <cstdint>
#include <string_view>

namespace retail {

/// What one pass over the file finds.
struct expectation {
    std::int64_t lines = 0;      ///< all of them, without the header
    std::int64_t malformed = 0;  ///< cannot be read
    std::int64_t unpriced = 0;   ///< a price of zero or less: the first handler rejects them
    std::int64_t negative = 0;   ///< of these, a price below zero: the second one rejects them too
    books before;                ///< the lines with a price
    books after;                 ///< and behind them, in their order, those with a price of zero
};

/// **On failure.** Throws `std::overflow_error` if a sum does not fit into 64 bits.
[[nodiscard]] expectation plain_pass(std::string_view file);

}  // namespace retail
