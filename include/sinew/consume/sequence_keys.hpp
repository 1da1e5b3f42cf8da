// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The number that each key expects, for so many keys and no more.
///
/// Of most keys nothing is known but the next number, how many of its events are under way, and
/// when it was used last. That is kept in the hash table itself, two keys in a line of the
/// processor's cache. A key of which more has to be known (events that wait, gaps that were given
/// up) has *details*, which the resequencer keeps.
///
/// **Guarantees.** Finding a key, and whatever becomes of it, costs one look into the hash table,
/// and no other memory. Where there is no room for a new key, the least recently used one that is
/// idle gives way; one that is not idle never does.
///
/// Nobody keeps the idle keys in line: each has a stamp. Only when one has to give way, all are
/// looked through, and the sixteenth of them that was used least recently comes into a heap.
/// Whoever is used gets a later stamp, so what is left of the heap stays right.
///
/// **Invariants.** Each key is found under its digest. A key has a stamp exactly while it is idle,
/// and no stamp is given twice. Each idle key is in the heap with its stamp, or has a later one
/// than `gathered_to_`. At most half of the cells are taken; between the home of a key and its cell
/// none is free. A free cell is all zeros.
///
/// **Bounds.** Making room takes logarithmic time on average, and now and then a step for each
/// cell.

#include <sinew/core/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace sinew::detail {

/// Begins what it allocates with a line of the processor's cache.
template <class T>
struct line_allocator {
    using value_type = T;

    line_allocator() = default;
    template <class U>
    line_allocator(const line_allocator<U>& /*other*/) noexcept {}

    [[nodiscard]] T* allocate(std::size_t count) {
        return static_cast<T*>(::operator new(count * sizeof(T), line));
    }
    void deallocate(T* at, std::size_t /*count*/) noexcept { ::operator delete(at, line); }

    friend bool operator==(const line_allocator&, const line_allocator&) noexcept { return true; }

private:
    static constexpr std::align_val_t line{64};
};

/// A table with open addressing of the keys that a resequencer knows.
class sequence_keys {
public:
    /// What is kept of each key. It moves when another key is opened or closed.
    struct alignas(32) entry {
        digest key{};
        /// The expected number; 0 in a cell that is free. With details, theirs counts, and this is
        /// the last number there is, which is never expected.
        std::uint64_t next = 0;
        /// The stamp of its last use; 0 while it is not idle.
        std::uint32_t used = 0;
        /// Without details: how many of its events were delivered and are not finished.
        std::uint32_t state = 0;

        [[nodiscard]] constexpr bool is_of(const digest& other) const noexcept {
            return ((key.hi ^ other.hi) | (key.lo ^ other.lo)) == 0;
        }
        [[nodiscard]] constexpr bool is_idle() const noexcept { return used != 0; }
        /// Whether it has no details, and some of its events are under way.
        [[nodiscard]] constexpr bool is_simply_busy() const noexcept {
            return state - 1 < details_bit - 1;
        }
        [[nodiscard]] constexpr bool has_details() const noexcept {
            return (state & details_bit) != 0;
        }
        /// The place of its details. It has to have them.
        [[nodiscard]] constexpr std::uint32_t details() const noexcept {
            return state & ~details_bit;
        }
        constexpr void set_details(std::uint32_t place) noexcept {
            next = UINT64_MAX;
            state = place | details_bit;
        }
        constexpr void clear_details(std::uint64_t expected, std::uint32_t outstanding) noexcept {
            next = expected;
            state = outstanding;
        }
    };

    /// Stamps go on from `last_stamp`; when they are used up, all idle keys get new ones.
    explicit sequence_keys(std::size_t keys_max, std::uint32_t last_stamp = 0)
        : cells_(cells_min), keys_max_(keys_max), last_stamp_(last_stamp) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_full() const noexcept { return size_ >= keys_max_; }

    /// A key will be asked for soon: what is looked at then comes near meanwhile.
    void announce(const digest& key) const noexcept {
        __builtin_prefetch(cells_.data() + home(key), 1);
    }

    /// The cell in which nearly all keys are: one of the two of its home. It may be another's, or
    /// nobody's. In which of the two a key lies, no processor can guess: so there is no branch on it.
    [[nodiscard]] entry& nearest(const digest& key) noexcept {
        entry* const at = cells_.data() + home(key);
        return at[static_cast<std::size_t>(at[1].is_of(key))];
    }

    /// What is kept of a key, or null.
    [[nodiscard]] entry* find(const digest& key) noexcept {
        entry& at = nearest(key);
        return at.is_of(key) && at.next != 0 ? &at : find_farther(key);
    }
    [[nodiscard]] const entry* find(const digest& key) const noexcept {
        return const_cast<sequence_keys*>(this)->find(key);
    }

    /// The idle key that gives way next, or null.
    [[nodiscard]] entry* oldest_idle() {
        while (true) {
            if (oldest_.empty() && !gathers_all()) {
                gather();
            }
            if (oldest_.empty()) {
                return nullptr;
            }
            entry* const at = find(oldest_.front().key);
            if (at != nullptr && at->used == oldest_.front().stamp) {
                return at;
            }
            pop();
        }
    }

    /// Takes in a key that is not here, as idle, though there is no room.
    entry& open(const digest& key, std::uint64_t next) {
        if (2 * (size_ + 1) > cells_.size()) {
            grow();
        }
        ++size_;
        entry& at = cells_[cell_of(key)];
        at = {key, next, 0, 0};
        set_idle(at);
        return at;
    }

    /// Forgets an idle key.
    void close(const entry& idle) noexcept {
        --size_;
        std::size_t hole = static_cast<std::size_t>(&idle - cells_.data());
        for (std::size_t at = after(hole); cells_[at].next != 0; at = after(at)) {
            if (distance(home(cells_[at].key), at) >= distance(hole, at)) {
                cells_[hole] = cells_[at];
                hole = at;
            }
        }
        cells_[hole] = {};
    }

    /// The key is idle, and the last to give way from now on.
    void set_idle(entry& at) {
        if (last_stamp_ >= simple_to_) {
            gather(at);
        }
        at.used = ++last_stamp_;
    }
    void set_busy(entry& at) noexcept { at.used = 0; }

    /// Whether `f(entry)` is true for each key; they are asked in no order.
    template <class F>
    [[nodiscard]] bool all_of(F&& f) const {
        for (const entry& one : cells_) {
            if (one.next != 0 && !f(one)) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool check_invariants() const noexcept {
        std::size_t taken = 0;
        std::size_t idle = 0;
        std::size_t ungathered = 0;
        for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
            const entry& one = cells_[cell];
            if (one.next == 0) {
                continue;
            }
            ++taken;
            idle += one.is_idle() ? 1U : 0U;
            ungathered += one.used > gathered_to_ ? 1U : 0U;
            if (cell_of(one.key) != cell || one.used > last_stamp_) {
                return false;
            }
        }
        std::size_t gathered = 0;
        for (std::size_t i = 0; i < oldest_.size(); ++i) {
            const entry* at = find(oldest_[i].key);
            gathered += at != nullptr && at->used == oldest_[i].stamp ? 1U : 0U;
            if (oldest_[i].stamp > gathered_to_ ||
                (i > 0 && oldest_[i].stamp <= oldest_[(i - 1) / 2].stamp)) {
                return false;
            }
        }
        return taken == size_ && 2 * size_ <= cells_.size() && gathered + ungathered == idle &&
               (!gathers_all() || ungathered == 0);
    }

private:
    static constexpr std::uint32_t details_bit = 1U << 31U;
    static constexpr std::size_t cells_min = 16;

    /// Each home in a line of its own.
    using cells = std::vector<entry, line_allocator<entry>>;

    /// An idle key, when it was gathered.
    struct stamped {
        digest key{};
        std::uint32_t stamp = 0;
    };

    // The cells.

    /// Two cells that lie in one line are the home of the same keys.
    [[nodiscard]] std::size_t home(const digest& key) const noexcept {
        return static_cast<std::size_t>(key.lo) & home_mask_;
    }
    [[nodiscard]] std::size_t after(std::size_t cell) const noexcept {
        return (cell + 1) & (cells_.size() - 1);
    }
    [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const noexcept {
        return (to - from) & (cells_.size() - 1);
    }

    /// The cell that holds the key, or the free one in which it would be.
    [[nodiscard]] std::size_t cell_of(const digest& key) const noexcept {
        std::size_t cell = home(key);
        while (cells_[cell].next != 0 && !cells_[cell].is_of(key)) {
            cell = after(cell);
        }
        return cell;
    }

    [[nodiscard]] [[gnu::noinline]] entry* find_farther(const digest& key) noexcept {
        entry& at = cells_[cell_of(key)];
        return at.next == 0 ? nullptr : &at;
    }

    void grow() {
        cells old(2 * cells_.size());
        std::swap(old, cells_);
        home_mask_ = cells_.size() - 2;
        for (const entry& one : old) {
            if (one.next != 0) {
                cells_[cell_of(one.key)] = one;
            }
        }
    }

    // Which key gives way.

    /// Whether the heap has all idle keys.
    [[nodiscard]] bool gathers_all() const noexcept { return simple_to_ == 0; }

    /// What there is to do, now and then, before a key that becomes idle gets the next stamp.
    [[gnu::noinline]] void gather(const entry& idle) {
        if (last_stamp_ == UINT32_MAX) {
            renumber();
        } else if (oldest_.size() < gathered_max_) {
            gathered_to_ = last_stamp_ + 1;
            oldest_.push_back({idle.key, gathered_to_});  // the latest of all is no one's parent
        } else {
            simple_to_ = UINT32_MAX;
        }
    }

    /// Brings about a sixteenth of the idle keys, those that were used least recently, into the
    /// heap, which is empty. Where they are few it has all of them, and those that become idle are
    /// added for a while, so that nobody looks through all keys for one.
    void gather() {
        gathered_to_ = a_sixteenth();
        simple_to_ = gathered_to_ == last_stamp_ ? 0 : UINT32_MAX;
        gathered_max_ = cells_.size() / 8;
        oldest_.reserve(gathered_max_);
        for (const entry& one : cells_) {
            if (one.is_idle() && one.used <= gathered_to_) {
                oldest_.push_back({one.key, one.used});
            }
        }
        make_heap();
    }

    /// A stamp that about one in sixteen idle keys is not beyond: the fourth of 128 cells,
    /// of which at most half are taken.
    [[nodiscard]] std::uint32_t a_sixteenth() const noexcept {
        constexpr std::size_t samples = 128;
        std::uint32_t lowest[4] = {last_stamp_, last_stamp_, last_stamp_, last_stamp_};
        const std::size_t step = cells_.size() < samples ? 1 : cells_.size() / samples;
        for (std::size_t cell = 0; cell < cells_.size(); cell += step) {
            std::uint32_t one = cells_[cell].is_idle() ? cells_[cell].used : last_stamp_;
            for (std::uint32_t& other : lowest) {
                if (one < other) {
                    std::swap(one, other);
                }
            }
        }
        return lowest[3];
    }

    void make_heap() noexcept {
        for (std::size_t i = oldest_.size() / 2; i > 0; --i) {
            sink(i - 1, oldest_[i - 1]);
        }
    }

    void pop() noexcept {
        const stamped last = oldest_.back();
        oldest_.pop_back();
        if (!oldest_.empty()) {
            sink(0, last);
        }
    }

    /// Puts one at `place`, where a hole is, or farther down.
    void sink(std::size_t place, const stamped one) noexcept {
        for (std::size_t child = 2 * place + 1; child < oldest_.size(); child = 2 * place + 1) {
            if (child + 1 < oldest_.size() && oldest_[child + 1].stamp < oldest_[child].stamp) {
                ++child;
            }
            if (one.stamp < oldest_[child].stamp) {
                break;
            }
            oldest_[place] = oldest_[child];
            place = child;
        }
        oldest_[place] = one;
    }

    /// Gives all idle keys the lowest stamps there are, in their order.
    void renumber() {
        oldest_.clear();
        for (const entry& one : cells_) {
            if (one.is_idle()) {
                oldest_.push_back({one.key, one.used});
            }
        }
        make_heap();
        for (last_stamp_ = 0; !oldest_.empty(); pop()) {
            find(oldest_.front().key)->used = ++last_stamp_;
        }
        gathered_to_ = 0;
        simple_to_ = UINT32_MAX;
    }

    cells cells_;
    std::size_t home_mask_ = cells_min - 2;
    std::vector<stamped> oldest_;    ///< a heap; what was used meanwhile is still in it
    std::uint32_t gathered_to_ = 0;  ///< the stamp up to which all idle keys are in the heap
    std::size_t gathered_max_ = 0;   ///< so many, and no more, are added to it
    /// The stamp from which on there is more to do when a key becomes idle: 0 while the heap has
    /// all idle keys.
    std::uint32_t simple_to_ = UINT32_MAX;
    std::size_t keys_max_;
    std::size_t size_ = 0;
    std::uint32_t last_stamp_;
};

}  // namespace sinew::detail
