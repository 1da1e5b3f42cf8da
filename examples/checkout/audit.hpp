// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The audit: whether money, stock, points and parcels agree, whoever led the checkout.

#include "cart.hpp"
#include "outside.hpp"

#include <sinew/adapters/sqlite/store.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace checkout {

/// All that is there of one order.
struct order_facts {
    std::int64_t rows = 0;  ///< in `orders`: one, if nothing was done twice
    std::string state{};
    std::int64_t mails = 0;
    std::int64_t points = 0;
    std::int64_t pence = 0;    ///< charged, and not paid back
    std::int64_t parcels = 0;  ///< fetched
};

struct facts {
    std::map<std::string, order_facts> orders{};
    std::map<std::string, std::int64_t> reserved{};  ///< pieces by article
    std::int64_t dead_letters = 0;
};

/// One comparison.
struct finding {
    std::string_view what{};
    std::int64_t found = 0;
    std::int64_t wanted = 0;

    [[nodiscard]] bool is_good() const noexcept { return found == wanted; }
};

/// Reads everything, once it is at rest.
[[nodiscard]] facts collect(sinew::sqlite::store& shop, payment_provider& provider,
                            carrier& parcels);

/// Compares everything with the carts that were placed.
[[nodiscard]] std::vector<finding> judge(const std::vector<cart>& placed, const facts& all);

/// Prints a table of findings; answers how many of them are bad.
int print(const std::vector<finding>& all);

}  // namespace checkout
