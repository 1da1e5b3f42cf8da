// SPDX-License-Identifier: BSL-1.0
#include "process/process_driver.hpp"

#include <sinew/process/steps.hpp>

#include "support/test.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace process_test;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

constexpr ended completed{plan_verdict::complete};
constexpr ended compensated{plan_verdict::end_compensated};

/// What happened outside, and what is to go wrong.
struct world {
    texts done{};
    std::string fails{};  ///< the step, or the undo ("-step"), that is refused
    failure_class as = failure_class::permanent;
    bool after_effect = false;  ///< it happens all the same

    void act(const std::string& what) {
        if (what == fails && !after_effect) {
            throw error(as, "refused", what);
        }
        done.push_back(what);
        if (what == fails) {
            throw error(as, "refused", what);
        }
    }
};

auto checkout(world& w) {
    return saga<"checkout", order>(step<"reserve">([&](auto&, ledger_tx& tx) {
                                       w.act("reserve");
                                       tx.written.push_back("reserve");
                                   }).undo([&](auto&, ledger_tx& tx) {
        w.act("-reserve");
        tx.written.push_back("-reserve");
    }),
                                   step<"charge">([&](auto& at) {
                                       w.act("charge");
                                       return payment{at.input.total};
                                   })
                                       .retry({.max_attempts = 3})
                                       .undo([&](auto&) { w.act("-charge"); })
                                       .retry({.max_attempts = 2}),
                                   step<"points">([&](auto& at) {
                                       w.act("points");
                                       return result<"charge">(at).id / 10;
                                   }).undo([&](auto&) { w.act("-points"); }),
                                   pivot<"ship">([&](auto&) { w.act("ship"); }),
                                   step<"email">([&](auto& at) {
                                       w.act("email" + std::to_string(result<"points">(at)));
                                   }).always());
}

}  // namespace

TEST_CASE("a saga that nothing stops goes all the way") {
    world w;
    process_driver one(checkout(w), order{70});
    CHECK(one.run() == completed);
    CHECK(w.done == texts{"reserve", "charge", "points", "ship", "email7"});
    CHECK(one.committed == texts{"reserve"});
}

TEST_CASE("a saga that fails at a step undoes what was done, the last first") {
    const struct {
        const char* fails;
        texts done;
    } all[] = {
        {"reserve", {}},
        {"charge", {"reserve", "-reserve"}},
        {"points", {"reserve", "charge", "-charge", "-reserve"}},
        {"ship", {"reserve", "charge", "points", "-points", "-charge", "-reserve"}},
    };
    for (const auto& one : all) {
        CAPTURE(one.fails);
        world w{.fails = one.fails};
        process_driver saga(checkout(w), order{70});
        CHECK(saga.run() == compensated);
        CHECK(w.done == one.done);
    }
}

TEST_CASE("a step of unknown outcome is undone, and a pivot of unknown outcome is parked") {
    world w{.fails = "charge", .as = failure_class::unknown, .after_effect = true};
    process_driver one(checkout(w), order{70});
    CHECK(one.run() == compensated);
    CHECK(w.done == texts{"reserve", "charge", "charge", "charge", "-charge", "-reserve"});

    world v{.fails = "ship", .as = failure_class::unknown};
    process_driver other(checkout(v), order{70});
    CHECK(other.run().how == plan_verdict::park);
    CHECK(v.done == texts{"reserve", "charge", "points"});
}

TEST_CASE("a compensation that is given up is told by policy from those that still run") {
    world w{.fails = "ship"};
    const auto described = [&](compensation_policy policy) {
        return saga<"p", order>(
                   step<"a">([&](auto&) { w.act("a"); }).undo([&](auto&) { w.act("-a"); }),
                   step<"b">([&](auto&) { w.act("b"); }).undo([](auto&) {
                       throw permanent_error("lost", "b");
                   }),
                   pivot<"ship">([&](auto&) { w.act("ship"); }))
            .with(policy);
    };
    process_driver stops(described(compensation_policy::stop), order{});
    CHECK(stops.process.policy() == compensation_policy::stop);
    CHECK(stops.run().how == plan_verdict::park);
    CHECK(w.done == texts{"a", "b"});

    w.done.clear();
    process_driver goes_on(described(compensation_policy::go_on), order{});
    CHECK(goes_on.run() == ended{plan_verdict::park, park_reason::not_undone});
    CHECK(w.done == texts{"a", "b", "-a"});
}

TEST_CASE("an undo gets the input, the earlier results, its own, and the key of its action") {
    texts seen;
    process_driver one(
        saga<"checkout", order>(
            step<"quote">([](auto&) { return 3; }).undo([](auto&) {}),
            step<"charge">([](auto& at) {
                return payment{result<"quote">(at)};
            }).undo([&](auto& at) {
                seen = {std::to_string(at.input.total), std::to_string(result<"quote">(at)),
                        std::to_string(result<"charge">(at).id), std::string(at.idempotency_key),
                        std::string(at.idempotency_key_of_act)};
            }),
            pivot<"ship">([](auto&) { return outcome::reject("sold_out"); })),
        order{70});
    CHECK(one.run() == compensated);
    CHECK(seen == texts{"70", "3", "3", "checkout/42/charge/undo", "checkout/42/charge/act"});
}

TEST_CASE("an undo of what may have happened has no result of its action") {
    std::optional<bool> has_result;
    texts doubts;
    process_driver one(
        saga<"checkout", order>(
            step<"charge">([&](auto& at) -> payment {
                doubts.emplace_back(at.is_in_doubt ? "doubt" : "none");
                throw error(failure_class::unknown, "late", "no answer");
            })
                .retry({.max_attempts = 2})
                .undo([&](auto& at) { has_result = result_if<"charge">(at) != nullptr; }),
            pivot<"ship">([](auto&) {})),
        order{});
    CHECK(one.run() == compensated);
    CHECK(has_result == false);
    CHECK(doubts == texts{"none", "doubt"});
}

TEST_CASE("a cancelled saga goes back before the pivot and forward behind it") {
    world w;
    process_driver before(checkout(w), order{70});
    before.what.cancelled = failure_note{};
    before.record("reserve");
    CHECK(before.run() == compensated);
    CHECK(w.done == texts{"-reserve"});

    w.done.clear();
    process_driver behind(checkout(w), order{70});
    behind.what.cancelled = failure_note{};
    behind.record("reserve");
    behind.record("charge", "70");
    behind.record("points", "7");
    behind.record("ship");
    CHECK(behind.run() == completed);
    CHECK(w.done == texts{"email7"});
}

namespace {

auto with_command(world& w) {
    return saga<"checkout", order>(
        step<"points">([](auto& at) {
            return send({.type = "points.add", .data = std::to_string(at.input.total)});
        })
            .reply(
                [&w](auto&, std::string_view data) {
                    if (data == "declined") {
                        throw permanent_error("declined", "no such member");
                    }
                    w.act("points");
                    return std::string(data);
                },
                {.within = 20s})
            .retry({.max_attempts = 2})
            .undo([](auto&) { return send({.type = "points.remove"}); })
            .reply([&w](auto& at, std::string_view data) {
                w.act("-points " + std::string(data) +
                      (result_if<"points">(at) != nullptr ? " " + result<"points">(at) : ""));
            }),
        pivot<"ship">([&w](auto&) { w.act("ship"); }));
}

}  // namespace

TEST_CASE("a step that sends a command waits for the reply, and its result is what that made") {
    world w;
    process_driver one(with_command(w), order{70});
    CHECK(one.process.sends(0, step_phase::act));
    CHECK(one.process.sends(0, step_phase::undo));
    CHECK(!one.process.sends(1, step_phase::act));
    STATIC_REQUIRE(decltype(one)::bound_type::sends_commands);
    CHECK(one.run().how == plan_verdict::wait);
    REQUIRE(one.sent.size() == 1);
    CHECK(one.sent[0].id == "checkout/42/points/act");
    CHECK(one.sent[0].type == "points.add");
    CHECK(one.sent[0].data == "70");
    CHECK(one.sent[0].source == "checkout");
    CHECK(one.sent[0].partitionkey == "42");
    CHECK(one.sent[0].correlationid == "42");

    w.fails = "ship";
    one.reply = "7 points";
    CHECK(one.run().how == plan_verdict::wait);  // for the reply to the undo
    CHECK(one.history[0].result == "7 points");
    REQUIRE(one.sent.size() == 2);
    CHECK(one.sent[1].id == "checkout/42/points/undo");
    one.reply = "gone";
    CHECK(one.run() == compensated);
    CHECK(w.done == texts{"points", "-points gone 7 points"});
}

TEST_CASE("a reply that is refused says that nothing happened, any other failure leaves a doubt") {
    world w;
    process_driver refused(with_command(w), order{70});
    CHECK(refused.run().how == plan_verdict::wait);
    refused.reply = "declined";
    CHECK(refused.run() == compensated);
    CHECK(w.done.empty());
    CHECK(refused.sent.size() == 1);

    w.fails = "points";
    w.as = failure_class::transient;
    process_driver doubtful(with_command(w), order{70});
    CHECK(doubtful.run().how == plan_verdict::wait);
    doubtful.reply = "7 points";
    CHECK(doubtful.run().how == plan_verdict::wait);
    REQUIRE(doubtful.sent.size() == 2);
    CHECK(doubtful.sent[1].type == "points.remove");
    CHECK(doubtful.failures.size() == 2);
}

TEST_CASE("how long a reply may take goes with the command") {
    world w;
    process_driver one(with_command(w), order{70});
    const auto match = match_definition(one.what.steps, one.process.definition());
    const auto came = one.attempt(match, 0, step_phase::act);
    CHECK(came.end() == attempt_end::sent);
    CHECK(came.within() == 20s);
    CHECK(one.attempt(match, 0, step_phase::undo).within() == 30s);
}

TEST_CASE("an event is a command as well, and what it says is kept but for its id") {
    auto bound =
        bind_process<ledger_tx>(steps<"p", order>(step<"a">([](auto&) {
                                                      return send(event{.id = "mine",
                                                                        .source = "/shop",
                                                                        .type = "do",
                                                                        .subject = "s",
                                                                        .data = "d",
                                                                        .partitionkey = "k",
                                                                        .correlationid = "c",
                                                                        .headers = {{"h", "v"}}});
                                                  }).reply([](auto&, std::string_view) {})));
    process_instance what;
    what.id = "7";
    what.input = "1";
    const auto match = match_definition(entries_of(bound.definition()), bound.definition());
    attempt_info at{.instance = what, .match = match};
    at.key = "key";
    const auto came = bound.attempt(at);
    REQUIRE(came.end() == attempt_end::sent);
    const event expected{.id = "key",
                         .source = "/shop",
                         .type = "do",
                         .subject = "s",
                         .data = "d",
                         .partitionkey = "k",
                         .correlationid = "c",
                         .headers = {{"h", "v"}}};
    CHECK(came.command() == expected);
}

namespace {

/// What becomes of one attempt.
enum class fate : std::uint8_t { done, refused, busy, lost_after, lost_before };

struct script {
    std::array<std::vector<fate>, 6> acts{};  ///< by step, one for each attempt; then done
    std::array<std::size_t, 6> tried{};
    std::array<bool, 6> happened{};
    texts undone{};

    void act(std::size_t step) {
        const auto& fates = acts[step];
        const auto at = tried[step]++;
        const fate what = at < fates.size() ? fates[at] : fate::done;
        happened[step] = happened[step] || what == fate::done || what == fate::lost_after;
        switch (what) {
            case fate::done: return;
            case fate::refused: throw permanent_error("refused", "refused");
            case fate::busy: throw transient_error("busy", "busy");
            case fate::lost_after:
            case fate::lost_before: throw error(failure_class::unknown, "lost", "lost");
        }
    }
    void undo(std::size_t step) {
        undone.push_back(std::to_string(step));
        happened[step] = false;
    }
};

template <name Step>
auto scripted(script& s, std::size_t at) {
    return step<Step>([&s, at](auto&) {
               s.act(at);
               return static_cast<int>(at);
           })
        .retry({.max_attempts = 3})
        .undo([&s, at](auto&) { s.undo(at); });
}

auto scripted_saga(script& s) {
    return saga<"random", order>(scripted<"0">(s, 0), scripted<"1">(s, 1), scripted<"2">(s, 2),
                                 scripted<"3">(s, 3), pivot<"4">([&s](auto& at) {
                                                          s.act(4);
                                                          return result<"3">(at) + 1;
                                                      }).retry({.max_attempts = 3}),
                                 step<"5">([&s](auto& at) {
                                     s.act(5);
                                     return result<"4">(at) + 1;
                                 })
                                     .always()
                                     .retry({.max_attempts = 3}));
}

}  // namespace

TEST_CASE("random sagas end with everything done or nothing left") {
    sinew::test::prop(
        "what was done and can be undone is undone exactly once, in reverse",
        [](const std::array<std::vector<std::uint8_t>, 6>& fates) {
            script s;
            for (std::size_t i = 0; i < 6; ++i) {
                for (const auto one : fates[i]) {
                    s.acts[i].push_back(static_cast<fate>(one % 10 < 5 ? one % 10 : 0));
                }
            }
            process_driver one(scripted_saga(s), order{});
            const auto how = one.run();
            RC_CLASSIFY(how == completed, "completed");
            RC_CLASSIFY(how == compensated, "compensated");
            RC_CLASSIFY(how.how == plan_verdict::park, "parked");
            // In reverse, and none twice.
            for (std::size_t i = 1; i < s.undone.size(); ++i) {
                RC_ASSERT(s.undone[i] < s.undone[i - 1]);
            }
            if (how == completed) {
                RC_ASSERT(s.undone.empty());
                for (const bool happened : s.happened) {
                    RC_ASSERT(happened);
                }
                RC_ASSERT(one.history.back().result == "5");
            } else if (how == compensated) {
                for (const bool happened : s.happened) {
                    RC_ASSERT(!happened);
                }
                RC_ASSERT(s.tried[5] == 0U);
            } else {
                // Only a pivot in doubt, and what can't be undone any more, is for people.
                RC_ASSERT(s.undone.empty());
                RC_ASSERT((how.reason == park_reason::none));
                RC_ASSERT((s.tried[5] > 0U || s.tried[4] > 0U));
            }
        });
}
