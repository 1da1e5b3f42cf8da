// SPDX-License-Identifier: BSL-1.0
#include <sinew/core/shard_lease.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr steady_time start(1h);

}  // namespace

TEST_CASE("the shard of a key is the same for ever, as stores keep it") {
    STATIC_REQUIRE(shard_of("", 8) == 1);
    STATIC_REQUIRE(shard_of("a", 8) == 0);
    STATIC_REQUIRE(shard_of("customer-17", 8) == 0);
    STATIC_REQUIRE(shard_of("customer-17", 4096) == 1872);
    STATIC_REQUIRE(shard_of("customer-17", 1) == 0);
    STATIC_REQUIRE(shard_of("customer-17", 0) == 0);
}

TEST_CASE("keys spread over all shards") {
    for (const shard_id shards : {2U, 3U, 8U, 64U}) {
        std::vector<int> keys(shards);
        for (int i = 0; i < 6400; ++i) {
            ++keys.at(shard_of("order-" + std::to_string(i), shards));
        }
        const int fair = 6400 / static_cast<int>(shards);
        for (const int count : keys) {
            REQUIRE(count > fair / 2);
            REQUIRE(count < fair * 2);
        }
    }
}

TEST_CASE("a shard that nobody holds may be taken at once") {
    lease_watch watch("me", 30s, 4);
    REQUIRE(watch.may_take({.shard = 1}, start));
    REQUIRE(watch.may_take({.shard = 1, .epoch = 7, .beat = 3}, start));
}

TEST_CASE("who is started again under its own name goes on at once") {
    lease_watch watch("me", 30s, 4);
    REQUIRE(watch.may_take({.shard = 1, .epoch = 7, .beat = 3, .owner = "me"}, start));
}

TEST_CASE("another's lease may be taken once its beat has stood still for the length of a lease") {
    lease_watch watch("me", 30s, 4);
    const shard_lease seen{.shard = 1, .epoch = 7, .beat = 3, .owner = "other"};
    REQUIRE_FALSE(watch.may_take(seen, start));
    REQUIRE(watch.due(1) == start + 30s);
    REQUIRE_FALSE(watch.may_take(seen, start + 29s));
    REQUIRE(watch.may_take(seen, start + 30s));
}

TEST_CASE("two that live under one name do not take a shard from each other for ever") {
    lease_watch watch("me", 30s, 4);
    const shard_lease before{.shard = 1, .epoch = 7, .beat = 3, .owner = "me"};
    REQUIRE(watch.may_take(before, start));
    watch.takes(before);
    // The answer was lost, and it was done.
    REQUIRE(watch.may_take({.shard = 1, .epoch = 8, .owner = "me"}, start));
    const shard_lease namesake{.shard = 1, .epoch = 9, .owner = "me"};
    REQUIRE_FALSE(watch.may_take(namesake, start));
    REQUIRE(watch.due(1) == start + 30s);
    REQUIRE(watch.may_take(namesake, start + 30s));
    REQUIRE(watch.may_take({.shard = 1, .epoch = 9}, start));
}

TEST_CASE("a lease whose beat or epoch has changed is watched from the beginning") {
    lease_watch watch("me", 30s, 4);
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 7, .beat = 3, .owner = "o"}, start));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 7, .beat = 4, .owner = "o"}, start + 29s));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 7, .beat = 4, .owner = "o"}, start + 58s));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 8, .beat = 4, .owner = "o"}, start + 59s));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 8, .beat = 4, .owner = "o"}, start + 88s));
    REQUIRE(watch.may_take({.shard = 1, .epoch = 8, .beat = 4, .owner = "o"}, start + 89s));
}

TEST_CASE("shards are watched each by itself, and one that there is not is never taken") {
    lease_watch watch("me", 30s, 2);
    REQUIRE_FALSE(watch.may_take({.shard = 0, .epoch = 1, .owner = "o"}, start));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 1, .owner = "o"}, start + 20s));
    REQUIRE(watch.may_take({.shard = 0, .epoch = 1, .owner = "o"}, start + 30s));
    REQUIRE_FALSE(watch.may_take({.shard = 1, .epoch = 1, .owner = "o"}, start + 30s));
    REQUIRE_FALSE(watch.may_take({.shard = 2}, start + 30s));
    REQUIRE(watch.due(2) == never);
    REQUIRE(lease_watch("me", 30s, 2).due(0) == never);
}

TEST_CASE("a holder that keeps to its lease has stopped before another takes over") {
    sinew::test::prop("whenever it beats, dies or is delayed, and whenever the other looks", [] {
        const auto tape = *rc::gen::arbitrary<std::vector<std::uint8_t>>();
        lease_watch watch("other", 30s, 1);
        shard_lease stored{.shard = 0, .epoch = 1, .owner = "holder"};
        steady_time now = start;
        steady_time works_until = start + 30s;
        for (const auto one : tape) {
            // Each clock has an origin of its own; only its rate is the same.
            const auto others_clock = [&] { return now + 1000h; };
            switch (one % 3) {
                case 0: {
                    // Sent now, and in the store up to a lease later: the request was on its way.
                    const steady_time sent = now;
                    now += std::chrono::seconds(one / 8);
                    if (now < works_until) {
                        ++stored.beat;
                        works_until = sent + 30s;
                    }
                    break;
                }
                case 1: now += std::chrono::seconds(one / 4); break;
                default:
                    if (watch.may_take(stored, others_clock())) {
                        RC_ASSERT(now >= works_until);
                        return;
                    }
            }
        }
    });
}

TEST_CASE("a fenced write has three ends") {
    REQUIRE(to_string(fenced_result::done) == "done");
    REQUIRE(to_string(fenced_result::stale) == "stale");
    REQUIRE(to_string(fenced_result::unknown) == "unknown");
}
