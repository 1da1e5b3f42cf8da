// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/outbox.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

using guide::expect;
using namespace std::chrono_literals;

namespace {

// [sink]
/// Stands for a broker: it keeps what it accepts, and refuses what it is told to.
class broker {
public:
    sinew::publish_result publish(const sinew::event_view& e, sinew::steady_time /*until*/) {
        if (e.type == refuses) {
            return sinew::publish_result::refused(
                {sinew::failure_class::permanent, "schema_unknown", "no such type here", {}});
        }
        out += std::string(e.partitionkey) + std::string(e.sequence) + " ";
        last = sinew::to_event(e);
        return sinew::publish_result::accepted();
    }
    // [/sink]

    std::string out{};
    sinew::event last{};
    std::string_view refuses{};
};

/// A clock that moves as fast as the relays ask.
struct relay_clock {
    guide::fast_clock clock{};
    void pass(sinew::duration span, auto&... relays) const {
        for (const auto end = clock.at->steady + span; clock.at->steady < end;) {
            const auto now = clock.now();
            (static_cast<void>(relays.step(now)), ...);
        }
    }
};

}  // namespace

int main() {
    const sinew::memory::database data;
    sinew::memory::store db(data);
    broker kafka;
    const relay_clock time;

    // [emit]
    sinew::emitter emit(db.outbox("orders"));

    const auto place_order = [&](std::string_view customer, const sinew::event_view& cause) {
        auto tx = db.begin(sinew::never);
        tx.put(customer, "ordered");
        const std::string json = R"({"customer":")" + std::string(customer) + R"("})";
        const auto number = emit.add(tx,
                                     {.source = "/shop",
                                      .type = "order.placed",
                                      .data = sinew::as_bytes(json),
                                      .partitionkey = customer},
                                     cause);
        expect(tx.commit() == sinew::commit_result::committed);
        return number;
    };
    // [/emit]

    // [context]
    const sinew::event paid{
        .id = "p-1",
        .source = "/bank",
        .type = "payment.taken",
        .correlationid = "basket-9",
        .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    expect(place_order("Ada", paid.view()) == 1);  // the first event of that key
    expect(place_order("Ada", paid.view()) == 2);
    // [/context]

    // [rollback]
    {
        auto tx = db.begin(sinew::never);
        emit.add(tx, {.source = "/shop", .type = "order.placed", .partitionkey = "Bob"});
    }  // rolled back: nothing will be published, and there is no hole in Bob's numbers
    expect(place_order("Bob", paid.view()) == 1);
    // [/rollback]

    // [relay]
    sinew::memory::store own(data);  // in a file or on a server: a connection of its own
    sinew::relay orders(own.outbox("orders"), kafka, {.owner = "relay-1"});

    expect(sinew::drain(orders, sinew::never, 3, time.clock));  // or sinew::run(orders, stop)
    expect(kafka.out == "Ada1 Ada2 Bob1 " || kafka.out == "Bob1 Ada1 Ada2 ");
    expect(kafka.last.correlationid == "basket-9" && kafka.last.causationid == "p-1");
    expect(kafka.last.traceparent == paid.traceparent);
    // [/relay]

    // [parked]
    kafka.refuses = "order.placed";
    place_order("Cleo", paid.view());
    place_order("Cleo", paid.view());
    expect(sinew::drain(orders, sinew::never, 3, time.clock));

    auto desk = db.outbox("orders");
    const auto parked = desk.parked(0, 10, sinew::never);
    expect(parked.size() == 1 && parked[0].last_failure->reason == "schema_unknown");
    expect(desk.lag(sinew::never).waiting == 1);  // Cleo's second waits behind her first

    kafka.refuses = {};  // the broker was put right
    kafka.out.clear();
    expect(desk.unpark(parked[0].number, parked[0].version, sinew::never));
    expect(sinew::drain(orders, sinew::never, 3, time.clock));
    expect(kafka.out == "Cleo1 Cleo2 ");
    // [/parked]

    // [several]
    sinew::relay further(own.outbox("orders"), kafka, {.owner = "relay-2"});
    time.pass(60s, orders, further);
    expect(orders.shards_held() == 4 && further.shards_held() == 4);  // of 8
    // [/several]

    // [crash]
    {
        sinew::relay killed(own.outbox("orders"), kafka, {.owner = "relay-3"});
        time.pass(60s, orders, further, killed);
        expect(killed.shards_held() >= 2);
    }  // it is gone, and gave nothing back
    time.pass(41s, orders, further);  // a lease and a look
    expect(orders.shards_held() + further.shards_held() == 8);
    // [/crash]

    // [stop]
    while (!further.shut_down(time.clock.now(), time.clock.at->steady + 10s)) {
    }
    time.pass(11s, orders);
    expect(orders.shards_held() == 8);
    // [/stop]

    // [purge]
    time.pass(25h, orders);  // published entries are kept for a day
    expect(orders.counts().purged == 5);
    // [/purge]

    // [watch]
    struct lag_watch : sinew::null_relay_observer {
        void on_lag(const sinew::relay_lag_note& note) { waiting = note.waiting; }
        std::uint64_t waiting = 99;
    };
    sinew::relay watched(db.outbox("mail"), kafka, {.owner = "relay-1"}, lag_watch());
    time.pass(11s, watched);
    expect(watched.observer().waiting == 0);
    // [/watch]
}
