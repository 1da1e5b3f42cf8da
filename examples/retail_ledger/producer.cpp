// SPDX-License-Identifier: BSL-1.0
#include "producer.hpp"

#include "invoice_file.hpp"
#include "ledger.hpp"
#include "shared_counts.hpp"

#include <sinew/core/sink.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <thread>

#include <fmt/core.h>

namespace retail {

namespace {

using namespace std::chrono_literals;

/// Puts one event into the log. Without an answer it puts it there once more: who consumes it tells
/// the two apart.
template <sinew::sink Sink>
[[nodiscard]] bool deliver(Sink& sink, const sinew::event& one) {
    const auto give_up_at = sinew::machine_clock::now().steady + 30s;
    for (;;) {
        const auto now = sinew::machine_clock::now().steady;
        const auto answer = sink.publish(one.view(), now + 5s);
        if (answer.is_accepted()) {
            return true;
        }
        if (answer.why().kind == sinew::failure_class::permanent || now > give_up_at) {
            fmt::print(stderr, "the producer cannot put line {} into the log: {}\n", one.id,
                       answer.why().detail);
            return false;
        }
        std::this_thread::sleep_for(10ms);
    }
}

/// Keeps the transport from running out before all kills have happened: of as many equal parts as
/// there are runs of the consumer, the one after next has to wait.
void wait_for_kills(const counts& all, const producer_options& options, std::size_t place,
                    std::size_t deliveries) {
    const auto is_far_ahead = [&] {
        const std::size_t lead = place - std::min(place, 2 * options.transport.shuffle_window);
        return lead * (options.kills + 1) > (all.kills + 2) * deliveries;
    };
    while (is_far_ahead()) {
        std::this_thread::sleep_for(1ms);
    }
}

void count(counts& all, const delivery& one, bool overtakes) {
    ++(one.is_copy ? all.copies : all.events);
    if (overtakes) {
        ++all.overtaken;
    }
}

}  // namespace

int produce(const run_folder& folder, const producer_options& options) {
    const auto events = make_events(read_invoice_file(options.input));
    const auto deliveries = plan_deliveries(events.size(), options.seed, options.transport);
    const auto overtakers = find_overtakers(
        deliveries, events.size(),
        [&](std::size_t event) -> std::string_view { return events[event].partitionkey; });
    const shared_counts all = shared_counts::open(folder.counts());
    auto log = open_log(folder);
    auto sink = log.producer(topic);
    for (std::size_t i = 0; i < deliveries.size(); ++i) {
        const delivery& one = deliveries[i];
        wait_for_kills(*all, options, i, deliveries.size());
        std::this_thread::sleep_for(one.after);
        if (!deliver(sink, events[one.event])) {
            return 1;
        }
        // A copy of what cannot be read is told apart by the dead letters, not by the consumer.
        if (!one.is_copy || !events[one.event].partitionkey.empty()) {
            count(*all, one, overtakers[i]);
        }
    }
    return 0;
}

}  // namespace retail
