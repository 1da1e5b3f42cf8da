// SPDX-License-Identifier: BSL-1.0
//
// Middleware takes the event and what comes next, and gives back an outcome.
//
// expect: what stands in around takes

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    const auto wrong = [](const event_view&) {};
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
                 around(wrong) | handle(apply);
    wired.step({});
#else
    const auto right = [](const event_view&, auto next) { return next(); };
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
                 around(right) | handle(apply);
    wired.step({});
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
