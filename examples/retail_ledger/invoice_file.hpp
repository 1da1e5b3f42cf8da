// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The file of invoice lines: its bytes, and its lines as events.

#include <sinew/core/event.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace retail {

/// The file cannot be used. The message names it and says why.
class input_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline constexpr std::size_t file_bytes_max = std::size_t{256} << 20U;
inline constexpr std::size_t line_bytes_max = std::size_t{1} << 20U;

/// The first line of each file.
inline constexpr std::string_view file_header =
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

/// The whole file, after it was seen to be one of invoice lines.
///
/// **On failure.** Throws `input_error`: it cannot be read, is larger than `file_bytes_max`, has
/// another first line than `file_header` or no line after it, or one longer than `line_bytes_max`.
[[nodiscard]] std::string read_invoice_file(const std::string& path);

/// An event for each line after the header, in the order of the file.
///
/// A line is what stands between two line feeds: a quote that is not closed damages its own line
/// and no other. The line's number is the event's id. The stock code is its key, and the lines of
/// one stock code are numbered 1, 2, 3, ... in `sequence`; a line that cannot be read has neither.
[[nodiscard]] std::vector<sinew::event> make_events(std::string_view file);

}  // namespace retail
