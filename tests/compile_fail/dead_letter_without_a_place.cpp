// SPDX-License-Identifier: BSL-1.0
//
// dead_letter needs a place.
//
// expect: dead_letter takes a place with put

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = 1;
    dead_letter(wired);
#else
    auto wired = dead_letter(db.dead_letters());
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
