// SPDX-License-Identifier: BSL-1.0
//
// A handler answers with nothing or an outcome.
//
// expect: the handler cannot be called: without once\(store\)

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    const auto counts = [](const event_view&) { return 7; };
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
                 handle(counts);
#else
    const auto counts = [](const event_view&) { return outcome::done(); };
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
                 handle(counts);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
