// SPDX-License-Identifier: BSL-1.0
//
// The demonstration's line of an invoice: against a reader that splits at commas, and the bounds of
// its numbers.

#include "property.hpp"

#include <retail_ledger/sale.hpp>

#include <sinew/core/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace {

using sinew::fuzz::expect;

bool are_digits(std::string_view text) {
    return !text.empty() && text.size() <= 7 && text.find_first_not_of("0123456789") == text.npos;
}

std::string_view without_sign(std::string_view text) {
    return text.substr(text.starts_with('-') ? 1 : 0);
}

/// A price as a number of pence, worked out on the text: the point moves two places to the right.
std::optional<std::int64_t> pence_of(std::string_view text) {
    const bool negative = text.starts_with('-');
    const std::string_view number = without_sign(text);
    const auto point = number.find('.');
    const std::string_view pounds = number.substr(0, point);
    std::string decimals(point == number.npos ? "0" : number.substr(point + 1));
    if (!are_digits(pounds) || !are_digits(decimals)) {
        return std::nullopt;
    }
    decimals.resize(8, '0');
    if (decimals.find_first_not_of('0', 2) != decimals.npos) {
        return std::nullopt;
    }
    const std::int64_t pence = std::stoll(std::string(pounds) + decimals.substr(0, 2));
    return negative ? -pence : pence;
}

/// What a line without quotes says.
std::optional<retail::sale> naive(std::string_view text) {
    std::vector<std::string> fields(1);
    for (const char c : text) {
        if (c == ',') {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    if (!sinew::is_utf8(text) || fields.size() != 8 || fields[1].empty() ||
        !are_digits(without_sign(fields[3])) || !pence_of(fields[5])) {
        return std::nullopt;
    }
    return retail::sale{.stock_code = fields[1],
                        .quantity = std::stoll(fields[3]),
                        .price_pence = *pence_of(fields[5])};
}

void check_decode(std::string_view text, const retail::parsed_sale& parsed) {
    const sinew::event_view e{.id = "17",
                              .source = retail::line_source,
                              .type = retail::line_type,
                              .data = sinew::as_bytes(text)};
    try {
        const retail::sale found = retail::sale_codec().decode(e);
        expect(parsed.value && found.line == 17, "the codec takes what the parser takes");
    } catch (const sinew::permanent_error& wrong) {
        expect(!parsed.value && wrong.reason() == "malformed_line" &&
                   wrong.what() == std::string(parsed.problem),
               "what cannot be read is permanently so, and the error says why");
    }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = retail::parse_sale(text);
    expect(parsed.value.has_value() == parsed.problem.empty(), "a line is a sale or has a problem");
    if (text.find('"') == text.npos) {
        expect(parsed.value == naive(text), "a line without quotes is what its commas say");
    }
    if (parsed.value) {
        constexpr std::int64_t number_max = 9'999'999;
        const auto& s = *parsed.value;
        expect(!s.stock_code.empty(), "a sale has a stock code");
        expect(s.quantity <= number_max && s.quantity >= -number_max &&
                   s.price_pence / 100 <= number_max && s.price_pence / 100 >= -number_max,
               "numbers are within their bounds");
        static_cast<void>(s.amount_pence());  // the sanitizer sees whether it fits
    }
    check_decode(text, parsed);
    return 0;
}
