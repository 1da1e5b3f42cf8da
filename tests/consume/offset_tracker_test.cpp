// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/offset_tracker.hpp>

#include <vector>

namespace {

using sinew::log_offset;
using sinew::offset_tracker;
using sinew::steady_time;
using delivery = sinew::offset_tracker::delivery;
using place = std::optional<log_offset>;

constexpr steady_time at(int seconds) { return steady_time(std::chrono::seconds(seconds)); }

/// Runs at compile time and at run time.
constexpr bool commits_only_behind_what_is_finished() {
    offset_tracker tracker(4);
    tracker.start(1);
    bool good = true;
    for (const log_offset offset : {3, 5, 6, 9}) {
        good = good && tracker.deliver(offset, 1, at(0)) == delivery::tracked;
    }
    good = good && tracker.finish(6, 1) && tracker.finish(9, 1) && !tracker.committable();
    good = good && tracker.finish(3, 1) && tracker.committable() == 3;
    return good && tracker.finish(5, 1) && tracker.committable() == 9 && tracker.check_invariants();
}

}  // namespace

TEST_CASE("offset tracker: the same history gives the same answers at compile and at run time") {
    STATIC_REQUIRE(commits_only_behind_what_is_finished());
    REQUIRE(commits_only_behind_what_is_finished());
}

TEST_CASE("offset tracker: no commit runs ahead of unfinished work") {
    // parallel-consumer#826, kafkaflow#283: an offset was committed past unfinished work.
    offset_tracker tracker(8);
    tracker.start(1);
    for (log_offset offset = 0; offset < 5; ++offset) {
        REQUIRE(tracker.deliver(offset, 1, at(0)) == delivery::tracked);
    }
    for (const log_offset offset : {4, 3, 1}) {
        REQUIRE(tracker.finish(offset, 1));
        REQUIRE_FALSE(tracker.committable());
    }
    REQUIRE(tracker.finish(0, 1));
    REQUIRE(tracker.committable() == place(1));
    tracker.committed(1, 1);
    REQUIRE_FALSE(tracker.committable());
    REQUIRE(tracker.finish(2, 1));
    REQUIRE(tracker.committable() == place(4));
}

TEST_CASE("offset tracker: holes in a log neither stall it nor are they committed") {
    // spring-kafka#3295, #4258, #4332: transactions and compaction leave holes.
    offset_tracker tracker(8);
    tracker.start(1);
    for (const log_offset offset : std::vector<log_offset>{10, 12, 1'000'000, 5'000'000'000}) {
        REQUIRE(tracker.deliver(offset, 1, at(0)) == delivery::tracked);
    }
    REQUIRE_FALSE(tracker.finish(11, 1));
    REQUIRE_FALSE(tracker.finish(999'999, 1));
    REQUIRE(tracker.finish(1'000'000, 1));
    REQUIRE(tracker.finish(10, 1));
    REQUIRE(tracker.committable() == place(10));
    REQUIRE(tracker.finish(12, 1));
    REQUIRE(tracker.committable() == place(1'000'000));
    REQUIRE(tracker.finish(5'000'000'000, 1));
    REQUIRE(tracker.committable() == place(5'000'000'000));
    REQUIRE(tracker.idle());
}

TEST_CASE("offset tracker: finishing twice changes nothing") {
    // modern-cpp-kafka: a duplicate acknowledgement was undefined behaviour.
    offset_tracker tracker(8);
    tracker.start(1);
    REQUIRE(tracker.deliver(0, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(1, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.finish(1, 1));
    REQUIRE_FALSE(tracker.finish(1, 1));
    REQUIRE(tracker.unfinished() == 1);
    REQUIRE(tracker.finish(0, 1));
    REQUIRE_FALSE(tracker.finish(0, 1));
    REQUIRE_FALSE(tracker.finish(1, 1));
    REQUIRE_FALSE(tracker.finish(2, 1));
    REQUIRE(tracker.unfinished() == 0);
    REQUIRE(tracker.check_invariants());
}

TEST_CASE("offset tracker: what is finished after the partition was taken away changes nothing") {
    // parallel-consumer#843: completions of an old assignment were counted for the new one.
    offset_tracker tracker(8);
    tracker.start(1);
    REQUIRE(tracker.deliver(0, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(1, 1, at(0)) == delivery::tracked);
    tracker.stop();
    REQUIRE_FALSE(tracker.finish(0, 1));
    REQUIRE_FALSE(tracker.committable());
    REQUIRE_FALSE(tracker.oldest_unfinished());
    REQUIRE(tracker.deliver(2, 1, at(0)) == delivery::seen);
    REQUIRE(tracker.idle());

    tracker.start(2);
    REQUIRE(tracker.epoch() == 2);
    REQUIRE(tracker.deliver(0, 2, at(0)) == delivery::tracked);
    REQUIRE_FALSE(tracker.finish(0, 1));
    tracker.committed(0, 1);
    REQUIRE(tracker.unfinished() == 1);
    REQUIRE(tracker.finish(0, 2));
    REQUIRE(tracker.committable() == place(0));
    tracker.committed(0, 1);
    REQUIRE(tracker.committable() == place(0));
}

TEST_CASE("offset tracker: a second delivery in one epoch is recognised, finished or not") {
    offset_tracker tracker(8);
    tracker.start(1);
    REQUIRE(tracker.deliver(5, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(8, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(5, 1, at(0)) == delivery::seen);
    REQUIRE(tracker.deliver(7, 1, at(0)) == delivery::seen);
    REQUIRE(tracker.finish(5, 1));
    REQUIRE(tracker.finish(8, 1));
    REQUIRE(tracker.deliver(8, 1, at(0)) == delivery::seen);
    REQUIRE(tracker.deliver(9, 2, at(0)) == delivery::seen);
}

TEST_CASE("offset tracker: a new assignment starts behind what is known to be committed") {
    offset_tracker tracker(8);
    tracker.start(3, 41);
    REQUIRE(tracker.is_finished(41));
    REQUIRE_FALSE(tracker.is_finished(42));
    REQUIRE_FALSE(tracker.committable());
    REQUIRE(tracker.deliver(41, 3, at(0)) == delivery::seen);
    REQUIRE(tracker.deliver(42, 3, at(0)) == delivery::tracked);
    REQUIRE(tracker.finish(42, 3));
    REQUIRE(tracker.committable() == place(42));
    REQUIRE(tracker.check_invariants());
}

TEST_CASE(
    "offset tracker: a full window refuses, and takes again when its first record is finished") {
    offset_tracker tracker(3);
    tracker.start(1);
    for (log_offset offset = 0; offset < 3; ++offset) {
        REQUIRE(tracker.deliver(offset, 1, at(0)) == delivery::tracked);
    }
    REQUIRE(tracker.full());
    REQUIRE(tracker.deliver(3, 1, at(0)) == delivery::full);
    REQUIRE(tracker.finish(1, 1));
    REQUIRE(tracker.deliver(3, 1, at(0)) == delivery::full);
    REQUIRE(tracker.window() == 3);
    REQUIRE(tracker.finish(0, 1));
    REQUIRE(tracker.window() == 1);
    REQUIRE(tracker.deliver(3, 1, at(0)) == delivery::tracked);
}

TEST_CASE("offset tracker: the age of the oldest unfinished record is that of its delivery") {
    offset_tracker tracker(8);
    tracker.start(1);
    REQUIRE_FALSE(tracker.oldest_unfinished());
    REQUIRE(tracker.deliver(0, 1, at(1)) == delivery::tracked);
    REQUIRE(tracker.deliver(1, 1, at(2)) == delivery::tracked);
    REQUIRE(tracker.deliver(2, 1, at(3)) == delivery::tracked);
    REQUIRE(tracker.finish(1, 1));
    REQUIRE(tracker.oldest_unfinished() == at(1));
    REQUIRE(tracker.finish(0, 1));
    REQUIRE(tracker.oldest_unfinished() == at(3));
    REQUIRE(tracker.finish(2, 1));
    REQUIRE_FALSE(tracker.oldest_unfinished());
}

TEST_CASE("offset tracker: a commit never goes back, nor past what is finished") {
    offset_tracker tracker(8);
    tracker.start(1);
    tracker.committed(7, 1);
    for (log_offset offset = 0; offset < 4; ++offset) {
        REQUIRE(tracker.deliver(offset, 1, at(0)) == delivery::tracked);
    }
    REQUIRE(tracker.finish(0, 1));
    REQUIRE(tracker.finish(1, 1));
    tracker.committed(3, 1);
    REQUIRE(tracker.committable() == place(1));
    tracker.committed(1, 1);
    tracker.committed(0, 1);
    REQUIRE_FALSE(tracker.committable());
}

TEST_CASE("offset tracker: the whole range of offsets can be used") {
    offset_tracker tracker(4);
    tracker.start(1);
    REQUIRE(tracker.deliver(INT64_MIN, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(0, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.deliver(INT64_MAX, 1, at(0)) == delivery::tracked);
    REQUIRE(tracker.finish(INT64_MAX, 1));
    REQUIRE(tracker.finish(INT64_MIN, 1));
    REQUIRE(tracker.committable() == place(INT64_MIN));
    REQUIRE(tracker.finish(0, 1));
    REQUIRE(tracker.committable() == place(INT64_MAX));
    REQUIRE(tracker.deliver(INT64_MAX, 1, at(0)) == delivery::seen);
}

TEST_CASE("offset tracker: its window goes round its memory for as long as it is used") {
    offset_tracker tracker(5);
    tracker.start(1);
    log_offset delivered = 0;
    log_offset finished = 0;
    for (int round = 0; round < 100; ++round) {
        while (!tracker.full()) {
            delivered += 1 + delivered % 3;
            REQUIRE(tracker.deliver(delivered, 1, at(round)) == delivery::tracked);
        }
        for (int i = 0; i < 1 + round % 5; ++i) {
            finished += 1 + finished % 3;
            REQUIRE(tracker.finish(finished, 1));
            REQUIRE(tracker.committable() == place(finished));
        }
        REQUIRE(tracker.check_invariants());
    }
}
