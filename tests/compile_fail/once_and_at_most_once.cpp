// SPDX-License-Identifier: BSL-1.0
//
// There is one answer to duplicates.
//
// expect: once, deduplicate, idempotent_by_nature or at_most_once stands after retry and before around and handle, and there is one of them

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | at_most_once() |
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
