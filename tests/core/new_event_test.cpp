// SPDX-License-Identifier: BSL-1.0
#include <sinew/core/new_event.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr event_view placed{.id = {}, .source = "/orders", .type = "order.placed"};

/// An outbox that only remembers what it was given.
struct last_added {
    event what{};
    wall_time at{};

    std::uint64_t add(int& tx, const event_view& e, wall_time now) {
        what = to_event(e);
        at = now;
        return static_cast<std::uint64_t>(++tx);
    }
};

}  // namespace

TEST_CASE("a new id is a UUID of version 7: its time, and random bits") {
    splitmix64 random(1);
    const std::string id = new_event_id(wall_time(0x0123'4567'89abLL * 1ms), random);
    REQUIRE(id.size() == 36);
    REQUIRE(id.substr(0, 15) == "01234567-89ab-7");
    REQUIRE(id[18] == '-');
    REQUIRE(std::string("89ab").find(id[19]) != std::string::npos);
    REQUIRE(id[23] == '-');
    for (const char c : id) {
        REQUIRE(std::string("0123456789abcdef-").find(c) != std::string::npos);
    }
}

TEST_CASE("new ids differ, and sort by time") {
    splitmix64 random(7);
    std::set<std::string> ids;
    std::string last;
    for (int i = 0; i < 1000; ++i) {
        ids.insert(new_event_id(day, random));
        const std::string later = new_event_id(day + i * 1ms, random);
        REQUIRE(last < later);
        last = later;
    }
    REQUIRE(ids.size() == 1000);
}

TEST_CASE("the same time and randomness give the same id") {
    splitmix64 one(7);
    splitmix64 other(7);
    REQUIRE(new_event_id(day, one) == new_event_id(day, other));
}

TEST_CASE("an event gets an id and a time where it has none") {
    splitmix64 random(1);
    const completed_event made(placed, day, random);
    REQUIRE(made.view().id.size() == 36);
    REQUIRE(made.view().time == format_time(day));
    REQUIRE(made.view().source == "/orders");
    REQUIRE_FALSE(find_defect(made.view()));
}

TEST_CASE("an event keeps the id and the time that it brings") {
    splitmix64 random(1);
    event_view e = placed;
    e.id = "17";
    e.time = "yesterday";
    const completed_event made(e, day, random);
    REQUIRE(made.view().id == "17");
    REQUIRE(made.view().time == "yesterday");
    REQUIRE(random() == splitmix64(1)());
}

TEST_CASE("a completed event that was moved still shows its own id") {
    splitmix64 random(1);
    completed_event from(placed, day, random);
    const std::string id(from.view().id);
    const completed_event to = std::move(from);
    REQUIRE(to.view().id == id);
}

TEST_CASE("an effect belongs to the conversation and the trace of its cause") {
    const event_view cause{.id = "7", .source = "/shop", .type = "paid", .traceparent = "00-trace"};
    const auto effect = caused_by(placed, cause);
    REQUIRE(effect.correlationid == "7");
    REQUIRE(effect.causationid == "7");
    REQUIRE(effect.traceparent == "00-trace");

    auto next = placed;
    next.id = "8";
    next = caused_by(next, cause);
    const auto effect_of_effect = caused_by(placed, next);
    REQUIRE(effect_of_effect.correlationid == "7");
    REQUIRE(effect_of_effect.causationid == "8");
    REQUIRE(effect_of_effect.traceparent == "00-trace");
}

TEST_CASE("an effect keeps the context that it brings") {
    auto e = placed;
    e.correlationid = "c";
    e.causationid = "d";
    e.traceparent = "t";
    const event_view cause{.id = "7", .source = "/shop", .type = "paid", .traceparent = "00-trace"};
    const auto effect = caused_by(e, cause);
    REQUIRE(effect.correlationid == "c");
    REQUIRE(effect.causationid == "d");
    REQUIRE(effect.traceparent == "t");
}

TEST_CASE("add_new adds the completed event, stamped with the same time") {
    splitmix64 random(1);
    last_added box;
    int tx = 4;
    REQUIRE(add_new(box, tx, placed, day, random) == 5);
    REQUIRE(box.what.id.size() == 36);
    REQUIRE(box.what.time == format_time(day));
    REQUIRE(box.at == day);
}
