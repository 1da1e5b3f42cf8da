// SPDX-License-Identifier: BSL-1.0
//
// The laws of long work, one test each: checked in every scenario, under every single fault. The
// tests beside this one go on to pairs of faults and to random schedules.

#include "laws/require_law.hpp"
#include "laws/scenarios/processing.hpp"
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <string>
#include <string_view>

using namespace sinew::testing;

namespace {

/// All scenarios together, each under every single fault.
const fault_report& everything() {
    static const fault_report sum = sinew::laws::under_each_fault(sinew::laws::processing);
    return sum;
}

void require_law(std::string_view name, std::uint64_t at_least = 1000) {
    sinew::laws::require_law(everything(), name, at_least);
}

}  // namespace

TEST_CASE("law: a process finishes or says why not: no instance is lost") {
    require_law(law::nothing_lost);
}
TEST_CASE("law: a process finishes or says why not: all the way or all the way back") {
    require_law(law::whole_way);
}
TEST_CASE("law: a process finishes or says why not: in order, and back in reverse") {
    require_law(law::order);
}
TEST_CASE("law: a process finishes or says why not: what is recorded never runs again") {
    require_law(law::never_again);
}
TEST_CASE("law: a process finishes or says why not: the history tells the truth") {
    require_law(law::history_true);
}
TEST_CASE("law: a process finishes or says why not: only the hopeless are parked") {
    require_law(law::only_hopeless, 100);
}
TEST_CASE("law: a step that is part of a transaction happens once") {
    require_law(law::nothing_twice);
}
TEST_CASE("law: what is recorded as done was done") { require_law(law::no_commit_ahead); }
TEST_CASE("law: each attempt at a step has the same key") { require_law(law::same_key); }
TEST_CASE("law: a step gets the reply that came first") { require_law(law::first_reply, 500); }
TEST_CASE("law: nobody works on an instance without its claim") { require_law(law::fences); }
TEST_CASE("law: a step that kills its process is parked") {
    require_law(law::poison_contained, 100);
}
TEST_CASE("law: runners keep to their limits") { require_law(law::memory_bounded); }
TEST_CASE("law: each call of a runner has its end") { require_law(law::waits_end); }
TEST_CASE("law: what has ended is kept for its time") { require_law(law::ledger, 100); }
TEST_CASE("law: processes come to what they come to without faults") {
    require_law(law::as_without_faults);
}
TEST_CASE("law: every process comes to rest once the faults stop") { require_law(law::drains); }
TEST_CASE("law: no exception leaves a step of a runner") { require_law(law::no_escape); }

TEST_CASE("every fault that long work can meet really happened") {
    const fault_set here = {fault::refused,      fault::request_lost, fault::reply_lost,
                            fault::crash_before, fault::crash_after,  fault::delayed,
                            fault::zombie,       fault::failed,       fault::clock_jump,
                            fault::clock_leap,   fault::disk_full,    fault::duplicated};
    for (std::size_t i = 1; i < fault_count; ++i) {
        const auto f = static_cast<fault>(i);
        CAPTURE(std::string(to_string(f)));
        CHECK(here.has(f) == (everything().happened[i] != 0));
    }
}
