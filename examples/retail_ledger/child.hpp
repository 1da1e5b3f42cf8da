// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// A process of this program's own, started with other arguments.

#include <sinew/core/time.hpp>

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace retail {

/// How a process ended.
struct ending {
    int exit_code = 0;
    int signal = 0;  ///< not 0: it was killed by that signal

    [[nodiscard]] bool is_good() const noexcept { return exit_code == 0 && signal == 0; }
};

/// "exit code 3", or "signal 9".
[[nodiscard]] std::string describe(ending end);

/// A running process. Destroyed while it runs, it is killed: no child outlives the supervisor.
class child {
public:
    /// Starts this program again with these arguments.
    ///
    /// **On failure.** Throws `std::system_error`.
    [[nodiscard]] static child start(const std::vector<std::string>& arguments);

    child(child&& other) noexcept;
    child& operator=(child&& other) noexcept;
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child();

    /// How it ended; nothing while it runs.
    [[nodiscard]] std::optional<ending> ended();
    /// Waits for its end, until then.
    [[nodiscard]] std::optional<ending> wait(sinew::steady_time until);

    /// SIGKILL: it has no say in it, and no time to tidy up. Waits until it is gone.
    void kill();
    /// SIGTERM: it finishes what it has begun.
    void ask_to_stop() const noexcept;

private:
    explicit child(pid_t pid) noexcept : pid_(pid) {}

    pid_t pid_ = 0;  ///< 0: there is none any more
    std::optional<ending> end_;
};

/// To be called first in a process that was started so: it is killed if its parent dies.
void die_with(pid_t parent);

}  // namespace retail
