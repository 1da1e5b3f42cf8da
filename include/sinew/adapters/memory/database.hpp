// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The data that stores in memory share: rows with versions.
///
/// **Guarantees.** A transaction reads the state at its beginning, whatever is committed meanwhile
/// (a snapshot). It commits if no row that it read or writes has changed since (first committer
/// wins), so those that commit are serialisable in the order of their commits. A commit happens
/// completely or not at all, also when memory runs out in it.
///
/// **Bounds.** An old value is kept only while an open transaction can read it. Look-ups and writes
/// are logarithmic. Not thread safe: one thread at a time for a database and all handles on it.
///
/// **On crash.** The database is the durable part: whoever simulates a process that dies destroys
/// stores and transactions, and keeps the database.

#include <sinew/adapters/memory/rows.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sinew::memory {

namespace detail {

/// What is known of the attempts in one partition.
struct attempt_book {
    bool open = false;
    std::map<log_offset, std::uint32_t> starts{};
};

/// Consumer, topic, partition.
using partition_name = std::tuple<std::string, std::string, partition_id>;

class tables {
public:
    using inbox_index = std::multimap<wall_time, row_table::iterator>;

    tables() { spare_.reserve(spare_max); }
    tables(const tables&) = delete;
    tables& operator=(const tables&) = delete;

    [[nodiscard]] std::uint64_t commits() const noexcept { return version_; }
    [[nodiscard]] std::size_t open_transactions() const noexcept { return open_.size(); }

    /// Opens a snapshot of what is committed now. Each is closed once: by `close` or `commit`.
    [[nodiscard]] std::uint64_t open() {
        open_.push_back(version_);
        return version_;
    }

    void close(std::uint64_t snapshot) noexcept {
        const std::uint64_t before = oldest();
        forget(snapshot);
        if (oldest() != before) {
            clean_up();
        }
    }

    /// The value of a row in a snapshot. The reference is good until the next commit or close.
    [[nodiscard]] const cell& read(const row_name& name, std::uint64_t snapshot) const noexcept {
        const auto found = rows_.find(name);
        return found == rows_.end() ? nothing() : value_in(found->second, snapshot);
    }

    /// The same, by what a transaction knows of the row, and keeps of it.
    [[nodiscard]] const cell& read(const row_name& name, touch& mine,
                                   std::uint64_t snapshot) noexcept {
        if (!mine.known) {
            const auto found = rows_.find(name);
            if (found == rows_.end()) {
                return nothing();
            }
            mine.target = found;
            mine.known = found->second.version <= snapshot && is_there(found->second.value);
            return value_in(found->second, snapshot);
        }
        return value_in(mine.target->second, snapshot);
    }

    /// A place for what a transaction touches: one that was used before, if there is any, so that a
    /// steady state allocates nothing.
    touched_rows::iterator add_touched(touched_rows& to, touched_rows::iterator before,
                                       const row_name& name) {
        if (spare_.empty()) {
            return to.try_emplace(before, row_key(name));
        }
        auto node = std::move(spare_.back());
        spare_.pop_back();
        node.key().assign(name);
        node.mapped() = touch{};
        return to.insert(before, std::move(node));
    }

    /// Takes the places back. Some are kept, unless their names are long.
    void take_back(touched_rows& touched) noexcept {
        while (!touched.empty() && spare_.size() < spare_.capacity()) {
            auto node = touched.extract(touched.begin());
            if (node.key().is_small()) {
                node.mapped().value = cell{};
                spare_.push_back(std::move(node));
            }
        }
        touched.clear();
    }

    /// The list of what a nested part overwrote: lent to one transaction, if it is there.
    [[nodiscard]] undo_list lend_undo_list() noexcept { return std::exchange(undo_list_, {}); }
    void give_back(undo_list list) noexcept {
        list.clear();
        if (list.capacity() > undo_list_.capacity() && list.capacity() <= spare_max) {
            undo_list_ = std::move(list);
        }
    }

private:
    static constexpr std::size_t spare_max = 1024;

    static const cell& value_in(const row& one, std::uint64_t snapshot) noexcept {
        if (one.version <= snapshot) {
            return one.value;
        }
        for (auto old = one.history.rbegin(); old != one.history.rend(); ++old) {
            if (old->version <= snapshot) {
                return old->value;
            }
        }
        return nothing();
    }

public:
    /// The committed value of a row.
    [[nodiscard]] const cell& latest(const row_name& name) const noexcept {
        return read(name, version_);
    }

    /// Shows the committed rows from `from` on, in order of their names, while `f(key, value)`
    /// answers true.
    template <class F>
    void scan(const row_name& from, F f) const {
        for (auto at = rows_.lower_bound(from); at != rows_.end(); ++at) {
            if (is_there(at->second.value) && !f(at->first, at->second.value)) {
                return;
            }
        }
    }

    /// The inbox rows that were remembered before `limit`, oldest first, at most so many.
    [[nodiscard]] std::vector<row_key> remembered_before(wall_time limit, std::size_t count) const {
        std::vector<row_key> out;
        for (auto at = inbox_.begin(); at != inbox_.end() && at->first < limit; ++at) {
            if (out.size() == count) {
                break;
            }
            out.push_back(at->second->first);
        }
        return out;
    }
    [[nodiscard]] std::size_t inbox_size() const noexcept { return inbox_.size(); }

    /// Commits what a transaction wrote, and closes its snapshot; or changes nothing and answers
    /// false, if a row that it touched has changed since, or memory ran out.
    [[nodiscard]] bool commit(touched_rows& touched, std::uint64_t snapshot) noexcept {
        const std::uint64_t before = oldest();
        forget(snapshot);
        inbox_index remembered;
        const bool good = is_unchanged(touched, snapshot) && prepare(touched, remembered);
        if (good) {
            apply(touched, remembered);
        }
        if (oldest() != before) {
            clean_up();
        }
        return good;
    }

    [[nodiscard]] std::map<partition_name, attempt_book>& attempts() noexcept { return attempts_; }

    /// A number that nobody else gets, as of a sequence in a database: it does not wait for a
    /// commit, and one that is rolled back is gone.
    [[nodiscard]] std::int64_t draw_number() noexcept { return ++last_number_; }

    /// Who has a spool open, by its name.
    [[nodiscard]] std::map<std::string, std::weak_ptr<const void>>& spool_owners() noexcept {
        return spool_owners_;
    }

private:
    static const cell& nothing() noexcept {
        static const cell none;
        return none;
    }

    [[nodiscard]] std::uint64_t oldest() const noexcept {
        std::uint64_t least = UINT64_MAX;
        for (const auto one : open_) {
            least = one < least ? one : least;
        }
        return least;
    }

    void forget(std::uint64_t snapshot) noexcept {
        for (auto& one : open_) {
            if (one == snapshot) {
                one = open_.back();
                open_.pop_back();
                return;
            }
        }
    }

    [[nodiscard]] bool is_unchanged(const touched_rows& touched,
                                    std::uint64_t snapshot) const noexcept {
        if (snapshot == version_) {
            return true;
        }
        for (const auto& [key, one] : touched) {
            const auto at = one.known ? row_table::const_iterator(one.target) : rows_.find(key);
            if (at != rows_.end() && at->second.version > snapshot) {
                return false;
            }
        }
        return true;
    }

    /// Whether an open transaction reads what was valid from `first` until before `end`.
    [[nodiscard]] bool is_read(std::uint64_t first, std::uint64_t end) const noexcept {
        for (const auto one : open_) {
            if (one >= first && one < end) {
                return true;
            }
        }
        return false;
    }

    template <class T>
    static void make_room(std::vector<T>& in, std::size_t more) {
        if (const std::size_t needed = in.size() + more; needed > in.capacity()) {
            in.reserve(needed > 2 * in.capacity() ? needed : 2 * in.capacity());
        }
    }

    /// Everything that can run out of memory, so that `apply` cannot.
    [[nodiscard]] bool prepare(touched_rows& touched, inbox_index& remembered) noexcept {
        try {
            for (auto& [key, one] : touched) {
                if (!one.written) {
                    continue;
                }
                if (!one.known) {
                    std::tie(one.target, one.made) = rows_.try_emplace(key);
                }
                if (!one.made && !open_.empty()) {
                    make_room(one.target->second.history, 1);
                }
                if (key.in == space::inbox && std::holds_alternative<wall_time>(one.value)) {
                    remembered.emplace(std::get<wall_time>(one.value), one.target);
                }
            }
            make_room(garbage_, touched.size());
            return true;
        } catch (...) {
            for (auto& [key, one] : touched) {
                if (one.made) {
                    rows_.erase(one.target);
                }
            }
            return false;
        }
    }

    void apply(touched_rows& touched, inbox_index& remembered) noexcept {
        const std::uint64_t version = version_ + 1;
        bool changed = false;
        for (auto& [key, one] : touched) {
            if (!one.written) {
                continue;
            }
            changed = true;
            row& target = one.target->second;
            if (key.in == space::inbox) {
                unlist(target.value, one.target);
            }
            if (!one.made && is_read(target.version, version)) {
                target.history.push_back({target.version, std::move(target.value)});
            }
            target.value = std::move(one.value);
            target.version = version;
            if (!target.listed && (!target.history.empty() || !is_there(target.value))) {
                target.listed = true;
                garbage_.push_back(one.target);
            }
        }
        inbox_.merge(remembered);
        version_ = changed ? version : version_;
    }

    void unlist(const cell& old, row_table::iterator target) noexcept {
        const auto* when = std::get_if<wall_time>(&old);
        if (when == nullptr) {
            return;
        }
        for (auto [at, end] = inbox_.equal_range(*when); at != end; ++at) {
            if (at->second == target) {
                inbox_.erase(at);
                return;
            }
        }
    }

    /// Lets go of what no open transaction can read any more.
    void clean_up() noexcept {
        const std::uint64_t needed = oldest();
        std::size_t kept = 0;
        for (const auto at : garbage_) {
            row& one = at->second;
            std::size_t gone = 0;
            while (gone < one.history.size() && end_of(one, gone) <= needed) {
                ++gone;
            }
            one.history.erase(one.history.begin(),
                              one.history.begin() + static_cast<std::ptrdiff_t>(gone));
            if (!one.history.empty() || (!is_there(one.value) && one.version > needed)) {
                garbage_[kept++] = at;
            } else if (is_there(one.value)) {
                one.listed = false;
            } else {
                rows_.erase(at);
            }
        }
        garbage_.erase(garbage_.begin() + static_cast<std::ptrdiff_t>(kept), garbage_.end());
    }

    static std::uint64_t end_of(const row& one, std::size_t old) noexcept {
        return old + 1 < one.history.size() ? one.history[old + 1].version : one.version;
    }

    row_table rows_;
    inbox_index inbox_;
    std::vector<std::uint64_t> open_;
    std::vector<row_table::iterator> garbage_;
    std::vector<touched_rows::node_type> spare_;
    undo_list undo_list_;
    std::map<partition_name, attempt_book> attempts_;
    std::map<std::string, std::weak_ptr<const void>> spool_owners_;
    std::uint64_t version_ = 0;
    std::int64_t last_number_ = 0;
};

}  // namespace detail

/// The data of one or more stores. Stores keep it alive, also when this object is gone.
///
/// **Example.** Two consumers, one of them a zombie, on one database:
/// ```cpp
/// sinew::memory::database data;
/// sinew::memory::store mine(data);
/// sinew::memory::store its(data);
/// ```
class database {
public:
    database() : tables_(std::make_shared<detail::tables>()) {}
    database(database&&) noexcept = default;
    database& operator=(database&&) noexcept = default;
    database(const database&) = delete;
    database& operator=(const database&) = delete;
    ~database() = default;

    /// How many transactions that changed something were committed.
    [[nodiscard]] std::uint64_t commits() const noexcept { return tables_->commits(); }
    [[nodiscard]] std::size_t open_transactions() const noexcept {
        return tables_->open_transactions();
    }

private:
    friend class store;
    friend class dead_letters;
    friend class attempts;
    friend class outbox;
    friend class journal;
    friend class spool;

    std::shared_ptr<detail::tables> tables_;
};

}  // namespace sinew::memory
