// SPDX-License-Identifier: BSL-1.0
//
// The laws of consuming, one test each: checked in every scenario, under every single fault. The
// tests beside this one go on to pairs of faults and to random schedules.

#include "laws/require_law.hpp"
#include "laws/scenarios/consuming.hpp"
#include "support/test.hpp"

#include <sinew/testing/every_fault.hpp>

#include <string>
#include <string_view>

using namespace sinew::testing;

namespace {

/// All scenarios together, each under every single fault.
const fault_report& everything() {
    static const fault_report sum = sinew::laws::under_each_fault(sinew::laws::consuming);
    return sum;
}

void require_law(std::string_view name) { sinew::laws::require_law(everything(), name); }

}  // namespace

TEST_CASE("law: nothing is lost") { require_law(law::nothing_lost); }
TEST_CASE("law: nothing is applied twice") { require_law(law::nothing_twice); }
TEST_CASE("law: order") { require_law(law::order); }
TEST_CASE("law: no commit runs ahead") { require_law(law::no_commit_ahead); }
TEST_CASE("law: memory is bounded") { require_law(law::memory_bounded); }
TEST_CASE("law: a dead letter is whole") { require_law(law::dead_letter_whole); }
TEST_CASE("law: only the hopeless are given up") { require_law(law::only_hopeless); }
TEST_CASE("law: the ledger balances") { require_law(law::ledger); }
TEST_CASE("law: fences only rise") { require_law(law::fences); }
TEST_CASE("law: the state of each key is as without faults") {
    require_law(law::as_without_faults);
}
TEST_CASE("law: everything drains once the faults stop") { require_law(law::drains); }
TEST_CASE("law: no exception leaves a step") { require_law(law::no_escape); }

TEST_CASE("law: a poison event can't take the process along") {
    const auto report = every_fault(sinew::laws::poison, 1);
    REQUIRE(report.all_hold());
    for (const auto& law : report.laws) {
        if (law.law == law::poison_contained) {
            REQUIRE(law.checked == report.schedules);
            return;
        }
    }
    FAIL("the law was not checked");
}

TEST_CASE("every fault that is injected really happened") {
    // Those of a disk have scenarios of their own, below the store.
    const auto here =
        fault_set::all().without({fault::sync_failed, fault::lost_writes, fault::torn_tail});
    for (std::size_t i = 1; i < fault_count; ++i) {
        const auto f = static_cast<fault>(i);
        CAPTURE(std::string(to_string(f)));
        CHECK(here.has(f) == (everything().happened[i] > 2));
    }
}
