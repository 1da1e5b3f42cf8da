// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <fmt/core.h>

int main() {
    sinew::memory::log log;
    sinew::memory::store db;

    auto basket = sinew::subscribe(log, {.topic = "orders", .group = "basket"}) |
                  sinew::in_sequence() |                   // what if events come out of order?
                  sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                  sinew::retry({.max_attempts = 5}) |      // what if it fails?
                  sinew::once(db) |                        // what if it comes twice?
                  sinew::handle([](const sinew::event_view& e, sinew::memory::transaction& tx) {
                      if (e.text().empty()) {
                          throw sinew::permanent_error("no_item", "nothing was ordered");
                      }
                      tx.put(e.id, e.text());
                  });
    static_assert(basket.guarantee() == sinew::guarantee::effectively_once);

    auto shop = log.producer("orders");
    const char* sent[][2] = {{"1", "tea"}, {"3", "milk"}, {"2", ""}, {"1", "tea"}};
    for (const auto& [number, item] : sent) {
        sinew::event order{.id = number, .source = "/shop", .type = "order", .data = item};
        order.partitionkey = "Ada";
        order.sequence = number;
        static_cast<void>(shop.publish(order.view(), sinew::never));
    }
    sinew::drain(basket, sinew::never);
    for (const auto& [number, item] : db.items()) {
        fmt::print("order {}: {}\n", number, item);
    }
    const auto& counts = basket.counts();
    fmt::print("{} applied, {} duplicate, {} dead letter, {} put back in order\n", counts.applied,
               counts.duplicates, counts.dead_lettered, counts.held);
}
