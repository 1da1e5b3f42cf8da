// SPDX-License-Identifier: BSL-1.0
//
// Two branches of one type: which one?
//
// expect: two branches of by_type have the same type

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::log& log, [[maybe_unused]] sinew::memory::store& db) {
    using namespace sinew;
    const auto apply = [](const event_view&) {};
#ifdef SINEW_MISTAKE
    auto wired = by_type(on<"a">(apply), on<"a">(apply));
#else
    auto wired = by_type(on<"a">(apply), on<"b">(apply));
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    sinew::memory::log log;
    sinew::memory::store db;
    compose(log, db);
}
