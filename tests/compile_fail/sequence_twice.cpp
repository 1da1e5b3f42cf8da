// SPDX-License-Identifier: BSL-1.0
//
// There is one order.
//
// expect: in_sequence stands after subscribe and before dead_letter, halt or discard, and once; move it

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | in_sequence() | in_sequence() |
                 halt() | once(db) | handle(apply);
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
