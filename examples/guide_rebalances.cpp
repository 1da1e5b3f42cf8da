// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/rebalances-and-shutdown.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

using guide::expect;
using namespace std::chrono_literals;

namespace {

void share_partitions() {
    sinew::memory::log log({.topic = {.partitions = 2}});
    sinew::memory::store db;

    // [consumer]
    struct job {
        std::string id;
        sinew::ticket ticket;
    };
    std::vector<job> running;  // work that somebody else does, such as a thread pool

    const auto make_worker = [&] {
        return sinew::subscribe(log, {.topic = "images", .group = "resize"}) |
               sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
               sinew::retry() |                         // what if it fails?
               sinew::idempotent_by_nature() |          // what if it comes twice?
               sinew::handle([&](const sinew::event_view& e, sinew::ticket t) {
                   running.push_back({std::string(e.id), t});  // started, and not finished
               });
    };
    // [/consumer]

    for (const sinew::partition_id to : {0U, 1U}) {
        const std::string id = "image-" + std::to_string(to);
        const sinew::event image{.id = id, .source = "/shop", .type = "image"};
        log.append("images", to, image.view());
    }

    // [rebalance]
    sinew::moment now{};
    auto first = make_worker();
    first.step(now);
    expect(running.size() == 2);  // it has both partitions, and both events are under way

    auto second = make_worker();  // joins the group: one partition is to change hands
    first.step(now);
    second.step(now);
    expect(running.size() == 2);  // but first its handler has to finish

    for (const job& one : running) {
        expect(first.complete(one.ticket, sinew::outcome::done()) == sinew::completion::taken);
    }
    first.step(now);  // what is finished is committed, and the partition given back
    second.step(now);
    expect(log.owner("images", "resize", 0) != log.owner("images", "resize", 1));
    expect(running.size() == 2);  // no event came a second time

    // A ticket is used up.
    expect(first.complete(running[0].ticket, sinew::outcome::done()) == sinew::completion::stale);
    // [/rebalance]

    // [shut_down]
    const sinew::steady_time until = now.steady + 10s;
    while (!first.shut_down(now, until) || !second.shut_down(now, until)) {
        now.steady += 10ms;
    }
    expect(log.committed("images", "resize", 0) == 0 && log.committed("images", "resize", 1) == 0);
    // [/shut_down]
}

void run_until_stopped() {
    sinew::memory::log log;
    sinew::memory::store db;
    auto shop = log.producer("orders");
    for (const char* id : {"1", "2", "last"}) {
        const sinew::event order{.id = id, .source = "/shop", .type = "order"};
        expect(shop.publish(order.view(), sinew::never).is_accepted());
    }

    // [run]
    std::stop_source stop;  // that of a std::jthread, or one that a signal handler's thread pulls
    auto orders = sinew::subscribe(log, {.topic = "orders", .group = "orders"}) |
                  sinew::dead_letter(db.dead_letters()) |  // what if one can never be processed?
                  sinew::once(db) |                        // what if it comes twice?
                  sinew::handle([&](const sinew::event_view& e, sinew::memory::transaction& tx) {
                      tx.put(e.id, "done");
                      if (e.id == "last") {
                          stop.request_stop();
                      }
                  });
    const auto end = sinew::run(orders, stop.get_token(), {.shut_down_within = 10s});
    expect(end == sinew::run_end::stopped);
    expect(log.committed("orders", "orders", 0) == 2);
    // [/run]
}

/// How a service calls a consumer from a loop that it has already.
void use_own_loop() {
    sinew::memory::log log;
    auto shop = log.producer("orders");
    const sinew::event order{.id = "1", .source = "/shop", .type = "order"};
    expect(shop.publish(order.view(), sinew::never).is_accepted());
    int calls = 0;

    auto orders = sinew::subscribe(log, {.topic = "orders", .group = "orders"}) | sinew::halt() |
                  sinew::retry() | sinew::idempotent_by_nature() |
                  sinew::handle([&](const sinew::event_view&) {
                      if (++calls == 1) {
                          throw sinew::transient_error("busy", "come back later");
                      }
                  });

    // [loop]
    sinew::moment now{};
    while (calls < 2) {
        if (!orders.step(now)) {
            // A service waits here for its sockets, and for this time at most.
            now.steady = orders.next_deadline();
        }
    }
    // [/loop]
    expect(now.steady > sinew::steady_time{} && orders.counts().applied == 1);
}

}  // namespace

int main() {
    share_partitions();
    run_until_stopped();
    use_own_loop();
}
