// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// An order: what a customer wants, and what makes an order unusable.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shop {

/// So many pieces of one article.
struct order_line {
    std::string stock_code{};
    std::int64_t quantity = 0;
    std::int64_t price_pence = 0;  ///< of one piece

    friend bool operator==(const order_line&, const order_line&) = default;
};

struct order {
    std::string number{};    ///< names the order; there is one of each number
    std::string customer{};  ///< empty: a guest
    std::vector<order_line> lines{};

    friend bool operator==(const order&, const order&) = default;
};

/// Bounds of what `check` lets through; sums of an order stay far below 2⁶³.
inline constexpr std::size_t name_bytes_max = 64;
inline constexpr std::size_t lines_max = 100'000;
inline constexpr std::int64_t quantity_max = 9'999'999;
inline constexpr std::int64_t price_pence_max = 999'999'999;

/// Refuses what is no order: names that are empty, too long or hold control characters, no lines,
/// numbers out of their range.
///
/// **On failure.** Throws `sinew::permanent_error` with the reason `malformed_order`.
void check(const order& one);

/// Whose orders are handled in the order in which they were placed: those of one customer. A
/// guest's order waits for no other one.
[[nodiscard]] std::string key_of(const order& one);

/// How many pieces of each article the order wants, over all of its lines.
[[nodiscard]] std::map<std::string, std::int64_t> units_of(const order& one);

/// What the order costs.
[[nodiscard]] std::int64_t total_pence(const order& one);

}  // namespace shop
