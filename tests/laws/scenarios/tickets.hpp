// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Scenarios in which handlers finish later, by ticket. Their effects are outside of any
/// transaction, so an event may be applied twice; order still holds.

#include "laws/scenarios/common.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sinew::laws {

/// Work that was begun, and takes a while.
struct job {
    ticket stub;
    std::string key;
    std::string id;
    steady_time due;
};

/// The jobs of all lives. What is under way in one life is kept in its ports.
class job_floor {
public:
    explicit job_floor(consumer_world& w) noexcept : world_(w) {}

    /// A handler that begins a job.
    [[nodiscard]] auto begins(consumer_ports& p) {
        auto running = std::make_shared<std::vector<job>>();
        p.keep = running;
        return [this, running](const event_view& e, ticket stub) {
            world_.found().check(law::order,
                                 !is_unfaulted(world_) ||
                                     std::count(busy_.begin(), busy_.end(), e.partitionkey) == 0,
                                 "two handlers run for one key");
            busy_.emplace_back(e.partitionkey);
            running->push_back({stub, std::string(e.partitionkey), std::string(e.id),
                                world_.time().now().steady + 700ms});
        };
    }

    /// Ends the jobs whose time has come, each answer given twice. To be called after each step.
    [[nodiscard]] auto ends() {
        return [this](consumer_ports& p, auto& consumer, moment now) {
            auto& running = *std::static_pointer_cast<std::vector<job>>(p.keep);
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
                std::erase(busy_, done.key);
                const auto first = consumer.complete(done.stub, outcome::done());
                const auto second = consumer.complete(done.stub, outcome::reject("twice", "twice"));
                went_stale_ = went_stale_ || first == completion::stale;
                world_.found().check(law::ledger, second == completion::stale,
                                     "a ticket was taken twice");
                next = now.steady;
            }
            return next;
        };
    }

    /// Whether a job ended whose event had been taken away.
    [[nodiscard]] bool went_stale() const noexcept { return went_stale_; }

private:
    consumer_world& world_;
    std::vector<std::string> busy_;  // keys with a job under way, while nothing goes wrong
    bool went_stale_ = false;
};

inline constexpr std::string_view stale_job = "a job ended whose event had been taken away";

/// A second consumer joins while handlers run.
inline void rebalance_with_tickets(trial& t) {
    consumer_world w(t, {.partitions = 2, .poll_interval = 200ms, .at_least_once = true});
    job_floor floor(w);
    w.produce(0, make_event("a", "a1"));
    w.produce(1, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(1, make_event("b", "b2"));
    const auto make = [&floor](consumer_ports& p) {
        return subscribe(p.source(), subscription()) | dead_letter(p.letters(), letters_at_rest()) |
               retry(patient_retry()) | idempotent_by_nature() | handle(floor.begins(p));
    };
    w.consume("first", make, floor.ends());
    w.consume_after(1s, "second", make, floor.ends());
    w.run();
    w.found().sometimes(stale_job, floor.went_stale());
}

/// Jobs whose ends are remembered in a store, several in one transaction that stays open for them.
inline void tickets_in_batches(trial& t) {
    consumer_world w(t, {.poll_interval = 1s, .at_least_once = true});
    job_floor floor(w);
    w.produce(0, make_event("a", "a1"));
    w.produce(0, make_event("b", "b1"));
    w.produce(0, make_event("a", "a2"));
    w.produce(0, make_event("a", "a1"));
    const auto make = [&floor](consumer_ports& p) {
        return subscribe(p.source(), subscription()) | dead_letter(p.letters(), letters_at_rest()) |
               retry(patient_retry()) | once(p.store, {.batch_max = 4, .batch_time = 1500ms}) |
               handle(floor.begins(p));
    };
    w.consume("worker", make, floor.ends());
    w.run();
    // A zombie costs two: its successor does the job again, and so does the zombie itself, when the
    // commit after the first was refused.
    for (const auto* id : {"a1", "b1", "a2"}) {
        w.found().check(law::nothing_twice, w.facts().times_applied(id) <= 1 + 2 * faults_of(w),
                        [id] { return std::string(id) + " was applied once more than was due"; });
    }
    w.found().sometimes("a job was done again, as its end had not been remembered",
                        w.facts().times_applied("b1") > 1);
}

inline constexpr named_scenario tickets_scenarios[] = {
    {"rebalance_with_tickets", rebalance_with_tickets},
    {"tickets_in_batches", tickets_in_batches},
};

}  // namespace sinew::laws
