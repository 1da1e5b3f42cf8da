// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The stages `dead_letter`, `halt` and `discard`: what if an event can never be processed?

#include <sinew/consume/stage.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/following.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sinew {

/// Options of `dead_letter`.
struct dead_letter_options {
    /// What becomes of a key's next events: they are handled, or go behind it into the dead
    /// letters.
    sinew::following following = sinew::following::pass;
    /// How often the consumer looks for replays that were asked for.
    duration replay_interval = std::chrono::seconds(1);
    /// How long a replay may be under way before another consumer of the group takes it over.
    duration replay_lease = std::chrono::seconds(30);
    /// Dead letter after an event was begun this often without an end (see `crash_loop_guard`).
    std::uint32_t deaths_max = 3;
};

namespace detail {

/// `Place` is a value (a handle), or a reference to the caller's own.
template <class Place>
struct dead_letter_stage {
    static constexpr stage_kind kind = stage_kind::failure;
    static constexpr std::string_view answer = "dead letter";
    using place_type = std::remove_cvref_t<Place>;

    Place place;
    dead_letter_options options;
};

struct halt_stage {
    static constexpr stage_kind kind = stage_kind::failure;
    static constexpr std::string_view answer = "halt";
};

struct discard_stage {
    static constexpr stage_kind kind = stage_kind::failure;
    static constexpr std::string_view answer = "discard";
};

}  // namespace detail

/// Puts what can never be processed into `place`, whole, and goes on.
///
/// **On failure.** While the place is unavailable the consumer waits, and reads nothing new; it
/// never drops.
/// **On crash.** The letter is written before the event counts as finished; put twice, it is there
/// once. Where the place is in the store of `once`, both are one transaction.
template <class Place>
    requires dead_letter_place<std::remove_cvref_t<Place>>
[[nodiscard]] auto dead_letter(Place&& place, dead_letter_options options = {}) {
    if (options.replay_interval <= duration::zero() || options.replay_lease <= duration::zero()) {
        throw usage_error("dead_letter: option replay_interval or replay_lease is not above 0");
    }
    if (options.deaths_max == 0) {
        throw usage_error("dead_letter: option deaths_max has to be at least 1");
    }
    return detail::dead_letter_stage<Place>{std::forward<Place>(place), options};
}

/// Anything else is no place for dead letters.
template <class Other>
    requires(!dead_letter_place<std::remove_cvref_t<Other>>)
auto dead_letter(Other&&, dead_letter_options = {}) {
    // Not the concept itself: the compiler would list its parts.
    constexpr bool takes_letters = dead_letter_place<std::remove_cvref_t<Other>>;
    static_assert(takes_letters,
                  "sinew: dead_letter takes a place with put(letter, until), such as "
                  "store.dead_letters() or dead_letter_topic(sink)");
}

/// Stops the consumer at an event that can never be processed. Its offset is not committed, so the
/// next start meets it again: for pipelines in which nothing may be left out.
[[nodiscard]] constexpr auto halt() noexcept { return detail::halt_stage{}; }

/// Drops what can never be processed, and counts it. For data that nobody will miss.
[[nodiscard]] constexpr auto discard() noexcept { return detail::discard_stage{}; }

}  // namespace sinew
