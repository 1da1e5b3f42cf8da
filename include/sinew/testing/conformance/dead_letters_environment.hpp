// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Letters for the suite of dead letters, and how it looks at them.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

/// What the adapter promises beyond `dead_letter_place`.
struct dead_letters_features {
    bool store = false;           ///< `dead_letter_store`: to be looked at and replayed
    bool in_transaction = false;  ///< `dead_letters_in_transaction`
};

namespace detail {

template <class Env>
using place_of = std::remove_cvref_t<decltype(std::declval<Env&>().open())>;

template <class Env>
inline constexpr bool can_look =
    dead_letter_store<place_of<Env>> || requires(Env& env) { env.letters(); };

/// Everything that is in a place, by number.
template <class Place>
[[nodiscard]] std::vector<dead_letter_entry> entries_in(Place& place,
                                                        const dead_letter_filter& filter = {}) {
    return place.find(filter, 0, 100'000);
}

/// All letters, in the order in which they were put first.
template <class Env>
[[nodiscard]] std::vector<dead_letter_record> letters_in(Env& env) {
    if constexpr (dead_letter_store<place_of<Env>>) {
        auto&& place = env.open();
        std::vector<dead_letter_record> out;
        for (auto& one : entries_in(place)) {
            out.push_back(std::move(one.letter));
        }
        return out;
    } else {
        return env.letters();
    }
}

/// When the failure with that number happened.
[[nodiscard]] inline wall_time failed_at(std::uint32_t number) {
    return wall_time(std::chrono::hours(24 * 19'000) + std::chrono::microseconds(number));
}

[[nodiscard]] inline failure_note note_of(std::uint32_t number) {
    return {.at = failed_at(number),
            .kind = failure_class::permanent,
            .attempt = number,
            .reason = "reason-" + std::to_string(number),
            .detail = "what happened"};
}

/// A letter about that event with one note.
[[nodiscard]] inline dead_letter_record letter_of(std::string consumer, event original,
                                                  std::uint32_t number = 1) {
    dead_letter_record out{.consumer = std::move(consumer),
                           .topic = "t",
                           .where = {0, 1},
                           .original = std::move(original),
                           .attempts = 1};
    out.add(note_of(number));
    return out;
}

/// Letters whose numbers, times and histories are at the ends of their scales.
[[nodiscard]] inline std::vector<dead_letter_record> letters_at_the_limits() {
    std::vector<dead_letter_record> out;
    auto numbers = letter_of("c", {.id = "numbers", .source = "/s", .type = "t"});
    numbers.where = {UINT32_MAX, INT64_MAX};
    numbers.attempts = UINT32_MAX;
    out.push_back(std::move(numbers));
    auto times = letter_of("c", {.id = "times", .source = "/s", .type = "t"});
    times.history[0].at = wall_time(std::chrono::microseconds(-1));
    times.first_failure = times.last_failure = times.history[0].at;
    out.push_back(std::move(times));
    for (const auto kind :
         {failure_class::transient, failure_class::unavailable, failure_class::unknown}) {
        auto one =
            letter_of("c", {.id = std::string(to_string(kind)), .source = "/s", .type = "t"});
        one.kind = one.history[0].kind = kind;
        out.push_back(std::move(one));
    }
    auto longest = letter_of("c", {.id = "history", .source = "/s", .type = "t"});
    for (std::uint32_t i = 2; i < 2 * dead_letter_record::history_max; ++i) {
        auto note = note_of(i);
        note.detail = std::string(2 * dead_letter_record::detail_max, 'd');
        longest.add(std::move(note));
    }
    out.push_back(std::move(longest));
    auto bytes = letter_of("c", {.id = "bytes", .source = "/s", .type = "t"});
    bytes.history[0].reason = bytes.reason = "o'reason";
    bytes.history[0].detail = std::string("\0\xff'\n", 4);
    out.push_back(std::move(bytes));
    return out;
}

[[nodiscard]] inline std::vector<std::string> ids_of(const std::vector<dead_letter_record>& all) {
    std::vector<std::string> out;
    for (const auto& one : all) {
        out.push_back(one.original.id);
    }
    return out;
}
[[nodiscard]] inline std::vector<std::string> ids_of(const std::vector<dead_letter_entry>& all) {
    std::vector<std::string> out;
    for (const auto& one : all) {
        out.push_back(one.letter.original.id);
    }
    return out;
}
[[nodiscard]] inline std::vector<std::string> reasons_of(const dead_letter_record& letter) {
    std::vector<std::string> out;
    for (const auto& note : letter.history) {
        out.push_back(note.reason);
    }
    return out;
}

/// That a letter came back as it was put.
inline void same_letter(const check& c, const dead_letter_record& sent,
                        const dead_letter_record& came) {
    const std::string of = "of letter " + show(sent.original.id);
    const std::string wrong = difference(sent.original, came.original);
    c.that(wrong.empty(), "the original " + of + " as it was", wrong);
    c.equal(came.consumer, sent.consumer, "the consumer " + of);
    c.equal(came.topic, sent.topic, "the topic " + of);
    c.equal(came.where, sent.where, "the position " + of);
    c.equal(came.reason, sent.reason, "the reason " + of);
    c.equal(std::string(to_string(came.kind)), to_string(sent.kind), "the class " + of);
    c.equal(came.attempts, sent.attempts, "the attempts " + of);
    c.equal(came.first_failure.time_since_epoch().count(),
            sent.first_failure.time_since_epoch().count(), "the first failure " + of);
    c.equal(came.last_failure.time_since_epoch().count(),
            sent.last_failure.time_since_epoch().count(), "the last failure " + of);
    c.equal(reasons_of(came), reasons_of(sent), "the history " + of);
    c.equal(came == sent, true, "the notes " + of + ", the same");
}

}  // namespace detail

template <class Env>
concept dead_letters_environment = dead_letter_place<detail::place_of<Env>>;

}  // namespace sinew::testing::conformance
