// SPDX-License-Identifier: BSL-1.0
#include "support/bad_input.hpp"

#include <sinew/adapters/memory.hpp>

using namespace sinew;
using namespace sinew::test;

TEST_CASE("memory: a result that no longer decodes fails its step, and what was done is undone") {
    memory::store db;
    bad_input(db).undecodable_result();
}

TEST_CASE("memory: an instance of a type that no runner knows stays, and is seen") {
    memory::store db;
    bad_input(db).unknown_type();
}

TEST_CASE("memory: a reply to a saga that has ended is late, and is not kept") {
    memory::store db;
    bad_input(db).reply_after_the_end();
}

TEST_CASE("memory: an input over the limit starts nothing, and a result over it is undone") {
    memory::store db;
    bad_input(db).too_large();
}

TEST_CASE("memory: a clock that is set back by a day neither shortens nor lengthens a backoff") {
    memory::store db;
    bad_input(db).clock_set_back();
}

TEST_CASE("memory: code that has changed goes on where it says so, and parks where it does not") {
    memory::store db;
    bad_input(db).changed_code();
}

TEST_CASE("memory: what people decide of a step loses nothing that may have happened") {
    memory::store db;
    bad_input(db).people_decide();
}
