// SPDX-License-Identifier: BSL-1.0
//
// The laws of publishing, one test each: checked in every scenario, under every single fault. The
// tests beside this one go on to pairs of faults and to random schedules.

#include "laws/require_law.hpp"
#include "laws/scenarios/producing.hpp"
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <string>
#include <string_view>

using namespace sinew::testing;

namespace {

/// All scenarios together, each under every single fault.
const fault_report& everything() {
    static const fault_report sum = sinew::laws::under_each_fault(sinew::laws::producing);
    return sum;
}

void require_law(std::string_view name, std::uint64_t at_least = 1000) {
    sinew::laws::require_law(everything(), name, at_least);
}

}  // namespace

TEST_CASE("law: the outbox tells the truth: what is published was committed") {
    require_law(law::only_committed);
}
TEST_CASE("law: the outbox tells the truth: what was committed is published") {
    require_law(law::nothing_lost);
}
TEST_CASE("law: the outbox tells the truth: the events of a key are numbered without holes") {
    require_law(law::numbered);
}
TEST_CASE("law: the outbox tells the truth: readers see each key in order") {
    require_law(law::order);
}
TEST_CASE("law: the outbox tells the truth: a failing key holds back no other") {
    require_law(law::keys_apart);
}
TEST_CASE("law: nothing is published twice without cause") { require_law(law::not_again); }
TEST_CASE("law: nothing is marked that has not arrived") { require_law(law::no_commit_ahead); }
TEST_CASE("law: nobody publishes without a lease, or takes one that lasts") {
    require_law(law::fences);
}
TEST_CASE("law: relays and spools keep to their limits") { require_law(law::memory_bounded); }
TEST_CASE("law: every wait has an end") { require_law(law::waits_end); }
TEST_CASE("law: only what cannot be published is parked") { require_law(law::only_hopeless, 100); }
TEST_CASE("law: what was given up is not published") { require_law(law::ledger); }
TEST_CASE("law: the topic is as without faults") { require_law(law::as_without_faults); }
TEST_CASE("law: everything is published once the faults stop") { require_law(law::drains); }
TEST_CASE("law: no exception leaves a step of a relay") { require_law(law::no_escape); }

TEST_CASE("every fault that a producing side can meet really happened") {
    const fault_set here = {fault::refused,      fault::request_lost, fault::reply_lost,
                            fault::crash_before, fault::crash_after,  fault::delayed,
                            fault::zombie,       fault::clock_jump,   fault::clock_leap,
                            fault::disk_full,    fault::partial};
    for (std::size_t i = 1; i < fault_count; ++i) {
        const auto f = static_cast<fault>(i);
        CAPTURE(std::string(to_string(f)));
        CHECK(here.has(f) == (everything().happened[i] != 0));
    }
}
