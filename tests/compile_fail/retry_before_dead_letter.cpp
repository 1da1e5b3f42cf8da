// SPDX-License-Identifier: BSL-1.0
//
// The way out stands to the left of retry, or a retry could not reach it.
//
// expect: dead_letter, halt or discard stands before retry and once

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | retry() |
                 dead_letter(db.dead_letters()) | once(db) | handle(apply);
#else
    auto wired = subscribe(log, {.topic = "t", .group = "g"}) | dead_letter(db.dead_letters()) |
                 retry() | once(db) | handle(apply);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
