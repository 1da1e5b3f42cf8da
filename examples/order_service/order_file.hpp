// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Orders of a file: the invoices of a shop, one line of CSV for each article.

#include "order.hpp"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

/// The file cannot be used. The message names it and says why.
class input_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The first line of each file.
inline constexpr std::string_view file_header =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

/// What a file holds.
struct order_file {
    std::vector<order> orders{};     ///< in the order of their first lines
    std::size_t other_invoices = 0;  ///< cancellations and adjustments: a line takes goods back
};

/// Reads a file.
///
/// **On failure.** Throws `input_error`: it cannot be read, or is none of invoice lines; or a line,
/// which is named, is damaged.
[[nodiscard]] order_file read_order_file(const std::string& path);

/// The orders in the bytes of a file; `path` is for messages.
[[nodiscard]] order_file parse_orders(std::string_view bytes, const std::string& path);

/// A line of an order as people type it: `CODE:QUANTITY`, or `CODE:QUANTITY:PENCE`.
///
/// **On failure.** Throws `input_error`.
[[nodiscard]] order_line parse_item(std::string_view text);

}  // namespace shop
