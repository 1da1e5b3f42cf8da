// SPDX-License-Identifier: BSL-1.0
//
// Each event would go back to the end of the spool that it came from.
//
// expect: a drainer has to publish to the broker's own sink

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/spooled.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka, sinew::memory::spool& spool) {
    using namespace sinew;
    spooled out(kafka, spool);
#ifdef SINEW_MISTAKE
    drainer wired(spool, out);
#else
    drainer wired(spool, kafka);
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
