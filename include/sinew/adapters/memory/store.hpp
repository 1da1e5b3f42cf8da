// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transactional store in memory: the reference model of `consumer_store`.
///
/// **Guarantees.** Every numbered sentence of the concept and of its transactions holds. A store is
/// a connection to a `database`: several on one database can have transactions open at the same
/// time, and conflicts between these end as aborted commits.
///
/// **Bounds.** Nothing waits: `begin` returns at once. The inbox grows until `purge_inbox`. Not
/// thread safe: one thread at a time for a database and all handles on it.

#include <sinew/adapters/memory/attempts.hpp>
#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/dead_letters.hpp>
#include <sinew/adapters/memory/journal.hpp>
#include <sinew/adapters/memory/outbox.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/adapters/memory/transaction.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sinew::memory {

class store {
public:
    using transaction_type = transaction;
    using outbox_type = memory::outbox;

    /// A store with a database of its own.
    store() : store(database()) {}
    /// A further connection to a database.
    explicit store(const database& data)
        : tables_(data.tables_), busy_(std::make_shared<bool>(false)) {}
    store(store&&) noexcept = default;
    store& operator=(store&&) noexcept = default;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store() = default;

    /// **On failure.** Throws `usage_error` if this store's last transaction is still open.
    [[nodiscard]] transaction begin(steady_time /*until: nothing waits here*/ = never) {
        if (*busy_) {
            throw usage_error("a store has one transaction at a time; its last one is still open");
        }
        return transaction(tables_, busy_);
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key,
                                        steady_time /*until*/ = never) const {
        return committed<key_progress>({detail::space::progress, consumer, key});
    }
    [[nodiscard]] applied_offsets offsets(std::string_view consumer, std::string_view topic,
                                          partition_id partition) const {
        return committed<applied_offsets>({detail::space::offsets, consumer, topic, {}, partition});
    }
    /// Whether the inbox holds the event.
    [[nodiscard]] bool remembers(std::string_view consumer, event_identity who) const {
        return detail::is_there(
            tables_->latest({detail::space::inbox, consumer, who.source, who.id}));
    }
    [[nodiscard]] std::size_t inbox_size() const noexcept { return tables_->inbox_size(); }

    /// Forgets events that were remembered before `older_than`, the oldest first and at most so
    /// many; answers how many. A transaction that is open and looked at one of them is aborted.
    std::size_t purge_inbox(wall_time older_than, std::size_t limit) {
        transaction tx(tables_);
        const auto old = tables_->remembered_before(older_than, limit);
        for (const auto& key : old) {
            tx.write(key.name(), std::monostate());
        }
        return tx.commit() == commit_result::committed ? old.size() : 0;
    }

    /// The place for dead letters in this store's database.
    [[nodiscard]] memory::dead_letters dead_letters(dead_letters_options options = {}) const {
        return {tables_, options};
    }
    /// The outbox of that name in this store's database, such as one for each topic.
    [[nodiscard]] memory::outbox outbox(std::string name, outbox_options options = {}) const {
        return {tables_, std::move(name), options};
    }
    /// The journal of that name in this store's database.
    [[nodiscard]] memory::journal journal(std::string name, journal_options options = {}) const {
        return {tables_, std::move(name), options};
    }
    /// The record of attempts in this store's database.
    [[nodiscard]] memory::attempts attempts() const { return memory::attempts(tables_); }

    /// Committed values, as handlers wrote them.
    [[nodiscard]] std::optional<std::string> get(std::string_view key) const {
        return get({}, key);
    }
    [[nodiscard]] std::optional<std::string> get(std::string_view table,
                                                 std::string_view key) const {
        const auto* text =
            std::get_if<std::string>(&tables_->latest({detail::space::values, table, key}));
        return text == nullptr ? std::nullopt : std::optional(*text);
    }
    /// All committed keys and values of a table, by key.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> items(
        std::string_view table = {}) const {
        std::vector<std::pair<std::string, std::string>> out;
        each(table, [&](const std::string& key, const std::string& value) {
            out.emplace_back(key, value);
        });
        return out;
    }
    /// How many keys a table has.
    [[nodiscard]] std::size_t size(std::string_view table = {}) const {
        std::size_t count = 0;
        each(table, [&](const auto&, const auto&) { ++count; });
        return count;
    }

private:
    friend class memory::dead_letters;
    friend class memory::outbox;
    friend class memory::journal;

    template <class T>
    [[nodiscard]] T committed(const detail::row_name& name) const {
        const auto* value = std::get_if<T>(&tables_->latest(name));
        return value == nullptr ? T() : *value;
    }

    template <class F>
    void each(std::string_view table, F f) const {
        tables_->scan({detail::space::values, table},
                      [&](const detail::row_key& key, const detail::cell& value) {
                          if (key.in != detail::space::values || key.a != table) {
                              return false;
                          }
                          f(key.b, std::get<std::string>(value));
                          return true;
                      });
    }

    std::shared_ptr<detail::tables> tables_;
    std::shared_ptr<bool> busy_;
};

inline bool dead_letters::shares(const store& other) const noexcept {
    return tables_ == other.tables_;
}

inline bool outbox::shares(const store& other) const noexcept { return tables_ == other.tables_; }

inline bool journal::shares(const store& other) const noexcept { return tables_ == other.tables_; }

}  // namespace sinew::memory
