// SPDX-License-Identifier: BSL-1.0
#include "sale.hpp"

#include <sinew/core/error.hpp>

#include <csv.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <new>
#include <system_error>

namespace retail {

namespace {

/// The columns that matter here, by their place among the eight.
constexpr std::size_t columns = 8;
constexpr std::size_t stock_code_column = 1;
constexpr std::size_t quantity_column = 3;
constexpr std::size_t price_column = 5;

constexpr std::size_t digits_max = 7;

/// What libcsv tells of a line.
struct fields {
    std::array<std::string, columns> text;
    std::size_t count = 0;
    bool out_of_memory = false;  ///< no exception may pass through C code

    static void on_field(void* bytes, std::size_t size, void* self) noexcept {
        auto& me = *static_cast<fields*>(self);
        if (me.count < columns) {
            try {
                me.text[me.count].assign(static_cast<const char*>(bytes), size);
            } catch (...) {
                me.out_of_memory = true;
            }
        }
        ++me.count;
    }
    static void on_record(int, void*) noexcept {}
};

/// libcsv's parser, set to take a line for what it is: blanks belong to the field that they stand
/// in, and no byte ends the record, as the line was cut out before.
class line_parser {
public:
    line_parser() {
        if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) {
            throw std::bad_alloc();
        }
        const auto never = [](unsigned char) { return 0; };
        csv_set_space_func(&parser_, never);
        csv_set_term_func(&parser_, never);
    }
    line_parser(const line_parser&) = delete;
    line_parser& operator=(const line_parser&) = delete;
    ~line_parser() { csv_free(&parser_); }

    /// Whether the quotes of the line are in order.
    [[nodiscard]] bool read(std::string_view line, fields& into) {
        const bool good = csv_parse(&parser_, line.data(), line.size(), &fields::on_field,
                                    &fields::on_record, &into) == line.size() &&
                          csv_fini(&parser_, &fields::on_field, &fields::on_record, &into) == 0;
        if (into.out_of_memory || csv_error(&parser_) == CSV_ENOMEM) {
            throw std::bad_alloc();
        }
        return good;
    }

private:
    csv_parser parser_{};
};

/// A whole number of 1 to 7 digits; nothing else.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view digits) {
    std::int64_t value = 0;
    const char* end = digits.data() + digits.size();
    const bool plain = !digits.empty() && digits.size() <= digits_max && digits.front() != '-';
    if (!plain) {
        return std::nullopt;
    }
    const auto [stopped, problem] = std::from_chars(digits.data(), end, value);
    return problem == std::errc() && stopped == end ? std::optional(value) : std::nullopt;
}

/// Takes the minus sign off, if there is one.
[[nodiscard]] bool take_sign(std::string_view& number) noexcept {
    const bool negative = number.starts_with('-');
    number.remove_prefix(negative ? 1 : 0);
    return negative;
}

[[nodiscard]] std::optional<std::int64_t> read_quantity(std::string_view text) {
    const bool negative = take_sign(text);
    const auto value = whole_number(text);
    return value && negative ? std::optional(-*value) : value;
}

/// A price in whole pence, or what is wrong with it. "2.1" is 210, "2.550" is 255; "2.555" is
/// refused, as rounding it would make money appear or vanish.
[[nodiscard]] std::optional<std::int64_t> read_price(std::string_view text,
                                                     std::string_view& problem) {
    problem = "the price is not a decimal number";
    const bool negative = take_sign(text);
    const std::size_t point = text.find('.');
    const auto pounds = whole_number(text.substr(0, point));
    std::string_view decimals = point == text.npos ? "0" : text.substr(point + 1);
    if (!pounds || !whole_number(decimals)) {
        return std::nullopt;
    }
    while (decimals.size() > 2 && decimals.back() == '0') {
        decimals.remove_suffix(1);
    }
    if (decimals.size() > 2) {
        problem = "the price is not a whole number of pence";
        return std::nullopt;
    }
    const std::int64_t scale = decimals.size() == 2 ? 1 : 10;
    const std::int64_t pence = *pounds * 100 + *whole_number(decimals) * scale;
    return negative ? -pence : pence;
}

}  // namespace

parsed_sale parse_sale(std::string_view text) {
    if (!sinew::is_utf8(text)) {
        return {.problem = "the line is not UTF-8"};
    }
    fields found;
    if (!line_parser().read(text, found)) {
        return {.problem = "a quote is not closed, or stands within a field"};
    }
    if (found.count != columns) {
        return {.problem = "the line does not have eight fields"};
    }
    if (found.text[stock_code_column].empty()) {
        return {.problem = "the stock code is empty"};
    }
    const auto quantity = read_quantity(found.text[quantity_column]);
    if (!quantity) {
        return {.problem = "the quantity is not a whole number"};
    }
    std::string_view problem;
    const auto price = read_price(found.text[price_column], problem);
    if (!price) {
        return {.problem = problem};
    }
    return {.value = sale{.stock_code = std::move(found.text[stock_code_column]),
                          .quantity = *quantity,
                          .price_pence = *price}};
}

sale sale_codec::decode(const sinew::event_view& e) const {
    auto parsed = parse_sale(e.text());
    if (!parsed.value) {
        throw sinew::permanent_error("malformed_line", std::string(parsed.problem));
    }
    const char* end = e.id.data() + e.id.size();
    const auto [stopped, problem] = std::from_chars(e.id.data(), end, parsed.value->line);
    if (problem != std::errc() || stopped != end) {
        throw sinew::permanent_error("malformed_line", "the event's id is not a line number");
    }
    return *std::move(parsed.value);
}

}  // namespace retail
