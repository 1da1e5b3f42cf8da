// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The port to where events go that cannot be processed, and what is kept of them there.

#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/failure_note.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew {

/// An event that could not be processed, whole.
///
/// **Guarantees.** `original` is the event bit for bit and is never changed; what happened to it
/// stands beside it, append-only and capped.
struct dead_letter_record {
    /// How many notes are kept: the first, and the latest ones.
    static constexpr std::size_t history_max = 20;
    /// How many bytes of one detail are kept at most.
    static constexpr std::size_t detail_max = 1024;

    std::string consumer{};
    std::string topic{};
    position where{};
    event original{};
    std::string reason{};
    failure_class kind = failure_class::permanent;
    std::uint32_t attempts = 0;
    wall_time first_failure{};
    wall_time last_failure{};
    std::vector<failure_note> history{};

    /// Adds a note; the middle of a long history gives way.
    void add(failure_note note) {
        if (note.detail.size() > detail_max) {
            // Not within a character: a store that checks its text would refuse the whole letter.
            std::size_t cut = detail_max;
            while (cut > 0 && detail_max - cut < 3 &&
                   (static_cast<unsigned char>(note.detail[cut]) & 0xc0U) == 0x80U) {
                --cut;
            }
            note.detail.resize(cut);
        }
        if (history.empty()) {
            first_failure = note.at;
        }
        last_failure = note.at;
        reason = note.reason;
        kind = note.kind;
        while (history.size() >= history_max) {
            history.erase(history.begin() + 1);
        }
        history.push_back(std::move(note));
    }

    /// Adds what the same letter tells that was put once more: its attempts, and the notes that are
    /// not there yet. Answers whether there were any; without, nothing changes.
    ///
    /// **Complexity.** Notes of the one times notes of the other.
    bool add_what_is_new(const dead_letter_record& again) {
        const std::vector<failure_note> before = history;
        bool found = false;
        for (auto& note : again.bounded_history()) {
            bool known = false;
            for (const auto& old : before) {
                known = known || old == note;
            }
            if (!known) {
                add(std::move(note));
                found = true;
            }
        }
        attempts += found ? again.attempts : 0;
        return found;
    }

    /// The history within the bounds above, whoever wrote it. A store keeps no other.
    [[nodiscard]] std::vector<failure_note> bounded_history() const {
        dead_letter_record kept;
        for (const auto& note : history) {
            kept.add(note);
        }
        return std::move(kept.history);
    }

    friend bool operator==(const dead_letter_record&, const dead_letter_record&) = default;
};

/// Where a dead letter stands.
enum class dead_letter_state : std::uint8_t {
    waiting,    ///< for somebody to decide
    requested,  ///< a replay was asked for
    replaying,  ///< its consumer is at it
    resolved,   ///< replayed and applied
    discarded,  ///< given up, with a reason
};

[[nodiscard]] constexpr std::string_view to_string(dead_letter_state s) noexcept {
    switch (s) {
        case dead_letter_state::waiting: return "waiting";
        case dead_letter_state::requested: return "requested";
        case dead_letter_state::replaying: return "replaying";
        case dead_letter_state::resolved: return "resolved";
        case dead_letter_state::discarded: return "discarded";
    }
    return "invalid";
}

/// A dead letter in its store. Each change raises `version`; a change names the version it saw.
struct dead_letter_entry {
    std::int64_t number = 0;
    std::uint64_t version = 0;
    dead_letter_state state = dead_letter_state::waiting;
    dead_letter_record letter{};
};

/// Which entries. An empty field asks for nothing.
struct dead_letter_filter {
    std::string consumer{};
    std::string topic{};
    std::string reason{};
    std::string type{};
    std::string key{};
    std::optional<failure_class> kind{};
    std::optional<dead_letter_state> state{};
};

/// How many entries share a reason, an event type and a state.
struct dead_letter_count {
    std::string reason{};
    std::string type{};
    dead_letter_state state = dead_letter_state::waiting;
    std::uint64_t entries = 0;

    friend bool operator==(const dead_letter_count&, const dead_letter_count&) = default;
};

/// How putting a dead letter ended.
enum class [[nodiscard]] put_result : std::uint8_t {
    stored,   ///< it is there, durably, or was there before
    unknown,  ///< no answer came; putting it again is harmless
};

/// A `dead_letter_place` takes dead letters.
///
/// 1. After `stored` the letter is there, also after a crash.
/// 2. An event is there once per consumer, whatever is put: the same (`consumer`, `source`, `id`)
///    again adds its notes to an entry that waits, and changes nothing in one that is resolved or
///    discarded. An event without identity is told apart by topic and position.
/// 3. The original is kept as it was put first.
///
/// **On failure.** `put` throws `unavailable_error`, and the consumer waits.
template <class P>
concept dead_letter_place =
    requires(P& place, const dead_letter_record& letter, steady_time until) {
        { place.put(letter, until) } -> std::same_as<put_result>;
    };

/// A `dead_letter_store` is a place in which letters can be looked at and replayed.
///
/// 1. `find(filter, after, limit)` lists entries with a number above `after`, by number.
/// 2. `move(number, version, to, note)` changes the state if the version is still the one given,
///    and answers whether it did (compare-and-swap). The note, if any, joins the history.
/// 3. `requested(consumer)` is the requested entry of that consumer with the lowest number whose
///    key has no lower one that is being replayed; a `replaying` one comes first, as its replay
///    was cut off.
/// 4. `holds(consumer, key)` is whether an entry of that key is neither resolved nor discarded.
/// 5. `counts(filter)` counts by reason, type and state, in that order of sorting.
template <class P>
concept dead_letter_store =
    dead_letter_place<P> &&
    requires(P& place, const dead_letter_filter& filter, std::int64_t number, std::size_t limit,
             std::uint64_t version, std::string_view text, const failure_note* note) {
        { place.find(filter, number, limit) } -> std::same_as<std::vector<dead_letter_entry>>;
        { place.counts(filter) } -> std::same_as<std::vector<dead_letter_count>>;
        { place.move(number, version, dead_letter_state::waiting, note) } -> std::same_as<bool>;
        { place.requested(text) } -> std::same_as<std::optional<dead_letter_entry>>;
        { place.holds(text, text) } -> std::same_as<bool>;
    };

/// A place whose letters can be written in the transaction of a store, so that effect and letter
/// are decided together.
///
/// 1. `shares(store)` is whether transactions of that store can be used here.
/// 2. `put(tx, letter)`, `move(tx, ...)` and `holds(tx, ...)` are as above, within `tx`.
template <class P, class Store>
concept dead_letters_in_transaction =
    dead_letter_store<P> &&
    requires(P& place, const Store& store, typename Store::transaction_type& tx,
             const dead_letter_record& letter, std::int64_t number, std::uint64_t version,
             std::string_view text, const failure_note* note) {
        { place.shares(store) } -> std::same_as<bool>;
        place.put(tx, letter);
        { place.move(tx, number, version, dead_letter_state::waiting, note) } -> std::same_as<bool>;
        { place.holds(tx, text, text) } -> std::same_as<bool>;
    };

}  // namespace sinew
