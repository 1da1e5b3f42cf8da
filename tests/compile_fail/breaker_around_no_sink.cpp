// SPDX-License-Identifier: BSL-1.0
//
// What stands around a sink needs one.
//
// expect: with_breaker stands around a sink: it needs publish

#include <sinew/publish/with_breaker.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose([[maybe_unused]] broker& kafka) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    int nowhere = 0;
    with_breaker wired(nowhere);
#else
    with_breaker wired(kafka);
#endif
    static_cast<void>(wired);
}

}  // namespace

int main() {
    broker kafka;
    compose(kafka);
}
