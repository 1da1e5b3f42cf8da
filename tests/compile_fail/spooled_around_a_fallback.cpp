// SPDX-License-Identifier: BSL-1.0
//
// A fallback takes every event that the broker does not: the spool would never get one.
//
// expect: put spooled directly around the broker's sink, and with_fallback around spooled

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/spooled.hpp>
#include <sinew/publish/with_fallback.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka, sinew::memory::spool& spool) {
    using namespace sinew;
    const auto other = [](const event_view&, const failure&, steady_time) {
        return publish_result::accepted();
    };
#ifdef SINEW_MISTAKE
    with_fallback out(kafka, other);
    spooled wired(out, spool);
#else
    spooled out(kafka, spool);
    with_fallback wired(out, other);
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
