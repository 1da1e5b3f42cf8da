// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Working through dead letters: looking at them, asking for their replay, giving them up.
///
/// Each change is a compare-and-swap: it happens only if the entry is still as it was looked at, so
/// two people at it do not undo each other. A replay is carried out by the consumer whose letter it
/// is, one at a time, through its own handler.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::triage {

/// How a change of one entry ended.
enum class change : std::uint8_t {
    done,
    not_found,     ///< there is no entry of that number
    not_in_state,  ///< it is being replayed, resolved or discarded already
    changed_meanwhile,
};

[[nodiscard]] constexpr std::string_view to_string(change c) noexcept {
    switch (c) {
        case change::done: return "done";
        case change::not_found: return "not found";
        case change::not_in_state: return "not in a state for it";
        case change::changed_meanwhile: return "changed meanwhile";
    }
    return "invalid";
}

/// What a change by filter did.
struct tally {
    std::size_t changed = 0;
    std::size_t left_alone = 0;  ///< changed by somebody else meanwhile
};

/// The entries that the filter lets through, by number, at most `limit` above `after`.
template <dead_letter_store Store>
[[nodiscard]] std::vector<dead_letter_entry> list(Store&& store,
                                                  const dead_letter_filter& filter = {},
                                                  std::int64_t after = 0, std::size_t limit = 100) {
    return store.find(filter, after, limit);
}

/// How many there are by reason, event type and state.
template <dead_letter_store Store>
[[nodiscard]] std::vector<dead_letter_count> count(Store&& store,
                                                   const dead_letter_filter& filter = {}) {
    return store.counts(filter);
}

/// One entry by its number.
template <dead_letter_store Store>
[[nodiscard]] std::optional<dead_letter_entry> look_at(Store&& store, std::int64_t number) {
    auto found = store.find({}, number - 1, 1);
    if (found.empty() || found.front().number != number) {
        return std::nullopt;
    }
    return std::move(found.front());
}

/// Asks for the replay of one entry. Its consumer applies it once, however often this is asked.
template <dead_letter_store Store>
[[nodiscard]] change replay(Store&& store, std::int64_t number) {
    const auto entry = look_at(store, number);
    if (!entry) {
        return change::not_found;
    }
    if (entry->state != dead_letter_state::waiting) {
        return change::not_in_state;
    }
    return store.move(number, entry->version, dead_letter_state::requested, nullptr)
               ? change::done
               : change::changed_meanwhile;
}

/// Gives one entry up for good, with a reason that stays with it.
template <dead_letter_store Store>
[[nodiscard]] change discard(Store&& store, std::int64_t number, std::string reason,
                             wall_time now) {
    const auto entry = look_at(store, number);
    if (!entry) {
        return change::not_found;
    }
    if (entry->state != dead_letter_state::waiting &&
        entry->state != dead_letter_state::requested) {
        return change::not_in_state;
    }
    const failure_note note{now, failure_class::permanent, entry->letter.attempts, "discarded",
                            std::move(reason)};
    return store.move(number, entry->version, dead_letter_state::discarded, &note)
               ? change::done
               : change::changed_meanwhile;
}

/// Does `each(entry)` for all waiting entries that the filter lets through, in the order in which
/// they were put, and counts by its answer.
template <dead_letter_store Store, class Each>
[[nodiscard]] tally for_each_waiting(Store&& store, dead_letter_filter filter, Each each) {
    constexpr std::size_t page = 256;
    filter.state = dead_letter_state::waiting;
    tally result;
    std::int64_t after = 0;
    for (;;) {
        const auto entries = store.find(filter, after, page);
        for (const auto& entry : entries) {
            after = entry.number;
            ++(each(entry) ? result.changed : result.left_alone);
        }
        if (entries.size() < page) {
            return result;
        }
    }
}

/// Asks for the replay of all waiting entries that the filter lets through.
template <dead_letter_store Store>
[[nodiscard]] tally replay(Store&& store, const dead_letter_filter& filter) {
    return for_each_waiting(store, filter, [&store](const dead_letter_entry& entry) {
        return store.move(entry.number, entry.version, dead_letter_state::requested, nullptr);
    });
}

/// Gives up all waiting entries that the filter lets through.
template <dead_letter_store Store>
[[nodiscard]] tally discard(Store&& store, const dead_letter_filter& filter,
                            const std::string& reason, wall_time now) {
    return for_each_waiting(store, filter, [&](const dead_letter_entry& entry) {
        const failure_note note{now, failure_class::permanent, entry.letter.attempts, "discarded",
                                reason};
        return store.move(entry.number, entry.version, dead_letter_state::discarded, &note);
    });
}

}  // namespace sinew::triage
