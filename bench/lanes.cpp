// SPDX-License-Identifier: BSL-1.0
//
// What one queue for each key costs: the lanes, beside a std::deque for each key in a
// std::unordered_map, which is erased when it is empty.
//
//   ./dev bench lanes
//
// | case | what is done |
// | --- | --- |
// | `steady/K` | 1,024 events of K keys are in flight; one runs and is finished, another one comes |
// | `flood/K` | 65,536 events of K keys come at once; then all run and are finished |
//
// Both sides get the same seeded hashes as keys, and say of each event when it may run: events of
// one key one after the other, keys in turn. By hand an event can neither be retried nor undone.

#include "ratio.hpp"

#include <sinew/consume/lanes.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace sinew;

class queues_by_hand {
public:
    explicit queues_by_hand(std::size_t slots) : queue_of_(slots) { queues_.reserve(slots); }

    void push(slot_id slot, std::uint64_t key) {
        const auto at = queues_.try_emplace(key).first;
        queue_of_[slot] = at;
        at->second.push_back(slot);
        if (at->second.size() == 1) {
            ready_.push_back(slot);
        }
    }

    slot_id take() {
        const slot_id slot = ready_.front();
        ready_.pop_front();
        return slot;
    }

    void finish(slot_id slot) {
        const auto at = queue_of_[slot];
        at->second.pop_front();
        if (at->second.empty()) {
            queues_.erase(at);
        } else {
            ready_.push_back(at->second.front());
        }
    }

private:
    struct as_it_is {
        std::size_t operator()(std::uint64_t key) const noexcept { return key; }
    };
    using queues = std::unordered_map<std::uint64_t, std::deque<slot_id>, as_it_is>;

    queues queues_;
    std::deque<slot_id> ready_;
    std::vector<queues::iterator> queue_of_;  ///< by slot
};

class ours {
public:
    explicit ours(std::size_t slots) : lanes_(slots) {}

    void push(slot_id slot, std::uint64_t key) { lanes_.push(slot, key); }
    slot_id take() { return *lanes_.take(steady_time{}); }
    void finish(slot_id slot) { lanes_.finish(slot); }

private:
    lanes lanes_;
};

using numbers = std::vector<std::uint64_t>;

/// The keys of some events.
numbers keys_of(std::size_t keys, std::size_t events) {
    std::mt19937_64 random(3);
    numbers names(keys);
    for (auto& one : names) {
        one = random();
    }
    numbers out(events);
    for (auto& one : out) {
        one = names[random() % keys];
    }
    return out;
}

template <class Lanes>
void run_one(Lanes& queues, slot_id& slot) {
    slot = queues.take();
    queues.finish(slot);
}

template <class Lanes>
bench::side steady(std::shared_ptr<const numbers> keys, std::size_t in_flight) {
    return [=](bench::laps& laps) {
        Lanes queues(in_flight);
        slot_id slot = 0;
        for (; slot < in_flight; ++slot) {
            queues.push(slot, (*keys)[slot]);
        }
        laps.time("run", [&] {
            for (std::size_t i = in_flight; i < keys->size(); ++i) {
                run_one(queues, slot);
                queues.push(slot, (*keys)[i]);
            }
        });
        benchmark::DoNotOptimize(slot);
    };
}

template <class Lanes>
bench::side flood(std::shared_ptr<const numbers> keys) {
    return [=](bench::laps& laps) {
        Lanes queues(keys->size());
        const auto push_all = [&] {
            for (slot_id slot = 0; slot < keys->size(); ++slot) {
                queues.push(slot, (*keys)[slot]);
            }
        };
        const auto run_all = [&] {
            slot_id slot = 0;
            for (std::size_t left = keys->size(); left > 0; --left) {
                run_one(queues, slot);
            }
            benchmark::DoNotOptimize(slot);
        };
        push_all();  // the memory is touched
        run_all();
        laps.time("push", push_all);
        laps.time("run", run_all);
    };
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("lanes", argc, argv);
    for (const std::size_t keys : {1U, 64U, 1'000U, 1'000'000U}) {
        const auto x = static_cast<double>(keys);
        constexpr std::size_t events = 1'000'000;
        constexpr std::size_t in_flight = 1'024;
        all.pair({.name = "steady/" + std::to_string(keys),
                  .items = events - in_flight,
                  .goal = 1,
                  .series = "steady",
                  .x = x},
                 [=] {
                     const auto what = std::make_shared<const numbers>(keys_of(keys, events));
                     return bench::sides{steady<queues_by_hand>(what, in_flight),
                                         steady<ours>(what, in_flight)};
                 });
        constexpr std::size_t at_once = 65'536;
        all.pair({.name = "flood/" + std::to_string(keys),
                  .items = at_once,
                  .goal = 1,
                  .series = "flood",
                  .x = x},
                 [=] {
                     const auto what = std::make_shared<const numbers>(keys_of(keys, at_once));
                     return bench::sides{flood<queues_by_hand>(what), flood<ours>(what)};
                 });
    }
    return all.run();
}
