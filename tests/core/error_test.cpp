// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/sink.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

using namespace sinew;

TEST_CASE("each kind of error has its class") {
    CHECK(unavailable_error("down", "no route").kind() == failure_class::unavailable);
    CHECK(permanent_error("bad", "no such article").kind() == failure_class::permanent);
    CHECK(transient_error("busy", "locked").kind() == failure_class::transient);
    CHECK(error(failure_class::unknown, "lost", "no answer").kind() == failure_class::unknown);
    CHECK(usage_error("the limit is 0").kind() == failure_class::permanent);
    CHECK(usage_error("the limit is 0").reason() == "usage");
}

TEST_CASE("an error is told as the failure that it is") {
    const transient_error thrown("busy", "the row is locked", std::chrono::seconds(3));
    const failure told = thrown.as_failure();
    CHECK(told.kind == failure_class::transient);
    CHECK(told.reason == "busy");
    CHECK(told.detail == "the row is locked");
    CHECK(told.retry_after == std::chrono::seconds(3));
    CHECK(permanent_error("bad", "x").as_failure().retry_after == std::nullopt);
}

TEST_CASE("an error is caught as a std::runtime_error, and says its detail") {
    try {
        throw unavailable_error("down", "the store does not answer");
    } catch (const std::runtime_error& caught) {
        CHECK(std::string(caught.what()) == "the store does not answer");
    }
}

TEST_CASE("a class of failure has a name") {
    STATIC_REQUIRE(to_string(failure_class::transient) == "transient");
    STATIC_REQUIRE(to_string(failure_class::permanent) == "permanent");
    STATIC_REQUIRE(to_string(failure_class::unavailable) == "unavailable");
    STATIC_REQUIRE(to_string(failure_class::unknown) == "unknown");
    STATIC_REQUIRE(to_string(static_cast<failure_class>(99)) == "invalid");
}

TEST_CASE("a commit has three ends, each with a name") {
    STATIC_REQUIRE(to_string(commit_result::committed) == "committed");
    STATIC_REQUIRE(to_string(commit_result::aborted) == "aborted");
    STATIC_REQUIRE(to_string(commit_result::unknown) == "unknown");
    STATIC_REQUIRE(to_string(static_cast<commit_result>(99)) == "invalid");
}

TEST_CASE("a publish has three ends, and two of them say why") {
    CHECK(publish_result::accepted().is_accepted());
    CHECK(publish_result::accepted().how() == publish_result::end::accepted);
    const auto refused =
        publish_result::refused({failure_class::permanent, "too_large", "2 MiB", std::nullopt});
    CHECK_FALSE(refused.is_accepted());
    CHECK(refused.how() == publish_result::end::refused);
    CHECK(refused.why().reason == "too_large");
    const auto unknown =
        publish_result::unknown({failure_class::unknown, "no_answer", "", std::nullopt});
    CHECK_FALSE(unknown.is_accepted());
    CHECK(unknown.how() == publish_result::end::unknown);
    CHECK(unknown.why().kind == failure_class::unknown);
}
