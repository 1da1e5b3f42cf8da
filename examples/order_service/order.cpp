// SPDX-License-Identifier: BSL-1.0
#include "order.hpp"

#include <sinew/core/cloudevents.hpp>
#include <sinew/core/error.hpp>

#include <string_view>

namespace shop {

namespace {

[[noreturn]] void refuse(const std::string& why) {
    throw sinew::permanent_error("malformed_order", why);
}

void check_name(std::string_view what, std::string_view text) {
    if (text.size() > name_bytes_max || !sinew::is_attribute_text(text)) {
        refuse(std::string(what) + " is longer than " + std::to_string(name_bytes_max) +
               " bytes, or is no plain UTF-8 text");
    }
}

void check_line(const order_line& line) {
    check_name("a stock code", line.stock_code);
    if (line.stock_code.empty()) {
        refuse("a line has no stock code");
    }
    if (line.quantity < 1 || line.quantity > quantity_max) {
        refuse("the quantity of " + line.stock_code + " is not from 1 to " +
               std::to_string(quantity_max));
    }
    if (line.price_pence < 0 || line.price_pence > price_pence_max) {
        refuse("the price of " + line.stock_code + " is not from 0 to " +
               std::to_string(price_pence_max) + " pence");
    }
}

}  // namespace

void check(const order& one) {
    check_name("the order's number", one.number);
    check_name("the customer", one.customer);
    if (one.number.empty()) {
        refuse("the order has no number");
    }
    if (one.lines.empty() || one.lines.size() > lines_max) {
        refuse("the order does not have from 1 to " + std::to_string(lines_max) + " lines");
    }
    for (const auto& line : one.lines) {
        check_line(line);
    }
}

std::string key_of(const order& one) {
    return one.customer.empty() ? "order/" + one.number : "customer/" + one.customer;
}

std::map<std::string, std::int64_t> units_of(const order& one) {
    std::map<std::string, std::int64_t> units;
    for (const auto& line : one.lines) {
        units[line.stock_code] += line.quantity;
    }
    return units;
}

std::int64_t total_pence(const order& one) {
    std::int64_t sum = 0;
    for (const auto& line : one.lines) {
        sum += line.quantity * line.price_pence;
    }
    return sum;
}

}  // namespace shop
