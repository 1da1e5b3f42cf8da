// SPDX-License-Identifier: BSL-1.0
//
// It would retry what is an answer already.
//
// expect: with_breaker has to stand directly around the broker.s sink

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/publish/with_breaker.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka, sinew::memory::spool& spool) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    spooled out(kafka, spool);
    with_breaker wired(out);
#else
    with_breaker quick(kafka);
    spooled wired(quick, spool);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    broker kafka;
    sinew::memory::database data;
    sinew::memory::spool spool(data);
    compose(kafka, spool);
}
