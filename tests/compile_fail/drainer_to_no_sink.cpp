// SPDX-License-Identifier: BSL-1.0
//
// A drainer publishes to a sink.
//
// expect: drainer publishes to a sink: it needs publish

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/drainer.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose([[maybe_unused]] broker& kafka, sinew::memory::spool& spool) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    int nowhere = 0;
    drainer wired(spool, nowhere);
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
