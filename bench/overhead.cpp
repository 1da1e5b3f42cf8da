// SPDX-License-Identifier: BSL-1.0
//
// What a pipeline costs per event: from the in-memory log through the stages, beside a hand-written
// loop over the same source that does the same for each event.
//
//   ./dev bench overhead

#include "ratio.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace sinew;

constexpr std::size_t events = 100'000;
constexpr std::size_t keys = 1'000;

/// One log for all cases; each case reads it as a group of its own.
memory::log& filled_log() {
    static memory::log log = [] {
        memory::log fresh;
        fresh.create_topic("events", {.partitions = 4});
        auto to = fresh.producer("events");
        for (std::size_t i = 0; i < events; ++i) {
            const event e{.id = std::to_string(i),
                          .source = "/bench",
                          .type = "bench.event.v1",
                          .data = "some forty bytes of payload, or about it",
                          .partitionkey = "key-" + std::to_string(i % keys),
                          .sequence = std::to_string(i / keys + 1)};
            static_cast<void>(to.publish(e.view(), never));
        }
        return fresh;
    }();
    return log;
}

std::string next_group() {
    static int number = 0;
    return "group-" + std::to_string(++number);
}

struct tally {
    std::uint64_t bytes = 0;
    std::uint64_t count = 0;

    void add(const event_view& e) {
        bytes += e.data.size();
        ++count;
    }
};

moment at(std::int64_t step) { return {steady_time(std::chrono::milliseconds(step)), {}}; }

/// What somebody writes who needs no more than this: poll, handle, commit now and then.
struct loop_listener {
    tally& sum;
    std::vector<assignment> ours{};
    std::map<partition_id, log_offset> seen{};

    void assigned(assignment a) { ours.push_back(a); }
    void revoked(revocation) {}
    void lost(assignment) {}
    void message(memory::log::member::message&& m) {
        const event_view e = m.view();
        if (!find_defect(e)) {
            sum.add(e);
        }
        seen[m.where().partition] = m.where().offset;
    }
};

void by_hand() {
    tally sum;
    auto member = filled_log().join("events", next_group());
    loop_listener listener{sum};
    for (std::int64_t step = 0; sum.count < events; ++step) {
        member.poll({1024, std::size_t{64} << 20U}, at(step).steady, listener);
        for (const auto& one : listener.ours) {
            static_cast<void>(
                member.commit(one.partition, one.epoch, listener.seen[one.partition], never));
        }
    }
    benchmark::DoNotOptimize(sum.bytes);
}

template <class Consumer>
void read_all(Consumer& consumer, const tally& sum) {
    for (std::int64_t step = 0; sum.count < events; ++step) {
        consumer.step(at(step));
    }
    benchmark::DoNotOptimize(sum.bytes);
}

subscription_options options() {
    return {.topic = "events", .group = next_group(), .step_events_max = 1024, .seed = 1};
}

void handle_only() {
    tally sum;
    auto consumer = subscribe(filled_log(), options()) | discard() | idempotent_by_nature() |
                    handle([&sum](const event_view& e) { sum.add(e); });
    read_all(consumer, sum);
}

void dead_letter_retry_handle() {
    memory::dead_letters place;
    tally sum;
    auto consumer = subscribe(filled_log(), options()) | dead_letter(place) | retry() |
                    idempotent_by_nature() | handle([&sum](const event_view& e) { sum.add(e); });
    read_all(consumer, sum);
}

void in_sequence_dead_letter_retry_handle() {
    memory::dead_letters place;
    tally sum;
    auto consumer = subscribe(filled_log(), options()) | in_sequence() | dead_letter(place) |
                    retry() | idempotent_by_nature() |
                    handle([&sum](const event_view& e) { sum.add(e); });
    read_all(consumer, sum);
}

}  // namespace

int main(int argc, char** argv) {
    bench::suite all("overhead", argc, argv);
    const auto pair = [&all](const char* name, double times_max, void (*ours)()) {
        all.pair({.name = name, .items = events, .goal = 1 / times_max}, [ours] {
            return bench::sides{[](bench::laps& laps) { laps.time("read", by_hand); },
                                [ours](bench::laps& laps) { laps.time("read", ours); }};
        });
    };
    pair("handle", 1.1, handle_only);
    pair("dead_letter, retry, handle", 1.2, dead_letter_retry_handle);
    pair("in_sequence, dead_letter, retry, handle", 1.3, in_sequence_dead_letter_retry_handle);
    return all.run();
}
