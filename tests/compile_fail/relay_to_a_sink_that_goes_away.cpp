// SPDX-License-Identifier: BSL-1.0
//
// The sink has to outlive the relay.
//
// expect: use of deleted function|call to deleted

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
    relay one(db.outbox("orders"), nothing_goes_out{}, {.owner = "relay-1"});
#else
    relay one(db.outbox("orders"), to, {.owner = "relay-1"});
#endif
    static_cast<void>(one);
}

}  // namespace

int main() {
    sinew::memory::store db;
    nothing_goes_out to;
    compose(db, to);
}
