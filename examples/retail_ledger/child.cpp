// SPDX-License-Identifier: BSL-1.0
#include "child.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace retail {

namespace {

/// The kernel's name for the program that calls.
constexpr const char* this_program = "/proc/self/exe";

[[nodiscard]] ending from_status(int status) noexcept {
    return WIFSIGNALED(status) ? ending{.signal = WTERMSIG(status)}
                               : ending{.exit_code = WEXITSTATUS(status)};
}

}  // namespace

std::string describe(ending end) {
    return end.signal != 0 ? "signal " + std::to_string(end.signal)
                           : "exit code " + std::to_string(end.exit_code);
}

child child::start(const std::vector<std::string>& arguments) {
    std::string name = "retail_ledger";
    std::vector<std::string> texts = arguments;
    std::vector<char*> argv{name.data()};
    for (auto& text : texts) {
        argv.push_back(text.data());
    }
    argv.push_back(nullptr);
    pid_t pid = 0;
    const int problem = ::posix_spawn(&pid, this_program, nullptr, nullptr, argv.data(), ::environ);
    if (problem != 0) {
        throw std::system_error(problem, std::generic_category(), "a process cannot be started");
    }
    return child(pid);
}

child::child(child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), end_(std::exchange(other.end_, std::nullopt)) {}

child& child::operator=(child&& other) noexcept {
    if (this != &other) {
        kill();
        pid_ = std::exchange(other.pid_, 0);
        end_ = std::exchange(other.end_, std::nullopt);
    }
    return *this;
}

child::~child() { kill(); }

std::optional<ending> child::ended() {
    int status = 0;
    if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        end_ = from_status(status);
    }
    return end_;
}

std::optional<ending> child::wait(sinew::steady_time until) {
    while (!ended() && sinew::machine_clock::now().steady < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return end_;
}

void child::kill() {
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

void child::ask_to_stop() const noexcept {
    if (pid_ != 0) {
        ::kill(pid_, SIGTERM);
    }
}

void die_with(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(1);  // it died before the line above
    }
}

}  // namespace retail
