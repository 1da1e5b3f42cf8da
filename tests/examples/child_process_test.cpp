// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <shared/child_process.hpp>

#include <csignal>
#include <cstdlib>

#include <unistd.h>

using namespace std::chrono_literals;

namespace {

constexpr const char* waits = "SINEW_TEST_CHILD_WAITS";

/// What a program that starts others does with a request to stop.
class own_handler {
public:
    own_handler() noexcept : before_(std::signal(SIGTERM, [](int) {})) {}
    own_handler(const own_handler&) = delete;
    own_handler& operator=(const own_handler&) = delete;
    ~own_handler() { std::signal(SIGTERM, before_); }

private:
    void (*before_)(int);
};

}  // namespace

// This program's child runs it alone. Whoever asks for all tests of this file runs it too: without
// the variable it has nothing to do.
TEST_CASE("a child that only waits", "[.]") {
    while (std::getenv(waits) != nullptr) {
        ::pause();
    }
}

TEST_CASE("child process: a request to stop that comes before the child has begun is not lost") {
    const own_handler caught;
    ::setenv(waits, "1", 1);
    for (int i = 0; i < 100; ++i) {
        example::child_process child({"a child that only waits"});
        child.ask_to_stop();
        const auto end = child.wait(sinew::machine_clock::now().steady + 20s);
        REQUIRE(end);
        REQUIRE(end->signal == SIGTERM);
    }
    ::unsetenv(waits);
}
