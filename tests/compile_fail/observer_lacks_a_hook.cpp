// SPDX-License-Identifier: BSL-1.0
//
// An observer has all hooks.
//
// expect: observed_by takes an observer; derive it from sinew::null_observer

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = 1;
    observed_by(wired);
#else
    null_observer watcher;
    auto wired = observed_by(watcher);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
