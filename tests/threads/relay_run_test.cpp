// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/core/run.hpp>
#include <sinew/publish/emitter.hpp>
#include <sinew/publish/relay.hpp>

#include <atomic>
#include <cstddef>
#include <stop_token>
#include <string>
#include <thread>

using namespace sinew;

namespace {

/// Counts what it accepts, and tells other threads.
struct counting_sink {
    std::atomic<std::size_t> accepted{0};

    publish_result publish(const event_view&, steady_time) {
        ++accepted;
        return publish_result::accepted();
    }
};

}  // namespace

TEST_CASE("a relay on a thread of its own publishes what is there, and ends when it is told to") {
    memory::store db;  // handed over to the thread: it is for one at a time
    emitter emit(db.outbox("orders"));
    auto tx = db.begin(never);
    for (int i = 0; i < 300; ++i) {
        const auto key = std::to_string(i % 20);
        emit.add(tx, {.source = "/orders", .type = "order.placed", .partitionkey = key});
    }
    REQUIRE(tx.commit() == commit_result::committed);
    counting_sink to;
    relay one(db.outbox("orders"), to, {.owner = "relay-1"});
    run_end end = run_end::halted;
    {
        std::jthread worker([&](const std::stop_token& stop) { end = run(one, stop); });
        while (to.accepted < 300) {
            std::this_thread::yield();
        }
    }
    CHECK(end == run_end::stopped);
    CHECK(one.counts().marked == 300);
    CHECK(one.shards_held() == 0);
    CHECK(db.outbox("orders").lag().waiting == 0);
}
