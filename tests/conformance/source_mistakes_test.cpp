// SPDX-License-Identifier: BSL-1.0
#include "conformance/mistakes/faulty_member.hpp"
#include "conformance/mistakes/mistakes.hpp"
#include "support/test.hpp"

#include <sinew/testing/conformance/source.hpp>

using namespace sinew::test;

TEST_CASE("each claim of a source is broken by some mistake, and each mistake breaks a claim") {
    every_claim_bites(source_mistake::pauses_everything, [](source_mistake wrong) {
        return source_claims("faulty_member", [wrong] { return faulty_member_environment(wrong); },
                             {.offsets = true, .groups = true, .any_bytes = true});
    });
}
