// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A process of this program's own, started with other arguments.

#include <sinew/core/time.hpp>

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace shop {

/// A running process. Destroyed while it runs, it is killed; it is killed too if this one dies.
class process {
public:
    /// Starts this program once more with these arguments.
    ///
    /// **On failure.** Throws `std::system_error`.
    explicit process(const std::vector<std::string>& arguments);

    process(process&& other) noexcept;
    process& operator=(process&& other) noexcept;
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process();

    /// How it ended, as a shell would say it: its exit code, or 128 and the signal that ended it.
    /// Nothing while it runs.
    [[nodiscard]] std::optional<int> ended();
    /// Waits for its end, until then.
    [[nodiscard]] std::optional<int> wait(sinew::steady_time until);

    /// SIGKILL: it has no say in it, and no time to tidy up. Waits until it is gone.
    void kill() noexcept;
    /// SIGTERM: it finishes what it has begun.
    void ask_to_stop() const noexcept;

private:
    pid_t pid_ = 0;  ///< 0: it has ended
    std::optional<int> end_;
};

}  // namespace shop
