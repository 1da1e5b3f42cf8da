// SPDX-License-Identifier: BSL-1.0
#include "adapters/sqlite_support.hpp"
#include "support/bad_input.hpp"

#include <sinew/adapters/sqlite/journal.hpp>
#include <sinew/adapters/sqlite/store.hpp>

using namespace sinew;
using namespace sinew::test;

TEST_CASE("sqlite: a result that no longer decodes fails its step, and what was done is undone") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).undecodable_result();
}

TEST_CASE("sqlite: an instance of a type that no runner knows stays, and is seen") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).unknown_type();
}

TEST_CASE("sqlite: a reply to a saga that has ended is late, and is not kept") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).reply_after_the_end();
}

TEST_CASE("sqlite: an input over the limit starts nothing, and a result over it is undone") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).too_large();
}

TEST_CASE("sqlite: a clock that is set back by a day neither shortens nor lengthens a backoff") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).clock_set_back();
}

TEST_CASE("sqlite: code that has changed goes on where it says so, and parks where it does not") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).changed_code();
}

TEST_CASE("sqlite: what people decide of a step loses nothing that may have happened") {
    const temp_folder folder;
    sqlite::store db(folder.file());
    bad_input(db).people_decide();
}
