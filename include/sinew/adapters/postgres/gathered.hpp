// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What a transaction has still to write: progress and offsets wait for its commit, and then go as
/// arrays, in the order of their keys.
///
/// So a batch writes each key once, however many of its events it held, in one statement; and two
/// consumers that meet take their locks in one order.
///
/// **Invariants.** What the nested part that is open wrote stands apart, until it is kept or
/// undone.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace sinew::postgres::detail {

/// Values by key, with a part that can be undone alone.
template <class Key, class View, class Value>
class gathered {
public:
    using rows = std::map<Key, Value, std::less<>>;

    void put(const View& key, const Value& value, bool in_part) {
        auto& to = in_part ? part_ : whole_;
        if (const auto found = to.find(key); found != to.end()) {
            found->second = value;
        } else {
            to.emplace(Key(key), value);
        }
    }

    /// What was put last, or null.
    [[nodiscard]] const Value* find(const View& key) const {
        for (const auto* in : {&part_, &whole_}) {
            if (const auto found = in->find(key); found != in->end()) {
                return &found->second;
            }
        }
        return nullptr;
    }

    void keep_part() {
        part_.merge(whole_);  // what the part has wins
        whole_.swap(part_);
        part_.clear();
    }
    void undo_part() noexcept { part_.clear(); }
    void clear() noexcept {
        whole_.clear();
        part_.clear();
    }

    /// What is to be written; without the part that is open.
    [[nodiscard]] const rows& all() const noexcept { return whole_; }

private:
    rows whole_;
    rows part_;
};

/// Consumer and key.
using progress_view = std::tuple<std::string_view, std::string_view>;
using progress_rows = gathered<std::tuple<std::string, std::string>, progress_view, key_progress>;

/// Consumer, topic and partition.
using offsets_view = std::tuple<std::string_view, std::string_view, partition_id>;
using offsets_rows =
    gathered<std::tuple<std::string, std::string, partition_id>, offsets_view, applied_offsets>;

}  // namespace sinew::postgres::detail
