// SPDX-License-Identifier: BSL-1.0
//
// An observer sees everything, so it stands first.
//
// expect: observed_by stands right after subscribe

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    null_observer watcher;
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | retry() | observed_by(watcher);
#else
    null_observer watcher;
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | observed_by(watcher) | retry();
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
