// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Who has to be woken next: small numbers with a deadline each, the earliest first.
///
/// Only what is due soon lies in a heap; where there is much more, the rest lies in no order, and
/// the next part of it is fetched when the heap is empty. So the heap stays in the processor's
/// cache however many wait, and most deadlines are only appended when they are set.
///
/// An entry is never looked for. Who gets a new deadline gets a new entry, and the old one, which
/// is told by its ticket, goes when it comes to the top, or when such entries are more than the
/// others. So nobody has to know where an entry lies, which is what moving entries costs most for.
///
/// **Guarantees.** `top` takes constant time; `set` and `erase` take logarithmic time on average,
/// for any member, though one of them can take a step for each member. Of equal deadlines the one
/// that was set first comes first, so a run can be repeated. Nothing is allocated while members are
/// below the `members_max` that was asked for, but once in four billion calls of `set`.
///
/// **Invariants.** No entry is earlier than its parent, and none in the heap is later than one
/// beyond it. Each member with a deadline has one entry that counts, and the top counts. Of the
/// others there are at most as many, and some more.

#include <sinew/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sinew::detail {

/// A binary heap of deadlines, and those that are not due soon.
class deadline_heap {
public:
    /// A member and its deadline.
    struct entry {
        steady_time at{};
        std::uint32_t member = 0;
    };

    /// Fewer than `far_min` entries that are not due soon go to the heap at once. Tickets go on
    /// from `last_ticket`; when they are used up, all members get new ones.
    explicit constexpr deadline_heap(std::size_t members_max = 0, std::size_t far_min = 2'048,
                                     std::uint32_t last_ticket = 0)
        : tickets_(members_max, no_ticket),
          near_max_(2 * far_min),
          far_min_(far_min),
          last_ticket_(last_ticket) {
        if (members_max != 0) {
            const std::size_t entries = 2 * members_max + passed_max + 1;
            near_.reserve(entries);
            far_.reserve(entries <= near_max_ ? 0 : entries);
        }
    }

    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool contains(std::uint32_t member) const noexcept {
        return member < tickets_.size() && tickets_[member] != no_ticket;
    }
    /// The earliest. There has to be one.
    [[nodiscard]] constexpr entry top() const noexcept {
        return {near_.front().due, near_.front().member()};
    }

    /// The deadline of `member` is `due` from now on, whether it had one or not.
    constexpr void set(std::uint32_t member, steady_time due) {
        if (member >= tickets_.size()) {
            tickets_.resize(static_cast<std::size_t>(member) + 1, no_ticket);
        }
        if (last_ticket_ == UINT32_MAX) {
            renumber();
        }
        const node one{due, ++last_ticket_, member};
        const bool was_set = tickets_[member] != no_ticket;
        tickets_[member] = last_ticket_;
        size_ += was_set ? 0U : 1U;
        if (due > horizon_) {
            far_.push_back(one);
        } else if (was_set && near_.front().member() == member) {
            sink(0, one);
        } else {
            near_.push_back(one);
            rise(near_.size() - 1, 0, one);
            if (near_.size() > near_max_) {
                set_aside();
            }
        }
        drop_passed();
    }

    /// `member` has no deadline from now on.
    constexpr void erase(std::uint32_t member) {
        if (contains(member)) {
            tickets_[member] = no_ticket;
            --size_;
            drop_passed();
        }
    }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::size_t set_here = 0;
        for (const std::uint32_t ticket : tickets_) {
            set_here += ticket != no_ticket ? 1U : 0U;
        }
        std::size_t counted = 0;
        for (std::size_t place = 0; place < near_.size(); ++place) {
            counted += counts(near_[place]) ? 1U : 0U;
            if (near_[place].due > horizon_ ||
                (place > 0 && earlier(near_[place], near_[(place - 1) / 2]))) {
                return false;
            }
        }
        for (const node& one : far_) {
            counted += counts(one) ? 1U : 0U;
            if (one.due <= horizon_) {
                return false;
            }
        }
        return set_here == size_ && counted == size_ && near_.empty() == (size_ == 0) &&
               (near_.empty() || counts(near_.front())) && near_.size() + far_.size() <= room();
    }

private:
    static constexpr std::uint32_t no_ticket = 0;
    /// So many entries that do not count are let be, however few do.
    static constexpr std::size_t passed_max = 64;

    struct node {
        steady_time due{};
        std::uint64_t order = 0;  ///< the ticket, and below it the member

        constexpr node() = default;
        constexpr node(steady_time at, std::uint32_t ticket, std::uint32_t member) noexcept
            : due(at), order(std::uint64_t{ticket} << 32U | member) {}
        [[nodiscard]] constexpr std::uint32_t ticket() const noexcept {
            return static_cast<std::uint32_t>(order >> 32U);
        }
        [[nodiscard]] constexpr std::uint32_t member() const noexcept {
            return static_cast<std::uint32_t>(order);
        }
    };

    [[nodiscard]] static constexpr bool earlier(const node& a, const node& b) noexcept {
        return a.due != b.due ? a.due < b.due : a.order < b.order;
    }
    [[nodiscard]] constexpr bool counts(const node& one) const noexcept {
        return tickets_[one.member()] == one.ticket();
    }
    [[nodiscard]] constexpr std::size_t room() const noexcept { return 2 * size_ + passed_max; }

    // The heap.

    /// Puts an entry at `place`, where a hole is, or nearer to `top`.
    constexpr void rise(std::size_t place, std::size_t top, const node& one) noexcept {
        while (place > top && earlier(one, near_[(place - 1) / 2])) {
            near_[place] = near_[(place - 1) / 2];
            place = (place - 1) / 2;
        }
        near_[place] = one;
    }

    /// Puts an entry at `top`, where a hole is, or farther down. Mostly it comes from the bottom,
    /// so the hole goes there first.
    constexpr void sink(std::size_t top, const node& one) noexcept {
        const std::size_t size = near_.size();
        std::size_t place = top;
        std::size_t child = 2 * place + 2;
        for (; child < size; child = 2 * place + 2) {
            child -= earlier(near_[child - 1], near_[child]) ? 1U : 0U;
            near_[place] = near_[child];
            place = child;
        }
        if (child == size) {
            near_[place] = near_[child - 1];
            place = child - 1;
        }
        rise(place, top, one);
    }

    constexpr void pop() noexcept {
        const node last = near_.back();
        near_.pop_back();
        if (!near_.empty()) {
            sink(0, last);
        }
    }

    constexpr void make_heap() noexcept {
        for (std::size_t place = near_.size() / 2; place > 0; --place) {
            const node one = near_[place - 1];
            sink(place - 1, one);
        }
    }

    // What counts, and what is due soon.

    /// Drops what does not count from the top; and all of it, if it is most of what is here.
    constexpr void drop_passed() {
        while (true) {
            while (!near_.empty() && !counts(near_.front())) {
                pop();
            }
            if (!near_.empty() || far_.empty()) {
                break;
            }
            fetch();
        }
        if (near_.size() + far_.size() > room()) {
            keep_what_counts(near_);
            make_heap();
            keep_what_counts(far_);
        }
    }

    constexpr void keep_what_counts(std::vector<node>& of) noexcept {
        std::size_t kept = 0;
        for (const node& one : of) {
            if (counts(one)) {
                of[kept++] = one;
            }
        }
        while (of.size() > kept) {
            of.pop_back();
        }
    }

    /// Moves the next part of those beyond the heap, which is empty, into it.
    constexpr void fetch() {
        horizon_ = far_.size() < far_min_ ? never : a_sixteenth_of(far_);
        move(far_, near_, [this](const node& one) { return one.due <= horizon_; });
        make_heap();
        near_max_ = 2 * (near_.size() + far_min_);
    }

    /// The heap has become so large that most of it is not due soon.
    constexpr void set_aside() {
        horizon_ = a_sixteenth_of(near_);
        move(near_, far_, [this](const node& one) { return one.due > horizon_; });
        make_heap();
        near_max_ = 2 * (near_.size() + far_min_);
    }

    template <class F>
    constexpr void move(std::vector<node>& from, std::vector<node>& to, F&& meant) {
        std::size_t kept = 0;
        for (const node& one : from) {
            if (!counts(one)) {
                continue;
            }
            if (meant(one)) {
                to.push_back(one);
            } else {
                from[kept++] = one;
            }
        }
        while (from.size() > kept) {
            from.pop_back();
        }
    }

    /// Until when about one in sixteen is due: the fourth of 64 samples.
    [[nodiscard]] static constexpr steady_time a_sixteenth_of(
        const std::vector<node>& nodes) noexcept {
        constexpr std::size_t samples = 64;
        steady_time lowest[4] = {never, never, never, never};
        for (std::size_t i = 0; i < samples; ++i) {
            steady_time one = nodes[i * nodes.size() / samples].due;
            for (steady_time& other : lowest) {
                if (one < other) {
                    std::swap(one, other);
                }
            }
        }
        return lowest[3];
    }

    /// Gives all members the lowest tickets there are, in the order of their deadlines.
    constexpr void renumber() {
        keep_what_counts(far_);
        keep_what_counts(near_);
        near_.insert(near_.end(), far_.begin(), far_.end());
        far_.clear();
        horizon_ = never;
        near_max_ = 2 * (near_.size() + far_min_);
        make_heap();
        std::vector<node> sorted;
        sorted.reserve(near_.capacity());
        last_ticket_ = no_ticket;
        for (; !near_.empty(); pop()) {
            const node first = near_.front();
            sorted.push_back({first.due, ++last_ticket_, first.member()});
        }
        near_ = std::move(sorted);  // what is sorted is a heap
        for (const node& one : near_) {
            tickets_[one.member()] = one.ticket();
        }
    }

    std::vector<node> near_;              ///< what is due until `horizon_`, as a heap
    std::vector<node> far_;               ///< what is due later
    std::vector<std::uint32_t> tickets_;  ///< by member: of the entry that counts
    steady_time horizon_ = never;
    std::size_t near_max_;
    std::size_t far_min_;
    std::size_t size_ = 0;
    std::uint32_t last_ticket_ = 0;
};

}  // namespace sinew::detail
