// SPDX-License-Identifier: BSL-1.0
#include <sinew/core/outbox.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstddef>
#include <string>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time noon(std::chrono::hours(12));

}  // namespace

TEST_CASE("an entry that was put off is due once its wait is over") {
    outbox_entry entry;
    REQUIRE(entry.is_due(noon));
    entry.waits = put_off_by(noon, 10s);
    REQUIRE_FALSE(entry.is_due(noon));
    REQUIRE_FALSE(entry.is_due(noon + 9'999'999us));
    REQUIRE(entry.is_due(noon + 10s));
}

TEST_CASE("a clock that is set back ends a wait and never makes one longer") {
    sinew::test::prop("whenever the clock is set, an entry waits no longer than it was put off",
                      [](std::int32_t jump_at, std::int32_t jump_by) {
                          outbox_entry entry;
                          entry.waits = put_off_by(noon, 10s);
                          const std::int32_t jump = jump_at & 0x3fff;
                          // Milliseconds that really pass; the clock jumps in between.
                          int held = 0;
                          for (int passed = 0; passed < 20'000; passed += 100) {
                              const auto clock =
                                  noon + std::chrono::milliseconds(passed) +
                                  std::chrono::milliseconds(passed < jump ? 0 : jump_by);
                              if (entry.is_due(clock)) {
                                  break;
                              }
                              held = passed;
                          }
                          RC_ASSERT(held < 20'000 - 100);
                          RC_ASSERT((jump_by >= 0 || held < 10'000 + jump));
                      });
}

TEST_CASE("a wait stops at the end of the calendar, and a negative one is none") {
    STATIC_REQUIRE(put_off_by(noon, 1s) == put_off_until{noon, noon + 1s});
    STATIC_REQUIRE(put_off_by(noon, 0s) == put_off_until{noon, noon});
    STATIC_REQUIRE(put_off_by(noon, -1s) == put_off_until{noon, noon});
    STATIC_REQUIRE(put_off_by(wall_time::max() - 1us, 1s).due == wall_time::max());
    STATIC_REQUIRE(put_off_by(noon, duration::max()).due > noon);
}

TEST_CASE("the age of an outbox is that of its oldest entry, and never negative") {
    outbox_lag lag;
    REQUIRE(lag.age(noon) == 0s);
    lag.oldest = noon - 3s;
    REQUIRE(lag.age(noon) == 3s);
    lag.oldest = noon + 3s;
    REQUIRE(lag.age(noon) == 0s);
}

TEST_CASE("a note is kept with its detail within bounds, and not cut within a character") {
    const failure_note small{noon, failure_class::permanent, 3, "refused", "why"};
    REQUIRE(kept_note(small) == small);
    failure_note large = small;
    large.detail.assign(dead_letter_record::detail_max - 1, 'x');
    large.detail += "é and more";
    const auto kept = kept_note(large);
    REQUIRE(kept.detail.size() <= dead_letter_record::detail_max);
    REQUIRE(is_utf8(kept.detail));
    REQUIRE(kept.reason == "refused");
}

TEST_CASE("the shard of an event is that of its key, or without one that of its id") {
    STATIC_REQUIRE(shard_of({.id = "1", .source = "s", .type = "t", .partitionkey = "k"}, 8) ==
                   shard_of("k", 8));
    STATIC_REQUIRE(shard_of({.id = "1", .source = "s", .type = "t"}, 8) == shard_of("1", 8));
}
