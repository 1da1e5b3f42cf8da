// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The ways in which a port call can end, and sets of them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace sinew::testing {

/// How a call to the outside ends. The first is the unremarkable one.
enum class fault : std::uint8_t {
    none,          ///< done, and the answer arrives
    refused,       ///< not done, and the caller is told: the other side is not available
    request_lost,  ///< not done, and no answer arrives
    reply_lost,    ///< done, and no answer arrives
    crash_before,  ///< the process dies, and it is not done
    crash_after,   ///< the process dies, and it is done
    delayed,       ///< done, but time has passed
    zombie,        ///< the process stands still, loses its memberships, is replaced, and goes on
    failed,        ///< a handler's own failure: this attempt did not work
    kicked,        ///< the group takes the partitions away without asking
    revoked,       ///< the group asks for the partitions back
    clock_jump,    ///< the system clock is set back
    disk_full,     ///< a write is refused: there is no room. What was open with it is undone
    sync_failed,   ///< a disk could not make durable what was written, and says so
    lost_writes,   ///< a crash, after which the last writes that were not synced are gone
    torn_tail,     ///< the same, with the last write that is there torn in the middle
    duplicated,    ///< a producer writes an event twice
    reordered,     ///< a producer writes an event after the one that comes next
    partial,       ///< a part of what could be delivered is
    clock_leap,    ///< the system clock is set forward
};

inline constexpr std::size_t fault_count = 20;

[[nodiscard]] constexpr std::string_view to_string(fault f) noexcept {
    constexpr std::string_view names[fault_count] = {
        "none",        "refused",    "request lost", "reply lost",  "crash before",
        "crash after", "delayed",    "zombie",       "failed",      "kicked",
        "revoked",     "clock jump", "disk full",    "sync failed", "lost writes",
        "torn tail",   "duplicated", "reordered",    "partial",     "clock leap"};
    const auto index = static_cast<std::size_t>(f);
    return index < fault_count ? names[index] : "invalid";
}

/// A set of faults. `none` is in none: it is always possible.
class fault_set {
public:
    constexpr fault_set() noexcept = default;
    constexpr fault_set(std::initializer_list<fault> faults) noexcept {
        for (const fault f : faults) {
            bits_ |= bit(f);
        }
    }

    [[nodiscard]] static constexpr fault_set all() noexcept {
        fault_set out;
        for (std::size_t i = 1; i < fault_count; ++i) {
            out.bits_ |= bit(static_cast<fault>(i));
        }
        return out;
    }

    [[nodiscard]] constexpr bool has(fault f) const noexcept { return (bits_ & bit(f)) != 0; }
    [[nodiscard]] constexpr unsigned size() const noexcept {
        return static_cast<unsigned>(__builtin_popcount(bits_));
    }

    /// The fault with that number, counted from 1; 0 is `none`.
    [[nodiscard]] constexpr fault nth(unsigned number) const noexcept {
        for (std::size_t i = 1; i < fault_count && number != 0; ++i) {
            if (has(static_cast<fault>(i)) && --number == 0) {
                return static_cast<fault>(i);
            }
        }
        return fault::none;
    }

    [[nodiscard]] constexpr fault_set without(fault_set other) const noexcept {
        fault_set out = *this;
        out.bits_ &= ~other.bits_;
        return out;
    }

    friend constexpr fault_set operator&(fault_set a, fault_set b) noexcept {
        a.bits_ &= b.bits_;
        return a;
    }
    friend constexpr fault_set operator|(fault_set a, fault_set b) noexcept {
        a.bits_ |= b.bits_;
        return a;
    }
    friend constexpr bool operator==(fault_set, fault_set) noexcept = default;

private:
    static constexpr unsigned bit(fault f) noexcept {
        return f == fault::none ? 0U : 1U << static_cast<unsigned>(f);
    }

    unsigned bits_ = 0;
};

/// How often each fault came up.
using fault_counts = std::array<std::uint64_t, fault_count>;

}  // namespace sinew::testing
