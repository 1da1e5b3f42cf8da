// SPDX-License-Identifier: BSL-1.0
#include <sinew/core/journal.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);

step_record record(std::string step, record_kind kind, step_phase phase = step_phase::act) {
    return {.where = {std::move(step), phase}, .kind = kind};
}

}  // namespace

TEST_CASE("an instance waits while the clock stands within its wait") {
    const instance_wait wait{put_off_by(day, 10s), std::nullopt};
    REQUIRE_FALSE(wait.is_due(day));
    REQUIRE_FALSE(wait.is_due(day + 9s));
    REQUIRE(wait.is_due(day + 10s));
    REQUIRE(wait.is_over(day + 10s));
}

TEST_CASE("a clock that is set back ends no deadline, and makes none longer than it was") {
    const instance_wait wait{put_off_by(day, 72h), step_address{"charge", step_phase::act}};
    const wall_time back = day - 24h;
    REQUIRE(wait.is_due(back));
    REQUIRE_FALSE(wait.is_over(back));
    const auto anew = wait.begun_anew(back);
    REQUIRE(anew.reply == wait.reply);
    REQUIRE_FALSE(anew.is_due(back));
    REQUIRE(anew.is_over(back + 72h));
    REQUIRE(wait.begun_anew(wall_time::max()).is_over(wall_time::max()));
}

TEST_CASE("the last word on a step counts, and people can take it back") {
    std::vector history{record("a", record_kind::failed)};
    REQUIRE(find_record(history, {"a", step_phase::act}) == &history[0]);
    REQUIRE(find_record(history, {"a", step_phase::undo}) == nullptr);
    REQUIRE(find_record(history, {"b", step_phase::act}) == nullptr);
    history.push_back(record("a", record_kind::retried));
    REQUIRE(find_record(history, {"a", step_phase::act}) == nullptr);
    history.push_back(record("a", record_kind::done));
    REQUIRE(find_record(history, {"a", step_phase::act})->kind == record_kind::done);
}

TEST_CASE("what is opened again begins anew, and keeps its doubt") {
    const step_progress before{.attempts = 3, .waits = 2, .starts = 1, .in_doubt = true};
    const auto after = begun_anew(before);
    REQUIRE(after->attempts + after->waits + after->starts == 0);
    REQUIRE(after->in_doubt);
    REQUIRE_FALSE(begun_anew(std::nullopt));
}

TEST_CASE("options of a journal that cannot be are refused") {
    REQUIRE_THROWS_AS(check(journal_options{.seats = 0}), usage_error);
    REQUIRE_THROWS_AS(check(journal_options{.seats = shards_max + 1}), usage_error);
    REQUIRE_THROWS_AS(check(journal_options{.steps_max = 0}), usage_error);
    REQUIRE_THROWS_AS(check(journal_options{.name_bytes_max = 0}), usage_error);
    REQUIRE_THROWS_AS(check(journal_options{.result_bytes_max = 0}), usage_error);
    REQUIRE_NOTHROW(check(journal_options{}));
}

TEST_CASE("an instance that can't be started is refused with the class that fits") {
    const journal_options options{.input_bytes_max = 4, .steps_max = 2, .name_bytes_max = 3};
    const std::vector<step_entry> steps{{"a", step_kind::retriable}};
    REQUIRE_NOTHROW(check_startable({"t", "abc", steps, "1234"}, options));
    REQUIRE_THROWS_AS(check_startable({"", "1", steps, ""}, options), usage_error);
    REQUIRE_THROWS_AS(check_startable({"long", "1", steps, ""}, options), usage_error);
    REQUIRE_THROWS_AS(check_startable({"t", "1", {}, ""}, options), usage_error);
    const std::vector<step_entry> three{{"a", {}}, {"b", {}}, {"c", {}}};
    REQUIRE_THROWS_AS(check_startable({"t", "1", three, ""}, options), usage_error);
    const std::vector<step_entry> twice{{"a", {}}, {"a", {}}};
    REQUIRE_THROWS_AS(check_startable({"t", "1", twice, ""}, options), usage_error);
    try {
        check_startable({"t", "four", steps, ""}, options);
        FAIL("an id that is too long was taken");
    } catch (const permanent_error& e) {
        REQUIRE(e.reason() == "malformed_id");
    }
    try {
        check_startable({"t", "1", steps, "12345"}, options);
        FAIL("an input that is too large was taken");
    } catch (const permanent_error& e) {
        REQUIRE(e.reason() == "payload_too_large");
    }
}

TEST_CASE("a reply or a result that can't be kept is refused, and says what to raise") {
    const journal_options options{.result_bytes_max = 4, .name_bytes_max = 3};
    const process_reply good{"t", "1", {"s", step_phase::act}, "1234"};
    REQUIRE_NOTHROW(check_reply(good, options));
    auto reply = good;
    reply.data = "12345";
    REQUIRE_THROWS_AS(check_reply(reply, options), permanent_error);
    reply = good;
    reply.to.step = "long";
    REQUIRE_THROWS_AS(check_reply(reply, options), permanent_error);
    journal_write one;
    one.records.push_back(record("a", record_kind::done));
    one.records[0].result = "1234";
    REQUIRE_NOTHROW(check_writable(one, options));
    one.records[0].result = "12345";
    REQUIRE_THROWS_WITH(check_writable(one, options), Catch::Contains("result_bytes_max"));
}

TEST_CASE("every answer of a journal has a name") {
    for (std::uint8_t i = 0; i < 5; ++i) {
        REQUIRE(to_string(static_cast<instance_state>(i)) != "invalid");
        REQUIRE(to_string(static_cast<reply_result>(i)) != "invalid");
        REQUIRE(has_ended(static_cast<instance_state>(i)) == (i > 1));
    }
    REQUIRE(to_string(start_result::differs) == "differs");
    REQUIRE(to_string(record_kind::retried) == "retried");
    REQUIRE(to_string(step_kind::pivot) == "pivot");
}
