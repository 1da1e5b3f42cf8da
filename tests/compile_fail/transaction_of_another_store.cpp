// SPDX-License-Identifier: BSL-1.0
//
// The transaction is that of the store in once.
//
// expect: the handler cannot be called: after once\(store\)

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    struct elsewhere {};
    const auto writes = [](const event_view&, elsewhere&) {};
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | handle(writes);
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
