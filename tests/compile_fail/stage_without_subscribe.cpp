// SPDX-License-Identifier: BSL-1.0
//
// A pipeline starts at its source.
//
// expect: a pipeline starts with subscribe

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = 1;
    retry() | idempotent_by_nature();
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | retry() | idempotent_by_nature();
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
