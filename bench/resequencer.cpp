// SPDX-License-Identifier: BSL-1.0
//
// What the order of each key costs per event: the resequencer, beside one std::map for each key in
// a std::unordered_map of keys, as somebody writes it who needs no bounds, no times and no store.
//
//   ./dev bench resequencer
//
// | case | what arrives |
// | --- | --- |
// | `in_order/K` | events of K keys in turn, each key's in order; the first of each key is not counted |
// | `single/K` | the same, but no key is announced |
// | `lookup/K` | as `in_order`, beside a lookup of the keys in an absl::flat_hash_map (or std), and no more |
// | `over_lookup/K` | nanoseconds of an event of `in_order` beyond that lookup |
// | `over_lookup/single/K` | the same for `single` |
// | `shuffled/W/K` | events of K keys in turn, each W events in a row shuffled |
// | `gap/N` | N events of one key in random order before the first one: holding them, and letting go |
// | `gap/hold/N` | nanoseconds to hold one of them |
//
// Both sides get the same digests as keys, with equal hashes. A key is announced eight events before its
// turn, as by a caller that has a batch at hand.

#include "ratio.hpp"

#include <sinew/consume/resequencer.hpp>

#include <benchmark/benchmark.h>

#if defined(SINEW_BENCH_HAS_ABSL)
#include <absl/container/flat_hash_map.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using namespace sinew;

struct arrival {
    digest key{};
    std::uint64_t sequence = 0;
    slot_id slot = 0;
};
using arrivals = std::vector<arrival>;

struct hash_of_digest {
    std::size_t operator()(const digest& key) const noexcept { return key.lo; }
};

/// What somebody writes by hand.
class maps_by_hand {
public:
    template <class Deliver>
    void offer(const arrival& one, Deliver&& deliver) {
        auto& at = keys_[one.key];
        if (one.sequence > at.next) {
            at.held.emplace(one.sequence, one.slot);
            return;
        }
        if (one.sequence < at.next) {
            return;
        }
        deliver(one.slot);
        ++at.next;
        auto held = at.held.begin();
        while (held != at.held.end() && held->first == at.next) {
            deliver(held->second);
            ++at.next;
            held = at.held.erase(held);
        }
    }

private:
    struct state {
        std::uint64_t next = 1;
        std::map<std::uint64_t, slot_id> held;
    };
    std::unordered_map<digest, state, hash_of_digest> keys_;
};

/// The same by the resequencer: events are finished as soon as they are delivered.
class ours {
public:
    /// How many events before its turn a key is announced; 0: it is not.
    std::size_t announced;
    static constexpr std::size_t usual_ahead = 8;

    ours(std::size_t keys, std::size_t held, std::size_t ahead = usual_ahead)
        : announced(ahead),
          order_({.held_per_key_max = held + 1, .held_max = held + 1, .keys_max = keys}, false) {}

    void announce(const arrival& one) const { order_.announce(one.key); }

    template <class Deliver>
    void offer(const arrival& one, Deliver&& deliver) {
        now_ += duration(100);
        if (order_.offer(one.key, one.sequence, one.slot, now_) != resequencer::verdict::deliver) {
            return;
        }
        deliver(one.slot);
        while (const auto free = order_.next_release()) {
            deliver(free->slot);
            order_.settled(free->key);
        }
        order_.settled(one.key);
    }

private:
    resequencer order_;
    steady_time now_{};
};

/// A lookup, and nothing else.
class lookups {
public:
    template <class Deliver>
    void offer(const arrival& one, Deliver&& deliver) {
        if (one.sequence == 1) {
            keys_.emplace(one.key, one.slot);
        } else {
            deliver(keys_.find(one.key)->second);
        }
    }

private:
#if defined(SINEW_BENCH_HAS_ABSL)
    absl::flat_hash_map<digest, slot_id, hash_of_digest> keys_;
#else
    std::unordered_map<digest, slot_id, hash_of_digest> keys_;
#endif
};

template <class Order>
void offer_all(Order& order, const arrivals& events, std::size_t from = 0) {
    std::uint64_t sum = 0;
    for (std::size_t i = from; i < events.size(); ++i) {
        if constexpr (requires { order.announced; }) {
            if (order.announced != 0) {
                order.announce(events[std::min(i + order.announced, events.size() - 1)]);
            }
        }
        order.offer(events[i], [&sum](slot_id slot) { sum += slot; });
    }
    benchmark::DoNotOptimize(sum);
}

constexpr std::size_t slots = 1U << 17U;

/// Events of some keys in turn, in another order of the keys each time.
arrivals in_order(std::size_t keys, std::size_t events) {
    std::mt19937_64 random(7);
    std::vector<digest> names(keys);
    for (auto& one : names) {
        one = {random(), random()};
    }
    arrivals out;
    for (std::uint64_t sequence = 1; out.size() < events; ++sequence) {
        std::shuffle(names.begin(), names.end(), random);
        for (const digest& key : names) {
            out.push_back({key, sequence, static_cast<slot_id>(out.size() % slots)});
        }
    }
    return out;
}

arrivals shuffled(arrivals events, std::size_t width) {
    std::mt19937_64 random(8);
    for (std::size_t from = 0; from < events.size(); from += width) {
        const std::size_t to = std::min(from + width, events.size());
        std::shuffle(events.begin() + static_cast<std::ptrdiff_t>(from),
                     events.begin() + static_cast<std::ptrdiff_t>(to), random);
    }
    return events;
}

/// One side of a pair: the first `before` events are not counted.
template <class Order, class... Options>
bench::side side_of(std::shared_ptr<const arrivals> events, std::size_t before,
                    const Options&... options) {
    return [=](bench::laps& laps) {
        Order order(options...);
        const arrivals first(events->begin(),
                             events->begin() + static_cast<std::ptrdiff_t>(before));
        offer_all(order, first);
        laps.time("offer", [&] { offer_all(order, *events, before); });
    };
}

constexpr std::size_t some = 512;  // more than are ever held in order

void add_in_order(bench::suite& all, std::size_t keys) {
    const std::size_t events = std::max<std::size_t>(1'000'000, 3 * keys);
    const auto make = [=] { return std::make_shared<const arrivals>(in_order(keys, events)); };
    const std::string name = std::to_string(keys);
    const auto x = static_cast<double>(keys);
    const std::size_t items = events - keys;
    all.pair({.name = "in_order/" + name, .items = items, .goal = 1, .series = "in_order", .x = x},
             [=] {
                 const auto what = make();
                 return bench::sides{side_of<maps_by_hand>(what, keys),
                                     side_of<ours>(what, keys, keys, some)};
             });
    all.pair({.name = "single/" + name, .items = items, .series = "single", .x = x}, [=] {
        const auto what = make();
        return bench::sides{side_of<maps_by_hand>(what, keys),
                            side_of<ours>(what, keys, keys, some, std::size_t{0})};
    });
    all.pair({.name = "lookup/" + name,
              .items = items,
              .series = "lookup",
              .x = x,
              .against = "a lookup alone"},
             [=] {
                 const auto what = make();
                 return bench::sides{side_of<lookups>(what, keys),
                                     side_of<ours>(what, keys, keys, some)};
             });
    const auto over_lookup = [&](const std::string& case_name, std::size_t ahead, double goal) {
        all.figure(
            {.name = case_name + name, .unit = "ns", .at_most = goal, .x = x, .each_round = true},
            [=, kept = std::make_shared<std::shared_ptr<const arrivals>>()] {
                const auto what = *kept == nullptr ? * kept = make() : *kept;
                bench::laps lookup;
                bench::laps event;
                side_of<lookups>(what, keys)(lookup);
                side_of<ours>(what, keys, keys, some, ahead)(event);
                return (event.seconds() - lookup.seconds()) * 1e9 / static_cast<double>(items);
            });
    };
    over_lookup("over_lookup/", ours::usual_ahead, 10);
    over_lookup("over_lookup/single/", 0, 0);
}

void add_shuffled(bench::suite& all, std::size_t width, std::size_t keys) {
    const std::size_t events = std::max<std::size_t>(1'000'000, 3 * keys);
    all.pair({.name = "shuffled/" + std::to_string(width) + "/" + std::to_string(keys),
              .items = events - keys,
              .goal = 1,
              .series = "shuffled/" + std::to_string(width),
              .x = static_cast<double>(keys)},
             [=] {
                 const auto what =
                     std::make_shared<const arrivals>(shuffled(in_order(keys, events), width));
                 return bench::sides{side_of<maps_by_hand>(what, keys),
                                     side_of<ours>(what, keys, keys, slots)};
             });
}

/// Events of one key, the first of which comes last; and once more, when the tables have their
/// size.
template <class Order, class... Options>
bench::side gap_side(std::shared_ptr<const arrivals> events, const Options&... options) {
    return [=](bench::laps& laps) {
        Order order(options...);
        arrivals last{*events};
        const auto go = [&](bench::laps& to) {
            const arrivals first{last.back()};
            last.pop_back();
            to.time("hold", [&] { offer_all(order, last); });
            to.time("let go", [&] { offer_all(order, first); });
            last.push_back(first.front());
        };
        bench::laps ignored;
        go(ignored);
        for (arrival& one : last) {
            one.sequence += last.size();
        }
        go(laps);
    };
}

/// So many events in random order, and the first one.
arrivals behind_a_gap(std::size_t held) {
    arrivals events = in_order(1, held + 1);
    const arrival first = events.front();
    events.erase(events.begin());
    events = shuffled(std::move(events), held);
    events.push_back(first);
    return events;
}

void add_gap(bench::suite& all, std::size_t held) {
    const std::string name = std::to_string(held);
    const auto make = [=] { return std::make_shared<const arrivals>(behind_a_gap(held)); };
    all.pair({.name = "gap/" + name,
              .items = held,
              .goal = 1,
              .goal_part = "hold",
              .series = "gap",
              .x = static_cast<double>(held)},
             [=] {
                 const auto what = make();
                 return bench::sides{gap_side<maps_by_hand>(what),
                                     gap_side<ours>(what, std::size_t{1}, held + 1)};
             });
    all.figure({.name = "gap/hold/" + name,
                .unit = "ns",
                .at_most = 100,
                .series = "gap/hold",
                .x = static_cast<double>(held),
                .each_round = true},
               [=] {
                   bench::laps laps;
                   gap_side<ours>(make(), std::size_t{1}, held + 1)(laps);
                   return laps.all().front().seconds * 1e9 / static_cast<double>(held);
               });
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("resequencer", argc, argv);
    for (const std::size_t keys : {1U, 1'000U, 100'000U, 1'000'000U}) {
        add_in_order(all, keys);
    }
    for (const std::size_t width : {16U, 256U, 4'096U}) {
        for (const std::size_t keys : {1U, 1'000U, 1'000'000U}) {
            add_shuffled(all, width, keys);
        }
    }
    for (const std::size_t held : {16'000U, 32'000U, 64'000U}) {
        add_gap(all, held);
    }
    return all.run();
}
