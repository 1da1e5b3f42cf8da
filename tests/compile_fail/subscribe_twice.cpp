// SPDX-License-Identifier: BSL-1.0
//
// A pipeline has one source.
//
// expect: subscribe stands first, and once

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) |
                 detail::subscribe_stage<memory::log::member>{log.join("t", "g"), {}};
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | halt() | once(db) | handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
