// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The one header that a test includes: Catch2, rapidcheck, and the bridge between them.
///
/// ```cpp
/// #include "support/test.hpp"
///
/// #include <sinew/consume/resequencer.hpp>
///
/// TEST_CASE("a gap that never closes ends when its time is up") {
///     REQUIRE(...);
/// }
///
/// TEST_CASE("law: order") {
///     sinew::test::prop("effects of one key happen in that key's order",
///                       [](const std::vector<int>& tape) { RC_ASSERT(...); });
/// }
/// ```
///
/// `prop` stands where a `SECTION` could stand. Inside the property use `RC_ASSERT`, `RC_PRE` and
/// `RC_CLASSIFY`: an assertion of Catch2 would end the test before rapidcheck has shrunk the
/// failure.
///
/// `RC_PARAMS` is honoured (`RC_PARAMS="seed=7 max_success=10000"`). Without a seed in it, the
/// tests use a fixed one, so that a run can be repeated.

// rapidcheck comes first: Catch2 defines macros (INFO, FAIL, ...) that its headers must not see.
#include <rapidcheck.h>
// And then Catch2.
#include <catch2/catch.hpp>

#include <string>
#include <utility>

namespace sinew::test {

/// Makes a result of rapidcheck one assertion of Catch2. A failure prints the shrunk
/// counterexample; the value of `RC_PARAMS` that repeats it is the last thing that the program
/// prints.
void report(const std::string& description, const rc::detail::TestResult& result);

/// Checks a property: any callable with arguments that rapidcheck can make.
template <typename Testable>
void prop(const std::string& description, Testable&& testable) {
    SECTION(description) {
        const rc::detail::TestMetadata metadata{description, description};
        report(description, rc::detail::checkTestable(std::forward<Testable>(testable), metadata));
    }
}

}  // namespace sinew::test
