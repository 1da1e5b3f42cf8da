// SPDX-License-Identifier: BSL-1.0
//
// A pipeline is used up by what it becomes part of.
//
// expect: a pipeline is used up by what it becomes part of

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <utility>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto start = subscribe(log, {.topic = "t", .group = "g"});
    auto wired = 1;
    start | halt();
#else
    auto start = subscribe(log, {.topic = "t", .group = "g"});
    auto wired = std::move(start) | halt();
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
