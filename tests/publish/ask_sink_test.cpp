// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/publish/ask_sink.hpp>

#include <cstddef>
#include <functional>
#include <new>
#include <span>
#include <stdexcept>
#include <vector>

using namespace sinew;

namespace {

/// Does what it is told, in place of publishing.
struct told_sink {
    std::function<void()> act = [] {};
    std::size_t answers = 0;  ///< of a batch

    publish_result publish(const event_view&, steady_time) {
        act();
        return publish_result::accepted();
    }
    std::vector<publish_result> publish_batch(std::span<const event_view>, steady_time) {
        act();
        return std::vector<publish_result>(answers, publish_result::accepted());
    }
};

struct expected_answer {
    std::function<void()> act;
    publish_result::end how;
    failure_class kind;
    const char* reason;
};

const expected_answer expected_answers[] = {
    {[] { throw transient_error("full", "", std::chrono::seconds(3)); },
     publish_result::end::refused, failure_class::transient, "full"},
    {[] { throw permanent_error("too_big", ""); }, publish_result::end::refused,
     failure_class::permanent, "too_big"},
    {[] { throw unavailable_error("down", ""); }, publish_result::end::refused,
     failure_class::unavailable, "down"},
    {[] { throw error(failure_class::unknown, "lost", ""); }, publish_result::end::unknown,
     failure_class::unknown, "lost"},
    {[] { throw std::bad_alloc(); }, publish_result::end::refused, failure_class::unavailable,
     "out_of_memory"},
    {[] { throw std::bad_array_new_length(); }, publish_result::end::unknown,
     failure_class::unknown, "sink_threw"},
    {[] { throw std::runtime_error("socket"); }, publish_result::end::unknown,
     failure_class::unknown, "sink_threw"},
    {[] { throw 7; }, publish_result::end::unknown, failure_class::unknown, "sink_threw"},
};

}  // namespace

TEST_CASE("a sink that answers is taken at its word") {
    told_sink to;
    CHECK(ask(to, event_view{}, never).is_accepted());
    to.answers = 2;
    const std::vector<event_view> events(2);
    const auto answers = ask(to, events, never);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].is_accepted());
    CHECK(answers[1].is_accepted());
}

TEST_CASE("a sink that throws has answered what fits, for one event and for each of a batch") {
    for (const auto& expected : expected_answers) {
        told_sink to{expected.act, 0};
        const std::vector<event_view> events(3);
        auto answers = ask(to, events, never);
        REQUIRE(answers.size() == 3);
        answers.push_back(ask(to, events[0], never));
        for (const auto& answer : answers) {
            CHECK(answer.how() == expected.how);
            CHECK(answer.why().kind == expected.kind);
            CHECK(answer.why().reason == expected.reason);
        }
    }
}

TEST_CASE("what a sink threw keeps its text and its pause") {
    told_sink to{[] { throw transient_error("full", "no space", std::chrono::seconds(3)); }, 0};
    const auto full = ask(to, event_view{}, never);
    CHECK(full.why().detail == "no space");
    CHECK(full.why().retry_after == duration(std::chrono::seconds(3)));
    to.act = [] { throw std::runtime_error("socket"); };
    CHECK(ask(to, event_view{}, never).why().detail == "socket");
}

TEST_CASE("a batch has as many answers as events, whatever the sink gave") {
    const std::vector<event_view> events(3);
    for (const std::size_t given : {0U, 2U, 3U, 5U}) {
        told_sink to;
        to.answers = given;
        const auto answers = ask(to, events, never);
        REQUIRE(answers.size() == 3);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            CHECK(answers[i].is_accepted() == (i < given));
            if (i >= given) {
                CHECK(answers[i].how() == publish_result::end::unknown);
                CHECK(answers[i].why().reason == "no_answer");
            }
        }
    }
}
