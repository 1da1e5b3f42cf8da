// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The dead letters in memory behind a place that can make one mistake at a time.

#include "conformance/environments.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::test {

enum class letters_mistake {
    none,
    lost_when_closed,
    lost_in_a_crash,
    drops_headers,
    narrow_offsets,
    keeps_the_last_original,
    one_entry_for_all_consumers,
    drops_later_notes,
    one_entry_without_identity,
    lists_backwards,
    counts_unsorted,
    ignores_the_key_filter,
    forgets_the_note,
    ignores_the_version,
    reopens_what_is_settled,
    requested_is_the_newest,
    forgets_replays,
    holds_only_what_waits,
    shares_everything,
    puts_beside_the_transaction,
    moves_beside_the_transaction,
};

/// What places on the same data share.
struct faulty_letter_data {
    letters_mistake wrong = letters_mistake::none;
    memory::store db{};
    bool crashed = false;
    int opened = 0;
    std::map<std::string, event> last{};  ///< the originals that were put last
};

class faulty_letters {
public:
    using mistake = letters_mistake;

    explicit faulty_letters(faulty_letter_data& in) : in_(&in), inner_(in.db.dead_letters()) {}

    put_result put(const dead_letter_record& letter, steady_time until) {
        auto changed = changed_by_mistake(letter);
        const auto before = entry_of(changed);
        if (before && is(mistake::drops_later_notes)) {
            return put_result::stored;
        }
        if (is(mistake::keeps_the_last_original)) {
            in_->last[letter.original.id] = letter.original;
        }
        if (before && is(mistake::reopens_what_is_settled)) {
            static_cast<void>(
                inner_.move(before->number, before->version, dead_letter_state::waiting, nullptr));
        }
        return inner_.put(changed, until);
    }
    void put(memory::transaction& tx, const dead_letter_record& letter) {
        if (is(mistake::puts_beside_the_transaction)) {
            static_cast<void>(inner_.put(letter));
        } else {
            inner_.put(tx, letter);
        }
    }

    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        return inner_.move(number, current(number, version), to,
                           is(mistake::forgets_the_note) ? nullptr : note);
    }
    bool move(memory::transaction& tx, std::int64_t number, std::uint64_t version,
              dead_letter_state to, const failure_note* note) {
        if (is(mistake::moves_beside_the_transaction)) {
            return inner_.move(number, version, to, note);
        }
        return inner_.move(tx, number, version, to, note);
    }

    [[nodiscard]] std::vector<dead_letter_entry> find(dead_letter_filter filter, std::int64_t after,
                                                      std::size_t limit) const {
        if (is(mistake::ignores_the_key_filter)) {
            filter.key.clear();
        }
        if ((is(mistake::lost_when_closed) && in_->opened > 1) || in_->crashed) {
            return {};
        }
        auto all = inner_.find(filter, after, limit);
        for (auto& one : all) {
            if (const auto at = in_->last.find(one.letter.original.id); at != in_->last.end()) {
                one.letter.original = at->second;
            }
        }
        if (is(mistake::lists_backwards)) {
            std::reverse(all.begin(), all.end());
        }
        return all;
    }
    [[nodiscard]] std::vector<dead_letter_count> counts(const dead_letter_filter& filter) const {
        auto all = inner_.counts(filter);
        if (is(mistake::counts_unsorted)) {
            std::reverse(all.begin(), all.end());
        }
        return all;
    }
    [[nodiscard]] std::optional<dead_letter_entry> requested(std::string_view consumer) const {
        auto found = inner_.requested(consumer);
        if (found && is(mistake::requested_is_the_newest)) {
            const auto all = inner_.find(
                {.consumer = std::string(consumer), .state = dead_letter_state::requested}, 0,
                1'000);
            return all.empty() ? found : all.back();
        }
        if (found && is(mistake::forgets_replays) && found->state == dead_letter_state::replaying) {
            return std::nullopt;
        }
        return found;
    }
    [[nodiscard]] bool holds(std::string_view consumer, std::string_view key) const {
        if (is(mistake::holds_only_what_waits)) {
            for (const auto& one : inner_.find({.consumer = std::string(consumer)}, 0, 1'000)) {
                if (one.letter.original.partitionkey == key &&
                    one.state == dead_letter_state::waiting) {
                    return true;
                }
            }
            return false;
        }
        return inner_.holds(consumer, key);
    }
    [[nodiscard]] bool holds(memory::transaction& tx, std::string_view consumer,
                             std::string_view key) const {
        return inner_.holds(tx, consumer, key);
    }
    [[nodiscard]] bool shares(const memory::store& s) const {
        return is(mistake::shares_everything) || inner_.shares(s);
    }

private:
    [[nodiscard]] bool is(mistake m) const { return in_->wrong == m; }

    [[nodiscard]] dead_letter_record changed_by_mistake(dead_letter_record letter) const {
        if (is(mistake::drops_headers)) {
            letter.original.headers.clear();
        } else if (is(mistake::narrow_offsets)) {
            letter.where.offset = static_cast<std::int32_t>(letter.where.offset);
        } else if (is(mistake::one_entry_for_all_consumers)) {
            letter.consumer = "c";
        } else if (is(mistake::one_entry_without_identity) && letter.original.id.empty()) {
            letter.where = {};
        }
        return letter;
    }
    [[nodiscard]] std::optional<dead_letter_entry> entry_of(const dead_letter_record& letter) {
        for (auto& one : inner_.find({.consumer = letter.consumer}, 0, 1'000)) {
            if (one.letter.original.view().identity() == letter.original.view().identity()) {
                return std::move(one);
            }
        }
        return std::nullopt;
    }
    [[nodiscard]] std::uint64_t current(std::int64_t number, std::uint64_t version) {
        if (is(mistake::ignores_the_version)) {
            for (const auto& one : inner_.find({}, number - 1, 1)) {
                return one.number == number ? one.version : version;
            }
        }
        return version;
    }

    faulty_letter_data* in_;
    memory::dead_letters inner_;
};

struct faulty_letters_environment {
    std::unique_ptr<faulty_letter_data> data = std::make_unique<faulty_letter_data>();

    explicit faulty_letters_environment(letters_mistake wrong) { data->wrong = wrong; }
    [[nodiscard]] faulty_letters open() const {
        ++data->opened;
        return faulty_letters(*data);
    }
    [[nodiscard]] memory::store& open_store() const { return data->db; }
    [[nodiscard]] faulty_letters letters_of(memory::store&) const { return faulty_letters(*data); }
    void crash() const { data->crashed = data->wrong == letters_mistake::lost_in_a_crash; }
};

}  // namespace sinew::test
