// SPDX-License-Identifier: BSL-1.0
#include "sqlite_support.hpp"

#include "support/test.hpp"

#include <sinew/adapters/sqlite.hpp>
#include <sinew/core/sink.hpp>

#include <string>
#include <vector>

namespace sqlite = sinew::sqlite;
using namespace sinew;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::no_waiting;
using sinew::test::temp_folder;

static_assert(sinew::batch_sink<sqlite::producer>);

namespace {

using texts = std::vector<std::string>;

struct batch_fixture {
    temp_folder folder{};
    sqlite::log log{folder.file(),
                    {.topic = {.partitions = 1}, .synchronous = sqlite::synchronous::normal}};
    sqlite::producer to = log.producer("t");

    [[nodiscard]] texts stored() const {
        texts ids;
        log.visit("t", 0, [&](position, const event_view& e) { ids.push_back(std::string(e.id)); });
        return ids;
    }
};

const event events[] = {make_event("1", "a"), make_event("2", "b"), make_event("3", "a"),
                        make_event("4")};
const std::vector<event_view> batch = {events[0].view(), events[1].view(), events[2].view(),
                                       events[3].view()};

}  // namespace

TEST_CASE("sqlite: a batch is stored in its order, with one answer for each event") {
    batch_fixture f;
    const auto answers = f.to.publish_batch(batch, in(std::chrono::seconds(5)));
    REQUIRE(answers.size() == 4);
    for (const auto& one : answers) {
        REQUIRE(one.is_accepted());
    }
    REQUIRE(f.stored() == texts{"1", "2", "3", "4"});
    REQUIRE(f.to.publish_batch({}, in(std::chrono::seconds(5))).empty());
}

TEST_CASE("sqlite: an event of a batch that is refused holds back its key, and nothing else") {
    batch_fixture f;
    sqlite::connection(f.folder.file())
        .execute_script(
            "CREATE TRIGGER refuses BEFORE INSERT ON sinew_records WHEN NEW.id = x'31' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    const auto answers = f.to.publish_batch(batch, in(std::chrono::seconds(5)));
    REQUIRE(answers.size() == 4);
    REQUIRE(answers[0].how() == publish_result::end::refused);
    REQUIRE(answers[0].why().reason == "constraint");
    REQUIRE(answers[1].is_accepted());
    REQUIRE(answers[2].how() == publish_result::end::refused);
    REQUIRE(answers[2].why().reason == "behind");
    REQUIRE(answers[2].why().kind == failure_class::transient);
    REQUIRE(answers[3].is_accepted());
    REQUIRE(f.stored() == texts{"2", "4"});
}

TEST_CASE("sqlite: a batch that does not get at its file is refused whole") {
    batch_fixture f;
    sqlite::connection other(f.folder.file());
    other.execute("BEGIN IMMEDIATE");
    const auto answers = f.to.publish_batch(batch, no_waiting);
    REQUIRE(answers.size() == 4);
    for (const auto& one : answers) {
        REQUIRE(one.how() == publish_result::end::refused);
        REQUIRE(one.why().kind == failure_class::unavailable);
    }
    REQUIRE(f.stored().empty());
}
