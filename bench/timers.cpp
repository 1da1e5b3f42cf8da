// SPDX-License-Identifier: BSL-1.0
//
// What waiting costs: the deadlines of retries and gaps, beside a std::priority_queue from which a
// timer that was cancelled is taken when it comes to the top.
//
//   ./dev bench timers
//
// | case | what is done |
// | --- | --- |
// | `fill/N` | N timers are set, a quarter of them cancelled, the others expire in order |
// | `steady/N` | of N timers the earliest expires and is set anew, again and again |
// | `cancel/N` | of N timers a random one is cancelled and set anew, and the earliest one, too |
//
// By hand, of equal deadlines any may come first, and who is cancelled stays in the queue.

#include "ratio.hpp"

#include <sinew/consume/deadline_heap.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace sinew;

class queue_by_hand {
public:
    explicit queue_by_hand(std::size_t timers) : versions_(timers, 0) {
        std::vector<entry> room;
        room.reserve(2 * timers);
        queue_ = queue(later_first{}, std::move(room));
    }

    void set(std::uint32_t id, steady_time at) { queue_.push({at, id, ++versions_[id]}); }
    void cancel(std::uint32_t id) { ++versions_[id]; }

    /// The earliest timer, which has expired; there has to be one.
    std::uint32_t expire() {
        while (true) {
            const entry first = queue_.top();
            queue_.pop();
            if (versions_[first.id] == first.version) {
                ++versions_[first.id];
                return first.id;
            }
        }
    }

private:
    struct entry {
        steady_time at{};
        std::uint32_t id = 0;
        std::uint32_t version = 0;
    };
    struct later_first {
        bool operator()(const entry& a, const entry& b) const noexcept { return a.at > b.at; }
    };
    using queue = std::priority_queue<entry, std::vector<entry>, later_first>;

    queue queue_;
    std::vector<std::uint32_t> versions_;
};

class ours {
public:
    explicit ours(std::size_t timers) : heap_(timers) {}

    void set(std::uint32_t id, steady_time at) { heap_.set(id, at); }
    void cancel(std::uint32_t id) { heap_.erase(id); }
    std::uint32_t expire() {
        const std::uint32_t id = heap_.top().member;
        heap_.erase(id);
        return id;
    }

private:
    detail::deadline_heap heap_;
};

/// Waits as retries have them: from 0.2 to 30 seconds.
std::vector<duration> waits(std::size_t count) {
    std::mt19937_64 random(5);
    std::vector<duration> out(count);
    for (auto& one : out) {
        one = std::chrono::milliseconds(200) + duration(random() % 29'800'000'000U);
    }
    return out;
}

constexpr std::size_t operations = 1'000'000;

template <class Timers>
void set_all(Timers& timers, const std::vector<duration>& wait, std::size_t count,
             std::size_t from = 0) {
    for (std::uint32_t id = 0; id < count; ++id) {
        timers.set(id, steady_time(wait[from + id]));
    }
}

/// Few timers are set and expire several times, each time with other waits: who repeats himself is
/// learnt by heart by the processor.
template <class Timers>
bench::side fill(std::shared_ptr<const std::vector<duration>> wait, std::size_t count) {
    return [=](bench::laps& laps) {
        Timers timers(count);
        set_all(timers, *wait, count);  // the memory is touched
        for (std::size_t i = 0; i < count; ++i) {
            benchmark::DoNotOptimize(timers.expire());
        }
        for (std::size_t from = 0; from < wait->size(); from += count) {
            laps.time("set", [&] { set_all(timers, *wait, count, from); });
            laps.time("cancel", [&] {
                for (std::uint32_t id = 0; id < count; id += 4) {
                    timers.cancel(id);
                }
            });
            laps.time("expire", [&] {
                for (std::size_t left = count - (count + 3) / 4; left > 0; --left) {
                    benchmark::DoNotOptimize(timers.expire());
                }
            });
        }
    };
}

template <class Timers>
bench::side steady(std::shared_ptr<const std::vector<duration>> wait, std::size_t count,
                   bool cancels) {
    return [=](bench::laps& laps) {
        Timers timers(count);
        set_all(timers, *wait, count);
        laps.time("move", [&] {
            for (std::size_t i = 0; i < operations; ++i) {
                const auto now =
                    steady_time(duration(30'000'000'000 * static_cast<std::int64_t>(i) /
                                         static_cast<std::int64_t>(count)));
                if (cancels) {
                    const auto other = static_cast<std::uint32_t>(i * 7'919 % count);
                    timers.cancel(other);
                    timers.set(other, now + (*wait)[i]);
                }
                timers.set(timers.expire(), now + (*wait)[operations - 1 - i]);
            }
        });
    };
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("timers", argc, argv);
    for (const std::size_t count : {1'000U, 10'000U, 100'000U, 1'000'000U}) {
        const std::string name = std::to_string(count);
        const auto x = static_cast<double>(count);
        all.pair({.name = "fill/" + name, .items = operations, .goal = 1, .series = "fill", .x = x},
                 [=] {
                     const auto what =
                         std::make_shared<const std::vector<duration>>(waits(operations));
                     return bench::sides{fill<queue_by_hand>(what, count), fill<ours>(what, count)};
                 });
        all.pair(
            {.name = "steady/" + name, .items = operations, .goal = 1, .series = "steady", .x = x},
            [=] {
                const auto what = std::make_shared<const std::vector<duration>>(waits(operations));
                return bench::sides{steady<queue_by_hand>(what, count, false),
                                    steady<ours>(what, count, false)};
            });
        all.pair(
            {.name = "cancel/" + name, .items = operations, .goal = 1, .series = "cancel", .x = x},
            [=] {
                const auto what = std::make_shared<const std::vector<duration>>(waits(operations));
                return bench::sides{steady<queue_by_hand>(what, count, true),
                                    steady<ours>(what, count, true)};
            });
    }
    return all.run();
}
