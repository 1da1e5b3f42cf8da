// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stage `subscribe`: where events come from, and how many may be under way.

#include <sinew/consume/pipeline.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/source.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sinew {

/// Which events wait for each other.
enum class ordering : std::uint8_t {
    by_key,        ///< those of one partition key; events without a key wait for nobody
    by_partition,  ///< those of one partition
    none,          ///< none
};

[[nodiscard]] constexpr std::string_view to_string(ordering o) noexcept {
    switch (o) {
        case ordering::by_key: return "by key";
        case ordering::by_partition: return "by partition";
        case ordering::none: return "none";
    }
    return "invalid";
}

/// Options of a subscription.
struct subscription_options {
    /// The topic to read.
    std::string topic{};
    /// The consumer group. It is this consumer's identity in stores and dead letters: a new name
    /// is a new consumer.
    std::string group{};
    sinew::ordering ordering = sinew::ordering::by_key;
    /// Events that may be held at once: queued, running, waiting for a retry or for a gap.
    std::size_t in_flight_max = 1024;
    /// Bytes that these may weigh together. One event alone may go beyond.
    std::size_t in_flight_bytes_max = std::size_t{64} << 20U;
    /// The largest event that is handled; a larger one is a permanent failure
    /// (`payload_too_large`).
    std::size_t event_bytes_max = std::size_t{8} << 20U;
    /// Records that a partition may run ahead of its oldest unfinished one.
    std::size_t window_max = 4096;
    /// How many events one `step` hands to the handler at most, before it looks around again.
    std::size_t step_events_max = 256;
    /// How long one `step` hands events to the handler at most, where it can tell (`measure_with`,
    /// as `run` does). Keep it far below the time after which the group gives a silent member up.
    duration step_time_max = std::chrono::milliseconds(200);
    /// How long finished offsets may wait before they are committed to the source.
    duration commit_interval = std::chrono::milliseconds(200);
    /// How long one call to a port may take.
    duration call_timeout = std::chrono::seconds(5);
    /// The secret of this process's hash tables, and the seed of its jitter. 0: drawn at random.
    std::uint64_t seed = 0;
};

namespace detail {

inline void check(const subscription_options& o) {
    const auto refuse = [](const char* option, const char* rule) {
        throw usage_error(std::string("subscribe: option ") + option + " " + rule);
    };
    if (o.topic.empty()) {
        refuse("topic", "is empty; name the topic to read");
    }
    if (o.group.empty()) {
        refuse("group", "is empty; name the consumer group, it is the consumer's identity");
    }
    if (o.in_flight_max == 0 || o.in_flight_max > 1'000'000) {
        refuse("in_flight_max", "has to be between 1 and 1,000,000 events");
    }
    if (o.window_max < o.in_flight_max || o.window_max > 16'777'216) {
        refuse("window_max", "has to be at least in_flight_max, and at most 16,777,216 records");
    }
    if (o.in_flight_bytes_max == 0) {
        refuse("in_flight_bytes_max", "has to be above 0");
    }
    if (o.event_bytes_max == 0) {
        refuse("event_bytes_max", "has to be above 0");
    }
    if (o.step_events_max == 0) {
        refuse("step_events_max", "has to be above 0");
    }
    if (o.step_time_max <= duration::zero()) {
        refuse("step_time_max", "has to be above 0");
    }
    if (o.commit_interval < duration::zero() || o.call_timeout <= duration::zero()) {
        refuse("commit_interval or call_timeout", "is not a time to wait");
    }
}

/// The first stage of a pipeline. `Source` is a value, or a reference to the caller's own.
template <class Source>
struct subscribe_stage {
    static constexpr stage_kind kind = stage_kind::subscribe;

    Source from;
    subscription_options options;
};

}  // namespace detail

/// Joins `options.group` as a reader of `options.topic`.
///
/// **Delivers.** The start of a pipeline. The membership begins here and ends with the consumer.
/// **On failure.** Throws what the log throws, and `usage_error` for options out of range.
template <subscribable Log>
[[nodiscard]] auto subscribe(Log& log, subscription_options options) {
    detail::check(options);
    using member = decltype(log.join(options.topic, options.group));
    auto joined = log.join(options.topic, options.group);
    return pipeline(detail::subscribe_stage<member>{std::move(joined), std::move(options)});
}

/// Reads from a source that the caller has made: moved in, or referred to.
template <class Source>
    requires source<std::remove_cvref_t<Source>> && (!subscribable<std::remove_cvref_t<Source>>)
[[nodiscard]] auto subscribe(Source&& from, subscription_options options) {
    detail::check(options);
    return pipeline(
        detail::subscribe_stage<Source>{std::forward<Source>(from), std::move(options)});
}

/// Anything else cannot be subscribed to.
template <class Other>
    requires(!subscribable<std::remove_cvref_t<Other>> && !source<std::remove_cvref_t<Other>>)
auto subscribe(Other&&, subscription_options) {
    // Not the concept itself: the compiler would list its parts.
    constexpr bool can_be_read = subscribable<std::remove_cvref_t<Other>>;
    static_assert(can_be_read,
                  "sinew: subscribe takes a log, which has join(topic, group), or a source; "
                  "static_assert(sinew::source<...>) says what is missing");
}

}  // namespace sinew
