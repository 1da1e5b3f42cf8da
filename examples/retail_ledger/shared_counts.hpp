// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Numbers that outlive whoever counted: they are in a file that all processes of the run have
/// mapped, so what was counted before a SIGKILL stays counted.
///
/// They say what the run went through. What came of it is read from the ledger alone.

#include <atomic>
#include <cstdint>
#include <string>

namespace retail {

/// **Invariants.** Each number only grows.
struct counts {
    using number = std::atomic<std::uint64_t>;
    static_assert(number::is_always_lock_free, "atomics with a lock cannot be shared by processes");

    number events{0};      ///< by the producer: events put into the log
    number copies{0};      ///< by the producer: of these once more
    number overtaken{0};   ///< by the producer: put there before one that precedes it in its key
    number duplicates{0};  ///< by the consumers: recognised, and not applied again
    number held{0};        ///< by the consumers: waited for an event before them in their key
    number kills{0};       ///< by the supervisor
};

/// The mapping of the file.
class shared_counts {
public:
    /// Makes the file, with all numbers at zero.
    ///
    /// **On failure.** This and `open` throw `std::system_error`.
    [[nodiscard]] static shared_counts create(const std::string& path);
    /// Maps a file that was created before.
    [[nodiscard]] static shared_counts open(const std::string& path);

    shared_counts(shared_counts&& other) noexcept;
    shared_counts& operator=(shared_counts&&) = delete;
    ~shared_counts();

    [[nodiscard]] counts& operator*() const noexcept { return *at_; }
    [[nodiscard]] counts* operator->() const noexcept { return at_; }

private:
    explicit shared_counts(counts* at) noexcept : at_(at) {}
    [[nodiscard]] static counts* map(const std::string& path, bool create);

    counts* at_;
};

}  // namespace retail
