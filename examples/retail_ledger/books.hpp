// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The books: what the ledger holds for each stock code, wherever it was computed.

#include <cstdint>
#include <map>
#include <string>

namespace retail {

/// The lines of one stock code.
struct account {
    std::int64_t lines = 0;
    std::int64_t units = 0;
    std::int64_t pence = 0;
    /// Depends on which lines were booked, and in which order.
    std::int64_t trail = 0;

    /// How a line's number joins the trail: `trail = (trail * 31 + line) % 1'000'000'007`.
    static constexpr std::int64_t trail_factor = 31;
    static constexpr std::int64_t trail_modulus = 1'000'000'007;

    friend bool operator==(const account&, const account&) = default;
};

using books = std::map<std::string, account>;

/// The sums of all accounts.
struct totals {
    std::int64_t lines = 0;
    std::int64_t units = 0;
    std::int64_t pence = 0;
};

[[nodiscard]] inline totals sum_of(const books& all) {
    totals sum;
    for (const auto& [stock_code, one] : all) {
        sum.lines += one.lines;
        sum.units += one.units;
        sum.pence += one.pence;
    }
    return sum;
}

/// How many accounts are the same in both.
[[nodiscard]] inline std::int64_t count_equal(const books& a, const books& b) {
    std::int64_t equal = 0;
    for (const auto& [stock_code, one] : a) {
        const auto other = b.find(stock_code);
        equal += other != b.end() && other->second == one ? 1 : 0;
    }
    return equal;
}

}  // namespace retail
