// SPDX-License-Identifier: BSL-1.0
//
// Failures flow left: what stands to the right of the handler could not guard it.
//
// expect: handle ends the pipeline; write the stage to the left of handle

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = 1;
    subscribe(log, {.topic = "t", .group = "g"}) | halt() | idempotent_by_nature() | handle(apply) |
        retry();
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | retry() |
                 idempotent_by_nature() | handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
