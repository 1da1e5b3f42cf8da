// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <order_service/order_file.hpp>

#include <string>
#include <vector>

using namespace shop;

namespace {

order_file parse(const std::string& lines) {
    std::string bytes(file_header);
    return parse_orders(bytes.append("\r\n").append(lines), "x.csv");
}

/// What is said of a file with these lines.
std::string complaint(const std::string& lines) {
    try {
        static_cast<void>(parse(lines));
        return {};
    } catch (const input_error& problem) {
        return problem.what();
    }
}

std::string item_complaint(const std::string& text) {
    try {
        static_cast<void>(parse_item(text));
        return {};
    } catch (const input_error& problem) {
        return problem.what();
    }
}

}  // namespace

TEST_CASE("the lines of an invoice are one order, wherever they stand") {
    const auto found = parse(
        "1,TEA,\"Tea, \"\"green\"\"\",2,1/12/2010,2.5,Ada,UK\r\n"
        "2,MILK,x,1,1/12/2010,0.99,,UK\r\n"
        "1,tea,x,3,1/12/2010,4,Ada,UK\r\n");
    CHECK(found.orders == std::vector<order>{{"1", "Ada", {{"TEA", 2, 250}, {"tea", 3, 400}}},
                                             {"2", "", {{"MILK", 1, 99}}}});
    CHECK(found.other_invoices == 0);
}

TEST_CASE("an invoice that takes goods back is no order") {
    const auto found = parse(
        "1,TEA,x,2,d,1.00,Ada,UK\n"
        "C2,TEA,x,-1,d,1.00,Ada,UK\n"
        "3,TEA,x,5,d,1.00,Ada,UK\n"
        "3,MILK,x,-5,d,0,Ada,UK\n");
    CHECK(found.orders.size() == 1);
    CHECK(found.other_invoices == 2);
}

TEST_CASE("a damaged order file is refused, and its record named") {
    CHECK_THAT(complaint("1,TEA,x,2,d,1.00,Ada\n"),
               Catch::Contains("record 2") && Catch::Contains("eight fields"));
    CHECK_THAT(complaint("1,TEA,x,2,d,1.00,Ada,UK\n1,TEA,x,two,d,1,Ada,UK\n"),
               Catch::Contains("record 3") && Catch::Contains("quantity"));
    for (const char* price : {"x", "1.005", "1.-5", "-1", "", ".5", "99999999999999999999"}) {
        INFO(price);
        CHECK_THAT(complaint("1,TEA,x,2,d," + std::string(price) + ",Ada,UK\n"),
                   Catch::Contains("price"));
    }
    CHECK_THAT(complaint("1,TEA,\"x,2,d,1.00,Ada,UK\n"), Catch::Contains("quote"));
    CHECK_THAT(complaint(",TEA,x,2,d,1.00,Ada,UK\n"), Catch::Contains("no number"));
    CHECK_THAT(complaint(""), Catch::Contains("holds no order"));
    CHECK_THROWS_WITH(parse_orders("a,b\n", "x.csv"), Catch::Contains("first line"));
    CHECK_THROWS_WITH(read_order_file("/nowhere/x.csv"),
                      Catch::Contains("/nowhere/x.csv: No such file"));
    CHECK_THROWS_WITH(read_order_file("/"), Catch::Contains("is a folder"));
}

TEST_CASE("an item is read as people type it") {
    CHECK(parse_item("TEA:2") == order_line{"TEA", 2, 0});
    CHECK(parse_item("TEA:2:250") == order_line{"TEA", 2, 250});
    for (const char* text :
         {"", "TEA", ":2", "TEA:", "TEA:0", "TEA:-1", "TEA:2:", "TEA:2:x", "TEA:2:3:4"}) {
        INFO(text);
        CHECK_THAT(item_complaint(text), Catch::Contains("CODE:QUANTITY"));
    }
}
