// SPDX-License-Identifier: BSL-1.0
//
// The sink has to outlive what stands around it.
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

void compose([[maybe_unused]] nothing_goes_out& to) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    fail_fast quick(nothing_goes_out{});
#else
    fail_fast quick(to);
#endif
    static_cast<void>(quick);
}

}  // namespace

int main() {
    nothing_goes_out to;
    compose(to);
}
