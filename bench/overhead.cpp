// SPDX-License-Identifier: BSL-1.0
//
// What a pipeline costs per event: from the in-memory log through the stages, beside a hand-written
// loop over the same source that does the same for each event. The last line of each pair is the
// ratio of the medians.
//
//   ./dev bench overhead

#include <sinew/adapters/memory.hpp>
#include <sinew/sinew.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
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

void by_hand(benchmark::State& state) {
    for (auto _ : state) {
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
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events));
}

template <class Consumer>
void read_all(Consumer& consumer, const tally& sum) {
    for (std::int64_t step = 0; sum.count < events; ++step) {
        consumer.step(at(step));
    }
}

subscription_options options() {
    return {.topic = "events", .group = next_group(), .step_events_max = 1024, .seed = 1};
}

void handle_only(benchmark::State& state) {
    for (auto _ : state) {
        tally sum;
        auto consumer = subscribe(filled_log(), options()) | discard() | idempotent_by_nature() |
                        handle([&sum](const event_view& e) { sum.add(e); });
        read_all(consumer, sum);
        benchmark::DoNotOptimize(sum.bytes);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events));
}

void dead_letter_retry_handle(benchmark::State& state) {
    memory::dead_letters place;
    for (auto _ : state) {
        tally sum;
        auto consumer = subscribe(filled_log(), options()) | dead_letter(place) | retry() |
                        idempotent_by_nature() |
                        handle([&sum](const event_view& e) { sum.add(e); });
        read_all(consumer, sum);
        benchmark::DoNotOptimize(sum.bytes);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events));
}

void in_sequence_dead_letter_retry_handle(benchmark::State& state) {
    memory::dead_letters place;
    for (auto _ : state) {
        tally sum;
        auto consumer = subscribe(filled_log(), options()) | in_sequence() | dead_letter(place) |
                        retry() | idempotent_by_nature() |
                        handle([&sum](const event_view& e) { sum.add(e); });
        read_all(consumer, sum);
        benchmark::DoNotOptimize(sum.bytes);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(events));
}

/// Keeps the medians, and prints each as a ratio to the loop by hand.
class ratio_reporter : public benchmark::ConsoleReporter {
public:
    void ReportRuns(const std::vector<Run>& runs) override {
        ConsoleReporter::ReportRuns(runs);
        for (const auto& run : runs) {
            if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median") {
                medians_.push_back({run.run_name.function_name, run.GetAdjustedCPUTime()});
            }
        }
    }

    void Finalize() override {
        for (const auto& one : medians_) {
            std::printf("%-40s %6.2f times the loop by hand\n", one.name.c_str(),
                        one.time / medians_.front().time);
        }
    }

private:
    struct median {
        std::string name;
        double time;
    };

    std::vector<median> medians_;
};

BENCHMARK(by_hand)->Repetitions(5)->ReportAggregatesOnly()->Unit(benchmark::kMillisecond);
BENCHMARK(handle_only)->Repetitions(5)->ReportAggregatesOnly()->Unit(benchmark::kMillisecond);
BENCHMARK(dead_letter_retry_handle)
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(in_sequence_dead_letter_retry_handle)
    ->Repetitions(5)
    ->ReportAggregatesOnly()
    ->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    ratio_reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    return 0;
}
