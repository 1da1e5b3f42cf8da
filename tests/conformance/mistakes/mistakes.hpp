// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// Shows that a suite bites: each claim is broken by some adapter with a single mistake.

#include "support/test.hpp"

#include <sinew/testing/conformance/claims.hpp>

#include <set>
#include <string>
#include <vector>

namespace sinew::test {

/// Calls `run(mistake)` for each mistake up to `last`, the first of which is none. Without a
/// mistake every claim has to be kept; with one, some claim has to be broken; with all of them,
/// every claim.
template <class Mistake, class Run>
void every_claim_bites(Mistake last, Run run) {
    using testing::conformance::claim_state;
    const auto healthy = run(Mistake::none);
    INFO(healthy.text());
    REQUIRE(healthy.all_kept());
    std::set<std::string> never_broken;
    for (const auto& name : healthy.names(claim_state::kept)) {
        never_broken.insert(name);
    }
    for (int i = 1; i <= static_cast<int>(last); ++i) {
        const auto table = run(static_cast<Mistake>(i));
        INFO("mistake " << i << "\n" << table.brief());
        CHECK(table.count(claim_state::broken) > 0);
        for (const auto& name : table.names(claim_state::broken)) {
            never_broken.erase(name);
        }
    }
    CHECK(never_broken == std::set<std::string>());
}

}  // namespace sinew::test
