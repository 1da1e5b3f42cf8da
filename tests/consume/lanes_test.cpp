// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/lanes.hpp>

#include <vector>

namespace {

using sinew::lanes;
using sinew::slot_id;
using sinew::steady_time;
using std::nullopt;

using found = std::optional<slot_id>;

constexpr steady_time at(int seconds) { return steady_time(std::chrono::seconds(seconds)); }

/// Takes whatever may run, in the order in which it comes.
std::vector<slot_id> take_all(lanes& queue, steady_time now) {
    std::vector<slot_id> taken;
    while (const auto slot = queue.take(now)) {
        taken.push_back(*slot);
    }
    return taken;
}

using slots = std::vector<slot_id>;

/// Runs at compile time and at run time.
constexpr bool keeps_order_through_a_retry() {
    lanes queue(4);
    queue.push(0, 7);
    queue.push(1, 7);
    queue.push(2, nullopt);
    bool good =
        queue.take(at(0)) == found(0) && queue.take(at(0)) == found(2) && !queue.take(at(0));
    queue.retry_at(0, at(5));
    good = good && !queue.take(at(4)) && queue.next_due() == at(5) && queue.take(at(5)) == found(0);
    queue.ran(0);
    good = good && queue.take(at(5)) == found(1) && queue.check_invariants();
    queue.rewind(0);
    queue.ran(1);
    good = good && queue.take(at(5)) == found(0);
    queue.finish(0);
    return good && queue.take(at(5)) == found(1) && queue.check_invariants();
}

}  // namespace

TEST_CASE("lanes: the same history gives the same answers at compile time and at run time") {
    STATIC_REQUIRE(keeps_order_through_a_retry());
    REQUIRE(keeps_order_through_a_retry());
}

TEST_CASE("lanes: events of one lane run in the order of their arrival, one at a time") {
    lanes queue(8);
    queue.push(3, 1);
    queue.push(1, 1);
    queue.push(2, 1);

    REQUIRE(queue.take(at(0)) == found(3));
    REQUIRE_FALSE(queue.take(at(0)));
    REQUIRE_FALSE(queue.has_ready(at(0)));

    queue.finish(3);
    REQUIRE(queue.take(at(0)) == found(1));
    queue.ran(1);
    REQUIRE(queue.take(at(0)) == found(2));
    REQUIRE(queue.size() == 2);
    REQUIRE(queue.running() == 1);
}

TEST_CASE("lanes: a retry that waits holds its own lane and no other") {
    // watermill#271, spring-kafka#3712: a retry blocked the whole partition.
    lanes queue(8);
    queue.push(0, 1);
    queue.push(1, 2);
    queue.push(2, 1);
    queue.push(3, 2);
    REQUIRE(queue.take(at(0)) == found(0));
    queue.retry_at(0, at(10));

    REQUIRE(queue.waiting_lanes() == 1);
    REQUIRE(queue.running() == 0);
    REQUIRE(queue.take(at(1)) == found(1));
    queue.finish(1);
    REQUIRE(queue.take(at(1)) == found(3));
    queue.finish(3);
    REQUIRE_FALSE(queue.take(at(9)));
    REQUIRE(queue.take(at(10)) == found(0));
}

TEST_CASE("lanes: a key is closed until its failed event is resolved") {
    // pulsar#9352, AxonFramework#2021: a retry that did not block let the key's next event pass.
    lanes queue(8);
    queue.push(0, 1);
    queue.push(1, 1);
    for (int attempt = 0; attempt < 4; ++attempt) {
        REQUIRE(queue.take(at(10 * attempt)) == found(0));
        queue.retry_at(0, at(10 * attempt + 10));
        REQUIRE_FALSE(queue.take(at(10 * attempt + 9)));
    }
    REQUIRE(queue.take(at(40)) == found(0));
    queue.finish(0);
    REQUIRE(queue.take(at(40)) == found(1));
}

TEST_CASE("lanes: lanes take turns, however long one of them is") {
    lanes queue(16);
    for (slot_id slot = 0; slot < 10; ++slot) {
        queue.push(slot, 1);
    }
    queue.push(10, 2);
    queue.push(11, 3);
    slots order;
    while (const auto slot = queue.take(at(0))) {
        order.push_back(*slot);
        queue.finish(*slot);
    }
    REQUIRE(order == slots{0, 10, 11, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("lanes: events without a lane do not wait for each other") {
    lanes queue(4);
    for (slot_id slot = 0; slot < 4; ++slot) {
        queue.push(slot, nullopt);
    }
    REQUIRE(queue.open_lanes() == 4);
    REQUIRE(take_all(queue, at(0)) == slots{0, 1, 2, 3});
}

TEST_CASE("lanes: lanes whose retries are due come back in the order of their times") {
    lanes queue(4);
    for (slot_id slot = 0; slot < 4; ++slot) {
        queue.push(slot, slot);
    }
    take_all(queue, at(0));
    queue.retry_at(0, at(3));
    queue.retry_at(1, at(1));
    queue.retry_at(2, at(2));
    queue.retry_at(3, at(1));
    REQUIRE(queue.next_due() == at(1));
    REQUIRE_FALSE(queue.has_ready(at(0)));
    REQUIRE(queue.has_ready(at(1)));
    REQUIRE(take_all(queue, at(9)) == slots{1, 3, 2, 0});
}

TEST_CASE("lanes: what was undone runs again in order, and everything after it in its lane") {
    lanes queue(8);
    for (slot_id slot = 0; slot < 4; ++slot) {
        queue.push(slot, 1);
    }
    queue.push(4, 2);
    for (const slot_id slot : {0U, 4U, 1U, 2U}) {
        REQUIRE(queue.take(at(0)) == found(slot));
        queue.ran(slot);
    }
    // The transaction that held 1, 2 and 4 did not commit; they are told of in any order.
    queue.rewind(2);
    queue.rewind(4);
    queue.rewind(1);
    REQUIRE(queue.check_invariants());
    REQUIRE(queue.state_of(0) == lanes::state::provisional);
    REQUIRE(queue.state_of(2) == lanes::state::queued);

    slots order;
    while (const auto slot = queue.take(at(0))) {
        order.push_back(*slot);
        queue.ran(*slot);
    }
    // Lane 1 had its place in the line already, for the event 3.
    REQUIRE(order == slots{1, 4, 2, 3});
}

TEST_CASE("lanes: a key stays taken until its old run has ended, also when it is rewound") {
    // parallel-consumer#365: one key ran on two threads after a rebalance.
    lanes queue(4);
    queue.push(0, 1);
    queue.push(1, 1);
    REQUIRE(queue.take(at(0)) == found(0));
    queue.ran(0);
    REQUIRE(queue.take(at(0)) == found(1));
    queue.rewind(0);

    REQUIRE_FALSE(queue.take(at(0)));
    REQUIRE(queue.check_invariants());

    SECTION("its run counted for nothing if it ended well") {
        queue.ran(1);
        REQUIRE(queue.take(at(0)) == found(0));
        queue.ran(0);
        REQUIRE(queue.take(at(0)) == found(1));
    }
    SECTION("its retry waits behind what was undone") {
        queue.retry_at(1, at(5));
        REQUIRE(queue.take(at(0)) == found(0));
        queue.ran(0);
        REQUIRE_FALSE(queue.take(at(4)));
        REQUIRE(queue.take(at(5)) == found(1));
    }
    SECTION("what was undone runs again if the running event is gone") {
        queue.finish(1);
        REQUIRE(queue.take(at(0)) == found(0));
    }
    SECTION("the running event goes on alone if what was undone is taken away") {
        queue.finish(0);
        REQUIRE_FALSE(queue.take(at(0)));
        queue.ran(1);
        REQUIRE(queue.take(at(0)) == found(1));
    }
    REQUIRE(queue.check_invariants());
}

TEST_CASE("lanes: a wait is not shortened by a rewind before it") {
    lanes queue(4);
    queue.push(0, 1);
    queue.push(1, 1);
    REQUIRE(queue.take(at(0)) == found(0));
    queue.ran(0);
    REQUIRE(queue.take(at(0)) == found(1));
    queue.retry_at(1, at(10));
    queue.rewind(0);
    REQUIRE(queue.waiting_lanes() == 0);
    REQUIRE(queue.take(at(1)) == found(0));
    queue.ran(0);
    REQUIRE(queue.waiting_lanes() == 1);
    REQUIRE_FALSE(queue.take(at(9)));
    REQUIRE(queue.take(at(10)) == found(1));
}

TEST_CASE("lanes: a wait ends with the event that it was for") {
    lanes queue(4);
    queue.push(0, 1);
    queue.push(1, 1);
    REQUIRE(queue.take(at(0)) == found(0));
    queue.retry_at(0, sinew::never);
    queue.finish(0);  // its partition was taken away
    REQUIRE_FALSE(queue.next_due());
    REQUIRE(queue.take(at(0)) == found(1));
}

TEST_CASE(
    "lanes: an answer that comes twice, or about an event that does not run, changes nothing") {
    lanes queue(4);
    queue.push(0, 1);
    queue.push(1, 1);
    queue.ran(0);
    queue.retry_at(0, at(5));
    queue.rewind(0);
    REQUIRE(queue.state_of(0) == lanes::state::queued);
    REQUIRE(queue.take(at(0)) == found(0));
    queue.ran(0);
    queue.ran(0);
    queue.retry_at(0, at(5));
    REQUIRE(queue.state_of(0) == lanes::state::provisional);
    queue.finish(0);
    queue.finish(0);
    queue.rewind(0);
    queue.finish(3);
    queue.finish(sinew::no_slot);
    REQUIRE_FALSE(queue.contains(0));
    REQUIRE_FALSE(queue.contains(sinew::no_slot));
    REQUIRE(queue.size() == 1);
    REQUIRE(queue.take(at(0)) == found(1));
    REQUIRE(queue.check_invariants());
}

TEST_CASE("lanes: a lane goes when its last event does, and its place is used again") {
    lanes queue(3);
    for (std::uint64_t number = 0; number < 1'000; ++number) {
        queue.push(0, number);
        queue.push(1, number + 1'000'000);
        queue.push(2, number);
        REQUIRE(queue.open_lanes() == 2);
        while (const auto slot = queue.take(at(0))) {
            queue.ran(*slot);
            queue.finish(*slot);
        }
        REQUIRE(queue.open_lanes() == 0);
        REQUIRE(queue.size() == 0);
    }
    REQUIRE(queue.check_invariants());
}

TEST_CASE("lanes: every event can be looked at, in the order of its lane") {
    lanes queue(8);
    queue.push(5, 1);
    queue.push(4, 1);
    queue.push(3, 1);
    REQUIRE(queue.take(at(0)) == found(5));
    queue.ran(5);
    REQUIRE(queue.take(at(0)) == found(4));

    std::vector<std::pair<slot_id, lanes::state>> all;
    queue.for_each([&all](slot_id slot, lanes::state what) { all.emplace_back(slot, what); });
    REQUIRE(all == std::vector<std::pair<slot_id, lanes::state>>{{5, lanes::state::provisional},
                                                                 {4, lanes::state::running},
                                                                 {3, lanes::state::queued}});
}
