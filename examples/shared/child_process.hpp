// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// This program once more, as a process of its own that can be killed.

#include <sinew/core/time.hpp>

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace example {

/// How a process ended.
struct ending {
    int exit_code = 0;
    int signal = 0;  ///< not 0: it was ended by that signal

    [[nodiscard]] bool is_good() const noexcept { return exit_code == 0 && signal == 0; }
};

/// "exit code 3", or "signal 9".
[[nodiscard]] std::string describe(ending end);

/// A running process. Destroyed while it runs, it is killed; it is killed too if this one dies.
class child_process {
public:
    /// Starts this program with other arguments; in lists of processes it has this one's name.
    ///
    /// **On failure.** Throws `std::system_error`.
    explicit child_process(const std::vector<std::string>& arguments);

    child_process(child_process&& other) noexcept;
    child_process& operator=(child_process&& other) noexcept;
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process();

    /// How it ended; nothing while it runs.
    [[nodiscard]] std::optional<ending> ended();
    /// Waits for its end, until then.
    [[nodiscard]] std::optional<ending> wait(sinew::steady_time until);

    /// SIGKILL: it has no say in it, and no time to tidy up. Waits until it is gone.
    void kill() noexcept;
    /// SIGTERM: it finishes what it has begun.
    void ask_to_stop() const noexcept;

private:
    pid_t pid_ = 0;  ///< 0: it has ended
    std::optional<ending> end_;
};

}  // namespace example
