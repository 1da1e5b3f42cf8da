// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Doubly linked lists through the records of an array: a record changes its place in constant
/// time, and nothing is allocated.
///
/// **Invariants.** `first` and `last` are both `none`, or both are members.

#include <cstddef>
#include <cstdint>

namespace sinew::detail {

/// The ends of a list. The records have the members `previous` and `next`, which belong to the one
/// list that they are in.
struct index_list {
    static constexpr std::uint32_t none = UINT32_MAX;

    std::uint32_t first = none;
    std::uint32_t last = none;

    [[nodiscard]] constexpr bool empty() const noexcept { return first == none; }

    template <class Records>
    constexpr void push_back(Records& records, std::uint32_t id) noexcept {
        auto& one = records[id];
        one.previous = last;
        one.next = none;
        (last == none ? first : records[last].next) = id;
        last = id;
    }

    template <class Records>
    constexpr void erase(Records& records, std::uint32_t id) noexcept {
        auto& one = records[id];
        (one.previous == none ? first : records[one.previous].next) = one.next;
        (one.next == none ? last : records[one.next].previous) = one.previous;
        one.previous = none;
        one.next = none;
    }

    /// The number of members, counted, if the links are sound; `limit + 1` if they are not.
    template <class Records>
    [[nodiscard]] constexpr std::size_t count(const Records& records,
                                              std::size_t limit) const noexcept {
        std::size_t members = 0;
        std::uint32_t before = none;
        for (std::uint32_t id = first; id != none; id = records[id].next) {
            if (records[id].previous != before || ++members > limit) {
                return limit + 1;
            }
            before = id;
        }
        return before == last ? members : limit + 1;
    }
};

}  // namespace sinew::detail
