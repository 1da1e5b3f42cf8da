// SPDX-License-Identifier: BSL-1.0
//
// A transaction comes from a store.
//
// expect: the handler cannot be called: without once\(store\)

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    const auto writes = [](const event_view&, memory::transaction&) {};
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
                 handle(writes);
#else
    const auto writes = [](const event_view&, memory::transaction&) {};
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | handle(writes);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
