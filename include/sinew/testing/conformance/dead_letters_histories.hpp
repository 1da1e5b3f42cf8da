// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Random histories of dead letters, compared with the in-memory ones.
///
/// What the concept leaves open takes no part: how versions and numbers are counted, and what a
/// letter does that is put while its entry is requested or replayed.

#include <sinew/adapters/memory/store.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/dead_letters_environment.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/random_history.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// Carries out the steps of one history on a place of dead letters.
template <class Env>
class letters_player {
public:
    enum kind : std::uint64_t {
        put,
        request,
        replay,
        resolve,
        discard,
        late_move,
        list,
        requested,
        holds,
        counts,
        kinds
    };
    static constexpr std::array<step_name, kinds> names{{{"put", 2},
                                                         {"request", 2},
                                                         {"replay", 2},
                                                         {"resolve", 2},
                                                         {"discard", 2},
                                                         {"discard under an old version", 2},
                                                         {"list"},
                                                         {"requested"},
                                                         {"holds", 1},
                                                         {"counts"}}};

    letters_player(Env& env, std::string name) : env_(&env), name_(std::move(name)) {}

    std::string play(const step& one, std::string_view /*expected*/ = {}) {
        auto&& place = env_->open();
        const std::string key(1, static_cast<char>('a' + one.a));
        switch (static_cast<kind>(one.kind)) {
            case put: return put_letter(place, one, key);
            case request: return move(place, one, dead_letter_state::requested);
            case replay: return move(place, one, dead_letter_state::replaying);
            case resolve: return move(place, one, dead_letter_state::resolved);
            case discard: return move(place, one, dead_letter_state::discarded);
            case late_move: return move_late(place, one);
            case list: return list_all(place);
            case requested: return id_of(place.requested(name_));
            case holds: return show(place.holds(name_, key));
            default: return show(place.counts({.consumer = name_}));
        }
    }

private:
    using place_type = place_of<Env>;

    [[nodiscard]] static std::string id_of(const std::optional<dead_letter_entry>& entry) {
        return entry ? show(entry->letter.original.id) : "nothing";
    }
    [[nodiscard]] std::optional<dead_letter_entry> entry_of(place_type& place, const step& one) {
        const std::string wanted = id(one);
        for (auto& entry : entries_in(place, {.consumer = name_})) {
            if (entry.letter.original.id == wanted) {
                return std::move(entry);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] static std::string id(const step& one) {
        return std::to_string(one.a) + std::to_string(one.b);
    }

    std::string put_letter(place_type& place, const step& one, const std::string& key) {
        const auto there = entry_of(place, one);
        if (there && (there->state == dead_letter_state::requested ||
                      there->state == dead_letter_state::replaying)) {
            return {};
        }
        event original = plain_event(id(one), key, "data of " + std::to_string(++puts_));
        original.type = "type-" + std::to_string(one.b % 2);
        const auto letter = letter_of(name_, std::move(original), puts_);
        return show(place.put(letter, soon(*env_)));
    }

    std::string move(place_type& place, const step& one, dead_letter_state to) {
        const auto there = entry_of(place, one);
        if (!there) {
            return {};
        }
        old_version_ = there->version;
        const auto note = note_of(1'000 + static_cast<std::uint32_t>(one.b));
        return show(
            place.move(there->number, there->version, to, one.b % 2 == 0 ? &note : nullptr));
    }

    std::string move_late(place_type& place, const step& one) {
        const auto there = entry_of(place, one);
        if (!there || there->version == old_version_) {
            return "false";
        }
        return show(place.move(there->number, old_version_, dead_letter_state::discarded, nullptr));
    }

    std::string list_all(place_type& place) {
        std::string out;
        for (const auto& one : entries_in(place, {.consumer = name_})) {
            out += one.letter.original.id + " " + show(one.state) + " '" +
                   one.letter.original.data + "'";
            for (const auto& reason : reasons_of(one.letter)) {
                out += " " + reason;
            }
            out += "; ";
        }
        return out;
    }

    Env* env_;
    std::string name_;
    std::uint64_t old_version_ = 0;
    std::uint32_t puts_ = 0;
};

struct memory_letters_environment {
    memory::store db;
    [[nodiscard]] memory::dead_letters open() const { return db.dead_letters(); }
};

template <class Env>
void check_letter_histories(check& c, Env& env) {
    memory_letters_environment model;
    compare_histories<letters_player<Env>, letters_player<memory_letters_environment>>(
        c, on(env), on(model), [](const step&) { return true; });
}

}  // namespace sinew::testing::conformance::detail
