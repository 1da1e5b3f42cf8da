// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/postgres.md. Takes a connection string: guide_postgres "host=... dbname=...".
// It works in the schema sinew_guide, which it removes at the end.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/postgres.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <tuple>

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
    db.execute_script("DROP SCHEMA sinew_guide CASCADE");
}
