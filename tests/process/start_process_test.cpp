// SPDX-License-Identifier: BSL-1.0
#include "process/process_driver.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/core/new_event.hpp>
#include <sinew/process/bring_reply.hpp>
#include <sinew/process/start_process.hpp>
#include <sinew/process/steps.hpp>

#include "support/test.hpp"

#include <string>
#include <string_view>

using namespace sinew;
using process_test::order;

namespace {

constexpr wall_time noon(std::chrono::hours(12));

const auto checkout = saga<"checkout", order>(step<"points">([](auto&) {
                                                  return send({.type = "points.add"});
                                              }).reply([](auto&, std::string_view) {
                                                }).undo([](auto&) {}),
                                              pivot<"ship">([](auto&) {}));

struct shop {
    memory::database data{};
    memory::store db{data};
    memory::journal journal{data, "orders"};
};

}  // namespace

TEST_CASE("an instance is started with its steps and its input as the codec makes it") {
    shop s;
    STATIC_REQUIRE(startable_process<decltype(saga<"x", order>(pivot<"y">([](auto&) {})))>);
    CHECK(start_process(s.db, s.journal, checkout, "42", {70}, noon, never) ==
          start_result::started);
    const auto found = s.journal.find("checkout", "42", never);
    REQUIRE(found);
    CHECK(found->what.input == "70");
    CHECK(found->what.started == noon);
    CHECK(found->what.steps ==
          std::vector<step_entry>{{"points", step_kind::compensable}, {"ship", step_kind::pivot}});
}

TEST_CASE("a start that is repeated starts nothing, and one with another input says so") {
    shop s;
    auto tx = s.db.begin(never);
    CHECK(start(s.journal, tx, checkout, "42", {70}, noon) == start_result::started);
    CHECK(start(s.journal, tx, checkout, "42", {70}, noon) == start_result::was_there);
    CHECK(start(s.journal, tx, checkout, "42", {71}, noon) == start_result::differs);
    CHECK(start(s.journal, tx, checkout, "43", {70}) == start_result::started);
    REQUIRE(tx.commit() == commit_result::committed);
    CHECK(s.journal.counts(never).open == 2);
}

TEST_CASE("an instance is started only if the transaction commits") {
    shop s;
    {
        auto tx = s.db.begin(never);
        CHECK(start(s.journal, tx, checkout, "42", {70}, noon) == start_result::started);
    }
    CHECK(!s.journal.find("checkout", "42", never));
}

TEST_CASE("a reply that names the command as its cause is brought to the step") {
    shop s;
    CHECK(start_process(s.db, s.journal, checkout, "a/b", {70}, noon, never) ==
          start_result::started);
    const event command{.id = make_step_key("checkout", "a/b", "points", step_phase::act),
                        .source = "checkout",
                        .type = "points.add"};
    const event reply{.id = "1", .source = "/points", .type = "points.added", .data = "7"};
    auto tx = s.db.begin(never);
    CHECK(bring_reply(s.journal, tx, caused_by(reply.view(), command.view()), noon) ==
          reply_result::early);
    CHECK(bring_reply(s.journal, tx, caused_by(reply.view(), command.view()), noon) ==
          reply_result::duplicate);
    CHECK(bring_reply(s.journal, tx, "checkout/c/points/act", "7", noon) == reply_result::early);
}

TEST_CASE("a reply to nothing is refused for good") {
    shop s;
    auto tx = s.db.begin(never);
    for (const auto* id : {"", "17", "checkout/42/points", "checkout/42/points/redo"}) {
        CAPTURE(id);
        try {
            static_cast<void>(bring_reply(s.journal, tx, id, "7", noon));
            FAIL("it was taken");
        } catch (const permanent_error& thrown) {
            CHECK(thrown.reason() == "malformed_reply");
        }
    }
}
