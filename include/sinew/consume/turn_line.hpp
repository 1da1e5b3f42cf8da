// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The line of lanes that are ready: whoever came first is first.
///
/// A ring of places. Who leaves from the middle leaves a hole, which goes when it comes to the
/// front, or when half of the ring are holes; so joining and taking the first touch nothing but one
/// place each.
///
/// **Guarantees.** Every operation takes constant time on average. No allocation after
/// construction.
///
/// **Invariants.** The first place is no hole. At most half of the ring are holes. Places are
/// counted from the beginning of time on, and more than the ring has are never between the first
/// and the last.

#include <sinew/consume/slot.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sinew::detail {

/// Lanes in line, each with the event that runs next in it.
class turn_line {
public:
    static constexpr std::uint32_t none = UINT32_MAX;

    /// A lane, or `none` in a hole, and the event. They are one word, which goes to memory and
    /// comes back as one: a lane that is alone in line is taken right after it has joined.
    class turn {
    public:
        constexpr turn() = default;
        constexpr turn(std::uint32_t lane, slot_id slot) noexcept
            : both_(std::uint64_t{slot} << 32U | lane) {}
        [[nodiscard]] constexpr std::uint32_t lane() const noexcept {
            return static_cast<std::uint32_t>(both_);
        }
        [[nodiscard]] constexpr slot_id slot() const noexcept {
            return static_cast<slot_id>(both_ >> 32U);
        }

    private:
        std::uint64_t both_ = UINT64_MAX;
    };

    /// For at most so many lanes.
    explicit constexpr turn_line(std::size_t lanes_max)
        : places_(places_for(lanes_max)), mask_(static_cast<std::uint32_t>(places_.size() - 1)) {}

    [[nodiscard]] constexpr bool empty() const noexcept { return first_ == end_; }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return end_ - first_ - holes_; }

    /// Takes the first one out. There has to be one.
    constexpr turn take() noexcept {
        const turn one = places_[first_++ & mask_];
        if (holes_ != 0) {
            skip_holes();
        }
        return one;
    }

    /// The lane joins at the end. Answers its place.
    constexpr std::uint32_t join(std::uint32_t lane, slot_id slot) noexcept {
        places_[end_ & mask_] = turn(lane, slot);
        return end_++;
    }

    /// Another event runs next in a lane that is in line.
    constexpr void change(std::uint32_t place, slot_id slot) noexcept {
        places_[place & mask_] = turn(places_[place & mask_].lane(), slot);
    }

    /// The lane at that place leaves the line. `moved(lane, place)` is called for the lanes that
    /// have another place then, which is so for none but once in a while.
    template <class F>
    constexpr void leave(std::uint32_t place, F&& moved) noexcept {
        places_[place & mask_] = {};
        ++holes_;
        skip_holes();
        if (holes_ > mask_ / 2) {
            close_holes(moved);
        }
    }

    [[nodiscard]] constexpr const turn& operator[](std::uint32_t place) const noexcept {
        return places_[place & mask_];
    }

    [[nodiscard]] constexpr bool check_invariants() const noexcept {
        std::size_t holes = 0;
        for (std::uint32_t place = first_; place != end_; ++place) {
            holes += (*this)[place].lane() == none ? 1U : 0U;
        }
        return holes == holes_ && holes_ <= places_.size() / 2 && end_ - first_ <= places_.size() &&
               (empty() || (*this)[first_].lane() != none);
    }

private:
    /// Twice as many as lanes, so that there is room for as many holes.
    [[nodiscard]] static constexpr std::size_t places_for(std::size_t lanes) noexcept {
        std::size_t places = 2;
        while (places < 2 * lanes) {
            places *= 2;
        }
        return places;
    }

    [[gnu::noinline]] constexpr void skip_holes() noexcept {
        while (first_ != end_ && places_[first_ & mask_].lane() == none) {
            ++first_;
            --holes_;
        }
    }

    template <class F>
    [[gnu::noinline]] constexpr void close_holes(F&& moved) noexcept {
        std::uint32_t to = first_;
        for (std::uint32_t from = first_; from != end_; ++from) {
            const turn one = places_[from & mask_];
            if (one.lane() != none) {
                places_[to & mask_] = one;
                moved(one.lane(), to++);
            }
        }
        end_ = to;
        holes_ = 0;
    }

    std::vector<turn> places_;
    std::uint32_t mask_;
    std::uint32_t first_ = 0;
    std::uint32_t end_ = 0;
    std::uint32_t holes_ = 0;
};

}  // namespace sinew::detail
