// SPDX-License-Identifier: BSL-1.0
#include "allocation/counting.hpp"
#include "consume/consumer_parts.hpp"

#include <memory>

using namespace sinew;
using namespace sinew::test::consuming;
using sinew::test::allocations;

namespace {

constexpr std::size_t events = 2000;

/// Appends events of some keys, each with the next number of its key.
void put_some(bench& b, std::size_t& written) {
    for (std::size_t i = 0; i < events; ++i, ++written) {
        auto e = order("a rather long id, so that it is no small string " + std::to_string(written),
                       "a rather long key, for the same reason " + std::to_string(written % 10),
                       static_cast<std::uint64_t>(written / 10 + 1));
        e.headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}};
        b.put(e);
    }
}

/// How often something is allocated while the consumer takes `events` events from the log through
/// the handler, and commits them, once it has seen as many before.
template <class Consumer>
std::size_t allocations_of(bench& b, Consumer& c) {
    std::size_t written = 0;
    put_some(b, written);
    REQUIRE(b.drain(c));
    put_some(b, written);
    const auto applied = c.counts().applied;
    const std::size_t before = allocations();
    do {
        c.step(b.now);
        b.pass(c.next_deadline() == never ? duration::zero() : c.next_deadline() - b.now.steady);
    } while (c.counts().applied < applied + events || !c.is_idle());
    const std::size_t after = allocations();
    CHECK(b.committed() == static_cast<log_offset>(2 * events - 1));
    return after - before;
}

}  // namespace

TEST_CASE("from the log through retry and handler, an event costs no allocation") {
    bench b;
    std::size_t bytes = 0;
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle([&](const event_view& e) { bytes += e.size_bytes(); });
    CHECK(allocations_of(b, c) == 0);
    CHECK(bytes > 2 * events * 100);
}

TEST_CASE("nor does it with around, by_type, an outcome, in_sequence or deduplicate") {
    bench b;
    std::size_t handled = 0;
    auto c = b.from() | in_sequence() | dead_letter(b.letters) | retry() | deduplicate() |
             around([](const event_view&, auto next) -> outcome { return next(); }) |
             handle(by_type(on<"order.placed">([&](const event_view&) {
                                ++handled;
                                return outcome::done();
                            }),
                            on<"order.cancelled">([](const event_view&) {})));
    CHECK(allocations_of(b, c) == 0);
    CHECK(handled == 2 * events);
}

TEST_CASE("nor does it with in_sequence and once on a store in memory") {
    bench b;
    std::size_t handled = 0;
    auto c = b.from() | in_sequence() | dead_letter(b.db.dead_letters()) | retry() | once(b.db) |
             handle([&](const event_view&, memory::transaction&) { ++handled; });
    CHECK(allocations_of(b, c) == 0);
    CHECK(handled == 2 * events);
}

TEST_CASE("nor does it where it takes its way through the lanes, behind another that waits") {
    bench b;
    std::size_t failures = 0;
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle([&](const event_view&) -> outcome {
                 return ++failures == 1 ? outcome::retry("later", {}, 1h) : outcome::done();
             });
    std::size_t written = 0;
    put_some(b, written);
    static_cast<void>(c.step(b.now));
    const auto before = allocations();
    for (int i = 0; i < 4; ++i) {
        static_cast<void>(c.step(b.now));
    }
    CHECK(allocations() == before);
    CHECK(c.counts().applied > 100);
    CHECK(c.counts().in_flight > 0);
}

TEST_CASE("what the handler itself allocates is counted, so that nothing is proof of nothing") {
    bench b;
    std::vector<std::unique_ptr<int>> kept;
    kept.reserve(2 * events);
    auto c = b.from() | dead_letter(b.letters) | retry() | idempotent_by_nature() |
             handle([&](const event_view&) { kept.push_back(std::make_unique<int>(1)); });
    CHECK(allocations_of(b, c) == events);
}
