// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/testing/laws.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace sinew;
using namespace sinew::testing;

namespace {

/// Two keys: "a" with 1 and 2, "b" with 3, which is hopeless.
record produced() {
    record r;
    log_offset at = 0;
    for (const auto& [key, id] : {std::pair{"a", "1"}, {"a", "2"}, {"b", "3"}}) {
        r.produced.push_back(
            {{.id = id, .source = "/s", .type = "t", .data = id, .partitionkey = key}, {0, at++}});
    }
    r.produced[2].expected = fate::dead_lettered;
    return r;
}

dead_letter_entry letter_of(const produced_event& e) {
    dead_letter_entry entry;
    entry.letter.consumer = "g";
    entry.letter.topic = "t";
    entry.letter.where = e.where;
    entry.letter.original = e.original;
    entry.letter.attempts = 1;
    entry.letter.add({wall_time(std::chrono::seconds(1)), failure_class::permanent, 1, "bad", "x"});
    return entry;
}

/// A run in which everything went well.
record good() {
    record r = produced();
    r.apply("a", "1");
    r.apply("a", "2");
    r.letters.push_back(letter_of(r.produced[2]));
    return r;
}

/// The laws that do not hold for a record.
std::vector<std::string_view> broken(const record& r) {
    findings found;
    check_final(found, r, {"g", "t"});
    std::vector<std::string_view> out;
    for (const auto& one : found.counts()) {
        if (one.broken != 0) {
            out.push_back(one.law);
        }
    }
    return out;
}

using laws = std::vector<std::string_view>;

}  // namespace

TEST_CASE("a run in which everything went well breaks no law") { REQUIRE(broken(good()).empty()); }

TEST_CASE("each thing that can go wrong breaks one law, and no other") {
    SECTION("an event that is nowhere is lost") {
        auto r = good();
        r.applied[0].ids.pop_back();
        REQUIRE(broken(r) == laws{law::nothing_lost});
    }
    SECTION("an event without a dead letter is lost") {
        auto r = good();
        r.letters.clear();
        REQUIRE(broken(r) == laws{law::nothing_lost});
    }
    SECTION("a replayed dead letter that was not applied is lost") {
        auto r = good();
        r.letters[0].state = dead_letter_state::resolved;
        REQUIRE(broken(r) == laws{law::nothing_lost});
    }
    SECTION("a second effect is one too many") {
        auto r = good();
        r.apply("a", "2");
        REQUIRE(broken(r) == laws{law::nothing_twice});
    }
    SECTION("a second effect of an older event is one too many, and no disorder") {
        auto r = good();
        r.apply("a", "1");
        REQUIRE(broken(r) == laws{law::nothing_twice});
    }
    SECTION("effects in another order break the order") {
        auto r = good();
        std::swap(r.applied[0].ids[0], r.applied[0].ids[1]);
        REQUIRE(broken(r) == laws{law::order});
    }
    SECTION("an event that could have been applied is no dead letter") {
        auto r = good();
        r.applied[0].ids.pop_back();
        r.letters.push_back(letter_of(r.produced[1]));
        REQUIRE(broken(r) == laws{law::only_hopeless});
    }
    SECTION("an event that is applied and dead-lettered stands in two columns") {
        auto r = good();
        r.apply("b", "3");
        REQUIRE(broken(r) == laws{law::ledger});
    }
    SECTION("an event that was never produced is in no ledger") {
        auto r = good();
        r.apply("a", "9");
        REQUIRE(broken(r) == laws{law::ledger});
    }
    SECTION("a dead letter that was changed is not whole") {
        auto r = good();
        r.letters[0].letter.original.data += "!";
        REQUIRE(broken(r) == laws{law::dead_letter_whole});
    }
    SECTION("a dead letter without a place, a reason or a time is not whole") {
        auto r = good();
        SECTION("place") { r.letters[0].letter.where.offset = 7; }
        SECTION("consumer") { r.letters[0].letter.consumer.clear(); }
        SECTION("topic") { r.letters[0].letter.topic = "other"; }
        SECTION("time") { r.letters[0].letter.first_failure = {}; }
        SECTION("history") { r.letters[0].letter.history.clear(); }
        SECTION("reason") { r.letters[0].letter.reason.clear(); }
        REQUIRE(broken(r) == laws{law::dead_letter_whole});
    }
    SECTION("two dead letters of one event are one too many") {
        auto r = good();
        r.letters.push_back(r.letters[0]);
        REQUIRE(broken(r) == laws{law::dead_letter_whole});
    }
}

TEST_CASE("a commit beyond an event that is not finished runs ahead") {
    auto r = produced();
    r.apply("a", "1");
    findings found;
    check_no_commit_ahead(found, r, 0, 0, 0);
    REQUIRE(found.all_hold());
    check_no_commit_ahead(found, r, 1, 0, 5);
    REQUIRE(found.all_hold());
    check_no_commit_ahead(found, r, 0, 0, 1);
    REQUIRE_FALSE(found.all_hold());
}

TEST_CASE("events with a sequence are expected in its order, others as they were produced") {
    record r;
    for (const auto& [id, sequence] : {std::pair{"x", "2"}, {"y", "1"}, {"x", "2"}, {"z", "3"}}) {
        r.produced.push_back(
            {{.id = id, .source = "/s", .type = "t", .partitionkey = "k", .sequence = sequence},
             {}});
    }
    using ids = std::vector<std::string>;
    REQUIRE(expected_effects(r).size() == 1);
    REQUIRE(expected_effects(r)[0].key == "k");
    REQUIRE(expected_effects(r)[0].ids == ids{"y", "x", "z"});
    for (auto& one : r.produced) {
        one.original.sequence.clear();
    }
    REQUIRE(expected_effects(r).size() == 1);
    REQUIRE(expected_effects(r)[0].ids == ids{"x", "y", "z"});
}

TEST_CASE("the master oracle judges what the handlers saw, once nothing else is wrong") {
    record r;
    for (const auto* id : {"x", "y"}) {
        r.produced.push_back({{.id = id, .source = "/s", .type = "t", .partitionkey = "k"}, {}});
    }
    const auto verdict_on = [](const record& of, bool at_least_once = false) {
        findings found;
        check_as_without_faults(found, of, at_least_once);
        return found.all_hold();
    };
    const auto seen = [&](std::size_t i) { return content_of(r.produced[i].original.view()); };

    REQUIRE_FALSE(verdict_on(r));
    r.apply("k", "x", seen(0));
    REQUIRE_FALSE(verdict_on(r));
    r.apply("k", "y", seen(1));
    REQUIRE(verdict_on(r));
    SECTION("an effect of an event that said something else") {
        r.applied[0].contents[1] = seen(0);
        REQUIRE_FALSE(verdict_on(r));
        r.applied[0].contents[1] = 0;
        REQUIRE(verdict_on(r));
    }
    SECTION("an effect too many, unless effects may repeat") {
        r.apply("k", "x", seen(0));
        REQUIRE_FALSE(verdict_on(r));
        REQUIRE(verdict_on(r, true));
    }
    SECTION("an effect of another key") {
        r.apply("q", "x", seen(0));
        REQUIRE_FALSE(verdict_on(r));
    }
    SECTION("an event whose fate is open may be there or not") {
        r.produced.push_back(
            {{.id = "z", .source = "/s", .type = "t", .partitionkey = "k"}, {}, fate::either});
        REQUIRE(verdict_on(r));
        r.apply("k", "z", content_of(r.produced[2].original.view()));
        REQUIRE(verdict_on(r));
    }
    SECTION("it is silent where another law has spoken") {
        r.apply("k", "nobody");
        findings found;
        found.check(law::nothing_lost, false, "something");
        check_as_without_faults(found, r);
        REQUIRE(found.breaches().size() == 1);
    }
}

TEST_CASE("fences: an offset, an epoch or a key's progress that goes back is found") {
    findings found;
    check_no_commit_back(found, 0, 3, 3);
    check_epoch(found, 0, 2, 2);
    check_only_rises(found, "the progress", "k", 4, 5);
    REQUIRE(found.all_hold());
    SECTION("an offset") { check_no_commit_back(found, 0, 3, 2); }
    SECTION("an epoch") { check_epoch(found, 0, 2, 1); }
    SECTION("progress") { check_only_rises(found, "the progress", "k", 4, 3); }
    REQUIRE(found.breaches().size() == 1);
    REQUIRE(found.breaches()[0].law == law::fences);
}
