// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/postgres.md. Takes a connection string: guide_postgres "host=...
// dbname=...". It works in the schema sinew_guide, which it removes at the end.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/postgres.hpp>
#include <sinew/sinew.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using guide::expect;
using namespace std::chrono_literals;

namespace {

sinew::event order(std::string id, std::string amount) {
    return {.id = std::move(id), .source = "/shop", .type = "order", .data = std::move(amount)};
}

void keep_stock(const std::string& conninfo) {
    // [open]
    sinew::postgres::store db(conninfo, {.schema = "sinew_guide"});
    db.connection().execute_script(
        "CREATE TABLE sinew_guide.stock(sku text PRIMARY KEY, left_over int CHECK (left_over >= "
        "0));"
        "INSERT INTO sinew_guide.stock VALUES ('tea', 5)");
    // [/open]

    sinew::memory::log log;
    log.create_topic("orders", {.partitions = 1});
    auto shop = log.producer("orders");
    for (const auto& one : {order("1", "2"), order("2", "9"), order("3", "3"), order("1", "2")}) {
        expect(shop.publish(one.view(), sinew::never).is_accepted());
    }

    // [consumer]
    auto stock = sinew::subscribe(log, {.topic = "orders", .group = "stock"}) |
                 sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                 sinew::retry() |                         // what if it fails?
                 sinew::once(db) |                        // what if it comes twice?
                 sinew::handle([](const sinew::event_view& e, sinew::postgres::transaction& tx) {
                     tx.execute(
                         "UPDATE sinew_guide.stock SET left_over = left_over - $1::int "
                         "WHERE sku = 'tea'",
                         e.text());
                 });
    expect(sinew::drain(stock, sinew::machine_clock::now().steady + 30s));

    const auto left =
        db.connection().query_one<std::int64_t>("SELECT left_over FROM sinew_guide.stock");
    expect(left == std::tuple(0));  // 5 - 2 - 3

    // The order of nine broke the CHECK: no further attempt can help.
    const auto letters = sinew::triage::list(db.dead_letters());
    expect(letters.size() == 1 && letters.front().letter.original.id == "2");
    expect(letters.front().letter.reason == "constraint");
    // [/consumer]

    // [by_hand]
    auto tx = db.begin(sinew::machine_clock::now().steady + 5s);
    tx.execute("INSERT INTO sinew_guide.stock VALUES ($1, $2)", "coffee", 7);
    const auto row = tx.query_one<std::string, std::int64_t>(
        "SELECT sku, left_over FROM sinew_guide.stock WHERE left_over > $1", 0);
    expect(row == std::tuple("coffee", 7));
    switch (tx.commit()) {
        case sinew::commit_result::committed: break;  // it is done, also after a crash
        case sinew::commit_result::aborted:           // it is not done: begin again
        case sinew::commit_result::unknown:           // look before doing it again
            std::puts(db.last_commit_failure()->detail.c_str());
    }
    // [/by_hand]
}

void publish_orders(const std::string& conninfo) {
    sinew::memory::log log;
    log.create_topic("orders", {.partitions = 1});
    auto broker = log.producer("orders");

    // [outbox]
    sinew::postgres::store shop(conninfo, {.schema = "sinew_guide"});
    auto orders = shop.outbox("orders");
    sinew::emitter emit(orders);
    auto tx = shop.begin();
    tx.execute("CREATE TABLE sinew_guide.orders(id text, customer text)");
    tx.execute("INSERT INTO sinew_guide.orders VALUES ($1, $2)", "o-1", "ann");
    const auto sequence = emit.add(tx, {.id = {},
                                        .source = "/shop",
                                        .type = "order.placed",
                                        .data = sinew::as_bytes("o-1"),
                                        .partitionkey = "ann"});
    expect(tx.commit() == sinew::commit_result::committed);
    expect(sequence == 1);  // ann's first: order at commit is order on the wire

    // Elsewhere, in as many processes as there should be: a connection of its own.
    sinew::postgres::store beside(conninfo, {.schema = "sinew_guide"});
    auto waiting = beside.outbox("orders");
    sinew::relay publisher(waiting, broker, {.owner = "relay-1"});
    const auto soon = sinew::later(sinew::machine_clock::now().steady, std::chrono::seconds(10));
    expect(sinew::drain(publisher, soon));  // a service runs it: sinew::run(publisher, stop)
    expect(waiting.lag().waiting == 0);
    // [/outbox]
    expect(publisher.counts().published == 1);
    expect(
        publisher.shut_down(sinew::machine_clock::now(), sinew::machine_clock::now().steady + 5s));

    // [many]
    std::vector<sinew::event> import;
    for (int i = 0; i < 1'000; ++i) {
        import.push_back({.id = std::to_string(i),
                          .source = "/import",
                          .type = "order.placed",
                          .partitionkey = "customer " + std::to_string(i % 300)});
    }
    std::vector<sinew::event_view> views;
    for (const auto& one : import) {
        views.push_back(one.view());
    }
    auto batch = shop.begin();
    const auto numbers =  // one round trip for 300 keys
        orders.add(batch, views, sinew::machine_clock::now().wall);
    expect(batch.commit() == sinew::commit_result::committed);
    // [/many]
    expect(numbers.size() == 1'000 && numbers.back() == 4);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: guide_postgres CONNINFO\n", stderr);
        return 2;
    }
    const std::string conninfo = argv[1];
    sinew::postgres::connection db(conninfo);
    db.execute_script("DROP SCHEMA IF EXISTS sinew_guide CASCADE");
    keep_stock(conninfo);
    publish_orders(conninfo);
    db.execute_script("DROP SCHEMA sinew_guide CASCADE");
}
