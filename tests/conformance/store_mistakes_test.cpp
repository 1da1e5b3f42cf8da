// SPDX-License-Identifier: BSL-1.0
#include "conformance/mistakes/mistakes.hpp"
#include "conformance/mistakes/toy_store.hpp"
#include "support/test.hpp"

#include <sinew/testing/conformance/store.hpp>

using namespace sinew::test;

TEST_CASE("each claim of a store is broken by some mistake, and each mistake breaks a claim") {
    every_claim_bites(store_mistake::progress_waits, [](store_mistake wrong) {
        return sinew::testing::conformance::store_claims(
            "toy_store", [wrong] { return toy_store_environment(wrong); },
            {.connections = true,
             .nested = true,
             .inbox = true,
             .progress = true,
             .offsets = true,
             .consumer = true});
    });
}
