// SPDX-License-Identifier: BSL-1.0
//
// A file of orders: each order that comes out of it is usable, there once, and has no line that the
// file has not.

#include "property.hpp"

#include <order_service/order_file.hpp>

#include <algorithm>
#include <set>
#include <string>

using sinew::fuzz::expect;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string file(shop::file_header);
    file.append("\n").append(reinterpret_cast<const char*>(data), size);
    try {
        const auto found = shop::parse_orders(file, "fuzz.csv");
        std::set<std::string> numbers;
        std::size_t lines = 0;
        for (const auto& one : found.orders) {
            shop::check(one);  // throws what nobody catches
            expect(numbers.insert(one.number).second, "a number is there once");
            lines += one.lines.size();
        }
        const auto ends =
            std::count_if(file.begin(), file.end(), [](char c) { return c == '\n' || c == '\r'; });
        expect(lines <= static_cast<std::size_t>(ends), "no line is made up");
    } catch (const shop::input_error& problem) {
        expect(std::string_view(problem.what()).starts_with("fuzz.csv: "), "the file is named");
    }
    return 0;
}
