// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a hostile transport makes of a stream of events: duplicates, disorder and delays.
///
/// It is a pure function of a seed, so a run can be repeated, and its properties can be tested
/// without a transport.
///
/// **Guarantees.** Nothing is lost: each event is delivered at least once, and at most twice. No
/// delivery moves by `shuffle_window` places or more.

#include <sinew/core/random.hpp>
#include <sinew/core/time.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <vector>

namespace retail {

struct transport_options {
    /// Which part of the events comes twice.
    double duplicate_share = 0.10;
    /// A delivery moves by less than this; 1 leaves all in their order.
    std::size_t shuffle_window = 64;
    /// So many deliveries come at once, on average, and then none for a while.
    double burst = 100;
    /// How long all deliveries take together, on average.
    sinew::duration lasts = std::chrono::seconds(12);
};

/// One delivery.
struct delivery {
    std::size_t event = 0;    ///< which event
    bool is_copy = false;     ///< it was delivered before
    sinew::duration after{};  ///< so long after the delivery before it

    friend bool operator==(const delivery&, const delivery&) = default;
};

/// The deliveries of so many events, in order.
[[nodiscard]] inline std::vector<delivery> plan_deliveries(std::size_t events, std::uint64_t seed,
                                                           const transport_options& options = {}) {
    sinew::splitmix64 random(seed);
    struct placed {
        std::size_t event;
        std::uint64_t place;
        std::size_t number;
    };
    std::vector<placed> order;
    const auto place = [&](std::size_t event) {
        // Sorted by its own place plus less than a window, nothing moves by a window.
        const std::size_t number = order.size();
        order.push_back({event, number + random() % options.shuffle_window, number});
    };
    for (std::size_t event = 0; event < events; ++event) {
        place(event);
        if (sinew::uniform(random) < options.duplicate_share) {
            place(event);
        }
    }
    std::sort(order.begin(), order.end(), [](const placed& a, const placed& b) {
        return a.place != b.place ? a.place < b.place : a.number < b.number;
    });

    const double pauses = static_cast<double>(order.size()) / options.burst;
    const double mean = static_cast<double>(options.lasts.count()) / pauses;
    const auto pause = [&] {
        const bool now = sinew::uniform(random) * options.burst >= 1.0;
        // Most pauses are short and some are long, as in a network.
        const double span = -std::log(1.0 - sinew::uniform(random)) * mean;
        return sinew::duration(now ? 0 : std::llround(span));
    };
    std::vector<bool> seen(events, false);
    std::vector<delivery> deliveries;
    deliveries.reserve(order.size());
    for (const auto& one : order) {
        deliveries.push_back({one.event, seen[one.event], pause()});
        seen[one.event] = true;
    }
    return deliveries;
}

/// For each delivery, whether it is the first of its event, and comes before the first of one that
/// precedes that event in its key. `key_of(event)` is a text; events without a key have no order.
template <class KeyOf>
[[nodiscard]] std::vector<bool> find_overtakers(const std::vector<delivery>& deliveries,
                                                std::size_t events, KeyOf key_of) {
    // The events of each key that are still to come, the earliest first.
    std::map<std::string_view, std::set<std::size_t>> to_come;
    for (std::size_t event = 0; event < events; ++event) {
        to_come[key_of(event)].insert(event);
    }
    std::vector<bool> overtakers;
    overtakers.reserve(deliveries.size());
    for (const auto& one : deliveries) {
        const std::string_view key = key_of(one.event);
        auto& of_key = to_come[key];
        overtakers.push_back(!key.empty() && !one.is_copy && *of_key.begin() != one.event);
        of_key.erase(one.event);
    }
    return overtakers;
}

}  // namespace retail
