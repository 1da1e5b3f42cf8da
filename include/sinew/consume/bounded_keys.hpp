// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What is kept in mind of each key, for so many keys and no more.
///
/// **Guarantees.** Finding a key costs one look into a hash table. Where there is no room for a new
/// key, the least recently used one that is idle gives way; one that is not idle never does.
///
/// **Invariants.** Each record is found under its key. A key is either idle, and in the line of
/// those that can give way, or not.

#include <sinew/consume/index_list.hpp>
#include <sinew/consume/index_table.hpp>
#include <sinew/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// What a record is derived from. While a key is not idle, `previous` and `next` can be used for
/// another list.
struct keyed_record {
    digest key{};
    std::uint32_t previous = index_list::none;
    std::uint32_t next = index_list::none;
    bool idle = false;
};

/// The records of keys.
template <class Record>
class bounded_keys {
public:
    static constexpr std::uint32_t none = index_list::none;

    explicit bounded_keys(std::size_t keys_max) : keys_max_(keys_max) {}

    [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
    /// The index of a key's record, or `none`. It stays the same until the key gives way.
    [[nodiscard]] std::uint32_t find(const digest& key) const noexcept { return index_.find(key); }
    [[nodiscard]] Record& operator[](std::uint32_t id) noexcept { return records_[id]; }
    [[nodiscard]] const Record& operator[](std::uint32_t id) const noexcept { return records_[id]; }

    [[nodiscard]] bool has_room() const noexcept {
        return records_.size() < keys_max_ || !idle_.empty();
    }

    /// A new record, not idle, for a key that has none. Without room the bound is exceeded.
    std::uint32_t open(const digest& key) {
        std::uint32_t id = idle_.first;
        if (records_.size() < keys_max_ || id == none) {
            id = static_cast<std::uint32_t>(records_.size());
            records_.emplace_back();
        } else {
            idle_.erase(records_, id);
            index_.erase(records_[id].key);
            records_[id] = Record{};
        }
        records_[id].key = key;
        index_.insert(key, id);
        return id;
    }

    /// Of the idle keys this one is the last to give way from now on.
    void use(std::uint32_t id) noexcept {
        if (records_[id].idle) {
            idle_.erase(records_, id);
            idle_.push_back(records_, id);
        }
    }

    void set_idle(std::uint32_t id, bool idle) noexcept {
        if (records_[id].idle != idle) {
            records_[id].idle = idle;
            idle ? idle_.push_back(records_, id) : idle_.erase(records_, id);
        }
    }

    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t idle = 0;
        for (std::uint32_t id = 0; id < records_.size(); ++id) {
            if (find(records_[id].key) != id) {
                return false;
            }
            idle += records_[id].idle ? 1U : 0U;
        }
        return idle_.count(records_, idle) == idle && index_.size() == records_.size() &&
               index_.check_invariants();
    }

private:
    std::vector<Record> records_;
    index_table<digest> index_;
    index_list idle_;  ///< the least recently used first
    std::size_t keys_max_;
};

}  // namespace sinew::detail
