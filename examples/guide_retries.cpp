// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/retries.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

using guide::expect;
using namespace std::chrono_literals;

namespace {

/// What the client library of the payment service throws while nobody answers.
struct connection_lost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A payment service with a bad day.
class payments {
public:
    void charge(std::string_view order) {
        const int call = ++calls[std::string(order)];
        if (order == "busy" && call <= 2) {
            throw std::runtime_error("try again");
        }
        if (order == "nonsense") {
            throw std::invalid_argument("no such card");
        }
        if (order == "unlucky" && call <= 10) {
            throw connection_lost("nobody answers");
        }
    }

    std::map<std::string, int> calls;
};

}  // namespace

int main() {
    const guide::fast_clock clock;
    sinew::memory::log log;
    sinew::memory::store db;
    payments service;

    // [consumer]
    auto rules = sinew::first_of(sinew::permanent_on<std::invalid_argument>(),
                                 sinew::unavailable_on<connection_lost>());

    auto billing = sinew::subscribe(log, {.topic = "orders", .group = "billing"}) |
                   sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                   sinew::retry({.max_attempts = 5}, rules) |  // what if it fails?
                   sinew::idempotent_by_nature() |  // the service knows each order by its id
                   sinew::handle([&](const sinew::event_view& e) { service.charge(e.id); });
    // [/consumer]

    auto shop = log.producer("orders");
    for (const char* id : {"busy", "nonsense", "unlucky"}) {
        const sinew::event order{.id = id, .source = "/shop", .type = "order"};
        expect(shop.publish(order.view(), sinew::never).is_accepted());
    }

    // [use]
    expect(sinew::drain(billing, sinew::never, 3, clock));

    expect(service.calls["busy"] == 3);      // transient: two retries, then done
    expect(service.calls["nonsense"] == 1);  // permanent: a dead letter at once
    expect(service.calls["unlucky"] == 11);  // unavailable: more often than max_attempts

    expect(billing.counts().applied == 2);
    expect(billing.counts().dead_lettered == 1);
    expect(billing.counts().retries == 2);
    expect(billing.counts().waits == 10);
    // [/use]

    // [pure]
    const sinew::decorrelated_jitter backoff{.base = 200ms, .cap = 30s};
    const std::uint64_t seed = 17;  // a consumer draws one for each event
    expect(backoff(4, seed) == backoff(4, seed));
    expect(backoff(1, seed) >= 1ms && backoff(50, seed) <= 30s);
    expect(backoff(50, seed) != backoff(51, seed));  // jitter at the cap, too
    // [/pure]
}
