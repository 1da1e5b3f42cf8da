// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <order_service/order.hpp>
#include <order_service/order_events.hpp>

#include <sinew/core/error.hpp>

#include <string>
#include <vector>

using namespace shop;

namespace {

const order tea{.number = "1", .customer = "Ada", .lines = {{"TEA", 2, 250}, {"TEA", 1, 240}}};

/// Why an order is refused; empty if it is taken.
std::string complaint(order one) {
    try {
        check(one);
        return {};
    } catch (const sinew::permanent_error& problem) {
        CHECK(problem.reason() == "malformed_order");
        return problem.what();
    }
}

/// The reason for which a codec refuses an event; "taken" if it does not.
template <class Codec>
std::string refusal(std::string type, std::string data) {
    const sinew::event e{
        .id = "1", .source = "/x", .type = std::move(type), .data = std::move(data)};
    try {
        static_cast<void>(Codec{}.decode(e.view()));
        return "taken";
    } catch (const sinew::permanent_error& problem) {
        return problem.reason();
    } catch (const std::exception&) {
        return "exception";
    }
}

}  // namespace

TEST_CASE("an order adds its lines up, by article and in pence") {
    CHECK(units_of(tea) == std::map<std::string, std::int64_t>{{"TEA", 3}});
    CHECK(total_pence(tea) == 740);
}

TEST_CASE("the orders of a customer share a key, and a guest's order has one of its own") {
    CHECK(key_of(tea) == "customer/Ada");
    CHECK(key_of({.number = "7"}) == "order/7");
    CHECK(key_of({.number = "7", .customer = "7"}) != key_of({.number = "7"}));
}

TEST_CASE("what is no order is refused") {
    CHECK(complaint(tea).empty());
    const auto with = [](order_line line) { return order{.number = "1", .lines = {line}}; };
    CHECK_THAT(complaint({.number = "", .lines = tea.lines}), Catch::Contains("no number"));
    CHECK_THAT(complaint({.number = "1"}), Catch::Contains("lines"));
    CHECK_THAT(complaint({.number = std::string(65, '1'), .lines = tea.lines}),
               Catch::Contains("longer than 64"));
    CHECK_THAT(complaint({.number = "1\n", .lines = tea.lines}), Catch::Contains("plain"));
    CHECK_THAT(complaint({.number = "1", .customer = "\xff", .lines = tea.lines}),
               Catch::Contains("plain"));
    CHECK_THAT(complaint(with({"", 1, 0})), Catch::Contains("no stock code"));
    CHECK_THAT(complaint(with({"TEA", 0, 0})), Catch::Contains("quantity of TEA"));
    CHECK_THAT(complaint(with({"TEA", quantity_max + 1, 0})), Catch::Contains("quantity"));
    CHECK_THAT(complaint(with({"TEA", 1, -1})), Catch::Contains("price of TEA"));
}

TEST_CASE("an order comes back out of its event as it went in") {
    const auto e = event_of(tea);
    CHECK(e.type == order_placed);
    CHECK(e.subject == "1");
    CHECK(e.partitionkey == "customer/Ada");
    CHECK(order_codec{}.decode(e.view()) == tea);
    sinew::test::prop("any order", [] {
        const auto name = rc::gen::resize(
            40,
            rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~'))));
        const auto line = rc::gen::build<order_line>(
            rc::gen::set(&order_line::stock_code, name),
            rc::gen::set(&order_line::quantity,
                         rc::gen::inRange<std::int64_t>(1, quantity_max + 1)),
            rc::gen::set(&order_line::price_pence,
                         rc::gen::inRange<std::int64_t>(0, price_pence_max + 1)));
        const order one{*name, *name,
                        *rc::gen::nonEmpty(rc::gen::container<std::vector<order_line>>(line))};
        RC_ASSERT(order_codec{}.decode(event_of(one).view()) == one);
    });
}

TEST_CASE("a decision comes back out of its event as it went in") {
    const stock_decision reserved{.order_number = "1", .customer = "Ada", .total_pence = 740};
    const stock_decision rejected{.order_number = "2", .total_pence = 9, .missing = "MILK"};
    CHECK(event_of(reserved).type == stock_reserved);
    CHECK(event_of(rejected).type == stock_rejected);
    CHECK(event_of(reserved).partitionkey == key_of(tea));
    CHECK(decision_codec{}.decode(event_of(reserved).view()) == reserved);
    CHECK(decision_codec{}.decode(event_of(rejected).view()) == rejected);
}

TEST_CASE("bytes that are no order make none") {
    const std::string type(order_placed);
    const auto order_with = [](const std::string& quantity) {
        return R"({"number":"1","customer":"","lines":[{"stock_code":"TEA","quantity":)" +
               quantity + R"(,"price_pence":1}]})";
    };
    CHECK(refusal<order_codec>(type, order_with("2")) == "taken");
    CHECK(refusal<order_codec>("order.cancelled", order_with("2")) == "unknown_type");
    CHECK(refusal<order_codec>(type, order_with("2.5")) == "undecodable");
    CHECK(refusal<order_codec>(type, order_with("\"2\"")) == "undecodable");
    CHECK(refusal<order_codec>(type, order_with("-2")) == "malformed_order");
    CHECK(refusal<order_codec>(type, "{}") == "exception");
    CHECK(refusal<order_codec>(type, "[1]") == "exception");
    CHECK(refusal<order_codec>(type, "no JSON") == "exception");
    CHECK(refusal<order_codec>(type, "") == "exception");
}

TEST_CASE("a decision whose type and data contradict each other is none") {
    const std::string data = R"({"order":"1","customer":"","total_pence":1})";
    CHECK(refusal<decision_codec>(std::string(stock_reserved), data) == "taken");
    CHECK(refusal<decision_codec>(std::string(stock_rejected), data) == "undecodable");
    CHECK(refusal<decision_codec>("stock.counted", data) == "unknown_type");
    CHECK(refusal<decision_codec>(std::string(stock_reserved),
                                  R"({"order":"1","customer":"","total_pence":-1})") ==
          "undecodable");
}
