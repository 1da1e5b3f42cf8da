// SPDX-License-Identifier: BSL-1.0
//
// A sink is spooled into a spool: an options struct opens none.
//
// expect: spooled takes a spool second

#include <sinew/adapters/memory/spool.hpp>
#include <sinew/publish/spooled.hpp>

namespace {

struct broker {
    sinew::publish_result publish(const sinew::event_view&, sinew::steady_time) {
        return sinew::publish_result::accepted();
    }
};

void compose(broker& kafka, [[maybe_unused]] sinew::memory::spool& spool) {
    using namespace sinew;
#ifdef SINEW_MISTAKE
    spool_options options;
    spooled wired(kafka, options);
#else
    spooled wired(kafka, spool);
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
