// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Who has to be woken next: small numbers with a deadline each, the earliest first.
///
/// **Guarantees.** `top` takes constant time; `set` and `erase` take logarithmic time, for any
/// member. Of equal deadlines the one that was set first comes first, so a run can be repeated.
/// Nothing is allocated while members are below the `members_max` that was asked for.
///
/// **Invariants.** No entry is earlier than its parent; each member knows its place.

#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// An indexed binary heap of deadlines.
class deadline_heap {
public:
    /// A member and its deadline.
    struct entry {
        steady_time at{};
        std::uint64_t ticket = 0;  ///< rises with each `set`
        std::uint32_t member = 0;
    };

    explicit constexpr deadline_heap(std::size_t members_max = 0) : places_(members_max, nowhere) {
        heap_.reserve(members_max);
    }

    [[nodiscard]] constexpr bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return heap_.size(); }
    [[nodiscard]] constexpr bool contains(std::uint32_t member) const noexcept {
        return member < places_.size() && places_[member] != nowhere;
    }
    /// The earliest. There has to be one.
    [[nodiscard]] constexpr const entry& top() const noexcept { return heap_.front(); }

    /// The deadline of `member` is `at` from now on, whether it had one or not.
    constexpr void set(std::uint32_t member, steady_time at) {
        if (member >= places_.size()) {
            places_.resize(static_cast<std::size_t>(member) + 1, nowhere);
        }
        if (places_[member] == nowhere) {
            places_[member] = static_cast<std::uint32_t>(heap_.size());
            heap_.push_back({});
        }
        put(places_[member], {at, ++tickets_, member});
        settle(places_[member]);
    }

    /// `member` has no deadline from now on.
    constexpr void erase(std::uint32_t member) noexcept {
        if (!contains(member)) {
            return;
        }
        const std::uint32_t place = places_[member];
        const entry last = heap_.back();
        heap_.pop_back();
        places_[member] = nowhere;
        if (place < heap_.size()) {
            put(place, last);
            settle(place);
        }
    }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::size_t placed = 0;
        for (const std::uint32_t place : places_) {
            placed += place != nowhere ? 1U : 0U;
        }
        for (std::uint32_t i = 0; i < heap_.size(); ++i) {
            if (!contains(heap_[i].member) || places_[heap_[i].member] != i ||
                (i > 0 && earlier(heap_[i], heap_[(i - 1) / 2]))) {
                return false;
            }
        }
        return placed == heap_.size();
    }

private:
    static constexpr std::uint32_t nowhere = UINT32_MAX;

    [[nodiscard]] static constexpr bool earlier(const entry& a, const entry& b) noexcept {
        return a.at != b.at ? a.at < b.at : a.ticket < b.ticket;
    }

    constexpr void put(std::uint32_t place, const entry& one) noexcept {
        heap_[place] = one;
        places_[one.member] = place;
    }

    /// Moves the entry at `place` up or down to where it belongs.
    constexpr void settle(std::uint32_t place) noexcept {
        const entry one = heap_[place];
        while (place > 0 && earlier(one, heap_[(place - 1) / 2])) {
            put(place, heap_[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        for (std::uint32_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
            if (child + 1 < heap_.size() && earlier(heap_[child + 1], heap_[child])) {
                ++child;
            }
            if (!earlier(heap_[child], one)) {
                break;
            }
            put(place, heap_[child]);
            place = child;
        }
        put(place, one);
    }

    std::vector<entry> heap_;
    std::vector<std::uint32_t> places_;
    std::uint64_t tickets_ = 0;
};

}  // namespace sinew::detail
