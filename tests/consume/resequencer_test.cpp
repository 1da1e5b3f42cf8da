// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/resequencer.hpp>

#include <vector>

namespace {

using namespace std::chrono_literals;
using sinew::digest;
using sinew::key_progress;
using sinew::resequencer;
using sinew::resequencer_options;
using sinew::sequence_gap;
using sinew::slot_id;
using sinew::standing;
using sinew::steady_time;
using verdict = sinew::resequencer::verdict;
using due_kind = sinew::resequencer::due_kind;

constexpr digest key_a{1, 1};
constexpr digest key_b{2, 2};
constexpr digest key_c{3, 3};

constexpr steady_time at(sinew::duration since) { return steady_time(since); }

/// What came free, as numbers, in order.
std::vector<std::uint64_t> released(resequencer& order) {
    std::vector<std::uint64_t> numbers;
    while (const auto one = order.next_release()) {
        REQUIRE(one->verdict == standing::expected);
        numbers.push_back(one->sequence);
    }
    return numbers;
}

using numbers = std::vector<std::uint64_t>;

/// In these tests the slot of an event is its number, and its key is `key_a`.
verdict offer(resequencer& order, std::uint64_t sequence, sinew::duration now = 0s,
              digest key = key_a) {
    return order.offer(key, sequence, static_cast<slot_id>(sequence), at(now));
}

/// The key that is due to be given up; its gap is given up.
std::optional<sequence_gap> give_up_due(resequencer& order, sinew::duration now) {
    const auto due = order.next_due(at(now));
    REQUIRE(due);
    REQUIRE(due->what == due_kind::give_up);
    return order.give_up(due->key, at(now));
}

}  // namespace

TEST_CASE("resequencer: events in order pass, and nothing is kept of them but the key's progress") {
    resequencer order({}, false);
    for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) {
        REQUIRE(offer(order, sequence) == verdict::deliver);
        REQUIRE_FALSE(order.next_release());
        order.settled(key_a);
    }
    REQUIRE(order.held() == 0);
    REQUIRE(order.keys() == 1);
    REQUIRE(order.progress(key_a)->next() == 101);
    REQUIRE_FALSE(order.next_deadline());
    REQUIRE_FALSE(order.progress(key_b));
}

TEST_CASE("resequencer: a key that is announced is not known by that") {
    resequencer order({}, false);
    order.announce(key_a);
    CHECK(order.keys() == 0);
    CHECK_FALSE(order.progress(key_a));
    CHECK(offer(order, 1) == verdict::deliver);
}

TEST_CASE("resequencer: a digest of zeros, which a free cell has as well, is a key like others") {
    constexpr digest zeros{};
    resequencer order({}, false);
    order.settled(zeros);
    CHECK(offer(order, 0, 0s, zeros) == verdict::duplicate);
    CHECK(offer(order, 1, 0s, zeros) == verdict::deliver);
    order.settled(zeros);
    CHECK(order.progress(zeros) == key_progress(2));
    CHECK(order.check_invariants());
}

TEST_CASE("resequencer: events behind a gap wait, and come free in order when it closes") {
    resequencer order({}, false);
    for (const std::uint64_t sequence : {3U, 5U, 2U, 6U}) {
        REQUIRE(offer(order, sequence) == verdict::hold);
    }
    REQUIRE_FALSE(order.next_release());
    REQUIRE(offer(order, 1) == verdict::deliver);
    REQUIRE(released(order) == numbers{2, 3});
    REQUIRE(order.held() == 2);
    REQUIRE(offer(order, 4) == verdict::deliver);
    REQUIRE(released(order) == numbers{5, 6});
    REQUIRE(order.held() == 0);
    REQUIRE_FALSE(order.next_deadline());
    REQUIRE(order.check_invariants());
}

TEST_CASE(
    "resequencer: a gap that never closes ends when its time is up, and a late event is late") {
    // Camel's resequencer dropped a late event silently; another stalled all that came after.
    resequencer order({.gap_timeout = 30s}, false);
    REQUIRE(offer(order, 1, 0s) == verdict::deliver);
    REQUIRE(offer(order, 4, 1s) == verdict::hold);
    REQUIRE(offer(order, 5, 20s) == verdict::hold);
    REQUIRE(order.next_deadline() == at(31s));
    REQUIRE_FALSE(order.next_due(at(30s)));
    REQUIRE_FALSE(order.give_up(key_a, at(30s)));

    const auto due = order.next_due(at(31s));
    REQUIRE(due);
    REQUIRE(due->key == key_a);
    REQUIRE(due->what == due_kind::give_up);
    REQUIRE((due->slot == 4 || due->slot == 5));
    REQUIRE_FALSE(due->by_count);
    REQUIRE(order.give_up(key_a, at(31s)) == sequence_gap{2, 3});

    const auto first = order.next_release();
    REQUIRE(first);
    REQUIRE(first->slot == 4);
    REQUIRE(first->key == key_a);
    REQUIRE(first->sequence == 4);
    REQUIRE(first->gap_from == 2);
    REQUIRE(first->verdict == standing::expected);
    const auto second = order.next_release();
    REQUIRE(second);
    REQUIRE(second->sequence == 5);
    REQUIRE(second->gap_from == 0);
    REQUIRE_FALSE(order.next_release());

    REQUIRE(offer(order, 2, 32s) == verdict::late);
    REQUIRE(offer(order, 3, 32s) == verdict::late);
    REQUIRE(offer(order, 1, 32s) == verdict::duplicate);
    REQUIRE(offer(order, 6, 32s) == verdict::deliver);
    REQUIRE(order.progress(key_a).value().gaps() == std::vector<sequence_gap>{{2, 3}});
}

TEST_CASE("resequencer: two gaps in one key have a time-out each") {
    resequencer order({.gap_timeout = 10s}, false);
    REQUIRE(offer(order, 2, 0s) == verdict::hold);
    REQUIRE(offer(order, 4, 1s) == verdict::hold);
    REQUIRE(give_up_due(order, 10s) == sequence_gap{1, 1});
    REQUIRE(released(order) == numbers{2});
    REQUIRE(order.next_deadline() == at(20s));
    REQUIRE_FALSE(order.next_due(at(19s)));

    SECTION("the second one can still close") {
        REQUIRE(offer(order, 3, 19s) == verdict::deliver);
        REQUIRE(released(order) == numbers{4});
        REQUIRE_FALSE(order.next_deadline());
    }
    SECTION("or is given up in its own time") {
        REQUIRE(give_up_due(order, 20s) == sequence_gap{3, 3});
        REQUIRE(released(order) == numbers{4});
    }
}

TEST_CASE("resequencer: a gap that closes piece by piece has no more time than it had") {
    resequencer order({.gap_timeout = 10s}, false);
    REQUIRE(offer(order, 5, 0s) == verdict::hold);
    REQUIRE(offer(order, 4, 3s) == verdict::hold);
    REQUIRE(offer(order, 1, 6s) == verdict::deliver);
    REQUIRE(offer(order, 2, 9s) == verdict::deliver);
    REQUIRE(order.next_deadline() == at(10s));
    REQUIRE(give_up_due(order, 10s) == sequence_gap{3, 3});
    REQUIRE(released(order) == numbers{4, 5});
}

TEST_CASE("resequencer: a copy is a duplicate, whether its twin was delivered or is held") {
    resequencer order({}, false);
    REQUIRE(offer(order, 1) == verdict::deliver);
    REQUIRE(order.offer(key_a, 1, 90, at(0s)) == verdict::duplicate);
    REQUIRE(offer(order, 3) == verdict::hold);
    REQUIRE(order.offer(key_a, 3, 91, at(0s)) == verdict::duplicate);
    REQUIRE(order.held() == 1);
    REQUIRE(offer(order, 2) == verdict::deliver);
    REQUIRE(order.next_release()->slot == 3);
    REQUIRE_FALSE(order.next_release());
}

TEST_CASE("resequencer: a gap in one key delays no other key") {
    resequencer order({}, false);
    REQUIRE(offer(order, 7, 0s, key_a) == verdict::hold);
    for (std::uint64_t sequence = 1; sequence < 50; ++sequence) {
        REQUIRE(order.offer(key_b, sequence, 1'000, at(0s)) == verdict::deliver);
        REQUIRE_FALSE(order.next_release());
        order.settled(key_b);
    }
}

TEST_CASE("resequencer: one forged number does not make all later ones late") {
    resequencer order({.jump_max = 100}, false);
    REQUIRE(offer(order, 1) == verdict::deliver);
    REQUIRE(order.offer(key_a, 103, 50, at(0s)) == verdict::too_far);
    REQUIRE(order.offer(key_a, UINT64_MAX - 1, 50, at(0s)) == verdict::too_far);
    REQUIRE(order.offer(key_a, UINT64_MAX, 50, at(0s)) == verdict::too_far);
    REQUIRE(order.held() == 0);
    REQUIRE(order.offer(key_a, 102, 50, at(0s)) == verdict::hold);
    REQUIRE(offer(order, 2) == verdict::deliver);
    REQUIRE(order.progress(key_a)->next() == 3);
}

TEST_CASE("resequencer: numbers near the end of the scale do not run over it") {
    resequencer order({.first = UINT64_MAX - 3}, false);
    REQUIRE(order.offer(key_a, UINT64_MAX - 1, 1, at(0s)) == verdict::hold);
    REQUIRE(order.offer(key_a, UINT64_MAX, 2, at(0s)) == verdict::too_far);
    REQUIRE(order.offer(key_a, UINT64_MAX - 3, 3, at(0s)) == verdict::deliver);
    REQUIRE(order.offer(key_a, UINT64_MAX - 2, 4, at(0s)) == verdict::deliver);
    REQUIRE(released(order) == numbers{UINT64_MAX - 1});
    REQUIRE(order.progress(key_a)->next() == UINT64_MAX);
    // The last number is refused for ever: nothing could follow it, so a copy could not be told.
    REQUIRE(order.offer(key_a, UINT64_MAX, 5, at(0s)) == verdict::too_far);
    REQUIRE(order.offer(key_a, UINT64_MAX - 1, 6, at(0s)) == verdict::duplicate);
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: with a store, a key that is not known here is looked up first") {
    resequencer order({}, true);
    REQUIRE(offer(order, 8) == verdict::look_up);
    REQUIRE(order.keys() == 0);
    order.learn(key_a, key_progress(8, {{3, 4}}, false), at(0s));
    REQUIRE(offer(order, 8) == verdict::deliver);
    REQUIRE(offer(order, 7) == verdict::duplicate);
    REQUIRE(offer(order, 3) == verdict::late);

    REQUIRE(offer(order, 1, 0s, key_b) == verdict::look_up);
    order.learn(key_b, key_progress{}, at(0s));
    REQUIRE(offer(order, 1, 0s, key_b) == verdict::deliver);
}

TEST_CASE("resequencer: numbers between merged gaps are uncertain, not applied and not late") {
    std::vector<sequence_gap> gaps;
    for (std::uint64_t i = 1; i <= key_progress::gaps_max + 1; ++i) {
        gaps.push_back({10 * i, 10 * i + 1});
    }
    resequencer order({}, true);
    order.learn(key_a, key_progress(1'000, gaps, false), at(0s));
    REQUIRE(offer(order, 15) == verdict::uncertain);
    REQUIRE(offer(order, 999) == verdict::duplicate);
}

TEST_CASE("resequencer: one key on two partitions: who waits looks into the store again") {
    // The classic incident: another consumer of the group got the numbers that are missing here.
    resequencer order({.gap_timeout = 30s, .look_again = 1s}, true);
    order.learn(key_a, key_progress(1), at(0s));
    REQUIRE(offer(order, 3, 0s) == verdict::hold);
    REQUIRE(offer(order, 5, 0s) == verdict::hold);
    REQUIRE(order.next_deadline() == at(1s));

    auto due = order.next_due(at(1s));
    REQUIRE(due);
    REQUIRE(due->what == due_kind::look_again);
    REQUIRE_FALSE(order.next_due(at(1s)));
    order.learn(key_a, key_progress(2), at(1s));
    REQUIRE_FALSE(order.next_release());
    REQUIRE(order.next_deadline() == at(2s));

    due = order.next_due(at(2s));
    REQUIRE(due);
    order.learn(key_a, key_progress(3), at(2s));
    REQUIRE(released(order) == numbers{3});
    REQUIRE(order.next_deadline() == at(3s));

    SECTION("a held event that was applied elsewhere comes free as a duplicate") {
        order.learn(key_a, key_progress(7), at(3s));
        const auto one = order.next_release();
        REQUIRE(one);
        REQUIRE(one->slot == 5);
        REQUIRE(one->verdict == standing::applied);
        REQUIRE_FALSE(order.next_release());
        REQUIRE_FALSE(order.next_deadline());
        REQUIRE(order.progress(key_a)->next() == 7);
    }
    SECTION("a held event that was given up elsewhere comes free as late") {
        order.learn(key_a, key_progress(7, {{4, 5}}, false), at(3s));
        REQUIRE(order.next_release()->verdict == standing::late);
    }
    SECTION("several of them come free in rising order, and those that follow behind them") {
        for (const std::uint64_t sequence : {9U, 6U, 8U, 12U}) {
            REQUIRE(offer(order, sequence, 2s) == verdict::hold);
        }
        order.learn(key_a, key_progress(8), at(3s));
        numbers all;
        while (const auto one = order.next_release()) {
            REQUIRE(one->verdict == (one->sequence < 8 ? standing::applied : standing::expected));
            all.push_back(one->sequence);
        }
        REQUIRE(all == numbers{5, 6, 8, 9});
        REQUIRE(order.held() == 1);
    }
}

TEST_CASE("resequencer: what the store says never lowers what a known key expects") {
    resequencer order({}, true);
    order.learn(key_a, key_progress(5), at(0s));
    REQUIRE(offer(order, 5) == verdict::deliver);
    order.learn(key_a, key_progress(3), at(0s));
    order.learn(key_a, key_progress{}, at(0s));
    REQUIRE(order.progress(key_a)->next() == 6);
    REQUIRE(offer(order, 5) == verdict::duplicate);
}

TEST_CASE("resequencer: with a store, no gap is given up before a last look at its deadline") {
    resequencer order({.gap_timeout = 10s, .look_again = 4s}, true);
    order.learn(key_a, key_progress(1), at(0s));
    REQUIRE(offer(order, 2, 0s) == verdict::hold);
    for (const auto now : {4s, 8s}) {
        REQUIRE(order.next_due(at(now))->what == due_kind::look_again);
        order.learn(key_a, key_progress(1), at(now));
    }
    REQUIRE(order.next_deadline() == at(10s));
    REQUIRE(order.next_due(at(10s))->what == due_kind::look_again);
    REQUIRE_FALSE(order.give_up(key_a, at(10s)));

    SECTION("a look that found nothing is the last one") {
        order.learn(key_a, key_progress(1), at(10s));
        REQUIRE(give_up_due(order, 10s) == sequence_gap{1, 1});
        REQUIRE(released(order) == numbers{2});
    }
    SECTION("a look that failed is tried again, and the gap waits") {
        REQUIRE_FALSE(order.next_due(at(13s)));
        REQUIRE(order.next_due(at(14s))->what == due_kind::look_again);
        REQUIRE_FALSE(order.give_up(key_a, at(14s)));
        order.learn(key_a, key_progress(2), at(18s));
        REQUIRE(released(order) == numbers{2});
        REQUIRE_FALSE(order.next_deadline());
    }
}

TEST_CASE("resequencer: too many events behind one gap make it due at once") {
    resequencer order({.held_per_key_max = 3}, false);
    REQUIRE(offer(order, 3, 0s) == verdict::hold);
    REQUIRE(offer(order, 4, 0s) == verdict::hold);
    REQUIRE_FALSE(order.next_due(at(0s)));
    REQUIRE(offer(order, 9, 0s) == verdict::hold);
    const auto due = order.next_due(at(0s));
    REQUIRE(due);
    REQUIRE(due->by_count);
    REQUIRE(due->what == due_kind::give_up);
    REQUIRE(order.give_up(key_a, at(0s)) == sequence_gap{1, 2});
    REQUIRE(released(order) == numbers{3, 4});
    REQUIRE_FALSE(order.next_due(at(0s)));
    REQUIRE(order.next_deadline() == at(30s));
}

TEST_CASE("resequencer: a gap that is due by count is looked up once more all the same") {
    resequencer order({.held_per_key_max = 2}, true);
    order.learn(key_a, key_progress(1), at(0s));
    REQUIRE(offer(order, 3, 0s) == verdict::hold);
    REQUIRE(offer(order, 4, 0s) == verdict::hold);
    const auto due = order.next_due(at(0s));
    REQUIRE(due);
    REQUIRE(due->what == due_kind::look_again);
    REQUIRE(due->by_count);
    order.learn(key_a, key_progress(3), at(0s));
    REQUIRE(released(order) == numbers{3, 4});
}

TEST_CASE("resequencer: too many events behind all gaps make the longest waiting one due") {
    resequencer order({.held_per_key_max = 10, .held_max = 4}, false);
    REQUIRE(order.offer(key_b, 2, 0, at(0s)) == verdict::hold);
    REQUIRE(order.offer(key_a, 2, 1, at(1s)) == verdict::hold);
    REQUIRE(order.offer(key_a, 3, 2, at(2s)) == verdict::hold);
    REQUIRE_FALSE(order.next_due(at(3s)));
    REQUIRE(order.offer(key_c, 2, 3, at(3s)) == verdict::hold);
    const auto due = order.next_due(at(3s));
    REQUIRE(due);
    REQUIRE(due->key == key_b);
    REQUIRE(due->by_count);
    REQUIRE(order.give_up(key_b, at(3s)) == sequence_gap{1, 1});
    REQUIRE(released(order) == numbers{2});
    REQUIRE_FALSE(order.next_due(at(3s)));
}

TEST_CASE("resequencer: what is held is bounded, and what finds no room is refused, not lost") {
    constexpr std::size_t limit = 2 + resequencer::held_reserve;
    resequencer order({.held_per_key_max = 2}, true);  // and the store does not answer
    order.learn(key_a, key_progress(1), at(0s));
    for (std::uint64_t sequence = 2; sequence < 2 + limit; ++sequence) {
        REQUIRE(offer(order, sequence) == verdict::hold);
    }
    const std::uint64_t refused = 2 + limit;
    REQUIRE(offer(order, refused) == verdict::full);
    REQUIRE(order.held() == limit);

    order.learn(key_a, key_progress(2), at(0s));
    REQUIRE(released(order).size() == limit);
    REQUIRE(offer(order, refused) == verdict::deliver);

    resequencer all({.held_per_key_max = 100, .held_max = 2}, false);
    for (std::uint64_t i = 0; i < limit; ++i) {
        REQUIRE(all.offer({i, i}, 5, static_cast<slot_id>(i), at(0s)) == verdict::hold);
    }
    REQUIRE(all.offer(key_c, 6, 1'000, at(0s)) == verdict::full);
    REQUIRE(all.offer(key_c, 1, 1'000, at(0s)) == verdict::deliver);
    REQUIRE(all.check_invariants());
}

TEST_CASE("resequencer: the least recently used key without anything under way gives way") {
    resequencer order({.keys_max = 2}, false);
    REQUIRE(offer(order, 1, 0s, key_a) == verdict::deliver);
    REQUIRE(offer(order, 1, 0s, key_b) == verdict::deliver);
    REQUIRE(offer(order, 1, 0s, key_c) == verdict::full);
    order.settled(key_b);
    order.settled(key_a);
    REQUIRE(offer(order, 1, 0s, key_b) == verdict::duplicate);  // used after key_a
    REQUIRE(offer(order, 1, 0s, key_c) == verdict::deliver);
    REQUIRE_FALSE(order.progress(key_a));
    REQUIRE(order.progress(key_b));
    REQUIRE(order.keys() == 2);

    REQUIRE(offer(order, 5, 0s, key_b) == verdict::hold);
    REQUIRE(offer(order, 1, 0s, key_a) == verdict::full);
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: with a store, a key is not looked up while there is no room for it") {
    resequencer order({.keys_max = 1}, true);
    order.learn(key_a, key_progress(1), at(0s));
    REQUIRE(offer(order, 1, 0s, key_a) == verdict::deliver);
    REQUIRE(offer(order, 1, 0s, key_b) == verdict::full);
    order.learn(key_b, key_progress(1), at(0s));
    REQUIRE_FALSE(order.progress(key_b));
    order.settled(key_a);
    REQUIRE(offer(order, 1, 0s, key_b) == verdict::look_up);
}

TEST_CASE("resequencer: a delivered event that was dropped is expected again") {
    // spring-kafka#2340: records that were under way in a rebalance were never seen again.
    resequencer order({.gap_timeout = 10s}, false);
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) {
        REQUIRE(offer(order, sequence) == verdict::deliver);
    }
    SECTION("in whatever order they are told of") {
        order.retreat(key_a, 5);
        order.retreat(key_a, 3);
        order.retreat(key_a, 4);
        REQUIRE(order.progress(key_a)->next() == 3);
        REQUIRE(offer(order, 4) == verdict::hold);
        REQUIRE(offer(order, 3) == verdict::deliver);
        REQUIRE(released(order) == numbers{4});
        REQUIRE(offer(order, 2) == verdict::duplicate);
    }
    SECTION("and what waits behind it has its whole time again") {
        REQUIRE(offer(order, 7, 1s) == verdict::hold);
        REQUIRE(order.next_deadline() == at(11s));
        REQUIRE_FALSE(order.next_due(at(9s)));
        order.retreat(key_a, 5);
        REQUIRE(order.next_deadline() == at(19s));
    }
    SECTION("and takes the gap back that it had jumped") {
        REQUIRE(offer(order, 8, 0s) == verdict::hold);
        REQUIRE(give_up_due(order, 10s) == sequence_gap{6, 7});
        REQUIRE(released(order) == numbers{8});
        order.retreat(key_a, 8);
        REQUIRE(order.progress(key_a)->next() == 6);
        REQUIRE(order.progress(key_a)->gaps().empty());
        REQUIRE(offer(order, 6, 11s) == verdict::deliver);
    }
    SECTION("which leaves earlier gaps as they are") {
        REQUIRE(offer(order, 7, 0s) == verdict::hold);
        REQUIRE(give_up_due(order, 10s) == sequence_gap{6, 6});
        REQUIRE(released(order) == numbers{7});
        REQUIRE(offer(order, 8, 10s) == verdict::deliver);
        order.retreat(key_a, 8);
        REQUIRE(order.progress(key_a)->next() == 8);
        REQUIRE(offer(order, 6, 11s) == verdict::late);
    }
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: a held event whose partition is taken away leaves without a trace") {
    resequencer order({}, false);
    REQUIRE(offer(order, 3) == verdict::hold);
    REQUIRE(offer(order, 4) == verdict::hold);
    REQUIRE(order.drop(3));
    REQUIRE_FALSE(order.drop(3));
    REQUIRE(order.held() == 1);
    REQUIRE(order.drop(key_a, 4));
    REQUIRE_FALSE(order.drop(key_a, 4));
    REQUIRE_FALSE(order.drop(sinew::no_slot));
    REQUIRE_FALSE(order.next_deadline());
    REQUIRE(offer(order, 3) == verdict::hold);
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: an event that came free and is dropped unfetched is expected again") {
    resequencer order({}, false);
    REQUIRE(offer(order, 2) == verdict::hold);
    REQUIRE(offer(order, 3) == verdict::hold);
    REQUIRE(offer(order, 1) == verdict::deliver);
    REQUIRE(order.drop(3));
    REQUIRE(released(order) == numbers{2});
    REQUIRE(offer(order, 3) == verdict::deliver);
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: an event of which the store says that it is too early waits after all") {
    resequencer order({.gap_timeout = 10s, .look_again = 1s}, true);
    order.learn(key_a, key_progress(4), at(0s));
    REQUIRE(offer(order, 4) == verdict::deliver);
    REQUIRE(offer(order, 5) == verdict::deliver);

    SECTION("until what is missing has come") {
        order.put_back(key_a, 5, 5, key_progress(4), at(0s));
        REQUIRE(order.held() == 1);
        REQUIRE(order.progress(key_a)->next() == 4);
        REQUIRE(order.next_deadline() == at(1s));
        REQUIRE(order.offer(key_a, 4, 40, at(0s)) == verdict::deliver);
        REQUIRE(released(order) == numbers{5});
    }
    SECTION("or not at all, if it is its turn by now") {
        order.put_back(key_a, 5, 5, key_progress(5), at(0s));
        REQUIRE(released(order) == numbers{5});
        REQUIRE_FALSE(order.next_deadline());
    }
    SECTION("or never again, if it was applied meanwhile") {
        order.put_back(key_a, 5, 5, key_progress(6), at(0s));
        REQUIRE(order.next_release()->verdict == standing::applied);
        REQUIRE(order.held() == 0);
    }
    SECTION("and is a duplicate if a copy of it is held already") {
        order.retreat(key_a, 4);
        REQUIRE(order.offer(key_a, 5, 50, at(0s)) == verdict::hold);
        order.put_back(key_a, 5, 5, key_progress(4), at(0s));
        const auto one = order.next_release();
        REQUIRE(one);
        REQUIRE(one->slot == 5);
        REQUIRE(one->verdict == standing::applied);
        REQUIRE(order.held() == 1);
        REQUIRE(order.offer(key_a, 4, 4, at(0s)) == verdict::deliver);
        REQUIRE(order.next_release()->slot == 50);
    }
    SECTION("and starts from the beginning if the store knows nothing of the key") {
        order.put_back(key_a, 5, 5, key_progress{}, at(0s));
        REQUIRE(order.progress(key_a)->next() == 1);
        REQUIRE(order.held() == 1);
    }
    REQUIRE(order.check_invariants());
}

TEST_CASE("resequencer: with no time at all for a gap, it is given up at once") {
    resequencer order({.gap_timeout = 0s}, false);
    REQUIRE(offer(order, 2, 5s) == verdict::hold);
    REQUIRE(give_up_due(order, 5s) == sequence_gap{1, 1});
    resequencer looking({.gap_timeout = 0s}, true);
    looking.learn(key_a, key_progress(1), at(5s));
    REQUIRE(offer(looking, 2, 5s) == verdict::hold);
    REQUIRE(looking.next_due(at(5s))->what == due_kind::look_again);
    looking.learn(key_a, key_progress(1), at(5s));
    REQUIRE(give_up_due(looking, 5s) == sequence_gap{1, 1});
}

TEST_CASE("resequencer: options out of their range are refused when it is made") {
    for (const auto& options :
         {resequencer_options{.gap_timeout = -1s}, resequencer_options{.look_again = 0s},
          resequencer_options{.held_per_key_max = 0}, resequencer_options{.held_max = 0},
          resequencer_options{.keys_max = 0}, resequencer_options{.jump_max = 0},
          resequencer_options{.first = 0}}) {
        REQUIRE_THROWS_AS(check(options), sinew::usage_error);
        REQUIRE_THROWS_AS(resequencer(options, false), sinew::usage_error);
    }
    REQUIRE_NOTHROW(check(resequencer_options{}));
}
