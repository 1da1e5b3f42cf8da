// SPDX-License-Identifier: BSL-1.0
//
// Order comes before everything that may set an event aside.
//
// expect: in_sequence stands after subscribe and before dead_letter

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | in_sequence() | once(db) |
                 handle(apply);
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | in_sequence() | halt() | once(db) |
                 handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
