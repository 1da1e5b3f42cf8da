// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "examples/order_parts.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/sinew.hpp>

#include <string>

using namespace shop;
using namespace sinew::test;

namespace {

/// An inventory that reads from a log in memory.
struct inventory_world : small_shop {
    sinew::memory::log orders;
    std::uint64_t events = 0;

    inventory_world() {
        orders.create_topic(orders_topic, {.partitions = 1});
        receive_goods(db, {{"TEA", 4}, {"MILK", 1}, {"TEA", 1}}, soon());
    }

    void send(const order& placed, std::uint64_t sequence) {
        auto e = event_of(placed);
        e.id = "event-" + placed.number;
        e.sequence = std::to_string(sequence);
        e.traceparent = "00-trace";
        REQUIRE(orders.producer(orders_topic).publish(e.view(), sinew::never).is_accepted());
    }
    void work() {
        auto inventory = make_inventory(orders, db);
        CHECK(sinew::drain(inventory, soon()));
    }
    [[nodiscard]] std::int64_t reserved(const std::string& stock_code) {
        return number("SELECT reserved FROM stock WHERE stock_code = '" + stock_code + "'");
    }
    [[nodiscard]] std::string missing(const std::string& of) {
        return text("SELECT missing FROM decisions WHERE order_number = '" + of + "'");
    }
};

}  // namespace

TEST_CASE("goods that are there are reserved, and the answer waits in the inventory's outbox") {
    inventory_world in;
    in.send(order_of("1", {{"TEA", 2, 250}, {"TEA", 1, 250}, {"MILK", 1, 99}}), 1);
    in.work();
    CHECK(in.reserved("TEA") == 3);
    CHECK(in.reserved("MILK") == 1);
    CHECK(in.missing("1").empty());
    CHECK(in.db.outbox(stock_topic).lag(soon()).waiting == 1);
}

TEST_CASE("an order is reserved as a whole or not at all") {
    inventory_world in;
    in.send(order_of("1", {{"TEA", 1, 250}, {"MILK", 2, 99}}), 1);
    in.send(order_of("2", {{"COFFEE", 1, 1}}), 2);
    in.work();
    CHECK(in.reserved("TEA") == 0);
    CHECK(in.reserved("MILK") == 0);
    CHECK(in.missing("1") == "MILK");
    CHECK(in.missing("2") == "COFFEE");
    CHECK(in.db.outbox(stock_topic).lag(soon()).waiting == 2);
}

TEST_CASE("an order event that comes again reserves nothing more, and is not answered again") {
    inventory_world in;
    const auto placed = order_of("1", {{"TEA", 2, 250}});
    in.send(placed, 1);
    in.send(placed, 1);
    in.work();
    in.send(placed, 1);
    in.work();
    CHECK(in.reserved("TEA") == 2);
    CHECK(in.number("SELECT count(*) FROM decisions") == 1);
    CHECK(in.db.outbox(stock_topic).lag(soon()).waiting == 1);
}

TEST_CASE("the orders of a customer are decided in their order, however they come") {
    inventory_world in;
    in.send(order_of("second", {{"TEA", 4, 250}}), 2);
    in.send(order_of("first", {{"TEA", 4, 250}}), 1);
    in.work();
    CHECK(in.missing("first").empty());
    CHECK(in.missing("second") == "TEA");
}

TEST_CASE("an answer names its cause, and belongs to the same conversation") {
    inventory_world in;
    in.send(order_of("1", {{"TEA", 2, 250}}), 1);
    in.work();
    in.relay(stock_topic);
    const auto answers = read_topic(in.log, stock_topic, soon());
    REQUIRE(answers.size() == 1);
    CHECK(answers.front().causationid == "event-1");
    CHECK(answers.front().correlationid == "event-1");
    CHECK(answers.front().key == "customer/Ada");
    CHECK(answers.front().sequence == "1");
    CHECK(answers.front().id != "event-1");
}

TEST_CASE("an event that is no order becomes a dead letter, and changes nothing") {
    inventory_world in;
    auto e = event_of(order_of("1", {{"TEA", 2, 250}}));
    e.id = "bad";
    e.sequence = "1";
    e.data = R"({"number":"1"})";
    REQUIRE(in.orders.producer(orders_topic).publish(e.view(), sinew::never).is_accepted());
    in.work();
    CHECK(in.number("SELECT count(*) FROM decisions") == 0);
    CHECK(in.db.outbox(stock_topic).lag(soon()).waiting == 0);
    CHECK(count_dead_letters(in.db) == 1);
    const auto letters = sinew::triage::list(in.db.dead_letters());
    REQUIRE(letters.size() == 1);
    CHECK(letters.front().letter.original.data == R"({"number":"1"})");
}
