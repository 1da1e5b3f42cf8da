// SPDX-License-Identifier: BSL-1.0
#include "postgres/parts.hpp"
#include "support/bad_input.hpp"

#include <sinew/adapters/postgres/journal.hpp>

#include <string>
#include <tuple>

using namespace sinew;
using namespace sinew::test;
using namespace std::chrono_literals;

TEST_CASE("postgres: given the time of a call a transaction begins with its first statement") {
    const place here;
    auto db = here.open();
    const int first = session_of(db);
    auto tx = db.begin(in(here.options().call_timeout));
    end_session(here, first);
    CHECK(tx.remember("c", {"/s", "1"}, at(1)));  // the server had not been told of it
    CHECK(tx.commit() == commit_result::committed);

    const int second = session_of(db);
    auto hasty = db.begin(in(1s));
    end_session(here, second);
    CHECK_THROWS_AS(hasty.remember("c", {"/s", "2"}, at(1)), unavailable_error);
}

TEST_CASE("postgres: a result that no longer decodes fails its step, and what was done is undone") {
    const place here;
    auto db = here.open();
    bad_input(db).undecodable_result();
}

TEST_CASE("postgres: an instance of a type that no runner knows stays, and is seen") {
    const place here;
    auto db = here.open();
    bad_input(db).unknown_type();
}

TEST_CASE("postgres: a reply to a saga that has ended is late, and is not kept") {
    const place here;
    auto db = here.open();
    bad_input(db).reply_after_the_end();
}

TEST_CASE("postgres: an input over the limit starts nothing, and a result over it is undone") {
    const place here;
    auto db = here.open();
    bad_input(db).too_large();
}

TEST_CASE("postgres: a clock that is set back by a day neither shortens nor lengthens a backoff") {
    const place here;
    auto db = here.open();
    bad_input(db).clock_set_back();
}

TEST_CASE("postgres: code that has changed goes on where it says so, and parks where it does not") {
    const place here;
    auto db = here.open();
    bad_input(db).changed_code();
}

TEST_CASE("postgres: what people decide of a step loses nothing that may have happened") {
    const place here;
    auto db = here.open();
    bad_input(db).people_decide();
}
