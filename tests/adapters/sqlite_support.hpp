// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// What the tests of the SQLite adapter share: folders that go away, processes, events of any
/// bytes.

#include "support/test.hpp"

#include <sinew/core/event.hpp>
#include <sinew/core/time.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sinew::test {

/// A folder of its own, removed at the end.
class temp_folder {
public:
    temp_folder() {
        static std::atomic<int> count{0};
        path_ = std::filesystem::temp_directory_path() /
                ("sinew-sqlite-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
        std::filesystem::create_directories(path_);
    }
    temp_folder(const temp_folder&) = delete;
    temp_folder& operator=(const temp_folder&) = delete;
    ~temp_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name = "test.db") const {
        return (path_ / name).string();
    }

private:
    std::filesystem::path path_;
};

/// A child process that runs `work(*this)` and can tell and be told things, a byte each. It never
/// runs assertions: its exit code is 0 if `work` returned true.
class process {
public:
    template <class F>
    explicit process(F work) {
        if (::pipe(to_parent_) != 0 || ::pipe(to_child_) != 0) {
            throw std::runtime_error("pipe");
        }
        id_ = ::fork();
        if (id_ == 0) {
            bool good = false;
            try {
                good = work(*this);
            } catch (...) {
            }
            ::_exit(good ? 0 : 1);
        }
    }
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() {
        if (id_ > 0) {
            ::kill(id_, SIGKILL);
            static_cast<void>(wait());
        }
        for (const int end : {to_parent_[0], to_parent_[1], to_child_[0], to_child_[1]}) {
            ::close(end);
        }
    }

    // Called by the child.
    void tell_parent(char what = '!') { send(to_parent_[1], what); }
    char wait_for_parent() { return receive(to_child_[0]); }
    // Called by the parent.
    void tell_child(char what = '!') { send(to_child_[1], what); }
    char wait_for_child() { return receive(to_parent_[0]); }
    void kill() {
        ::kill(id_, SIGKILL);
        static_cast<void>(wait());
    }
    /// Whether the child ended well.
    bool wait() {
        if (id_ <= 0) {
            return good_;
        }
        int status = 0;
        ::waitpid(id_, &status, 0);
        id_ = -1;
        good_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        return good_;
    }

private:
    static void send(int to, char what) {
        if (::write(to, &what, 1) != 1) {
            throw std::runtime_error("write");
        }
    }
    static char receive(int from) {
        char what = 0;
        if (::read(from, &what, 1) != 1) {
            throw std::runtime_error("read");
        }
        return what;
    }

    int to_parent_[2]{};
    int to_child_[2]{};
    pid_t id_ = -1;
    bool good_ = false;
};

/// An event whose parts are arbitrary bytes.
inline rc::Gen<event> any_event() {
    return rc::gen::map(
        rc::gen::pair(
            rc::gen::container<std::vector<std::string>>(13, rc::gen::arbitrary<std::string>()),
            rc::gen::arbitrary<std::vector<std::pair<std::string, std::string>>>()),
        [](std::pair<std::vector<std::string>, std::vector<std::pair<std::string, std::string>>>
               parts) {
            auto& s = parts.first;
            event e{.id = s[0],
                    .source = s[1],
                    .type = s[2],
                    .subject = s[3],
                    .time = s[4],
                    .datacontenttype = s[5],
                    .dataschema = s[6],
                    .data = s[7],
                    .partitionkey = s[8],
                    .sequence = s[9],
                    .correlationid = s[10],
                    .causationid = s[11],
                    .traceparent = s[12]};
            for (auto& [name, value] : parts.second) {
                e.headers.push_back({std::move(name), std::move(value)});
            }
            return e;
        });
}

/// A plain event.
inline event make_event(std::string id, std::string key = {}, std::string data = "data") {
    return {.id = std::move(id),
            .source = "/test",
            .type = "test.happened",
            .data = std::move(data),
            .partitionkey = std::move(key)};
}

/// A deadline that has passed: do not wait.
inline constexpr steady_time no_waiting = steady_time::min();

inline steady_time in(duration span) { return later(machine_clock::now().steady, span); }

/// An instant of the calendar.
inline constexpr wall_time at(std::int64_t seconds) {
    return wall_time(std::chrono::seconds(seconds));
}

}  // namespace sinew::test
