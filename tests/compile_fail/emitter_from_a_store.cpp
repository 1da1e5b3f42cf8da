// SPDX-License-Identifier: BSL-1.0
//
// An emitter adds to an outbox; a store may have several.
//
// expect: emitter takes a handle on an outbox, such as

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

void compose(sinew::memory::store& db) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    emitter emit(db);
#else
    emitter emit(db.outbox("orders"));
#endif
    static_cast<void>(emit);
}

}  // namespace

int main() {
    sinew::memory::store db;
    compose(db);
}
