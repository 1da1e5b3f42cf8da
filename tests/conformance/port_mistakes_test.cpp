// SPDX-License-Identifier: BSL-1.0
#include "conformance/mistakes/faulty_attempts.hpp"
#include "conformance/mistakes/faulty_batches.hpp"
#include "conformance/mistakes/faulty_letters.hpp"
#include "conformance/mistakes/faulty_queue.hpp"
#include "conformance/mistakes/faulty_sink.hpp"
#include "conformance/mistakes/mistakes.hpp"
#include "support/test.hpp"

#include <sinew/testing/conformance/attempts.hpp>
#include <sinew/testing/conformance/batch_sink.hpp>
#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/queue_source.hpp>
#include <sinew/testing/conformance/sink.hpp>

using namespace sinew::test;

TEST_CASE(
    "each claim of a queue source is broken by some mistake, and each mistake breaks a claim") {
    every_claim_bites(queue_mistake::extends_what_has_ended, [](queue_mistake wrong) {
        return queue_source_claims("faulty_queue",
                                   [wrong] { return faulty_queue_environment(wrong); },
                                   {.connections = true, .any_bytes = true});
    });
}

TEST_CASE("each claim of a sink is broken by some mistake, and each mistake breaks a claim") {
    every_claim_bites(sink_mistake::keeps_the_view, [](sink_mistake wrong) {
        return sink_claims("faulty_sink", [wrong] { return faulty_sink_environment(wrong); },
                           {.any_bytes = true});
    });
}

TEST_CASE("each claim of a sink of batches is broken by some mistake, and each breaks a claim") {
    every_claim_bites(batch_mistake::accepts_without_time, [](batch_mistake wrong) {
        return batch_sink_claims("faulty_batches",
                                 [wrong] { return faulty_batches_environment(wrong); });
    });
}

TEST_CASE("each claim of dead letters is broken by some mistake, and each mistake breaks a claim") {
    every_claim_bites(letters_mistake::moves_beside_the_transaction, [](letters_mistake wrong) {
        return dead_letters_claims("faulty_letters",
                                   [wrong] { return faulty_letters_environment(wrong); },
                                   {.store = true, .in_transaction = true});
    });
}

TEST_CASE("each claim of a record of attempts is broken by some mistake") {
    every_claim_bites(attempts_mistake::ends_everything, [](attempts_mistake wrong) {
        return attempts_claims("faulty_attempts",
                               [wrong] { return faulty_attempts_environment(wrong); });
    });
}
