// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/random_tapes.hpp>
#include <sinew/testing/shrink.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew::testing;

namespace {

/// A toy that is like a consumer in what matters here: each fault changes which calls come next. It
/// works through jobs of three calls; a refused call is made again after a look; a crash begins the
/// job again, with two more calls; a lost answer makes a look.
template <class Watch>
void work(trial& t, unsigned jobs, Watch watch) {
    for (unsigned job = 0; job < jobs; ++job) {
        for (bool done = false; !done;) {
            done = true;
            for (const std::string_view call : {"begin", "write", "commit"}) {
                const unsigned how = t.choices.choose(4, call);
                watch(job, call, how);
                if (how == 1) {
                    t.choices.choose(3, "look");
                } else if (how == 2) {
                    t.choices.choose(2, "join");
                    t.choices.choose(5, "poll");
                    done = call == "commit";
                    if (!done) {
                        break;
                    }
                } else if (how == 3) {
                    t.choices.choose(3, "look");
                    t.choices.choose(3, "look");
                }
            }
        }
    }
}

/// Broken by one lost answer of a commit of a late job.
void needs_one(trial& t) {
    bool broken = false;
    work(t, 300, [&](unsigned job, std::string_view call, unsigned how) {
        broken = broken || (job >= 40 && call == "commit" && how == 3);
    });
    t.found.check("one", !broken, "a lost answer");
}

/// Broken by a crash at a commit, and a refused begin in the job after it.
void needs_two(trial& t) {
    bool broken = false;
    unsigned crashed = 10'000;
    work(t, 300, [&](unsigned job, std::string_view call, unsigned how) {
        if (call == "commit" && how == 2) {
            crashed = job;
        }
        broken = broken || (call == "begin" && how == 1 && job == crashed + 1);
    });
    t.found.check("two", !broken, "a crash, and then a refusal");
    t.found.check("other", t.choices.made()[0].taken != 3, "the first answer was lost");
}

/// Broken by a lost answer, a crash while writing, and a refused commit, in this order, in three
/// jobs.
void needs_three(trial& t) {
    unsigned seen = 0;
    unsigned last = 0;
    work(t, 300, [&](unsigned job, std::string_view call, unsigned how) {
        const bool next = (seen == 0 && call == "begin" && how == 3) ||
                          (seen == 1 && call == "write" && how == 2 && job > last) ||
                          (seen == 2 && call == "commit" && how == 1 && job > last);
        last = next ? job : last;
        seen += next ? 1 : 0;
    });
    t.found.check("three", seen < 3, "three in a row");
}

/// A tape of 3,000 numbers with one fault in ten, under which the scenario breaks the law.
std::vector<std::uint8_t> noisy(void (*scenario)(trial&), std::string_view law,
                                std::uint64_t seed) {
    sinew::splitmix64 random(seed);
    for (;;) {
        std::vector<std::uint8_t> out(3000, 0);
        for (auto& one : out) {
            const auto draw = random();
            one = draw % 10 == 0 ? static_cast<std::uint8_t>(1 + (draw >> 32U) % 255) : 0;
        }
        const auto run = run_tape(scenario, out, false);
        for (const auto& one : run.found.breaches()) {
            if (one.law == law) {
                return out;
            }
        }
    }
}

}  // namespace

TEST_CASE("a long noisy tape shrinks to the faults that the failure needs") {
    const auto shrinks_to = [](void (*scenario)(trial&), std::string_view law, unsigned faults) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            CAPTURE(std::string(law), seed);
            const auto tape = noisy(scenario, law, seed);
            const auto small = shrink(scenario, tape, {.law = law});
            REQUIRE(small.fails);
            CHECK(small.complete);
            CHECK(small.runs < 20'000);
            CHECK(small.smallest.law == law);
            CHECK(small.smallest.faults == faults);
            CHECK(count_faults(small.smallest.tape) == faults);
            const auto again = run_tape(scenario, small.smallest.tape);
            REQUIRE_FALSE(again.found.all_hold());
            CHECK(again.found.breaches()[0].how == small.smallest.how);
        }
    };
    shrinks_to(needs_one, "one", 1);
    shrinks_to(needs_two, "two", 2);
    shrinks_to(needs_three, "three", 3);
}

TEST_CASE("the faults that are left stand as early as they can") {
    // Job 40 commits at choice 3 * 40 + 2, if nothing else went wrong.
    const auto one = shrink(needs_one, noisy(needs_one, "one", 99));
    REQUIRE(one.smallest.tape == sparse_tape({{122, 3}}));
    // The crash at the commit of job 0, then its two calls, and the begin of job 1.
    const auto two = shrink(needs_two, noisy(needs_two, "two", 99), {.law = "two"});
    REQUIRE(two.smallest.tape == sparse_tape({{2, 2}, {5, 1}}));
}

TEST_CASE("shrinking keeps to the law that was broken, unless any will do") {
    const auto breaks_both = [](const std::vector<std::uint8_t>& numbers) {
        return run_tape(needs_two, numbers, false).found.breaches().size() == 2;
    };
    std::uint64_t seed = 1;
    auto tape = noisy(needs_two, "other", seed);
    while (!breaks_both(tape)) {
        tape = noisy(needs_two, "other", ++seed);
    }
    REQUIRE(shrink(needs_two, tape, {.law = "two"}).smallest.faults == 2);
    REQUIRE(shrink(needs_two, tape, {.law = "other"}).smallest.tape == sparse_tape({{0, 3}}));
    const auto any = shrink(needs_two, tape, {.any_law = true});
    REQUIRE(any.smallest.faults == 1);
    REQUIRE(any.smallest.law == "other");
}

TEST_CASE("numbers are lowered, and what nobody reads is cut off") {
    const auto high = [](trial& t) {
        unsigned sum = 0;
        for (int i = 0; i < 20; ++i) {
            sum += t.choices.choose(10, "x");
        }
        t.found.check("low", sum < 5, "too much");
    };
    const auto small = shrink(high, std::vector<std::uint8_t>(500, 99));
    REQUIRE(small.smallest.tape == std::vector<std::uint8_t>{5});
}

TEST_CASE("a tape under which the law holds comes back as it was") {
    const std::vector<std::uint8_t> tape{0, 0, 1};
    const auto same = shrink(needs_one, tape);
    REQUIRE_FALSE(same.fails);
    REQUIRE(same.smallest.tape == tape);
    auto other = noisy(needs_one, "one", 3);
    REQUIRE_FALSE(shrink(needs_one, other, {.law = "nobody's law"}).fails);
}

TEST_CASE("a limit ends the search, and what it came to still fails") {
    const auto tape = noisy(needs_three, "three", 4);
    const auto part = shrink(needs_three, tape, {.runs_max = 12});
    REQUIRE(part.fails);
    REQUIRE_FALSE(part.complete);
    REQUIRE(part.runs <= 14);
    REQUIRE(part.smallest.faults < count_faults(tape));
    REQUIRE_FALSE(run_tape(needs_three, part.smallest.tape).found.all_hold());
}

TEST_CASE("the same tape shrinks to the same one") {
    const auto tape = noisy(needs_three, "three", 8);
    const auto first = shrink(needs_three, tape);
    const auto second = shrink(needs_three, tape);
    REQUIRE(first.smallest.tape == second.smallest.tape);
    REQUIRE(first.runs == second.runs);
}

TEST_CASE("a scenario that fails by chance does not mislead the shrinker") {
    int runs = 0;
    const auto fails_once = [&runs](trial& t) {
        t.choices.choose(2, "x");
        t.found.check("never", ++runs != 1, "the first run");
    };
    REQUIRE_FALSE(shrink(fails_once, std::vector<std::uint8_t>{1}).fails);
}
