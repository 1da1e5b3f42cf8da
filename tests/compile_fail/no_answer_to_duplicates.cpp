// SPDX-License-Identifier: BSL-1.0
//
// A pipeline has to say what becomes of an event that comes twice.
//
// expect: what becomes of an event that comes twice\? Write once

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | handle(apply);
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() |
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
