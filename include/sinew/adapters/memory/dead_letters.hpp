// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Dead letters in memory: the reference model of `dead_letter_store`.
///
/// **Guarantees.** Every numbered sentence of the concepts holds. Where they leave something open:
/// a letter that is put again while its entry is requested or replaying changes nothing, so a
/// replay is not disturbed; and a note that is there already is not added a second time, so putting
/// again after `unknown` is harmless. The key of a letter is the `partitionkey` of its event.
///
/// **Bounds.** At most `dead_letters_options::capacity` entries, settled ones included. Beyond it
/// `put` throws `unavailable_error` (`dead_letters_full`) and the consumer waits; `purge` makes
/// room. `requested` and `holds` are logarithmic; `find`, `counts` and `purge` look at each entry.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/adapters/memory/transaction.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/dead_letters.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::memory {

class store;

struct dead_letters_options {
    /// How many entries there may be.
    std::size_t capacity = 100'000;
};

class dead_letters {
public:
    /// A place with a database of its own.
    explicit dead_letters(dead_letters_options options = {}) : dead_letters(database(), options) {}
    /// A place in a database, which stores on the same database share.
    explicit dead_letters(const database& data, dead_letters_options options = {})
        : dead_letters(data.tables_, options) {}

    /// **On failure.** Throws `unavailable_error` if the place is full.
    put_result put(const dead_letter_record& letter, steady_time /*until*/ = never) {
        transaction tx(tables_);
        put(tx, letter);
        finish(tx);
        return put_result::stored;
    }

    void put(transaction& tx, const dead_letter_record& letter) {
        check(tx);
        if (const auto number = tx.value_or<std::int64_t>(index_of(letter)); number != 0) {
            add_notes(tx, number, letter);
            return;
        }
        const auto total = tx.value_or<std::int64_t>(total_entries());
        if (static_cast<std::size_t>(total) >= options_.capacity) {
            throw unavailable_error("dead_letters_full",
                                    "the place for dead letters holds as many as it may");
        }
        const auto number = tx.value_or<std::int64_t>(last_number()) + 1;
        tx.write(last_number(), number);
        tx.write(total_entries(), total + 1);
        tx.write(index_of(letter), number);
        dead_letter_entry made{number, 1, dead_letter_state::waiting, letter};
        made.letter.history = letter.bounded_history();
        change(tx, nullptr, std::move(made));
    }

    bool move(std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        transaction tx(tables_);
        const bool moved = move(tx, number, version, to, note);
        finish(tx);
        return moved;
    }

    bool move(transaction& tx, std::int64_t number, std::uint64_t version, dead_letter_state to,
              const failure_note* note) {
        check(tx);
        const auto before = tx.value_or<entry_handle>(letter_name(number));
        if (!before || before->version != version) {
            return false;
        }
        dead_letter_entry after = *before;
        ++after.version;
        after.state = to;
        if (note != nullptr) {
            after.letter.add(*note);
        }
        change(tx, before.get(), std::move(after));
        return true;
    }

    [[nodiscard]] std::vector<dead_letter_entry> find(const dead_letter_filter& filter,
                                                      std::int64_t after, std::size_t limit) const {
        std::vector<dead_letter_entry> out;
        const auto look = [&](const entry_handle& entry) {
            if (out.size() < limit && entry->number > after && is_wanted(*entry, filter)) {
                out.push_back(*entry);
            }
            return out.size() < limit;
        };
        each(look, after);
        return out;
    }

    [[nodiscard]] std::vector<dead_letter_count> counts(const dead_letter_filter& filter) const {
        std::map<std::tuple<std::string, std::string, dead_letter_state>, std::uint64_t> sums;
        each([&](const entry_handle& entry) {
            if (is_wanted(*entry, filter)) {
                ++sums[{entry->letter.reason, entry->letter.original.type, entry->state}];
            }
            return true;
        });
        std::vector<dead_letter_count> out;
        for (const auto& [group, entries] : sums) {
            out.push_back({std::get<0>(group), std::get<1>(group), std::get<2>(group), entries});
        }
        return out;
    }

    [[nodiscard]] std::optional<dead_letter_entry> requested(std::string_view consumer) const {
        std::optional<std::int64_t> first;
        tables_->scan({detail::space::letters_wanted, consumer, {}, {}, INT64_MIN},
                      [&](const detail::row_key& key, const detail::cell&) {
                          if (key.in == detail::space::letters_wanted && key.a == consumer) {
                              first = key.n;
                          }
                          return false;
                      });
        if (!first) {
            return std::nullopt;
        }
        return *std::get<entry_handle>(tables_->latest(letter_name(*first)));
    }

    [[nodiscard]] bool holds(std::string_view consumer, std::string_view key) const {
        const auto* count = std::get_if<std::int64_t>(
            &tables_->latest({detail::space::letters_held, consumer, key}));
        return count != nullptr && *count != 0;
    }
    [[nodiscard]] bool holds(transaction& tx, std::string_view consumer,
                             std::string_view key) const {
        check(tx);
        return tx.value_or<std::int64_t>({detail::space::letters_held, consumer, key}) != 0;
    }

    /// Whether transactions of that store can be used here.
    [[nodiscard]] bool shares(const store& other) const noexcept;

    /// How many entries there are, settled ones included.
    [[nodiscard]] std::size_t size() const noexcept {
        const auto* total = std::get_if<std::int64_t>(&tables_->latest(total_entries()));
        return total == nullptr ? 0 : static_cast<std::size_t>(*total);
    }

    /// Forgets resolved and discarded entries that failed last before `older_than`, at most so
    /// many; answers how many. An event that was forgotten and fails again is a new entry.
    std::size_t purge(wall_time older_than, std::size_t limit) {
        std::vector<entry_handle> old;
        each([&](const entry_handle& entry) {
            if (old.size() < limit && is_settled(entry->state) &&
                entry->letter.last_failure < older_than) {
                old.push_back(entry);
            }
            return old.size() < limit;
        });
        transaction tx(tables_);
        for (const auto& entry : old) {
            tx.write(letter_name(entry->number), std::monostate());
            tx.write(index_of(entry->letter), std::monostate());
        }
        tx.write(total_entries(), static_cast<std::int64_t>(size() - old.size()));
        finish(tx);
        return old.size();
    }

private:
    friend class store;

    using entry_handle = std::shared_ptr<const dead_letter_entry>;

    dead_letters(std::shared_ptr<detail::tables> tables, dead_letters_options options) noexcept
        : tables_(std::move(tables)), options_(options) {}

    [[nodiscard]] static bool is_settled(dead_letter_state state) noexcept {
        return state == dead_letter_state::resolved || state == dead_letter_state::discarded;
    }

    static detail::row_name letter_name(std::int64_t number) noexcept {
        return {detail::space::letters, {}, {}, {}, number};
    }
    static detail::row_name last_number() noexcept {
        return {detail::space::letters_in_total, {}, {}, {}, 0};
    }
    static detail::row_name total_entries() noexcept {
        return {detail::space::letters_in_total, {}, {}, {}, 1};
    }
    /// By what an event is told apart: its identity, or its place where it has none.
    static detail::row_name index_of(const dead_letter_record& letter) noexcept {
        if (!letter.original.id.empty() && !letter.original.source.empty()) {
            return {detail::space::letter_of_event, letter.consumer, letter.original.source,
                    letter.original.id};
        }
        const std::string_view partition(reinterpret_cast<const char*>(&letter.where.partition),
                                         sizeof letter.where.partition);
        return {detail::space::letter_at_place, letter.consumer, letter.topic, partition,
                letter.where.offset};
    }
    /// Where `requested` looks; a replay that was cut off sorts first.
    static detail::row_name wanted_name(const dead_letter_entry& entry) noexcept {
        return {detail::space::letters_wanted,
                entry.letter.consumer,
                entry.state == dead_letter_state::replaying ? "0" : "1",
                {},
                entry.number};
    }

    void check(const transaction& tx) const {
        if (tx.tables_ != tables_) {
            throw usage_error("the transaction belongs to another database than the dead letters");
        }
    }

    static void finish(transaction& tx) {
        if (tx.commit() != commit_result::committed) {
            throw unavailable_error("dead_letters_unavailable", "out of memory");
        }
    }

    static void add_notes(transaction& tx, std::int64_t number, const dead_letter_record& letter) {
        const auto before = tx.value_or<entry_handle>(letter_name(number));
        if (before->state != dead_letter_state::waiting) {
            return;
        }
        dead_letter_entry after = *before;
        if (after.letter.add_what_is_new(letter)) {
            ++after.version;
            change(tx, before.get(), std::move(after));
        }
    }

    /// Writes an entry and what is derived from its state.
    static void change(transaction& tx, const dead_letter_entry* before, dead_letter_entry after) {
        const auto is_wanted_state = [](dead_letter_state state) {
            return state == dead_letter_state::requested || state == dead_letter_state::replaying;
        };
        if (before != nullptr && is_wanted_state(before->state)) {
            tx.write(wanted_name(*before), std::monostate());
        }
        if (is_wanted_state(after.state)) {
            tx.write(wanted_name(after), after.number);
        }
        const bool held = before != nullptr && !is_settled(before->state);
        if (const bool holds = !is_settled(after.state); held != holds) {
            const detail::row_name name{detail::space::letters_held, after.letter.consumer,
                                        after.letter.original.partitionkey};
            const auto count = tx.value_or<std::int64_t>(name) + (holds ? 1 : -1);
            count == 0 ? tx.write(name, std::monostate()) : tx.write(name, count);
        }
        const auto number = after.number;
        tx.write(letter_name(number), std::make_shared<const dead_letter_entry>(std::move(after)));
    }

    template <class F>
    void each(F f, std::int64_t from = 0) const {
        tables_->scan(letter_name(from), [&](const detail::row_key& key, const detail::cell& one) {
            return key.in == detail::space::letters && f(std::get<entry_handle>(one));
        });
    }

    [[nodiscard]] static bool is_wanted(const dead_letter_entry& entry,
                                        const dead_letter_filter& filter) {
        const auto fits = [](const std::string& wanted, const std::string& value) {
            return wanted.empty() || wanted == value;
        };
        const auto& letter = entry.letter;
        return fits(filter.consumer, letter.consumer) && fits(filter.topic, letter.topic) &&
               fits(filter.reason, letter.reason) && fits(filter.type, letter.original.type) &&
               fits(filter.key, letter.original.partitionkey) &&
               (!filter.kind || *filter.kind == letter.kind) &&
               (!filter.state || *filter.state == entry.state);
    }

    std::shared_ptr<detail::tables> tables_;
    dead_letters_options options_;
};

}  // namespace sinew::memory
