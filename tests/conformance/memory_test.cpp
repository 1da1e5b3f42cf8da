// SPDX-License-Identifier: BSL-1.0
#include "conformance/environments.hpp"
#include "support/test.hpp"

#include <sinew/testing/conformance/attempts.hpp>
#include <sinew/testing/conformance/dead_letters.hpp>
#include <sinew/testing/conformance/queue_source.hpp>
#include <sinew/testing/conformance/sink.hpp>
#include <sinew/testing/conformance/source.hpp>
#include <sinew/testing/conformance/store.hpp>

using namespace sinew::test;

TEST_CASE("memory: the log keeps every claim of a source") {
    const auto table = source_claims("memory::log::member", fresh<memory_log_environment>,
                                     {.offsets = true, .groups = true, .any_bytes = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("memory: the producer keeps every claim of a sink that can be provoked") {
    const auto table =
        sink_claims("memory::producer", fresh<memory_producer_environment>, {.any_bytes = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 2);  // its broker is never away
}

TEST_CASE("memory: the queue keeps every claim of a queue source") {
    const auto table = queue_source_claims("memory::queue", fresh<memory_queue_environment>,
                                           {.connections = true, .any_bytes = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("memory: the store keeps every claim of a consumer store that can be provoked") {
    const auto table = store_claims("memory::store", fresh<memory_store_environment>,
                                    {.connections = true,
                                     .nested = true,
                                     .inbox = true,
                                     .progress = true,
                                     .offsets = true,
                                     .consumer = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 1);  // its replies are never lost
}

TEST_CASE("memory: the dead letters keep every claim") {
    const auto table =
        dead_letters_claims("memory::dead_letters", fresh<memory_letters_environment>,
                            {.store = true, .in_transaction = true});
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}

TEST_CASE("memory: the record of attempts keeps every claim") {
    const auto table = attempts_claims("memory::attempts", fresh<memory_attempts_environment>);
    INFO(table.text());
    REQUIRE(table.all_kept());
    REQUIRE(table.count(claim_state::not_claimed) == 0);
}
