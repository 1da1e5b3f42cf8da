// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// One line of an invoice, and the codec that makes it of an event.
///
/// An event's data is the line as it stands in the file, byte for byte; so a line that is damaged
/// reaches the dead letters as it was.

#include <sinew/core/event.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace retail {

/// The type of the events whose data is a line.
inline constexpr std::string_view line_type = "retail.line.v1";
/// Who says that the lines exist. With a line's number it makes the identity of its event.
inline constexpr std::string_view line_source = "/retail/invoice-lines";

/// One line of an invoice. Money is whole pence: nothing here is ever rounded.
struct sale {
    std::int64_t line = 0;         ///< where it stands in the file; the header is line 1
    std::string stock_code{};      ///< exactly as written: some differ by case alone
    std::int64_t quantity = 0;     ///< negative where goods came back
    std::int64_t price_pence = 0;  ///< of one piece

    /// **Bounds.** `parse_sale` takes no numbers whose product would not fit.
    [[nodiscard]] constexpr std::int64_t amount_pence() const noexcept {
        return quantity * price_pence;
    }

    friend bool operator==(const sale&, const sale&) = default;
};

/// A sale, or what is wrong with the text.
struct parsed_sale {
    std::optional<sale> value{};
    std::string_view problem{};
};

/// Reads a line without its line ending. The `line` of the sale is left at 0.
///
/// **On failure.** Names the first problem: not UTF-8, a broken quote, another number of fields
/// than eight, no stock code, a quantity that is no whole number of up to seven digits, a price
/// that is no decimal number of up to seven digits before the point, or one that is not whole
/// pence.
[[nodiscard]] parsed_sale parse_sale(std::string_view text);

/// Makes a `sale` of an event.
struct sale_codec {
    /// **On failure.** Throws `sinew::permanent_error` with the reason `malformed_line`: no attempt
    /// will ever make a sale of such bytes.
    [[nodiscard]] sale decode(const sinew::event_view& e) const;
};

}  // namespace retail
