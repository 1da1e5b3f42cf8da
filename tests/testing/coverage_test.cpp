// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/coverage.hpp>
#include <sinew/testing/every_fault.hpp>
#include <sinew/testing/random_tapes.hpp>
#include <sinew/testing/world.hpp>

#include <string>
#include <string_view>

using namespace sinew::testing;

namespace {

constexpr fault_set both = {fault::refused, fault::delayed};

/// Two kinds of faults, one of which the tape can choose only where it is offered.
void two_calls(trial& t) {
    world w(t);
    const auto first = w.choose("worker", "first", both);
    const auto second = w.choose("worker", "second", {fault::refused});
    t.found.sometimes("both refused", first == fault::refused && second == fault::refused);
    t.found.check("fine", true, "");
}

}  // namespace

TEST_CASE("a fault that never fell is reported as missing") {
    coverage sum;
    sum.add(every_fault(two_calls, 2));
    REQUIRE(sum.missing(both).empty());
    const auto missing = sum.missing({fault::refused, fault::torn_tail});
    REQUIRE(missing.size() == 1);
    REQUIRE(missing[0] == "the fault \"torn tail\" never fell: no call could end in it");
    REQUIRE(sum.missing().size() == fault_count - 1 - 2);
    REQUIRE(sum.table().find("NEVER") != std::string::npos);
}

TEST_CASE("a fault that was offered and never taken is missing, too") {
    coverage sum;
    sum.add(every_fault(two_calls, 0));
    const auto missing = sum.missing({fault::delayed});
    REQUIRE_FALSE(missing.empty());
    REQUIRE(missing[0] == "the fault \"delayed\" never fell");
}

TEST_CASE("a point that no run reached is missing, unless the runs were shallow") {
    coverage sum;
    sum.add(every_fault(two_calls, 1));
    REQUIRE(sum.missing(both).size() == 1);
    REQUIRE(sum.missing(both)[0] == "no run reached the point \"both refused\"");
    auto shallow = sum;
    shallow.set_shallow();
    REQUIRE(shallow.missing(both).empty());
    // Random tapes can reach it just as well.
    sum.add(random_tapes(two_calls, {.tapes = 2'000}));
    REQUIRE(sum.missing(both).empty());
}

TEST_CASE("what several processes wrote gives the same table as one sum") {
    const auto exhaustive = every_fault(two_calls, 2);
    const auto random = random_tapes(two_calls, {.tapes = 100});
    coverage whole;
    whole.add(exhaustive, 0.5);
    whole.add(random, 0.25);
    coverage one;
    one.add(exhaustive, 0.5);
    coverage other;
    other.add(random, 0.25);
    coverage sum;
    REQUIRE(sum.add_text(other.to_text()));
    REQUIRE(sum.add_text(one.to_text()));
    REQUIRE(sum.schedules().runs == exhaustive.schedules);
    REQUIRE(sum.tapes().runs == 100);
    REQUIRE(sum.tapes().rate() == 400);
    coverage again;
    REQUIRE(again.add_text(whole.to_text()));
    REQUIRE(again.to_text() == whole.to_text());
    REQUIRE(again.table() == whole.table());
    REQUIRE(sum.missing(both).empty());
}

TEST_CASE("a shallow part makes the sum shallow") {
    coverage shallow;
    shallow.set_shallow();
    coverage sum;
    REQUIRE(sum.add_text(coverage().to_text()));
    REQUIRE_FALSE(sum.is_shallow());
    REQUIRE(sum.add_text(shallow.to_text()));
    REQUIRE(sum.add_text(coverage().to_text()));
    REQUIRE(sum.is_shallow());
}

TEST_CASE("a file that was cut off, or is something else, adds nothing") {
    coverage full;
    full.add(every_fault(two_calls, 2));
    const auto text = full.to_text();
    coverage sum;
    for (std::size_t length = 0; length < text.size(); ++length) {
        REQUIRE_FALSE(sum.add_text(std::string_view(text).substr(0, length)));
    }
    REQUIRE_FALSE(sum.add_text("hello\nend\n"));
    REQUIRE_FALSE(sum.add_text(text + "more\n"));
    REQUIRE(sum.schedules().runs == 0);
    REQUIRE(sum.add_text(text));
    REQUIRE(sum.schedules().runs == full.schedules().runs);
}
