// SPDX-License-Identifier: BSL-1.0
//
// A retry inside of the transaction would repeat in a transaction that has failed.
//
// expect: retry stands after dead_letter, halt or discard, and before once

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired =
        subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | retry() | handle(apply);
#else
    auto wired =
        subscribe(log, {.topic = "t", .group = "g"}) | halt() | retry() | once(db) | handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
