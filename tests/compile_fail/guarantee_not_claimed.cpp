// SPDX-License-Identifier: BSL-1.0
//
// A handler that acts outside of the transaction is not effectively once.
//
// expect: static assertion failed|static_assert failed

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | handle(apply);
    static_assert(wired.guarantee() == guarantee::effectively_once);
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | handle(apply);
    static_assert(wired.guarantee() == guarantee::at_least_once);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
