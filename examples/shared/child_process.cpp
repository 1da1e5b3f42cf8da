// SPDX-License-Identifier: BSL-1.0
#include "child_process.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace example {

namespace {

[[nodiscard]] ending from_status(int status) noexcept {
    return WIFSIGNALED(status) ? ending{.signal = WTERMSIG(status)}
                               : ending{.exit_code = WEXITSTATUS(status)};
}

/// No signal reaches this thread as long as it lives.
class signals_held_back {
public:
    signals_held_back() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    signals_held_back(const signals_held_back&) = delete;
    signals_held_back& operator=(const signals_held_back&) = delete;
    ~signals_held_back() { let_through(); }

    void let_through() const noexcept { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

/// What is ignored stays so; what has a handler is again what it is in a new program.
void forget_handlers() noexcept {
    for (const int one : {SIGINT, SIGTERM}) {
        struct sigaction now{};
        if (::sigaction(one, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) {
            ::signal(one, SIG_DFL);
        }
    }
}

}  // namespace

std::string describe(ending end) {
    return end.signal != 0 ? "signal " + std::to_string(end.signal)
                           : "exit code " + std::to_string(end.exit_code);
}

child_process::child_process(const std::vector<std::string>& arguments) {
    std::vector<std::string> texts{program_invocation_short_name};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& text : texts) {
        argv.push_back(text.data());
    }
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    // Until exec the child has this program's handlers: one of them would take a request to stop
    // that comes early, and the request would be gone with it.
    const signals_held_back held;
    pid_ = ::fork();
    if (pid_ < 0) {
        throw std::system_error(errno, std::generic_category(), "a process cannot be started");
    }
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == parent) {  // else it died before the line above
            forget_handlers();
            held.let_through();
            ::execv("/proc/self/exe", argv.data());
        }
        ::_exit(127);
    }
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), end_(std::exchange(other.end_, std::nullopt)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
    if (this != &other) {
        kill();
        pid_ = std::exchange(other.pid_, 0);
        end_ = std::exchange(other.end_, std::nullopt);
    }
    return *this;
}

child_process::~child_process() { kill(); }

std::optional<ending> child_process::ended() {
    int status = 0;
    if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        end_ = from_status(status);
    }
    return end_;
}

std::optional<ending> child_process::wait(sinew::steady_time until) {
    while (!ended() && sinew::machine_clock::now().steady < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return end_;
}

void child_process::kill() noexcept {
    if (pid_ == 0) {
        return;
    }
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    end_ = from_status(status);
}

void child_process::ask_to_stop() const noexcept {
    if (pid_ != 0) {
        ::kill(pid_, SIGTERM);
    }
}

}  // namespace example
