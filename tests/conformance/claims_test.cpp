// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/error.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/show.hpp>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace sinew::testing::conformance;

namespace {

struct counting_environment {
    int number = 0;
};

/// A factory that counts what it has made.
auto counting(int& made) {
    return [&made] { return counting_environment{++made}; };
}

const auto make = [] { return counting_environment(); };

/// The one claim of a table.
claim only(const claims_table& table) {
    REQUIRE(table.claims().size() == 1);
    return table.claims()[0];
}

template <class Scenario>
claim run_one(Scenario scenario) {
    suite run("port", "adapter", make);
    run.claim({"port 1", "a claim", "a place"}, scenario);
    return only(run.finish());
}

}  // namespace

TEST_CASE("each claim is looked at on an environment of its own") {
    int made = 0;
    suite run("port", "adapter", counting(made));
    for (int i = 1; i <= 3; ++i) {
        run.claim({"port 1", "a claim", "a place"},
                  [i](check& c, auto& env) { c.equal(env.number, i, "the number"); });
    }
    const auto table = run.finish();
    REQUIRE(table.all_kept());
    REQUIRE(made == 3);
}

TEST_CASE("a broken claim says what was expected, what came, and what to look at") {
    const auto found = run_one([](check& c, auto&) {
        c.equal(1, 1, "the first");
        c.equal(std::string("a\n"), std::string("b"), "the second");
        c.fail("never", "here");
    });
    REQUIRE(found == claim{.rule = "port 1",
                           .name = "a claim",
                           .state = claim_state::broken,
                           .expected = "the second to be \"b\"",
                           .came = "\"a\\x0a\"",
                           .look_at = "a place"});
}

TEST_CASE("a claim that throws is broken, with the exception's text on one line") {
    REQUIRE(run_one([](check&, auto&) { throw std::runtime_error("oh\nno"); }).came ==
            "an exception: oh\\x0ano");
    REQUIRE(run_one([](check&, auto&) { throw sinew::unavailable_error("down", "a text"); }).came ==
            "unavailable error down: a text");
    const auto unknown = run_one([](check&, auto&) { throw 1; });
    REQUIRE(unknown.state == claim_state::broken);
    REQUIRE(unknown.came == "an exception of an unknown type");
}

TEST_CASE("a factory that throws breaks the claim, not the suite") {
    suite run("port", "adapter", [](bool good = false) {
        return good ? counting_environment() : throw std::runtime_error("no server");
    });
    run.claim({"port 1", "a claim", "a place"}, [](check&, auto&) {});
    REQUIRE(only(run.finish()).came == "an exception: no server");
}

TEST_CASE("an expected exception is no failure, and any other is") {
    const auto expects = [](auto f) {
        return run_one([f](check& c, auto&) {
            c.template throws<sinew::unavailable_error>(f, "an unavailable_error");
        });
    };
    REQUIRE(expects([] { throw sinew::unavailable_error("x", "y"); }).state == claim_state::kept);
    REQUIRE(expects([] { throw sinew::usage_error("y"); }).state == claim_state::broken);
    REQUIRE(expects([] {}).came == "nothing was thrown");
}

TEST_CASE("what is not declared is not claimed, and what is declared and not there is broken") {
    suite run("port", "adapter", make);
    const auto uses_what_is_not_there = [](check&, auto& env) { env.no_such_member(); };
    const claim_title title{"port 1", "a claim", "a place"};
    run.feature<false>("savepoints", false).claim(title, uses_what_is_not_there);
    run.feature<false>("savepoints", true).claim(title, uses_what_is_not_there);
    run.feature<true>("savepoints", false).claim(title, [](check&, auto&) { throw 1; });
    run.feature<true>("savepoints", true)
        .needs<false>("crash()")
        .claim(title, uses_what_is_not_there);
    run.feature<true>("savepoints", true)
        .declared(false, "connections")
        .claim(title, [](check&, auto&) { throw 1; });
    run.always().needs<true>("crash()").claim(title, [](check&, auto&) {});
    run.always().claim(title, [](check& c, auto&) { c.not_claimed("there is one partition"); });
    const auto table = run.finish();

    const auto& all = table.claims();
    REQUIRE(all[0].state == claim_state::not_claimed);
    REQUIRE(all[0].reason == "not declared: savepoints");
    REQUIRE(all[1].state == claim_state::broken);
    REQUIRE(all[1].came == "the type does not model savepoints");
    REQUIRE(all[2].state == claim_state::not_claimed);
    REQUIRE(all[3].state == claim_state::not_claimed);
    REQUIRE(all[3].reason == "the environment has no crash()");
    REQUIRE(all[4].reason == "not declared: connections");
    REQUIRE(all[5].state == claim_state::kept);
    REQUIRE(all[6].reason == "there is one partition");
    REQUIRE(table.count(claim_state::kept) == 1);
    REQUIRE(table.count(claim_state::broken) == 1);
    REQUIRE(table.count(claim_state::not_claimed) == 5);
    REQUIRE_FALSE(table.all_kept());
}

TEST_CASE("a table of which nothing is kept is not all kept") {
    REQUIRE_FALSE(claims_table("port", "adapter").all_kept());
}

TEST_CASE("a table prints each claim, and in brief what is broken") {
    claims_table table("store", "my::store");
    table.add({.rule = "store 1", .name = "it begins"});
    table.add({.rule = "store 2",
               .name = "it ends",
               .state = claim_state::broken,
               .expected = "an end",
               .came = "none",
               .look_at = "the loop"});
    table.add({.rule = "store 3",
               .name = "it crashes",
               .state = claim_state::not_claimed,
               .reason = "the environment has no crash()"});
    REQUIRE(to_string(table) == R"(store: my::store
  kept         store 1                      it begins
  BROKEN       store 2                      it ends
      expected  an end
      came      none
      look at   the loop
  not claimed  store 3                      it crashes
      the environment has no crash()
  1 kept, 1 broken, 1 not claimed
)");
    REQUIRE(table.brief() == R"(store: my::store
  BROKEN       store 2                      it ends
      expected  an end
      came      none
      look at   the loop
  1 kept, 1 broken, 1 not claimed
)");
    REQUIRE(table.names(claim_state::broken) == std::vector<std::string>{"it ends"});
    REQUIRE(table.find("it crashes")->state == claim_state::not_claimed);
    REQUIRE(table.find("it sings") == nullptr);
}

TEST_CASE("a long list is told by the first item that differs") {
    std::vector<int> expected(20, 7);
    auto came = expected;
    came[15] = 8;
    const auto found = run_one([&](check& c, auto&) { c.equal(came, expected, "the list"); });
    REQUIRE(found.expected == "the list to have 7 after 15 others");
    REQUIRE(found.came == "8");
}

TEST_CASE("shown values are one line of printable text, whatever their bytes") {
    REQUIRE(show(std::string("a\0\xff\"\\", 5)) == "\"a\\x00\\xff\"\\\"");
    REQUIRE(show(std::string(100, 'x')) == '"' + std::string(60, 'x') + "\"... (100 bytes)");
    REQUIRE(show(std::optional<std::string>()) == "nothing");
    REQUIRE(show(std::vector<std::pair<std::string, int>>{{"a", 1}}) == "[\"a\"=1]");
    for (const auto& text : hostile_texts()) {
        for (const char c : show(text)) {
            REQUIRE((c >= ' ' && c <= '~'));
        }
    }
}

TEST_CASE("two events that differ are told by the attribute that does") {
    for (const auto& one : hostile_events()) {
        REQUIRE(difference(one, one).empty());
        REQUIRE_FALSE(find_defect(one.view()));
        auto other = one;
        other.traceparent += "x";
        REQUIRE(difference(one, other).starts_with("traceparent "));
        other = one;
        other.headers.push_back({"x", "y"});
        REQUIRE(difference(one, other).starts_with("the number of headers "));
    }
}

TEST_CASE("hostile texts are all different, and none is empty") {
    const auto texts = hostile_texts();
    REQUIRE(std::set<std::string>(texts.begin(), texts.end()).size() == texts.size());
    REQUIRE(std::none_of(texts.begin(), texts.end(), [](const auto& t) { return t.empty(); }));
}

TEST_CASE("virtual time passes at once, and a copy of the clock passes with it") {
    virtual_time time;
    const auto handed_out = time.clock;
    const auto before = time.now();
    const auto stamp = time.wall();
    time.pass(std::chrono::hours(5));
    REQUIRE(handed_out->steady - before == std::chrono::hours(5));
    REQUIRE(time.wall() - stamp == std::chrono::hours(5));
}

TEST_CASE("waiting for what never comes ends, in virtual time too") {
    virtual_time time;
    int steps = 0;
    REQUIRE_FALSE(eventually(time, [&](sinew::steady_time) { ++steps; }, [] { return false; }));
    REQUIRE(steps == 400);
    REQUIRE(eventually(time, [&](sinew::steady_time) { ++steps; }, [&] { return steps == 405; }));
}
