// SPDX-License-Identifier: BSL-1.0
//
// A fallback is told why the broker did not take the event.
//
// expect: with_fallback takes a function second, which is called as f

#include <sinew/publish/with_fallback.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    const auto other = [](const event_view&, steady_time) { return publish_result::accepted(); };
    with_fallback wired(kafka, other);
#else
    const auto other = [](const event_view&, const failure&, steady_time) {
        return publish_result::accepted();
    };
    with_fallback wired(kafka, other);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    broker kafka;
    compose(kafka);
}
