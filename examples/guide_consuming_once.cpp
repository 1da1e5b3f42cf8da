// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/consuming-once.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>

using guide::expect;
using namespace std::chrono_literals;

int main() {
    // [consumer]
    sinew::memory::log log;
    sinew::memory::store db;

    const auto make_stock = [&] {
        return sinew::subscribe(log, {.topic = "orders", .group = "stock", .commit_interval = 1h}) |
               sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
               sinew::retry() |                         // what if it fails?
               sinew::once(db) |                        // what if it comes twice?
               sinew::handle([](const sinew::event_view& e, sinew::memory::transaction& tx) {
                   tx.add(e.text(), 1);
               });
    };
    // [/consumer]

    int by_hand = 0;
    const auto make_naive = [&] {
        return sinew::subscribe(log, {.topic = "orders", .group = "naive", .commit_interval = 1h}) |
               sinew::halt() | sinew::idempotent_by_nature() |
               sinew::handle([&](const sinew::event_view&) { ++by_hand; });
    };

    const auto publish = [&] {
        auto shop = log.producer("orders");
        for (const char* id : {"order-1", "order-1", "order-2"}) {
            const sinew::event order{.id = id, .source = "/shop", .type = "order", .data = "tea"};
            expect(shop.publish(order.view(), sinew::never).is_accepted());
        }
    };

    const sinew::moment now{};
    std::uint64_t recognised = 0;

    // [crash]
    {
        auto stock = make_stock();
        auto naive = make_naive();
        stock.step(now);  // each becomes a member of its group
        naive.step(now);
        publish();  // order-1, order-1 again, order-2
        stock.step(now);
        naive.step(now);
    }  // both die: their effects are committed, their offsets are not

    auto stock = make_stock();
    auto naive = make_naive();
    while (stock.step(now)) {
    }
    while (naive.step(now)) {
    }
    recognised = stock.counts().duplicates;

    expect(db.get("tea") == "2");  // two orders
    expect(by_hand == 6);          // six deliveries
    expect(recognised == 3);       // all of the second life's were known
    // [/crash]

    // [promise]
    static_assert(decltype(stock)::guarantee() == sinew::guarantee::effectively_once);
    static_assert(decltype(naive)::guarantee() == sinew::guarantee::at_least_once);
    // [/promise]
}
