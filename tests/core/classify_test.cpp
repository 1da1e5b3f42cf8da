// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/classify.hpp>

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

namespace {

using namespace sinew;
using namespace std::chrono_literals;

template <class Throw, class Rules = default_classifier>
failure classified(Throw&& raise, const Rules& rules = {}) {
    try {
        raise();
    } catch (...) {
        return classify_current_exception(rules);
    }
    return {};
}

template <class E>
auto throwing(E e) {
    return [e] { throw e; };
}

struct without_text : std::exception {
    [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};

struct not_an_exception {};

}  // namespace

static_assert(classifier<default_classifier>);
static_assert(classifier<decltype(permanent_on<std::logic_error>())>);
static_assert(noexcept(classify_current_exception()));

TEST_CASE("an error of sinew keeps its class, reason, text and the pause it asks for") {
    const auto why = classified(throwing(transient_error("slow_down", "too many requests", 3s)));
    CHECK(why.kind == failure_class::transient);
    CHECK(why.reason == "slow_down");
    CHECK(why.detail == "too many requests");
    CHECK(why.retry_after == std::optional<duration>(3s));
    CHECK(classified(throwing(permanent_error("bad", "x"))).kind == failure_class::permanent);
    CHECK(classified(throwing(unavailable_error("down", "x"))).kind == failure_class::unavailable);
    CHECK(classified(throwing(error(failure_class::unknown, "lost", "x"))).kind ==
          failure_class::unknown);
}

TEST_CASE("no rule overrules an error that names its class itself") {
    const auto why =
        classified(throwing(unavailable_error("down", "x")), permanent_on<std::exception>());
    CHECK(why.kind == failure_class::unavailable);
}

TEST_CASE("what no rule names is transient") {
    const auto why = classified(throwing(std::runtime_error("no such luck")));
    CHECK(why.kind == failure_class::transient);
    CHECK(why.reason == "exception");
    CHECK(why.detail == "no such luck");
    CHECK_FALSE(why.retry_after);
}

TEST_CASE("what is no exception at all is a transient failure with a reason of its own") {
    for (const auto& why : {classified(throwing(42)), classified(throwing("text")),
                            classified(throwing(not_an_exception{}))}) {
        CHECK(why.kind == failure_class::transient);
        CHECK(why.reason == "unknown_exception");
        CHECK(why.detail.empty());
    }
}

TEST_CASE("lack of memory is waited for; a length that cannot be is not") {
    const auto memory = classified(throwing(std::bad_alloc()));
    CHECK(memory.kind == failure_class::unavailable);
    CHECK(memory.reason == "out_of_memory");
    const auto length = classified(throwing(std::bad_array_new_length()));
    CHECK(length.kind == failure_class::transient);
    CHECK(length.reason == "exception");
}

TEST_CASE("a rule can say that lack of memory is the event's own fault") {
    const auto why = classified(throwing(std::bad_alloc()), permanent_on<std::bad_alloc>());
    CHECK(why.kind == failure_class::permanent);
    CHECK(why.reason == "out_of_memory");
}

TEST_CASE("a rule by type holds for derived types too") {
    const auto rules = permanent_on<std::logic_error>();
    CHECK(classified(throwing(std::invalid_argument("x")), rules).kind == failure_class::permanent);
    CHECK(classified(throwing(std::runtime_error("x")), rules).kind == failure_class::transient);
}

TEST_CASE("one rule can name several types") {
    const auto rules = unavailable_on<std::system_error, std::overflow_error>();
    CHECK(classified(throwing(std::overflow_error("x")), rules).kind == failure_class::unavailable);
    CHECK(classified(throwing(std::system_error(std::make_error_code(std::errc::io_error))), rules)
              .kind == failure_class::unavailable);
    CHECK(classified(throwing(std::range_error("x")), rules).kind == failure_class::transient);
}

TEST_CASE("a rule by predicate can look into the exception") {
    const auto rules =
        classify_if([](const std::exception& e) { return std::string(e.what()) == "gone"; },
                    failure_class::permanent);
    CHECK(classified(throwing(std::runtime_error("gone")), rules).kind == failure_class::permanent);
    CHECK(classified(throwing(std::runtime_error("busy")), rules).kind == failure_class::transient);
}

TEST_CASE("of several rules the first that answers wins") {
    const auto rules = first_of(transient_on<std::out_of_range>(), permanent_on<std::logic_error>(),
                                unavailable_on<std::exception>());
    CHECK(classified(throwing(std::out_of_range("x")), rules).kind == failure_class::transient);
    CHECK(classified(throwing(std::invalid_argument("x")), rules).kind == failure_class::permanent);
    CHECK(classified(throwing(std::runtime_error("x")), rules).kind == failure_class::unavailable);
}

TEST_CASE("rules can be nested, and no rules at all are rules too") {
    const auto rules = first_of(first_of(), first_of(permanent_on<std::logic_error>()));
    CHECK(classified(throwing(std::logic_error("x")), rules).kind == failure_class::permanent);
    CHECK(classified(throwing(std::runtime_error("x")), rules).kind == failure_class::transient);
}

TEST_CASE("a rule that throws has not answered") {
    const auto rules = classify_if(
        [](const std::exception&) -> bool { throw std::runtime_error("the rule itself"); },
        failure_class::permanent);
    const auto why = classified(throwing(std::runtime_error("the event")), rules);
    CHECK(why.kind == failure_class::transient);
    CHECK(why.detail == "the event");
}

TEST_CASE("an exception without a text, or with a very long one, does no harm") {
    CHECK(classified(throwing(without_text())).detail.empty());
    const std::string long_text(1'000'000, 'x');
    CHECK(classified(throwing(std::runtime_error(long_text))).detail.size() == 1024);
    CHECK(classified(throwing(permanent_error("long", long_text))).detail.size() == 1024);
}

TEST_CASE("asked outside of any catch, it answers all the same") {
    CHECK(classify_current_exception().reason == "no_exception");
}

TEST_CASE("the exception that is being handled stays the one being handled") {
    try {
        throw std::runtime_error("outer");
    } catch (...) {
        static_cast<void>(classify_current_exception());
        CHECK(classify_current_exception().detail == "outer");
    }
}
