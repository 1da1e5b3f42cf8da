// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite/spool.hpp>
#include <sinew/core/run.hpp>
#include <sinew/publish/drainer.hpp>
#include <sinew/publish/spooled.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

/// A broker that several threads publish to, and that is down at times.
struct shared_broker {
    std::mutex mutex;
    std::map<std::string, std::vector<int>> taken;
    unsigned calls = 0;

    publish_result publish(const event_view& e, steady_time) {
        const std::scoped_lock lock(mutex);
        if (++calls % 7 < 3) {
            return publish_result::refused({failure_class::unavailable, "down", "", std::nullopt});
        }
        taken[std::string(e.partitionkey)].push_back(std::stoi(std::string(e.id)));
        return publish_result::accepted();
    }
};

}  // namespace

TEST_CASE("one spool is shared by threads that publish and a thread that drains it") {
    constexpr int events = 300;
    const test::temp_folder in;
    shared_broker broker;
    sqlite::spool spool(in.file("spool"));
    std::atomic<bool> good = true;
    {
        std::jthread draining([&](const std::stop_token& stop) {
            drainer drain(spool, broker, {.base = 1ms, .cap = 2ms});
            run(drain, stop, {.look_up = 5ms});
        });
        {
            std::vector<std::jthread> threads;
            for (int t = 0; t < 3; ++t) {
                threads.emplace_back([&, t] {
                    spooled out(broker, spool, {.base = 1ms, .cap = 2ms});
                    for (int i = 0; i < events; ++i) {
                        const event e{.id = std::to_string(i),
                                      .source = "/threads",
                                      .type = "t",
                                      .partitionkey = std::to_string(t)};
                        good = good && out.publish(e.view(), never).is_accepted();
                    }
                });
            }
        }
        while (spool.size().waiting != 0) {
            std::this_thread::sleep_for(1ms);
        }
    }
    REQUIRE(good);
    REQUIRE(broker.taken.size() == 3);
    for (const auto& [key, ids] : broker.taken) {
        CAPTURE(key);
        REQUIRE(ids.size() == events);
        REQUIRE(std::is_sorted(ids.begin(), ids.end()));
    }
}

TEST_CASE("a drainer that waits is woken by a put of another thread") {
    const test::temp_folder in;
    shared_broker broker;
    broker.calls = 3;
    sqlite::spool spool(in.file("spool"));
    std::jthread putting([&] {
        const event e{.id = "1", .source = "/threads", .type = "t", .partitionkey = "k"};
        static_cast<void>(spool.put(e.view(), machine_clock::now()));
    });
    REQUIRE(spool.wait_for_put(never));
    drainer drain(spool, broker);
    REQUIRE(drain.step(machine_clock::now()));
    REQUIRE(broker.taken["k"] == std::vector<int>{1});
    REQUIRE_FALSE(spool.wait_for_put(steady_time::min()));
}
