// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/ordering.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <string>

using guide::expect;
using namespace std::chrono_literals;

int main() {
    const guide::fast_clock clock;

    // [consumer]
    sinew::memory::log log;
    sinew::memory::store db;

    auto basket = sinew::subscribe(log, {.topic = "orders", .group = "basket"}) |
                  sinew::in_sequence({.gap_timeout = 30s}) |  // what if events come out of order?
                  sinew::dead_letter(db.dead_letters()) |     // what if one can never be processed?
                  sinew::retry() |                            // what if it fails?
                  sinew::once(db) |                           // what if it comes twice?
                  sinew::handle([](const sinew::event_view& e, sinew::memory::transaction& tx) {
                      const auto before = tx.get(e.partitionkey).value_or("");
                      tx.put(e.partitionkey, before + std::string(e.sequence));
                  });
    // [/consumer]

    auto shop = log.producer("orders");
    const auto publish = [&](std::string key, std::string number) {
        sinew::event order{.id = key + number, .source = "/shop", .type = "order"};
        order.partitionkey = key;
        order.sequence = number;
        expect(shop.publish(order.view(), sinew::never).is_accepted());
    };

    // [use]
    publish("Ada", "1");
    publish("Ada", "3");
    publish("Ada", "2");
    publish("Ada", "5");  // 4 is missing
    publish("Bob", "1");
    expect(sinew::drain(basket, sinew::never, 3, clock));

    expect(db.get("Ada") == "1235");    // 5 went on alone, 30 s later
    expect(db.get("Bob") == "1");       // another key waits for nobody
    expect(basket.counts().held == 2);  // 3 and 5
    expect(basket.counts().gaps == 1);

    publish("Ada", "4");  // too late
    publish("Ada", "2");  // a duplicate
    expect(sinew::drain(basket, sinew::never, 3, clock));

    const auto letters = sinew::triage::list(db.dead_letters());
    expect(db.get("Ada") == "1235");
    expect(letters.size() == 1 && letters.front().letter.reason == "late");
    expect(basket.counts().duplicates == 1);
    // [/use]
}
