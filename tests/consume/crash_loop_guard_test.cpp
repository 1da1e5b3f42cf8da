// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/consume/crash_loop_guard.hpp>
#include <sinew/core/random.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace sinew;

/// What a driver can get wrong.
struct driver_rules {
    bool suspects_run_alone = true;
    bool closes_only_what_is_clear = true;
    bool remembers_what_it_dead_lettered = true;
    bool suspects_all_that_may_have_begun = true;
};

/// A group that consumes a few partitions with parallel handlers, and dies of some of the events.
/// What is kept over a death is what a broker, a store and an attempt log would keep.
class world {
public:
    world(std::uint64_t seed, driver_rules rules) : choose_(seed), rules_(rules) {
        partitions_ = 1 + pick(3);
        records_ = 5 + static_cast<log_offset>(pick(30));
        window_ = 1 + pick(12);
        workers_ = 1 + pick(4);
        deaths_max_ = static_cast<std::uint32_t>(1 + pick(4));
        for (std::uint64_t i = 1 + pick(3); i > 0; --i) {
            poison.insert(any_record());
        }
    }

    /// Runs processes until all records are finished. False: it did not come to an end.
    bool run() {
        for (int i = 0; i < 500; ++i) {
            const std::size_t suspects =
                rules_.suspects_all_that_may_have_begun ? window_ : (window_ + 1) / 2;
            process p{crash_loop_guard({.deaths_max = deaths_max_, .suspects_max = suspects}),
                      {},
                      {},
                      {}};
            for (partition_id id = 0; id < partitions_; ++id) {
                p.guard.opened(id, !open_.insert(id).second);
                p.next[id] = committed[id];
            }
            if (live(p)) {
                return true;
            }
        }
        return false;
    }

    [[nodiscard]] std::uint32_t deaths_max() const { return deaths_max_; }

    std::set<position> poison;
    std::set<position> applied;
    std::set<position> dead_lettered;
    std::map<position, std::uint32_t> deaths;
    std::map<partition_id, log_offset> committed;  ///< the next record of a new owner
    std::uint64_t orderly = 0;

private:
    struct work {
        position where;
        bool suspect = false;
    };
    struct process {
        crash_loop_guard guard;
        std::map<partition_id, log_offset> next;
        std::vector<work> queued;
        std::vector<work> running;
        std::set<position> finished{};
    };

    std::uint64_t pick(std::uint64_t below) { return choose_() % below; }
    position any_record() {
        return {static_cast<partition_id>(pick(partitions_)),
                static_cast<log_offset>(pick(static_cast<std::uint64_t>(records_)))};
    }

    /// One process, until it dies, hands over, or has nothing left to do (true).
    bool live(process& p) {
        for (;;) {
            switch (pick(12)) {
                case 0:
                case 1:
                case 2:
                case 3: deliver(p); break;
                case 4:
                case 5:
                case 6: start(p); break;
                case 7:
                case 8:
                case 9:
                    if (!end_one(p)) {
                        return false;
                    }
                    break;
                case 10: commit(p); break;
                default:
                    if (pick(8) == 0) {
                        hand_over(p);
                        return false;
                    }
            }
            if (std::all_of(p.next.begin(), p.next.end(),
                            [&](const auto& at) { return committed[at.first] == records_; })) {
                return true;
            }
        }
    }

    void deliver(process& p) {
        const auto id = static_cast<partition_id>(pick(partitions_));
        auto& next = p.next[id];
        if (next < records_ && next - committed[id] < static_cast<log_offset>(window_)) {
            p.queued.push_back({{id, next}, p.guard.delivered(id)});
            ++next;
        }
    }

    void start(process& p) {
        if (p.queued.empty() || p.running.size() >= workers_) {
            return;
        }
        const auto at = static_cast<std::ptrdiff_t>(pick(p.queued.size()));
        const work one = p.queued[static_cast<std::size_t>(at)];
        const bool alone = std::any_of(p.running.begin(), p.running.end(),
                                       [](const work& w) { return w.suspect; });
        if (rules_.suspects_run_alone && (alone || (one.suspect && !p.running.empty()))) {
            return;
        }
        p.queued.erase(p.queued.begin() + at);
        if (one.suspect && p.guard.judge(++starts_[one.where]) == guard_verdict::dead_letter) {
            dead_lettered.insert(one.where);
            if (!rules_.remembers_what_it_dead_lettered) {
                starts_.erase(one.where);
            }
            finish(p, one);
            return;
        }
        p.running.push_back(one);
    }

    /// False: it was the end of the process.
    bool end_one(process& p) {
        if (p.running.empty()) {
            return true;
        }
        const auto at = static_cast<std::ptrdiff_t>(pick(p.running.size()));
        const work one = p.running[static_cast<std::size_t>(at)];
        if (poison.count(one.where) != 0) {
            ++deaths[one.where];
            return false;
        }
        p.running.erase(p.running.begin() + at);
        applied.insert(one.where);
        starts_.erase(one.where);
        finish(p, one);
        return true;
    }

    void finish(process& p, const work& one) {
        p.finished.insert(one.where);
        if (one.suspect) {
            p.guard.settled(one.where.partition);
        }
    }

    void commit(process& p) {
        for (partition_id id = 0; id < partitions_; ++id) {
            while (p.finished.count({id, committed[id]}) != 0) {
                ++committed[id];
            }
        }
    }

    /// All partitions are given back in good order, if nothing of what runs is fatal.
    void hand_over(process& p) {
        while (!p.running.empty()) {
            if (!end_one(p)) {
                return;
            }
        }
        ++orderly;
        commit(p);
        for (partition_id id = 0; id < partitions_; ++id) {
            if (!rules_.closes_only_what_is_clear || p.guard.is_clear(id)) {
                open_.erase(id);
                for (auto it = starts_.begin(); it != starts_.end();) {
                    it = it->first.partition == id ? starts_.erase(it) : std::next(it);
                }
            }
        }
    }

    splitmix64 choose_;
    driver_rules rules_;
    std::uint64_t partitions_ = 1;
    log_offset records_ = 1;
    std::uint64_t window_ = 1;
    std::uint64_t workers_ = 1;
    std::uint32_t deaths_max_ = 1;
    std::set<partition_id> open_;               ///< of the attempt log
    std::map<position, std::uint32_t> starts_;  ///< of the attempt log
};

/// How many of 500 worlds break the guarantee.
int broken_worlds(driver_rules rules) {
    int broken = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        world w(seed, rules);
        bool kept = w.run() && w.dead_lettered == w.poison;
        for (const auto& [where, times] : w.deaths) {
            kept = kept && times <= w.deaths_max() + 1;
        }
        broken += kept ? 0 : 1;
    }
    return broken;
}

std::string refusal(const crash_loop_options& options) {
    try {
        crash_loop_guard guard(options);
    } catch (const usage_error& e) {
        return e.what();
    }
    return "";
}

constexpr int suspects_among(int deliveries, std::size_t suspects_max, bool died) {
    crash_loop_guard guard({.suspects_max = suspects_max});
    guard.opened(3, died);
    int suspects = 0;
    for (int i = 0; i < deliveries; ++i) {
        suspects += guard.delivered(3) ? 1 : 0;
    }
    return suspects;
}

}  // namespace

TEST_CASE("an event that kills the process each time is judged after deaths_max + 1 deaths") {
    sinew::test::prop(
        "it is dead-lettered after at most deaths_max + 1 deaths, and none of its neighbours is",
        [](std::uint64_t seed) {
            world w(seed, {});
            RC_ASSERT(w.run());
            RC_ASSERT(w.dead_lettered == w.poison);
            for (const auto& where : w.poison) {
                RC_ASSERT(w.deaths[where] >= w.deaths_max());
                RC_ASSERT(w.deaths[where] <= w.deaths_max() + 1);
                RC_ASSERT(w.applied.count(where) == 0U);
            }
            RC_CLASSIFY(w.orderly > 0, "with handing over");
        });
}

TEST_CASE("the guarantee holds in 500 worlds, and each rule of the driver is needed for it") {
    CHECK(broken_worlds({}) == 0);
    CHECK(broken_worlds({.suspects_run_alone = false}) > 0);
    CHECK(broken_worlds({.closes_only_what_is_clear = false}) > 0);
    CHECK(broken_worlds({.remembers_what_it_dead_lettered = false}) > 0);
    CHECK(broken_worlds({.suspects_all_that_may_have_begun = false}) > 0);
}

TEST_CASE("an event that kills each time costs a first death and three that are recorded") {
    crash_loop_guard guard;
    std::uint32_t deaths = 1;  // in steady state nothing is recorded
    std::uint32_t starts = 0;
    while (guard.judge(++starts) == guard_verdict::run) {
        ++deaths;
    }
    CHECK(deaths == 4);
    CHECK(starts == 4);
}

TEST_CASE("in steady state nothing is a suspect") {
    STATIC_REQUIRE(suspects_among(100, 10, false) == 0);
    crash_loop_guard guard;
    CHECK_FALSE(guard.watches());
    CHECK_FALSE(guard.delivered(0));
    CHECK(guard.is_clear(0));
}

TEST_CASE("after a death the first deliveries are suspects, as many as may have begun") {
    STATIC_REQUIRE(suspects_among(100, 10, true) == 10);
    STATIC_REQUIRE(suspects_among(4, 10, true) == 4);
}

TEST_CASE("partitions are told apart, whatever their numbers") {
    crash_loop_guard guard({.suspects_max = 1});
    guard.opened(0, true);
    guard.opened(0xffffffffU, true);
    guard.opened(7, false);
    CHECK_FALSE(guard.delivered(7));
    CHECK(guard.delivered(0xffffffffU));
    CHECK_FALSE(guard.delivered(0xffffffffU));
    CHECK(guard.delivered(0));
}

TEST_CASE("a partition is clear when all its suspects have come and are settled") {
    crash_loop_guard guard({.suspects_max = 2});
    guard.opened(1, true);
    CHECK_FALSE(guard.is_clear(1));
    REQUIRE(guard.delivered(1));
    guard.settled(1);
    CHECK_FALSE(guard.is_clear(1));
    REQUIRE(guard.delivered(1));
    CHECK_FALSE(guard.is_clear(1));
    guard.settled(1);
    CHECK(guard.is_clear(1));
    CHECK_FALSE(guard.watches());
}

TEST_CASE("settling more than there is changes nothing") {
    crash_loop_guard guard({.suspects_max = 1});
    guard.settled(1);
    guard.opened(1, true);
    guard.settled(1);
    CHECK_FALSE(guard.is_clear(1));
    CHECK(guard.delivered(1));
    guard.settled(1);
    guard.settled(1);
    CHECK(guard.is_clear(1));
}

TEST_CASE("each assignment starts anew") {
    crash_loop_guard guard({.suspects_max = 2});
    guard.opened(1, true);
    CHECK(guard.delivered(1));
    guard.closed(1);
    CHECK_FALSE(guard.delivered(1));
    guard.opened(1, true);
    CHECK(guard.delivered(1));
    CHECK(guard.delivered(1));
    CHECK_FALSE(guard.delivered(1));
    guard.opened(1, false);
    CHECK_FALSE(guard.watches());
}

TEST_CASE("a limit of 0 is refused by name") {
    CHECK(refusal({}).empty());
    CHECK_THAT(refusal({.deaths_max = 0}), Catch::Contains("deaths_max"));
    CHECK_THAT(refusal({.suspects_max = 0}), Catch::Contains("suspects_max"));
}
