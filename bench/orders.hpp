// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The events that the benchmarks of the outbox send, and where they end.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/new_event.hpp>
#include <sinew/core/random.hpp>
#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>
#include <sinew/core/timestamp.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sinew::bench {

/// The events of a round, as an order service sends them: some 200 bytes of JSON, and all that a
/// tracing, correlating service sets. `keys` customers come in a random order; with 0 the events
/// have no key.
[[nodiscard]] inline std::vector<event> orders(std::size_t count, std::size_t keys) {
    splitmix64 random(1);
    const wall_time start(std::chrono::seconds(1'790'000'000));
    std::vector<event> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const wall_time at = start + std::chrono::milliseconds(i);
        event e{.id = new_event_id(at, random),
                .source = "/shop/orders",
                .type = "com.example.order.placed.v1",
                .subject = "order-" + std::to_string(1'000'000 + i),
                .time = format_time(at),
                .datacontenttype = "application/json",
                .data = R"({"order":")" + std::to_string(1'000'000 + i) +
                        R"(","currency":"EUR","lines":[{"sku":"tea-green-100g","quantity":2,)"
                        R"("price":"4.90"},{"sku":"cup-white","quantity":6,"price":"3.25"}],)"
                        R"("total":"29.30","note":"leave it at the door, please"})",
                .correlationid = new_event_id(at, random),
                .causationid = new_event_id(at, random),
                .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
        if (keys != 0) {
            e.partitionkey = "customer-" + std::to_string(random() % keys);
        }
        all.push_back(std::move(e));
    }
    return all;
}

/// Accepts everything, and counts it.
struct null_sink {
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;

    publish_result publish(const event_view& e, steady_time /*until*/) {
        ++count;
        bytes += e.data.size();
        return publish_result::accepted();
    }
};
static_assert(sink<null_sink>);

/// The events in transactions of `batch` each.
template <class F>
void in_batches(std::span<const event> all, std::size_t batch, F f) {
    for (std::size_t i = 0; i < all.size(); i += batch) {
        f(all.subspan(i, std::min(batch, all.size() - i)));
    }
}

}  // namespace sinew::bench
