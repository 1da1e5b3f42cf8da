// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A transaction of a store in memory.
///
/// **Guarantees.** It reads the database as it was when it began, and its own writes. Nobody else
/// sees these before `commit`, and then all at once. `commit` answers aborted if a row that it read
/// or wrote has changed since; it never answers unknown.
///
/// | state | call | becomes |
/// | --- | --- | --- |
/// | open | `commit` | ended: committed, or aborted if something it touched has changed |
/// | open | `rollback`, destruction, being moved from | ended: aborted |
/// | ended | `commit` | ended; answers as the first time |
/// | ended | `rollback` | ended |
/// | ended | anything else | throws `usage_error` |
///
/// **Bounds.** Memory for each row that was read or written. What an undone part had read still
/// counts as read, since the decision to undo may rest on it.

#include <sinew/adapters/memory/database.hpp>
#include <sinew/adapters/memory/rows.hpp>
#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::memory {

class transaction {
public:
    transaction(transaction&& other) noexcept
        : tables_(std::move(other.tables_)),
          busy_(std::move(other.busy_)),
          touched_(std::move(other.touched_)),
          last_(other.last_),
          journal_(std::move(other.journal_)),
          snapshot_(other.snapshot_),
          how_(other.how_),
          open_(std::exchange(other.open_, false)),
          nested_(std::exchange(other.nested_, false)) {}
    transaction& operator=(transaction&& other) noexcept {
        if (this != &other) {
            rollback();
            tables_ = std::move(other.tables_);
            busy_ = std::move(other.busy_);
            touched_ = std::move(other.touched_);
            last_ = other.last_;
            journal_ = std::move(other.journal_);
            snapshot_ = other.snapshot_;
            how_ = other.how_;
            open_ = std::exchange(other.open_, false);
            nested_ = std::exchange(other.nested_, false);
        }
        return *this;
    }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction() { rollback(); }

    /// A part that is still nested joins the whole.
    commit_result commit() noexcept {
        if (open_) {
            how_ = tables_->commit(touched_, snapshot_) ? commit_result::committed
                                                        : commit_result::aborted;
            ended();
        }
        return how_;
    }

    void rollback() noexcept {
        if (open_) {
            tables_->close(snapshot_);
            ended();
        }
    }

    /// Opens a part that can be undone alone. One level deep.
    void nest() {
        check_open();
        if (nested_) {
            throw usage_error("a part of this transaction is nested already");
        }
        nested_ = true;
    }
    void keep_nested() {
        check_nested();
        journal_.clear();
        nested_ = false;
    }
    void undo_nested() {
        check_nested();
        for (; !journal_.empty(); journal_.pop_back()) {
            auto& last = journal_.back();
            last.where->second.written = last.was_written;
            last.where->second.value = std::move(last.value);
        }
        nested_ = false;
    }

    /// The inbox: true if the event is new to that consumer.
    bool remember(std::string_view consumer, event_identity who, wall_time now) {
        const detail::row_name name{detail::space::inbox, consumer, who.source, who.id};
        if (detail::is_there(read(name))) {
            return false;
        }
        write(name, now);
        return true;
    }

    [[nodiscard]] key_progress progress(std::string_view consumer, std::string_view key) {
        return value_or<key_progress>({detail::space::progress, consumer, key});
    }
    void set_progress(std::string_view consumer, std::string_view key,
                      const key_progress& progress) {
        write({detail::space::progress, consumer, key}, progress);
    }

    [[nodiscard]] applied_offsets offsets(std::string_view consumer, std::string_view topic,
                                          partition_id partition) {
        return value_or<applied_offsets>({detail::space::offsets, consumer, topic, {}, partition});
    }
    void set_offsets(std::string_view consumer, std::string_view topic, partition_id partition,
                     const applied_offsets& offsets) {
        write({detail::space::offsets, consumer, topic, {}, partition}, offsets);
    }

    /// The handler's own values, by table and key. Without a table, they are in the table "".
    [[nodiscard]] std::optional<std::string> get(std::string_view key) { return get({}, key); }
    [[nodiscard]] std::optional<std::string> get(std::string_view table, std::string_view key) {
        const auto* text = std::get_if<std::string>(&read({detail::space::values, table, key}));
        return text == nullptr ? std::nullopt : std::optional(*text);
    }
    void put(std::string_view key, std::string_view value) { put({}, key, value); }
    void put(std::string_view table, std::string_view key, std::string_view value) {
        write({detail::space::values, table, key}, std::string(value));
    }
    void erase(std::string_view key) { erase({}, key); }
    void erase(std::string_view table, std::string_view key) {
        write({detail::space::values, table, key}, std::monostate());
    }

    /// Adds to a value that is a decimal number, from 0 where there is none; answers the sum.
    ///
    /// **On failure.** Throws `permanent_error` if the value is no number, or the sum no `long`.
    long add(std::string_view key, long delta) { return add({}, key, delta); }
    long add(std::string_view table, std::string_view key, long delta) {
        const auto text = get(table, key);
        long sum = 0;
        if (text) {
            const char* end = text->data() + text->size();
            if (const auto [stop, wrong] = std::from_chars(text->data(), end, sum);
                wrong != std::errc() || stop != end) {
                throw permanent_error("not_a_number", "the value to add to is not a number");
            }
        }
        if (__builtin_add_overflow(sum, delta, &sum)) {
            throw permanent_error("number_out_of_range", "the sum does not fit into a long");
        }
        put(table, key, std::to_string(sum));
        return sum;
    }

private:
    friend class store;
    friend class dead_letters;
    friend class outbox;
    friend class journal;

    explicit transaction(std::shared_ptr<detail::tables> tables,
                         std::shared_ptr<bool> busy = nullptr)
        : tables_(std::move(tables)),
          busy_(std::move(busy)),
          journal_(tables_->lend_undo_list()),
          snapshot_(tables_->open()) {
        if (busy_) {
            *busy_ = true;
        }
    }

    void check_open() const {
        if (!open_) {
            throw usage_error("the transaction has ended");
        }
    }
    void check_nested() const {
        check_open();
        if (!nested_) {
            throw usage_error("no part of this transaction is nested");
        }
    }

    void ended() noexcept {
        open_ = false;
        nested_ = false;
        tables_->give_back(std::move(journal_));
        tables_->take_back(touched_);
        if (busy_) {
            *busy_ = false;
        }
    }

    /// What is read is often written next, so the last one is looked at first.
    detail::touched_rows::iterator touch(const detail::row_name& name) {
        check_open();
        if (!touched_.empty() && last_->first.name() == name) {
            return last_;
        }
        last_ = touched_.lower_bound(name);
        if (last_ == touched_.end() || last_->first.name() != name) {
            last_ = tables_->add_touched(touched_, last_, name);
        }
        return last_;
    }

    /// The reference is good until the next call on any transaction of the database.
    [[nodiscard]] const detail::cell& read(const detail::row_name& name) {
        auto& mine = touch(name)->second;
        return mine.written ? mine.value : tables_->read(name, mine, snapshot_);
    }

    void write(const detail::row_name& name, detail::cell value) {
        const auto where = touch(name);
        auto& mine = where->second;
        if (nested_) {
            journal_.push_back({where, mine.written, std::move(mine.value)});
        }
        mine.written = true;
        mine.value = std::move(value);
    }

    template <class T>
    [[nodiscard]] T value_or(const detail::row_name& name, T otherwise = T()) {
        const auto* value = std::get_if<T>(&read(name));
        return value == nullptr ? std::move(otherwise) : *value;
    }

    std::shared_ptr<detail::tables> tables_;
    std::shared_ptr<bool> busy_;
    detail::touched_rows touched_;
    detail::touched_rows::iterator last_{};  ///< one of them, if there are any
    detail::undo_list journal_;
    std::uint64_t snapshot_;
    commit_result how_ = commit_result::aborted;
    bool open_ = true;
    bool nested_ = false;
};

}  // namespace sinew::memory
