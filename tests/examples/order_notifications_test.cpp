// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "examples/order_parts.hpp"

#include <order_service/notifications.hpp>

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <string>

using namespace shop;
using namespace sinew::test;

TEST_CASE("a message says what was decided, to the penny") {
    CHECK(message_for({.order_number = "1", .total_pence = 1205}) ==
          "Your order 1 is on its way: 12.05 pounds.");
    CHECK(message_for({.order_number = "1", .total_pence = 7}) ==
          "Your order 1 is on its way: 0.07 pounds.");
    CHECK(message_for({.order_number = "2", .missing = "TEA"}) ==
          "Your order 2 cannot be delivered: we have too little of TEA.");
}

TEST_CASE("each decision is told once, in the customer's order") {
    small_shop in;
    sinew::memory::log stock;
    stock.create_topic(stock_topic, {.partitions = 1});
    const auto send = [&](const stock_decision& made, const char* sequence) {
        auto e = event_of(made);
        e.id = "decision-" + made.order_number;
        e.sequence = sequence;
        REQUIRE(stock.producer(stock_topic).publish(e.view(), sinew::never).is_accepted());
    };
    const stock_decision first{.order_number = "1", .customer = "Ada", .total_pence = 100};
    const stock_decision second{.order_number = "2", .customer = "Ada", .missing = "TEA"};
    send(second, "2");
    send(first, "1");
    send(second, "2");
    for (int life = 0; life < 2; ++life) {
        auto notifications = make_notifications(stock, in.db);
        CHECK(sinew::drain(notifications, soon()));
        send(first, "1");
    }
    using row = std::tuple<std::string, std::string>;
    const auto rows = in.db.connection().query<std::string, std::string>(
        "SELECT customer, message FROM notifications ORDER BY rowid");
    CHECK(rows == std::vector<row>{{"Ada", message_for(first)}, {"Ada", message_for(second)}});
}
