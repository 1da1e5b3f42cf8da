// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a scenario of the consuming side recorded: what went into the log, what it has to come to,
/// and what was found in the store and the dead letters afterwards. The laws look at it and judge.

#include <sinew/core/dead_letters.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing {

/// What became of an event.
enum class fate : std::uint8_t {
    applied,        ///< its effect is in the store
    dead_lettered,  ///< it is in the dead letters
    set_aside,      ///< counted away by a stage that is there for it: skipped, discarded
    either,         ///< applied or dead-lettered: the faults decide, and both are right
};

[[nodiscard]] constexpr std::string_view to_string(fate f) noexcept {
    switch (f) {
        case fate::applied: return "applied";
        case fate::dead_lettered: return "dead-lettered";
        case fate::set_aside: return "set aside";
        case fate::either: return "applied or dead-lettered";
    }
    return "invalid";
}

/// One record of the log, and what its event has to come to.
struct produced_event {
    event original;
    position where;
    fate expected = fate::applied;
};

/// A digest of all that an event says, as a handler sees it. 0 stands for "not told".
[[nodiscard]] inline std::uint64_t content_of(const event_view& e) noexcept {
    std::uint64_t sum = 0xcbf29ce484222325ULL;
    const auto mix = [&sum](std::string_view text) {
        for (const char c : text) {
            sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        }
        sum = (sum ^ 0xffU) * 0x100000001b3ULL;
    };
    for (const auto text :
         {e.id, e.source, e.type, e.subject, e.time, e.datacontenttype, e.dataschema, e.text(),
          e.partitionkey, e.sequence, e.correlationid, e.causationid, e.traceparent}) {
        mix(text);
    }
    for (std::size_t i = 0; i < e.headers.size(); ++i) {
        const auto one = e.headers[i];
        mix(one.name);
        mix(one.value);
    }
    return sum == 0 ? 1 : sum;
}

/// The effects that are in the store, by key, in the order in which they were applied. Ids are
/// unique in a scenario, so an id stands for an identity.
struct key_effects {
    std::string key;
    std::vector<std::string> ids;
    std::vector<std::uint64_t> contents{};  ///< what the handler saw, one for each id; 0: not told
};

/// What a scenario recorded.
struct record {
    std::vector<produced_event> produced;  ///< an event that was produced twice is there twice
    std::vector<key_effects> applied;
    std::vector<dead_letter_entry> letters;
    std::vector<std::string> set_aside;  ///< ids

    /// The effect of an event was put into the store.
    void apply(std::string_view key, std::string_view id, std::uint64_t content = 0) {
        for (auto& one : applied) {
            if (one.key == key) {
                one.ids.emplace_back(id);
                one.contents.push_back(content);
                return;
            }
        }
        applied.push_back({std::string(key), {std::string(id)}, {content}});
    }

    [[nodiscard]] const produced_event* find(std::string_view id) const noexcept {
        for (const auto& one : produced) {
            if (one.original.id == id) {
                return &one;
            }
        }
        return nullptr;
    }
    [[nodiscard]] std::size_t times_applied(std::string_view id) const noexcept {
        std::size_t times = 0;
        for (const auto& key : applied) {
            times += static_cast<std::size_t>(std::count(key.ids.begin(), key.ids.end(), id));
        }
        return times;
    }
    /// Whether the event is given up in the dead letters: a resolved entry is history.
    [[nodiscard]] bool is_dead(std::string_view id) const noexcept {
        return std::any_of(letters.begin(), letters.end(), [id](const dead_letter_entry& one) {
            return one.letter.original.id == id && one.state != dead_letter_state::resolved;
        });
    }
    [[nodiscard]] bool is_set_aside(std::string_view id) const noexcept {
        return std::find(set_aside.begin(), set_aside.end(), id) != set_aside.end();
    }
    /// Whether nothing has to be done for the event any more.
    [[nodiscard]] bool is_finished(std::string_view id) const noexcept {
        return times_applied(id) != 0 || is_dead(id) || is_set_aside(id);
    }
};

/// The effects of a run without faults, event by event: for each key what is to be applied, in the
/// order of its `sequence` where it has one, else in the order in which it was produced.
[[nodiscard]] inline std::vector<key_effects> expected_effects(const record& r) {
    std::vector<const produced_event*> order;
    for (const auto& one : r.produced) {
        const auto is_same = [&](const produced_event* other) {
            return other->original.id == one.original.id;
        };
        if ((one.expected == fate::applied || one.expected == fate::either) &&
            std::none_of(order.begin(), order.end(), is_same)) {
            order.push_back(&one);
        }
    }
    // An insertion sort: stable, and there are few. (clang warns of libstdc++'s stable_sort.)
    const auto number = [](const produced_event* one) {
        return parse_sequence(one->original.sequence).value_or(0);
    };
    for (std::size_t i = 1; i < order.size(); ++i) {
        for (std::size_t k = i; k > 0 && number(order[k]) < number(order[k - 1]); --k) {
            std::swap(order[k], order[k - 1]);
        }
    }
    record out;
    for (const auto* one : order) {
        out.apply(one->original.partitionkey, one->original.id, content_of(one->original.view()));
    }
    return std::move(out.applied);
}

}  // namespace sinew::testing
