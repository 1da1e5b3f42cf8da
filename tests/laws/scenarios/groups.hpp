// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which partitions change hands.

#include "laws/scenarios/common.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace sinew::laws {

/// A second consumer joins while the first is in the middle of a batch that stays open.
inline void rebalance_with_transactions(trial& t) {
    consumer_world w(t, {.partitions = 2});
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(1, make_event("b", "b2"));
    w.produce_after(2s, 0, make_event("a", "a3"));
    w.produce_after(2s, 1, make_event("b", "b3"));
    const auto make = [](consumer_ports& p) {
        return standard(p, applies(p), {.once = {.batch_max = 4, .batch_time = 1500ms}});
    };
    w.consume("first", make);
    w.consume_after(1s, "second", make);
    w.run();
}

/// Handlers that finish later, by ticket, and a second consumer that joins while they run. Their
/// effects are outside of any transaction, so an event may be applied twice; order still holds.
inline void rebalance_with_tickets(trial& t) {
    consumer_world w(t, {.partitions = 2, .poll_interval = 200ms, .at_least_once = true});
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(1, make_event("b", "b2"));

    struct job {
        ticket stub;
        std::string key;
        std::string id;
        steady_time due;
    };
    using jobs = std::vector<job>;
    std::vector<std::string> busy;  // keys with a job under way, while nothing goes wrong
    const auto make = [&w, &busy](consumer_ports& p) {
        auto running = std::make_shared<jobs>();
        p.keep = running;
        return subscribe(p.source(), subscription()) | dead_letter(p.letters(), letters_at_rest()) |
               retry(patient_retry()) | idempotent_by_nature() |
               handle([&w, &busy, running](const event_view& e, ticket stub) {
                   w.found().check(law::order,
                                   !is_unfaulted(w) ||
                                       std::count(busy.begin(), busy.end(), e.partitionkey) == 0,
                                   "two handlers run for one key");
                   busy.emplace_back(e.partitionkey);
                   running->push_back({stub, std::string(e.partitionkey), std::string(e.id),
                                       w.time().now().steady + 700ms});
               });
    };
    const auto finish_jobs = [&busy](consumer_ports& p, auto& consumer, moment now) {
        auto& running = *std::static_pointer_cast<jobs>(p.keep);
        steady_time next = never;
        for (std::size_t i = 0; i < running.size();) {
            if (running[i].due > now.steady) {
                next = running[i].due < next ? running[i].due : next;
                ++i;
                continue;
            }
            const job done = running[i];
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
            p.self.pass_through("job", {fault::crash_before, fault::zombie});
            p.apply(done.key, done.id);
            std::erase(busy, done.key);
            static_cast<void>(consumer.complete(done.stub, outcome::done()));
            static_cast<void>(consumer.complete(done.stub, outcome::reject("twice", "twice")));
            next = now.steady;
        }
        return next;
    };
    w.consume("first", make, finish_jobs);
    w.consume_after(1s, "second", make, finish_jobs);
    w.run();
}

}  // namespace sinew::laws
