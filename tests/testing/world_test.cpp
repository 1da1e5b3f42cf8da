// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/world.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace sinew;
using namespace sinew::testing;
using namespace std::chrono_literals;

namespace {

/// A process made of one function.
class simple_body : public process_body {
public:
    explicit simple_body(std::function<steady_time(moment)> f) : f_(std::move(f)) {}
    steady_time step(moment now) override { return f_(now); }

private:
    std::function<steady_time(moment)> f_;
};

process::factory simple(std::function<steady_time(process&, moment)> f) {
    return [f = std::move(f)](process& p) {
        return std::make_unique<simple_body>([&p, f](moment now) { return f(p, now); });
    };
}

/// Something outside: what was done to it stays.
struct outside {
    std::vector<std::string> done;
    void apply(process& p, const std::string& what) {
        p.call("apply", fault_set::all().without({fault::kicked, fault::revoked}),
               [&] { done.push_back(what); });
    }
};

/// Touches the outside when it is destroyed.
struct touches_at_end {
    outside& out;
    process& p;
    ~touches_at_end() {
        try {
            out.apply(p, "destructor");
        } catch (...) {
        }
    }
};

std::vector<std::uint8_t> one_fault(fault f, fault_set of) {
    for (unsigned i = 1; i <= of.size(); ++i) {
        if (of.nth(i) == f) {
            return {static_cast<std::uint8_t>(i)};
        }
    }
    return {};
}

constexpr fault_set offered = fault_set::all().without({fault::kicked, fault::revoked});

}  // namespace

TEST_CASE("time moves to when somebody has something to do, on both clocks") {
    trial run;
    run.start({}, false);
    world w(run);
    const auto begin = w.now();
    std::vector<duration> at;
    w.add("p", simple([&](process&, moment now) {
              at.push_back(now.steady - begin.steady);
              return at.size() < 3 ? now.steady + 10s : never;
          }));
    w.settled_when([&] { return at.size() == 3; });
    REQUIRE(w.run_until_settled());
    REQUIRE(at == std::vector<duration>{0s, 10s, 20s});
    REQUIRE(w.now().wall - begin.wall == 20s);
}

TEST_CASE("a jump of the system clock leaves the steady clock alone") {
    trial run;
    run.start({}, false);
    world w(run);
    const auto before = w.now();
    w.jump_clock(-1h);
    REQUIRE(w.now().steady == before.steady);
    REQUIRE(w.now().wall == before.wall - 1h);
}

TEST_CASE("a world in which nobody has anything to do has not settled by itself") {
    trial run;
    run.start({}, false);
    world w(run);
    w.add("p", simple([](process&, moment) { return never; }));
    w.settled_when([] { return false; });
    REQUIRE_FALSE(w.run_until_settled());
}

TEST_CASE("a process that spins for ever is stopped by the limit of steps") {
    trial run;
    run.start({}, false);
    world w(run, {.steps_max = 50});
    w.add("p", simple([](process&, moment now) { return now.steady; }));
    w.settled_when([] { return false; });
    REQUIRE_FALSE(w.run_until_settled());
    REQUIRE(w.steps() == 50);
}

TEST_CASE("processes that are due together take turns") {
    trial run;
    run.start({}, false);
    world w(run);
    std::string order;
    for (const auto* name : {"a", "b", "c"}) {
        w.add(name, simple([&order, name](process&, moment now) {
                  order += name;
                  return now.steady;
              }));
    }
    w.settled_when([&] { return order.size() >= 9; });
    REQUIRE(w.run_until_settled());
    REQUIRE(order == "abcabcabc");
}

TEST_CASE("the tape can choose whose turn it is") {
    trial run;
    const std::vector<std::uint8_t> tape{1};
    run.start(tape, false);
    world w(run, {.choose_turns = true});
    std::string order;
    for (const auto* name : {"a", "b"}) {
        w.add(name, simple([&order, name](process&, moment) {
                  order += name;
                  return never;
              }));
    }
    w.settled_when([&] { return order.size() == 2; });
    REQUIRE(w.run_until_settled());
    REQUIRE(order == "ba");
}

TEST_CASE("a crash before a call leaves no effect, one after it leaves the effect") {
    for (const auto& [chosen, effects] :
         {std::pair{fault::crash_before, 1}, std::pair{fault::crash_after, 2}}) {
        trial run;
        run.start(one_fault(chosen, offered), false);
        world w(run);
        outside out;
        w.add("p", simple([&](process& p, moment) {
                  out.apply(p, "x");
                  return never;
              }));
        w.settled_when([&] { return w.starts("p") == 2; });
        REQUIRE(w.run_until_settled());
        w.run_for(1s);
        REQUIRE(out.done.size() == static_cast<std::size_t>(effects));
        REQUIRE(w.escaped() == 0);
    }
}

TEST_CASE("what a dead process still does has no effect, though it catches everything") {
    trial run;
    run.start(one_fault(fault::crash_before, offered), false);
    world w(run);
    outside out;
    unsigned lives = 0;
    w.add("p", [&](process& p) {
        ++lives;
        return std::make_unique<simple_body>([&p, &out, &lives](moment) {
            const touches_at_end last_words{out, p};
            if (lives == 1) {
                for (int i = 0; i < 10; ++i) {
                    try {
                        out.apply(p, "first life");
                    } catch (...) {
                        REQUIRE_FALSE(p.is_alive());
                    }
                }
            }
            return never;
        });
    });
    w.settled_when([&] { return lives == 2; });
    REQUIRE(w.run_until_settled());
    REQUIRE(out.done.empty());
    w.run_for(1s);
    REQUIRE(out.done == std::vector<std::string>{"destructor"});
}

TEST_CASE("a call that must not throw answers that it does not know once the process is dead") {
    trial run;
    run.start(one_fault(fault::crash_after, {fault::crash_after}), false);
    world w(run);
    std::vector<int> answers;
    int applied = 0;
    w.add("p", simple([&](process& p, moment) {
              for (int i = 0; i < 2; ++i) {
                  answers.push_back(p.call_quietly(
                      "quiet", {fault::crash_after}, [&] { return ++applied; }, -1, -2));
              }
              return never;
          }));
    w.settled_when([&] { return !answers.empty(); });
    REQUIRE(w.run_until_settled());
    REQUIRE(answers == std::vector<int>{-2, -2});
    REQUIRE(applied == 1);
}

TEST_CASE("a process that dies is destroyed at once and started again after a while") {
    trial run;
    run.start({}, false);
    world w(run, {.restart_after = 3s});
    std::vector<steady_time> started;
    w.add("p", [&](process& p) {
        started.push_back(w.now().steady);
        return std::make_unique<simple_body>([&p](moment) -> steady_time { p.die("on purpose"); });
    });
    w.settled_when([&] { return started.size() == 3; });
    REQUIRE(w.run_until_settled());
    REQUIRE(started[1] - started[0] == 3s);
    REQUIRE(started[2] - started[1] == 3s);
    REQUIRE(w.starts("p") == 3);
}

TEST_CASE("an exception that leaves a step ends that life, and is counted") {
    trial run;
    run.start({}, false);
    world w(run);
    w.add("p", simple([&](process&, moment) -> steady_time {
              if (w.starts("p") == 1) {
                  throw std::runtime_error("nobody caught this");
              }
              return never;
          }));
    w.settled_when([&] { return w.starts("p") == 2; });
    REQUIRE(w.run_until_settled());
    REQUIRE(w.escaped() == 1);
}

TEST_CASE("how a call ends is what its caller sees") {
    struct ending {
        fault what;
        bool throws;
        int effects;
    };
    for (const auto& one :
         {ending{fault::none, false, 1}, ending{fault::refused, true, 0},
          ending{fault::request_lost, true, 0}, ending{fault::reply_lost, true, 1},
          ending{fault::failed, true, 0}, ending{fault::delayed, false, 1}}) {
        trial run;
        run.start(one_fault(one.what, offered), false);
        world w(run);
        outside out;
        bool threw = false;
        bool stepped = false;
        const auto begin = w.now().steady;
        w.add("p", simple([&](process& p, moment) {
                  stepped = true;
                  try {
                      out.apply(p, "x");
                  } catch (const error&) {
                      threw = true;
                  }
                  return never;
              }));
        w.settled_when([&] { return stepped; });
        REQUIRE(w.run_until_settled());
        CAPTURE(std::string(to_string(one.what)));
        REQUIRE(threw == one.throws);
        REQUIRE(out.done.size() == static_cast<std::size_t>(one.effects));
        REQUIRE((w.now().steady > begin) == (one.what == fault::delayed));
        REQUIRE(run.found.happened[static_cast<std::size_t>(one.what)] ==
                (one.what == fault::none ? 0U : 1U));
    }
}

TEST_CASE("while a zombie stands still its successor does the work, and then it goes on") {
    trial run;
    run.start(one_fault(fault::zombie, offered), true);
    world w(run);
    outside out;
    unsigned lives = 0;
    unsigned kicked = 0;
    int membership = 0;
    w.add("p", [&](process& p) {
        const auto life = ++lives;
        if (life == 1) {
            p.on_kick(&membership, [&] { ++kicked; });
        }
        return std::make_unique<simple_body>([&p, &out, life](moment) {
            out.apply(p, std::to_string(life));
            return never;
        });
    });
    w.settled_when([&] { return out.done.size() == 2; });
    REQUIRE(w.run_until_settled());
    INFO(run.trace.text());
    REQUIRE(out.done == std::vector<std::string>{"2", "1"});
    REQUIRE(kicked == 1);
    REQUIRE(w.starts("p") == 2);
}

TEST_CASE("a tape run twice gives the same trace") {
    const auto scenario = [](trial& t) {
        world w(t, {.choose_turns = true});
        outside out;
        for (const auto* name : {"a", "b"}) {
            w.add(name, simple([&out, name, left = 3](process& p, moment now) mutable {
                      try {
                          out.apply(p, name);
                      } catch (const error& why) {
                          p.note("failed", why.reason());
                      }
                      return --left > 0 ? now.steady + 1s : never;
                  }));
        }
        w.settled_when([&] { return out.done.size() >= 4; });
        const bool settled = w.run_until_settled();
        t.trace.add(w.now().steady, "end", settled, out.done.size());
    };
    sinew::test::prop("equal hashes", [&](const std::vector<std::uint8_t>& tape) {
        RC_ASSERT(run_tape(scenario, tape, false).trace.hash() ==
                  run_tape(scenario, tape, true).trace.hash());
    });
    const auto report = every_fault(scenario, 2);
    REQUIRE(report.schedules > 500);
    REQUIRE(report.complete);
    for (std::size_t i = 1; i < fault_count; ++i) {
        const auto f = static_cast<fault>(i);
        CAPTURE(std::string(to_string(f)));
        REQUIRE((report.happened[i] != 0) == offered.has(f));
    }
}
