// SPDX-License-Identifier: BSL-1.0
//
// Events come from a log or a source.
//
// expect: subscribe takes a log, which has join

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = 1;
    subscribe(wired, {.topic = "t", .group = "g"});
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"});
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
