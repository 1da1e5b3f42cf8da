// SPDX-License-Identifier: BSL-1.0
//
// A second attempt is what at_most_once rules out.
//
// expect: at_most_once cannot stand with retry

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | retry() | at_most_once() |
                 handle(apply);
#else
    auto wired =
        subscribe(log, {.topic = "t", .group = "g"}) | halt() | at_most_once() | handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
