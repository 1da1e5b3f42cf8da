// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/observing.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <map>
#include <string>
#include <string_view>

using guide::expect;
using namespace std::chrono_literals;

// [observer]
/// Counts retries and dead letters by their reason, and keeps the age of the oldest event.
struct stock_metrics : sinew::null_observer {
    void on_applied(const sinew::event_note& note) {
        oldest = note.event_age > oldest ? note.event_age.value() : oldest;
    }
    void on_retry(const sinew::event_note& note) { ++retries[std::string(note.reason)]; }
    void on_dead_lettered(const sinew::event_note& note) { ++letters[std::string(note.reason)]; }
    void on_paused(const sinew::pause_note& note) { ++pauses[std::string(note.reason)]; }

    std::map<std::string, int> retries;
    std::map<std::string, int> letters;
    std::map<std::string, int> pauses;
    sinew::duration oldest{};
};
// [/observer]

// [map]
constexpr std::string_view boundary_map =
    R"(stock reads orders, effectively once
topic orders -> stock
    guarantee:   at least once
    order:       by partition
    retry:       delivered again after a crash or a rebalance
stock -> handler
    guarantee:   effectively once; duplicates by sequence, without a key by id
    order:       by key, by sequence; a gap waits 30 s
    retry:       5 attempts within 10 min; waits without counting while something is unavailable
    last resort: dead letter; its key's next events pass; after 3 recorded deaths of the process
handler -> store
    guarantee:   effectively once: effects and memory are one transaction
    order:       as handled
    retry:       a batch of up to 100; a failing event is undone alone
stock -> dead letters
    guarantee:   at least once; an event is there once
    order:       as failed
    retry:       without end: the consumer waits, and drops nothing
limits
    in flight:   1024 events, 67108864 bytes
    one event:   8388608 bytes
)";
// [/map]

int main() {
    const guide::fast_clock clock;
    sinew::memory::log log;
    sinew::memory::store db;
    int calls = 0;

    // [consumer]
    stock_metrics metrics;  // has to outlive the consumer
    auto stock = sinew::subscribe(log, {.topic = "orders", .group = "stock"}) |
                 sinew::observed_by(metrics) |            // who is told?
                 sinew::in_sequence() |                   // what if events come out of order?
                 sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                 sinew::retry() |                         // what if it fails?
                 sinew::once(db) |                        // what if it comes twice?
                 sinew::handle([&](const sinew::event_view& e, sinew::memory::transaction& tx) {
                     if (++calls == 1) {
                         throw sinew::transient_error("price_service_timeout", "no answer");
                     }
                     if (e.text().empty()) {
                         throw sinew::permanent_error("no_item", "nothing was ordered");
                     }
                     tx.add(e.text(), 1);
                 });
    // [/consumer]

    auto shop = log.producer("orders");
    const char* sent[][2] = {{"1", "tea"}, {"2", ""}};
    for (const auto& [id, item] : sent) {
        sinew::event order{.id = id, .source = "/shop", .type = "order", .data = item};
        order.time = "1970-01-01T00:00:00Z";
        expect(shop.publish(order.view(), sinew::never).is_accepted());
    }

    // [use]
    expect(sinew::drain(stock, sinew::never, 3, clock));

    expect(metrics.retries["price_service_timeout"] == 1);
    expect(metrics.letters["no_item"] == 1);
    expect(metrics.oldest >= 1s);

    const auto& counts = stock.counts();
    expect(counts.received == 2 && counts.applied == 1 && counts.dead_lettered == 1);
    expect(counts.balances());  // at any time: what came in is somewhere
    expect(!stock.oldest_unfinished());

    expect(sinew::describe(stock) == boundary_map);
    // [/use]
}
