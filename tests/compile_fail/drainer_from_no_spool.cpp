// SPDX-License-Identifier: BSL-1.0
//
// A drainer takes what it publishes from a spool, which comes first.
//
// expect: drainer takes a spool first

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/drainer.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka, sinew::memory::spool& spool) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    drainer wired(kafka, spool);
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
