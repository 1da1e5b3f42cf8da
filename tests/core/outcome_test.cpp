// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/outcome.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

using namespace sinew;

TEST_CASE("done has no reason") {
    const outcome answer = outcome::done();
    CHECK(answer.is_done());
    CHECK(answer.verdict() == verdict::done);
    CHECK(answer.why().reason.empty());
    CHECK(answer.why().detail.empty());
    CHECK(answer.why().retry_after == std::nullopt);
}

TEST_CASE("retry is transient, and may ask for time") {
    const outcome answer = outcome::retry("busy", "try later", std::chrono::seconds(2));
    CHECK_FALSE(answer.is_done());
    CHECK(answer.verdict() == verdict::retry);
    CHECK(answer.why().kind == failure_class::transient);
    CHECK(answer.why().reason == "busy");
    CHECK(answer.why().detail == "try later");
    CHECK(answer.why().retry_after == std::chrono::seconds(2));
    CHECK(outcome::retry("busy").why().retry_after == std::nullopt);
}

TEST_CASE("reject is permanent") {
    const outcome answer = outcome::reject("price_not_positive", "the price is -1");
    CHECK(answer.verdict() == verdict::reject);
    CHECK(answer.why().kind == failure_class::permanent);
    CHECK(answer.why().reason == "price_not_positive");
    CHECK(answer.why().detail == "the price is -1");
}

TEST_CASE("skip is counted under its reason") {
    const outcome answer = outcome::skip("not_ours");
    CHECK(answer.verdict() == verdict::skip);
    CHECK_FALSE(answer.is_done());
    CHECK(answer.why().reason == "not_ours");
}

TEST_CASE("a failure of a class of one's own is rejected if permanent, else retried") {
    for (const auto kind : {failure_class::transient, failure_class::unavailable,
                            failure_class::unknown, failure_class::permanent}) {
        const outcome answer = outcome::failed({kind, "reason", "detail", std::chrono::seconds(1)});
        CHECK(answer.verdict() ==
              (kind == failure_class::permanent ? verdict::reject : verdict::retry));
        CHECK(answer.why().kind == kind);
        CHECK(answer.why().reason == "reason");
        CHECK(answer.why().retry_after == std::chrono::seconds(1));
    }
}

TEST_CASE("the reason can be taken out of an answer") {
    failure why = outcome::reject("a_reason_that_is_long_enough_to_be_on_the_heap").why();
    CHECK(why.reason == "a_reason_that_is_long_enough_to_be_on_the_heap");
}

TEST_CASE("a verdict has a name") {
    STATIC_REQUIRE(to_string(verdict::done) == "done");
    STATIC_REQUIRE(to_string(verdict::retry) == "retry");
    STATIC_REQUIRE(to_string(verdict::reject) == "reject");
    STATIC_REQUIRE(to_string(verdict::skip) == "skip");
    STATIC_REQUIRE(to_string(static_cast<verdict>(99)) == "invalid");
}
