// SPDX-License-Identifier: BSL-1.0
//
// A spooled sink answers soon by itself, and never says that the broker is down.
//
// expect: fail_fast around it would only cut it short; put fail_fast inside

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/fail_fast.hpp>
#include <sinew/publish/spooled.hpp>

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
    fail_fast wired(out);
#else
    fail_fast quick(kafka);
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
