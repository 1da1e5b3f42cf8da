// SPDX-License-Identifier: BSL-1.0
//
// A relay publishes to a sink.
//
// expect: relay publishes to a sink: it needs publish

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
    int nowhere = 0;
    relay one(db.outbox("orders"), nowhere);
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
