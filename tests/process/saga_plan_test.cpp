// SPDX-License-Identifier: BSL-1.0
#include <sinew/process/saga_plan.hpp>

#include "support/test.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;

namespace {

using enum plan_verdict;
using enum compensation_policy;
using places = std::vector<std::size_t>;

/// Steps "0", "1", ...: c, p and r are the kinds; C is one that was removed, a one that was added.
std::vector<matched_step> steps(std::string_view kinds) {
    std::vector<matched_step> out;
    for (const char kind : kinds) {
        matched_step one;
        one.name = std::to_string(out.size());
        one.kind = kind == 'p'   ? step_kind::pivot
                   : kind == 'r' ? step_kind::retriable
                                 : step_kind::compensable;
        if (kind != 'C' && kind != 'P') {
            one.in_code = out.size();
        }
        one.kind = kind == 'P' ? step_kind::pivot : one.kind;
        one.is_kept = kind != 'a';
        one.known_as = {one.name};
        out.push_back(one);
    }
    return out;
}

step_record record(std::size_t step, step_phase phase, record_kind kind, bool is_unknown = false) {
    step_record out{.where = {std::to_string(step), phase}, .kind = kind};
    if (kind == record_kind::failed) {
        out.why =
            failure_note{.kind = is_unknown ? failure_class::unknown : failure_class::permanent};
    }
    return out;
}
step_record done(std::size_t step) { return record(step, step_phase::act, record_kind::done); }
step_record failed(std::size_t step) { return record(step, step_phase::act, record_kind::failed); }
step_record unknown(std::size_t step) {
    return record(step, step_phase::act, record_kind::failed, true);
}
step_record skipped(std::size_t step) {
    return record(step, step_phase::act, record_kind::skipped);
}
step_record undone(std::size_t step) { return record(step, step_phase::undo, record_kind::done); }
step_record stuck(std::size_t step) { return record(step, step_phase::undo, record_kind::failed); }

saga_plan plan(std::string_view kinds, const std::vector<step_record>& history,
               compensation_policy policy = stop) {
    saga_plan out(steps(kinds), policy);
    for (const auto& one : history) {
        out.see(one);
    }
    return out;
}
plan_decision next(std::string_view kinds, const std::vector<step_record>& history,
                   const plan_position& here = {}, compensation_policy policy = stop) {
    return plan(kinds, history, policy).next(here);
}

constexpr plan_position cancelled{.is_cancelled = true};
plan_position in_doubt(std::size_t step, bool is_cancelled = false) {
    return {is_cancelled, step_address{std::to_string(step), step_phase::act}, true, false};
}

}  // namespace

TEST_CASE("a process acts on one step after the other and completes") {
    REQUIRE(next("ccpr", {}) == plan_decision{act, 0});
    REQUIRE(next("ccpr", {done(0)}) == plan_decision{act, 1});
    REQUIRE(next("ccpr", {done(0), done(1), done(2)}) == plan_decision{act, 3});
    REQUIRE(next("ccpr", {done(0), done(1), done(2), done(3)}).what == complete);
    REQUIRE(next("rr", {done(0), done(1)}).what == complete);
    REQUIRE(next("cr", {skipped(0)}) == plan_decision{act, 1});
}

TEST_CASE("after a failure it undoes what is done, the last one first") {
    REQUIRE(next("cccp", {done(0), done(1), failed(2)}) == plan_decision{compensate, 1});
    REQUIRE(next("cccp", {done(0), done(1), failed(2), undone(1)}) == plan_decision{compensate, 0});
    REQUIRE(next("cccp", {done(0), done(1), failed(2), undone(1), undone(0)}).what ==
            end_compensated);
    REQUIRE(next("cp", {done(0), failed(1)}) == plan_decision{compensate, 0});
    REQUIRE(next("cc", {failed(0)}).what == end_compensated);
}

TEST_CASE("a step with an unknown outcome is undone as well") {
    REQUIRE(next("cc", {done(0), unknown(1)}) == plan_decision{compensate, 1});
    REQUIRE(plan("cc", {done(0), unknown(1)}).not_undone() == places{1, 0});
    REQUIRE(next("cc", {done(0), unknown(1), undone(1)}) == plan_decision{compensate, 0});
}

TEST_CASE("what was skipped is not undone") {
    REQUIRE(next("ccc", {done(0), skipped(1), failed(2)}) == plan_decision{compensate, 0});
}

TEST_CASE("a pivot whose outcome is unknown goes neither forward nor back") {
    const plan_decision parked{park, 1, park_reason::pivot_in_doubt};
    REQUIRE(next("cpr", {done(0), unknown(1)}) == parked);
    REQUIRE(next("cpr", {done(0), unknown(1)}, cancelled) == parked);
    REQUIRE(plan("cpr", {done(0)}).give_up(1, step_phase::act, true) == giving_up::park);
    REQUIRE(plan("cpr", {done(0)}).give_up(1, step_phase::act, false) == giving_up::record);
    // Asked for again, a refusal does not say that the first attempt had none.
    const auto retried = record(1, step_phase::act, record_kind::retried);
    REQUIRE(next("cpr", {done(0), unknown(1), retried}) == plan_decision{act, 1});
    REQUIRE(next("cpr", {done(0), unknown(1), retried, failed(1)}) == parked);
    REQUIRE(next("cpr", {done(0), unknown(1), retried, done(1)}) == plan_decision{act, 2});
}

TEST_CASE("behind the pivot there is no way back") {
    REQUIRE(plan("cpr", {done(0), done(1)}).give_up(2, step_phase::act, true) == giving_up::park);
    REQUIRE(next("cpr", {done(0), done(1), failed(2)}) ==
            plan_decision{park, 2, park_reason::no_way_back});
    REQUIRE(next("cr", {done(0), failed(1)}) == plan_decision{park, 1, park_reason::no_way_back});
}

TEST_CASE("cancelled before the point of no return it goes back, after it forward") {
    REQUIRE(next("cpr", {}, cancelled).what == end_compensated);
    REQUIRE(next("cpr", {done(0)}, cancelled) == plan_decision{compensate, 0});
    REQUIRE(next("cpr", {done(0), done(1)}, cancelled) == plan_decision{act, 2});
    REQUIRE(next("ccr", {done(0)}, cancelled) == plan_decision{compensate, 0});
    REQUIRE(next("ccr", {done(0), done(1)}, cancelled) == plan_decision{act, 2});
    REQUIRE(next("cc", {done(0), done(1)}, cancelled).what == complete);
    REQUIRE(next("rr", {}, cancelled) == plan_decision{act, 0});
}

TEST_CASE("cancelled while an action is in doubt, that action is undone as well") {
    REQUIRE(next("ccp", {done(0)}, in_doubt(1, true)) == plan_decision{compensate, 1});
    REQUIRE(plan("ccp", {done(0)}).not_undone(in_doubt(1, true)) == places{1, 0});
}

TEST_CASE("cancelled while the pivot is in doubt, it is asked for until it is known") {
    REQUIRE(next("cp", {done(0)}, in_doubt(1, true)) == plan_decision{act, 1});
    auto here = in_doubt(1, true);
    here.is_waiting = true;
    REQUIRE(next("cp", {done(0)}, here) == plan_decision{wait, 1});
    REQUIRE(next("cp", {done(0)},
                 {.is_cancelled = true, .begun = step_address{"1", step_phase::act}}) ==
            plan_decision{compensate, 0});
}

TEST_CASE("what waits for its time or a reply waits, unless it is cancelled") {
    plan_position here{.begun = step_address{"1", step_phase::act}, .is_waiting = true};
    REQUIRE(next("ccp", {done(0)}, here) == plan_decision{wait, 1});
    here.is_cancelled = true;
    REQUIRE(next("ccp", {done(0)}, here) == plan_decision{compensate, 0});
    here.begun->phase = step_phase::undo;
    REQUIRE(next("ccp", {done(0)}, here) == plan_decision{wait, 1});
}

TEST_CASE("a compensation that was given up: stop leaves the others, go_on undoes them") {
    const std::vector history{done(0), done(1), failed(2), stuck(1)};
    REQUIRE(next("ccc", history) == plan_decision{park, 1, park_reason::not_undone});
    REQUIRE(plan("ccc", history).not_undone() == places{1, 0});
    REQUIRE(next("ccc", history, {}, go_on) == plan_decision{compensate, 0});
    auto rest = history;
    rest.push_back(undone(0));
    REQUIRE(next("ccc", rest, {}, go_on) == plan_decision{park, 1, park_reason::not_undone});
    REQUIRE(plan("ccc", rest, go_on).not_undone() == places{1});
    REQUIRE(plan("ccc", history).give_up(1, step_phase::undo, false) == giving_up::park);
    REQUIRE(plan("ccc", history, go_on).give_up(1, step_phase::undo, true) == giving_up::record);
}

TEST_CASE("people take a given up compensation back, or skip it") {
    std::vector history{done(0), failed(1), stuck(0)};
    auto again = history;
    again.push_back(record(0, step_phase::undo, record_kind::retried));
    REQUIRE(next("cc", again) == plan_decision{compensate, 0});
    // Skipping says that it was undone by hand. It needs no retry before.
    auto by_hand = again;
    by_hand.push_back(record(0, step_phase::undo, record_kind::skipped));
    REQUIRE(next("cc", by_hand).what == end_compensated);
    history.push_back(record(0, step_phase::undo, record_kind::skipped));
    REQUIRE(next("cc", history).what == end_compensated);
}

TEST_CASE("people take a failed step back only while nothing was undone") {
    const auto retried = record(1, step_phase::act, record_kind::retried);
    REQUIRE(next("ccp", {done(0), failed(1), retried}) == plan_decision{act, 1});
    REQUIRE(next("ccp", {done(0), failed(1), undone(0), retried}).what == end_compensated);
    REQUIRE(next("ccp", {done(0), failed(1), stuck(0), retried}).what == park);
    REQUIRE(next("cpr",
                 {done(0), done(1), failed(2), record(2, step_phase::act, record_kind::retried)}) ==
            plan_decision{act, 2});
}

TEST_CASE("a compensation before its action, and an action after its compensation, do no harm") {
    REQUIRE(next("cc", {undone(0)}).what == end_compensated);
    REQUIRE(next("cc", {undone(0), done(0)}).what == end_compensated);
    REQUIRE(next("cc", {done(0), failed(1), undone(0), done(1)}) == plan_decision{compensate, 1});
}

TEST_CASE("a step that was added is taken by those that have not come past its place") {
    REQUIRE(next("cac", {done(0)}) == plan_decision{act, 1});
    REQUIRE(next("cac", {done(0), done(2)}).what == complete);
    REQUIRE(next("cac", {done(0)}, in_doubt(2)) == plan_decision{act, 2});
    REQUIRE(next("cac", {done(0), done(1), failed(2)}) == plan_decision{compensate, 1});
    REQUIRE(next("cac", {done(0), failed(2)}) == plan_decision{compensate, 0});
    REQUIRE(plan("cacp", {done(0), done(2)}).is_past_return() == false);
    REQUIRE(plan("cacr", {done(0), done(2)}).is_past_return());
}

TEST_CASE("a step that was removed is not taken, and what it did can't be undone") {
    REQUIRE(next("cCc", {done(0)}) == plan_decision{act, 2});
    REQUIRE(next("cCc", {done(0), done(1), failed(2)}) ==
            plan_decision{park, 1, park_reason::not_undone});
    REQUIRE(next("cCc", {done(0), done(1), failed(2)}, {}, go_on) == plan_decision{compensate, 0});
    REQUIRE(next("cCc", {done(0), done(1), failed(2), undone(0)}, {}, go_on) ==
            plan_decision{park, 1, park_reason::not_undone});
    REQUIRE(next("cCc", {done(0), done(1), done(2)}).what == complete);
    REQUIRE(next("cPr", {done(0), done(1)}, cancelled) == plan_decision{act, 2});
    REQUIRE(next("cPr", {done(0)}, cancelled).what == act);
    REQUIRE(next("cPc", {done(0)}, cancelled) == plan_decision{compensate, 0});
    REQUIRE(next("cPr", {done(0)}, in_doubt(1)) ==
            plan_decision{park, 1, park_reason::pivot_in_doubt});
}

TEST_CASE("a record of a step that is not there changes nothing") {
    auto one = plan("cc", {done(0)});
    REQUIRE_FALSE(one.see(done(7)));
    REQUIRE(one.next() == plan_decision{act, 1});
    REQUIRE_FALSE(one.see(done(0)));
}

namespace {

const std::vector<std::string_view> shapes{"r",   "rr",  "c",    "cc",  "p",   "cp",  "cr",
                                           "ccp", "cpr", "ccpr", "cCp", "cap", "cPr", "ccr"};

/// All that can be recorded of a step.
std::vector<step_record> all_records(std::size_t count) {
    std::vector<step_record> out;
    for (std::size_t i = 0; i < count; ++i) {
        for (const auto phase : {step_phase::act, step_phase::undo}) {
            for (const auto kind : {record_kind::done, record_kind::failed, record_kind::skipped,
                                    record_kind::retried}) {
                out.push_back(record(i, phase, kind));
            }
        }
        out.push_back(unknown(i));
    }
    return out;
}
/// All that can be between two records.
std::vector<plan_position> all_positions(std::size_t count) {
    std::vector<plan_position> out{{}, cancelled};
    for (std::size_t i = 0; i < count; ++i) {
        for (const auto phase : {step_phase::act, step_phase::undo}) {
            for (int flags = 0; flags < 8; ++flags) {
                out.push_back({(flags & 1) != 0, step_address{std::to_string(i), phase},
                               (flags & 2) != 0, (flags & 4) != 0});
            }
        }
    }
    return out;
}

std::string shown(const std::vector<step_record>& history) {
    std::string out;
    for (const auto& one : history) {
        out += one.where.step + ":" + std::string(to_string(one.where.phase)) + ":" +
               std::string(to_string(one.kind)) +
               (one.why && one.why->kind == failure_class::unknown ? "? " : " ");
    }
    return out;
}

}  // namespace

TEST_CASE("saga plan: any history at all has a next, which breaks no rule") {
    std::size_t seen = 0;
    for (const auto shape : shapes) {
        const auto alphabet = all_records(shape.size());
        const auto positions = all_positions(shape.size());
        const std::size_t length = shape.size() < 2 ? 4 : shape.size() < 3 ? 3 : 2;
        for (const auto policy : {stop, go_on}) {
            std::vector<step_record> history;
            const std::function<void()> look = [&] {
                const auto at = plan(shape, history, policy);
                for (const auto& here : positions) {
                    const auto what = at.next(here);
                    const auto fault = at.find_fault(what, here);
                    if (!fault.empty()) {
                        FAIL(shape << " " << shown(history) << ": " << fault);
                    }
                    ++seen;
                }
                if (history.size() == length) {
                    return;
                }
                for (const auto& one : alphabet) {
                    history.push_back(one);
                    look();
                    history.pop_back();
                }
            };
            look();
        }
    }
    REQUIRE(seen > 1'000'000);
}

TEST_CASE("saga plan: what comes next behind records is what comes next once they are seen") {
    std::size_t looked = 0;
    for (const auto shape : shapes) {
        const auto alphabet = all_records(shape.size());
        const auto positions = all_positions(shape.size());
        for (const auto& first : alphabet) {
            const auto before = plan(shape, {first});
            for (const auto& second : alphabet) {
                const auto behind = plan(shape, {first, second});
                for (const auto& here : positions) {
                    if (before.next_after(std::span(&second, 1), here) != behind.next(here)) {
                        FAIL(shape << " " << shown({first, second}));
                    }
                    ++looked;
                }
            }
            REQUIRE(before.next_after({}, {}) == before.next());
            REQUIRE(before.next() == plan(shape, {first}).next());
        }
    }
    REQUIRE(looked > 100'000);
}

TEST_CASE("saga plan: a record that comes twice changes nothing") {
    std::size_t seen = 0;
    for (const auto shape : shapes) {
        const auto alphabet = all_records(shape.size());
        for (const auto& first : alphabet) {
            for (const auto& second : alphabet) {
                auto at = plan(shape, {first, second});
                const auto before = at.next();
                // Behind another word on the same step and phase it is a word of its own.
                if (second.where != first.where) {
                    at.see(first);
                }
                REQUIRE_FALSE(at.see(second));
                REQUIRE(at.next() == before);
                ++seen;
            }
        }
    }
    REQUIRE(seen > 1000);
}

namespace {

/// The world in which a process runs: what each step did, and how each of its calls ends.
struct run {
    std::string_view shape;
    compensation_policy policy = stop;
    std::vector<int> choices{};  ///< how each call ends, in order; 0 behind the end
    std::size_t cancelled_at = SIZE_MAX;

    std::size_t calls = 0;
    std::vector<step_record> history{};
    places did{};      ///< effects, in order
    places undid{};    ///< compensations that were called and are done, in order
    places doubted{};  ///< actions that had an effect of which nobody knows
    plan_decision end{};
    std::vector<std::size_t> left{};

    int choose() { return calls < choices.size() ? choices[calls++] : (++calls, 0); }

    bool go() {
        for (int turns = 0; turns < 50; ++turns) {
            const auto at = plan(shape, history, policy);
            const plan_position here{.is_cancelled = calls >= cancelled_at};
            const auto what = at.next(here);
            if (what.what != act && what.what != compensate) {
                end = what;
                left = at.not_undone(here);
                return true;
            }
            const auto phase = what.what == act ? step_phase::act : step_phase::undo;
            // 0: done. 1: refused. 2: unknown, and it happened. 3: unknown, and it did not.
            const int how = choose();
            const bool is_unknown = how >= 2;
            if (how == 0 || how == 2) {
                (phase == step_phase::act ? did : undid).push_back(what.step);
            }
            if (how == 0) {
                history.push_back(record(what.step, phase, record_kind::done));
            } else if (at.give_up(what.step, phase, is_unknown) == giving_up::record) {
                history.push_back(record(what.step, phase, record_kind::failed, is_unknown));
            } else {
                end = {park, what.step, park_reason::not_undone};
                left = at.not_undone(here);
                return true;
            }
        }
        return false;
    }
};

/// Runs each way in which the first `calls` calls can end, and each instant of cancelling.
template <class F>
std::size_t every_run(std::string_view shape, compensation_policy policy, std::size_t calls, F f) {
    std::size_t runs = 0;
    std::vector<int> choices(calls, 0);
    for (;;) {
        for (std::size_t cancel = 0; cancel <= shape.size() + 1; ++cancel) {
            run one{.shape = shape, .policy = policy, .choices = choices};
            one.cancelled_at = cancel > shape.size() ? SIZE_MAX : cancel;
            f(one);
            ++runs;
        }
        std::size_t i = 0;
        while (i < calls && choices[i] == 3) {
            choices[i++] = 0;
        }
        if (i == calls) {
            return runs;
        }
        ++choices[i];
    }
}

}  // namespace

TEST_CASE("saga plan: every run ends completed, or compensated in reverse order, or parked") {
    std::size_t runs = 0;
    std::size_t ends[6] = {};
    for (const auto* shape : {"c", "cc", "cp", "cr", "ccp", "cpr", "ccpr", "cccp", "rr", "ccr"}) {
        for (const auto policy : {stop, go_on}) {
            runs += every_run(shape, policy, 5, [&](run& one) {
                INFO(shape << " cancelled at " << one.cancelled_at << ", " << one.choices[0]
                           << one.choices[1] << one.choices[2] << one.choices[3] << one.choices[4]
                           << ": " << shown(one.history));
                if (!one.go()) {
                    FAIL("it comes to no end");
                }
                ++ends[static_cast<int>(one.end.what)];
                const std::string_view kinds = one.shape;
                places to_undo;  // effects that can be undone, the last first
                for (auto at = one.did.rbegin(); at != one.did.rend(); ++at) {
                    if (kinds[*at] == 'c') {
                        to_undo.push_back(*at);
                    }
                }
                bool holds = std::is_sorted(one.did.begin(), one.did.end()) &&
                             std::is_sorted(one.undid.rbegin(), one.undid.rend());
                if (one.end.what == complete) {
                    holds = holds && one.did.size() == kinds.size() && one.undid.empty();
                } else if (one.end.what == end_compensated) {
                    // Each effect is undone, in reverse order; and no pivot has happened.
                    for (const auto step : to_undo) {
                        holds = holds && std::count(one.undid.begin(), one.undid.end(), step) == 1;
                    }
                    for (const auto step : one.did) {
                        holds = holds && kinds[step] == 'c';
                    }
                } else {
                    // What is not undone is told, unless the process only goes forward.
                    for (const auto step : to_undo) {
                        holds =
                            holds &&
                            (std::count(one.undid.begin(), one.undid.end(), step) == 1 ||
                             std::count(one.left.begin(), one.left.end(), step) == 1 ||
                             std::count(one.history.begin(), one.history.end(), done(step)) == 1);
                    }
                    holds = holds && one.end.reason != park_reason::none;
                }
                // In this world only what had an effect can be left, or what may have had one.
                for (const auto step : one.left) {
                    holds = holds && kinds[step] == 'c';
                }
                if (!holds) {
                    FAIL("a rule is broken");
                }
            });
        }
    }
    REQUIRE(runs > 90'000);
    REQUIRE(ends[static_cast<int>(complete)] > 0);
    REQUIRE(ends[static_cast<int>(end_compensated)] > 0);
    REQUIRE(ends[static_cast<int>(park)] > 0);
}

TEST_CASE("saga plan: whatever parked can be brought to an end by people") {
    for (const auto* shape : {"cc", "ccp", "ccpr", "cccp"}) {
        for (const auto policy : {stop, go_on}) {
            every_run(shape, policy, 4, [&](run& one) {
                REQUIRE(one.go());
                // People skip whatever it is parked for.
                for (int turns = 0; one.end.what == park && turns < 20; ++turns) {
                    const auto at = plan(shape, one.history, policy);
                    const auto left = at.not_undone();
                    const auto phase = std::count(left.begin(), left.end(), one.end.step) != 0
                                           ? step_phase::undo
                                           : step_phase::act;
                    one.history.push_back(record(one.end.step, phase, record_kind::skipped));
                    REQUIRE(one.go());
                }
                REQUIRE(one.end.what != park);
            });
        }
    }
}

TEST_CASE("saga plan: long histories of many steps end as well") {
    sinew::test::prop("whatever the calls answer",
                      [](std::vector<std::uint8_t> tape, std::uint8_t cancel) {
                          const std::size_t count = tape.empty() ? 1 : 1 + tape[0] % 9;
                          std::string kinds(count, 'c');
                          if (tape.size() > 1 && tape[1] % 2 == 0) {
                              kinds += 'p';
                          }
                          kinds.append(tape.size() > 2 ? tape[2] % 4 : 0, 'r');
                          run one{.shape = kinds, .policy = tape.size() % 2 == 0 ? stop : go_on};
                          for (const auto number : tape) {
                              one.choices.push_back(number % 8 < 5 ? 0 : number % 8 - 4);
                          }
                          one.cancelled_at = cancel % 4 == 0 ? SIZE_MAX : cancel % 16;
                          RC_ASSERT(one.go());
                          RC_ASSERT((one.end.what == complete || one.end.what == end_compensated ||
                                     one.end.what == park));
                          RC_ASSERT(std::is_sorted(one.undid.rbegin(), one.undid.rend()));
                      });
}
