// SPDX-License-Identifier: BSL-1.0
#include "process/process_driver.hpp"

#include <sinew/process/steps.hpp>

#include "support/test.hpp"

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace process_test;
using namespace std::chrono_literals;

namespace {

using texts = std::vector<std::string>;

constexpr ended completed{plan_verdict::complete};

/// An ordinary function can be a step.
void pack(const step_view<order>& at) {
    if (at.input.total < 0) {
        throw permanent_error("empty", "nothing to pack");
    }
}

/// A codec that does not keep everything.
struct rounded {
    int value = 0;
};

}  // namespace

template <>
struct sinew::codec<rounded> {
    static std::string encode(const rounded& one) { return std::to_string(one.value / 10); }
    static rounded decode(std::string_view bytes) { return {codec<int>::decode(bytes) * 10}; }
};

TEST_CASE("steps go forward in their order, and each reads the results before it") {
    texts seen;
    process_driver one(
        steps<"fulfil", order>(step<"pick">([](auto& at) { return at.input.total + 1; }),
                               step<"pack">(pack), step<"label">([](auto& at, ledger_tx& tx) {
                                   tx.written.push_back("label");
                                   return payment{result<"pick">(at) * 2};
                               }),
                               step<"send">([&](auto& at) {
                                   seen.push_back(std::to_string(result<"label">(at).id));
                               })),
        order{10});
    CHECK(one.run() == completed);
    CHECK(seen == texts{"22"});
    CHECK(one.committed == texts{"label"});
    REQUIRE(one.history.size() == 4);
    CHECK(one.history[0].result == "11");
    CHECK(one.history[1].result.empty());
    CHECK(one.history[2].result == "22");
}

TEST_CASE("a definition is known while compiling") {
    constexpr auto described = steps<"fulfil", order>(
        step<"pick">([](auto&) {}), removed<"stamp">(),
        step<"pack">([](auto&) {}).template renamed_from<"wrap">().template renamed_from<"box">(),
        step<"label">([](auto&) {}).added());
    constexpr const process_definition& list = described.definition();
    STATIC_REQUIRE(list.type == "fulfil");
    STATIC_REQUIRE(list.steps.size() == 3);
    STATIC_REQUIRE(list.steps[0].name == "pick");
    STATIC_REQUIRE(list.steps[0].kind == step_kind::retriable);
    STATIC_REQUIRE(!list.steps[0].is_added);
    STATIC_REQUIRE(list.steps[0].former_names.empty());
    STATIC_REQUIRE(list.steps[1].former_names.size() == 2);
    STATIC_REQUIRE(list.steps[1].former_names[0] == "wrap");
    STATIC_REQUIRE(list.steps[1].former_names[1] == "box");
    STATIC_REQUIRE(list.steps[2].is_added);
    STATIC_REQUIRE(list.removed.size() == 1);
    STATIC_REQUIRE(list.removed[0] == "stamp");
}

TEST_CASE("a callable that takes the transaction joins it, and one that does not is called alone") {
    const auto bound = bind_process<ledger_tx>(
        steps<"p", order>(step<"in">([](auto&, ledger_tx&) {}), step<"out">([](auto&) {}),
                          step<"any">([](auto&, auto& tx) { tx.written.clear(); })));
    CHECK(bound.joins_transaction(0, step_phase::act));
    CHECK(!bound.joins_transaction(1, step_phase::act));
    CHECK(bound.joins_transaction(2, step_phase::act));
    STATIC_REQUIRE(!bound.sends_commands);
    CHECK_THROWS_AS(bound.joins_transaction(3, step_phase::act), usage_error);
    CHECK_THROWS_AS(bound.joins_transaction(0, step_phase::undo), usage_error);
}

TEST_CASE("a result comes back through its codec, also in the run that made it") {
    int seen = 0;
    process_driver one(
        steps<"p", order>(step<"round">([](auto&) { return rounded{47}; }),
                          step<"use">([&](auto& at) { seen = result<"round">(at).value; })),
        order{});
    CHECK(one.run() == completed);
    CHECK(seen == 40);
}

TEST_CASE("a step that was removed has no place among the others") {
    texts seen;
    process_driver one(
        steps<"p", order>(removed<"first">(), step<"a">([](auto&) { return std::string("a"); }),
                          removed<"middle">(),
                          step<"b">([](auto& at) { return result<"a">(at) + "b"; }).timeout(3s),
                          step<"c">([&](auto& at) { seen = {result<"a">(at), result<"b">(at)}; }),
                          removed<"last">()),
        order{});
    CHECK(one.process.options(1, step_phase::act).timeout == 3s);
    CHECK(one.run() == completed);
    CHECK(seen == texts{"a", "ab"});
}

TEST_CASE("a callable need not be one that can be copied") {
    int seen = 0;
    process_driver one(
        steps<"p", order>(step<"a">([&seen, held = std::make_unique<int>(7)](auto&) mutable {
                              seen = (*held)++;
                          }).retry({.max_attempts = 2})),
        order{});
    CHECK(one.run() == completed);
    CHECK(seen == 7);
}

TEST_CASE("a result that no longer decodes is a permanent failure that says where") {
    process_driver one(
        steps<"fulfil", order>(step<"charge">([](auto&) { return payment{1}; }),
                               step<"send">([](auto& at) { (void)result<"charge">(at); })),
        order{});
    one.record("charge", "{\"id\":7}");
    CHECK(one.run().how == plan_verdict::park);
    REQUIRE(one.failures.size() == 1);
    CHECK(one.last_failure().kind == failure_class::permanent);
    CHECK(one.last_failure().reason == "result_undecodable");
    CHECK(one.last_failure().detail ==
          "the result of step charge of fulfil 42 does not decode as the type that it has in the "
          "code: it is not a whole number of that size");
}

TEST_CASE("an input that no longer decodes is a permanent failure that says where") {
    process_driver one(steps<"fulfil", order>(step<"pick">([](auto&) {})), order{});
    one.what.input = "many";
    CHECK(one.run().how == plan_verdict::park);
    CHECK(one.last_failure().kind == failure_class::permanent);
    CHECK(one.last_failure().reason == "input_undecodable");
    CHECK(one.last_failure().detail.find("the input of fulfil 42 does not decode") == 0);
}

TEST_CASE("a step that people skipped has no result, and who reads it is told so") {
    bool is_there = true;
    process_driver one(
        steps<"fulfil", order>(
            step<"charge">([](auto&) { return payment{1}; }),
            step<"look">([&](auto& at) { is_there = result_if<"charge">(at) != nullptr; }),
            step<"send">([](auto& at) { (void)result<"charge">(at); })),
        order{});
    one.record("charge", {}, record_kind::skipped);
    CHECK(one.run().how == plan_verdict::park);
    CHECK(!is_there);
    CHECK(one.last_failure().kind == failure_class::permanent);
    CHECK(one.last_failure().reason == "result_missing");
    CHECK(one.last_failure().detail.find("step charge of fulfil 42") == 0);
}

TEST_CASE("the idempotency key is equal on every attempt, and other for each step and instance") {
    texts keys;
    const auto described = steps<"fulfil", order>(
        step<"pick">([&](auto& at) {
            keys.emplace_back(at.idempotency_key);
            if (at.attempt < 3) {
                throw std::runtime_error("busy");
            }
        }),
        step<"pack">([&](auto& at) { keys.emplace_back(at.idempotency_key); }));
    process_driver one(described, order{}, "a/b");
    CHECK(one.run() == completed);
    process_driver other(described, order{}, "c");
    CHECK(other.run() == completed);
    CHECK(keys == texts{"fulfil/a%2Fb/pick/act", "fulfil/a%2Fb/pick/act", "fulfil/a%2Fb/pick/act",
                        "fulfil/a%2Fb/pack/act", "fulfil/c/pick/act", "fulfil/c/pick/act",
                        "fulfil/c/pick/act", "fulfil/c/pack/act"});
}

TEST_CASE("a step that was renamed keeps its key, and its result is found") {
    int seen = 0;
    std::string key;
    process_driver one(steps<"fulfil", order>(
                           step<"take">([](auto&) { return payment{0}; }).renamed_from<"charge">(),
                           step<"ship">([&](auto& at) {
                               seen = result<"take">(at).id;
                               key = at.idempotency_key;
                           }).renamed_from<"send">()),
                       order{});
    one.what.steps = {{"charge", step_kind::retriable}, {"send", step_kind::retriable}};
    one.record("charge", "7");
    CHECK(one.run() == completed);
    CHECK(seen == 7);
    CHECK(key == "fulfil/42/send/act");
}

TEST_CASE("what a step returns or throws decides what becomes of the attempt") {
    const auto run = [](auto f) {
        process_driver one(steps<"p", order>(step<"a">(f).retry({.max_attempts = 1})), order{});
        const auto match = match_definition(one.what.steps, one.process.definition());
        return one.attempt(match, 0, step_phase::act);
    };
    CHECK(run([](auto&) {}).is_done());
    CHECK(run([](auto&) { return outcome::done(); }).is_done());
    CHECK(run([](auto&) { return outcome::skip("none"); }).is_done());
    CHECK(run([](auto&) { return std::string("x"); }).bytes() == "x");

    const auto retried = run([](auto&) { return outcome::retry("busy", "so busy", 3s); });
    CHECK(retried.end() == attempt_end::failed);
    CHECK(retried.why().kind == failure_class::transient);
    CHECK(retried.why().reason == "busy");
    CHECK(retried.why().retry_after == 3s);
    CHECK(!retried.leaves_doubt());

    CHECK(run([](auto&) { return outcome::reject("no"); }).why().kind == failure_class::permanent);
    const auto unknown =
        run([](auto&) { return outcome::failed({failure_class::unknown, "late", {}, {}}); });
    CHECK(unknown.why().kind == failure_class::unknown);
    CHECK(unknown.leaves_doubt());

    CHECK(run([](auto&) { throw 1; }).why().reason == "unknown_exception");
    CHECK(run([](auto&) { throw std::bad_alloc(); }).why().kind == failure_class::unavailable);
    CHECK(run([](auto&) { throw unavailable_error("down", {}); }).why().reason == "down");
    CHECK(run([](auto&, ledger_tx&) { throw unavailable_error("down", {}); }).why().reason ==
          "down");
}

TEST_CASE("options hold for the callable before them") {
    const auto bound =
        bind_process<ledger_tx>(saga<"p", order>(step<"a">([](auto&) {})
                                                     .retry({.max_attempts = 2})
                                                     .timeout(5s)
                                                     .undo([](auto&) {})
                                                     .retry({.max_attempts = 7}),
                                                 step<"b">([](auto&) {}).always().timeout(9s)));
    CHECK(bound.options(0, step_phase::act).retry.max_attempts == 2);
    CHECK(bound.options(0, step_phase::act).timeout == 5s);
    CHECK(bound.options(0, step_phase::undo).retry.max_attempts == 7);
    CHECK(!bound.options(0, step_phase::undo).timeout);
    CHECK(bound.options(1, step_phase::act).timeout == 9s);
}

TEST_CASE("options out of their range are refused where they are written") {
    CHECK_THROWS_AS(step<"a">([](auto&) {}).retry({.max_attempts = 0}), usage_error);
    CHECK_THROWS_AS(step<"a">([](auto&) {}).timeout(0s), usage_error);
    CHECK_THROWS_AS(step<"a">([](auto&) {}).reply([](auto&, std::string_view) {}, {.within = 0s}),
                    usage_error);
}

TEST_CASE("each callable has rules of its own for what is thrown") {
    process_driver one(saga<"p", order>(step<"a">([](auto&) { throw std::out_of_range("a"); })
                                            .classify(permanent_on<std::out_of_range>())
                                            .undo([](auto&) {}),
                                        step<"b">([](auto&) {}).always()),
                       order{});
    CHECK(one.run().how == plan_verdict::end_compensated);
    REQUIRE(one.failures.size() == 1);
    CHECK(one.last_failure().kind == failure_class::permanent);
}

TEST_CASE("a result over the limit is a failure that says so, and leaves a doubt where it acted") {
    const auto described = [](auto f) { return steps<"p", order>(step<"big">(f)); };
    const std::string large(100, 'x');

    process_driver alone(described([&](auto&) { return large; }), order{});
    alone.result_bytes_max = 99;
    const auto match = match_definition(alone.what.steps, alone.process.definition());
    const auto came = alone.attempt(match, 0, step_phase::act);
    CHECK(came.end() == attempt_end::failed);
    CHECK(came.why().kind == failure_class::permanent);
    CHECK(came.why().reason == "payload_too_large");
    CHECK(came.why().detail ==
          "the result of step big of p 42 has 100 bytes, and the journal takes 99 at most; keep it "
          "elsewhere and return its name");
    CHECK(came.leaves_doubt());
    alone.result_bytes_max = 100;
    CHECK(alone.attempt(match, 0, step_phase::act).is_done());

    process_driver joined(described([&](auto&, ledger_tx& tx) {
                              tx.written.push_back("big");
                              return large;
                          }),
                          order{});
    joined.result_bytes_max = 99;
    const auto undone = joined.attempt(match, 0, step_phase::act);
    CHECK(undone.why().reason == "payload_too_large");
    CHECK(!undone.leaves_doubt());
    CHECK(joined.committed.empty());
}

TEST_CASE("an attempt is told its number, its time and its doubt") {
    moment now{steady_time(1s), wall_time(2s)};
    bool was_seen = false;
    auto bound = bind_process<ledger_tx>(steps<"p", order>(step<"a">([&](auto& at) {
        was_seen = at.attempt == 4 && at.now == now && at.until == steady_time(9s) &&
                   at.is_in_doubt && at.type == "p" && at.id == "7";
    })));
    process_instance what;
    what.type = "p";
    what.id = "7";
    what.input = "1";
    const auto match = match_definition(entries_of(bound.definition()), bound.definition());
    attempt_info at{.instance = what, .match = match};
    at.attempt = 4;
    at.now = now;
    at.until = steady_time(9s);
    at.is_in_doubt = true;
    CHECK(bound.attempt(at).is_done());
    CHECK(was_seen);
    ledger_tx tx;
    CHECK_THROWS_AS(static_cast<void>(bound.attempt(at, tx)), usage_error);
}

TEST_CASE("a process of a hand that models process_type is taken as it is") {
    struct by_hand {
        [[nodiscard]] const process_definition& definition() const { return code; }
        [[nodiscard]] bool joins_transaction(std::size_t, step_phase) const { return false; }
        [[nodiscard]] bool sends(std::size_t, step_phase) const { return false; }
        [[nodiscard]] const step_options& options(std::size_t, step_phase) const { return how; }
        [[nodiscard]] compensation_policy policy() const { return compensation_policy::stop; }
        attempt_result attempt(const attempt_info&, ledger_tx&) { return attempt_result::done(); }
        attempt_result attempt(const attempt_info&) { return attempt_result::done("x"); }
        process_definition code{};
        step_options how{};
    };
    STATIC_REQUIRE(process_type<by_hand, ledger_tx>);
    STATIC_REQUIRE(!process_type<int, ledger_tx>);
    STATIC_REQUIRE(std::is_same_v<decltype(bind_process<ledger_tx>(by_hand{})), by_hand>);
}
