// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/queue.hpp>

#include "support/test.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace memory = sinew::memory;
using sinew::commit_result;
using sinew::never;

namespace {

constexpr sinew::steady_time start{};
constexpr sinew::poll_limits everything{.events = 1000, .bytes = 1'000'000};

struct queue_ear {
    std::vector<memory::queue::message> messages;
    void message(memory::queue::message&& m) { messages.push_back(std::move(m)); }
};

std::vector<memory::queue::message> receive(memory::queue& from,
                                            sinew::poll_limits limits = everything) {
    queue_ear ear;
    from.receive(limits, start, ear);
    return std::move(ear.messages);
}

void fill(memory::queue& queue, int count) {
    for (int i = 0; i < count; ++i) {
        const sinew::event e{.id = std::to_string(i), .source = "/test", .type = "t"};
        REQUIRE(queue.publish(e.view()).is_accepted());
    }
}

}  // namespace

TEST_CASE("memory: queue_source 1: receive keeps its limits, and comes back at once") {
    memory::queue queue;
    fill(queue, 4);
    REQUIRE(receive(queue, {.events = 0, .bytes = 100}).empty());
    REQUIRE(receive(queue, {.events = 2, .bytes = 100}).size() == 2);
    REQUIRE(receive(queue, {.events = 2, .bytes = 1}).size() == 1);
    REQUIRE(receive(queue).size() == 1);
    REQUIRE(receive(queue).empty());
}

TEST_CASE("memory: queue_source 2: what was delivered is invisible until its lease ends") {
    memory::queue queue({.lease = 10s});
    queue.tick(start);
    fill(queue, 1);
    auto first = receive(queue);
    REQUIRE(first.at(0).view().id == "0");
    REQUIRE(first.at(0).deliveries() == 1);
    queue.tick(start + 10s - 1ns);
    REQUIRE(receive(queue).empty());
    queue.tick(start + 10s);
    REQUIRE(receive(queue).at(0).deliveries() == 2);
}

TEST_CASE("memory: queue_source 3: what was acknowledged never comes again; twice does nothing") {
    memory::queue queue({.lease = 10s});
    fill(queue, 2);
    auto got = receive(queue);
    REQUIRE(queue.acknowledge(got.at(0)) == commit_result::committed);
    REQUIRE(queue.acknowledge(got.at(0)) == commit_result::committed);
    REQUIRE(queue.size() == 1);
    queue.tick(start + 20s);
    auto again = receive(queue);
    REQUIRE(again.size() == 1);
    REQUIRE(again[0].view().id == "1");
}

TEST_CASE("memory: queue_source 3: after the lease an acknowledgement is aborted") {
    memory::queue queue({.lease = 10s});
    fill(queue, 1);
    auto old = receive(queue);
    queue.tick(start + 10s);
    REQUIRE(queue.acknowledge(old.at(0)) == commit_result::aborted);
    auto taken_over = receive(queue);
    REQUIRE(queue.acknowledge(old.at(0)) == commit_result::aborted);
    REQUIRE(queue.acknowledge(taken_over.at(0)) == commit_result::committed);
    REQUIRE(queue.acknowledge(old.at(0)) == commit_result::aborted);
}

TEST_CASE(
    "memory: queue_source 4: what is given back is visible again after the delay, at its old "
    "place") {
    memory::queue queue({.lease = 10s});
    fill(queue, 2);
    auto got = receive(queue);
    queue.give_back(got.at(1), 0s);
    queue.give_back(got.at(0), 3s);
    REQUIRE(queue.acknowledge(got.at(0)) == commit_result::aborted);
    queue.tick(start + 2s);
    REQUIRE(receive(queue).at(0).view().id == "1");
    queue.tick(start + 3s);
    auto again = receive(queue);
    REQUIRE(again.at(0).view().id == "0");
    queue.give_back(got.at(0), 0s);  // the old handle has no say any more
    REQUIRE(receive(queue).empty());
    REQUIRE(queue.size() == 2);
}

TEST_CASE("memory: queue_source 5: extend says whether the lease now ends later") {
    memory::queue queue({.lease = 10s});
    fill(queue, 1);
    auto got = receive(queue);
    queue.tick(start + 9s);
    REQUIRE(queue.extend(got.at(0), 10s));
    queue.tick(start + 18s);
    REQUIRE(receive(queue).empty());
    queue.tick(start + 19s);
    REQUIRE_FALSE(queue.extend(got.at(0), 10s));
    REQUIRE(receive(queue).size() == 1);
}

TEST_CASE("memory: a listener may acknowledge while it is told") {
    struct busy_ear {
        memory::queue* queue;
        int count = 0;
        void message(memory::queue::message&& m) {
            REQUIRE(queue->acknowledge(m) == commit_result::committed);
            ++count;
        }
    };
    memory::queue queue;
    fill(queue, 5);
    busy_ear ear{&queue};
    queue.receive(everything, start, ear);
    REQUIRE(ear.count == 5);
    REQUIRE(queue.size() == 0);
}

TEST_CASE("memory: a full queue refuses with a class and a reason") {
    memory::queue queue({.messages_max = 1});
    fill(queue, 1);
    const auto refused = queue.publish({.id = "1", .source = "/test", .type = "t"});
    REQUIRE(refused.how() == sinew::publish_result::end::refused);
    REQUIRE(refused.why().kind == sinew::failure_class::unavailable);
    REQUIRE(refused.why().reason == "queue_full");
}

TEST_CASE("memory: a message stays readable when it is settled and the queue is gone") {
    std::optional<memory::queue> queue(std::in_place);
    fill(*queue, 1);
    queue->publish_broken(sinew::as_bytes("raw"), "unreadable");
    auto got = receive(*queue);
    REQUIRE(queue->acknowledge(got.at(0)) == commit_result::committed);
    queue.reset();
    REQUIRE(got.at(0).view().id == "0");
    REQUIRE_FALSE(got.at(0).broken().has_value());
    REQUIRE(got.at(1).broken()->reason == "unreadable");
    REQUIRE(got.at(1).view().text() == "raw");
}
