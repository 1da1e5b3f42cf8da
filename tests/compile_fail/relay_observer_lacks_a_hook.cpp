// SPDX-License-Identifier: BSL-1.0
//
// An observer of a relay has all hooks.
//
// expect: derive it from sinew::null_relay_observer

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

namespace {

struct nothing_goes_out {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::refused({});
    }
};

void compose(sinew::memory::store& db, [[maybe_unused]] nothing_goes_out& to) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    relay one(db.outbox("orders"), to, {}, 1);
#else
    relay one(db.outbox("orders"), to, {.owner = "relay-1"}, null_relay_observer());
#endif
    static_cast<void>(one);
}

}  // namespace

int main() {
    sinew::memory::store db;
    nothing_goes_out to;
    compose(db, to);
}
