// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/log.hpp>

#include "adapters/memory_test_parts.hpp"
#include "support/test.hpp"

#include <optional>
#include <string>

namespace memory = sinew::memory;
using sinew::commit_result;
using sinew::never;
using sinew::test::in_memory::make_event;
using sinew::test::in_memory::poll;
using sinew::test::in_memory::texts;

namespace {

void fill(memory::log& log, int count) {
    for (int i = 0; i < count; ++i) {
        log.append("t", 0, make_event(std::to_string(i)).view());
    }
}

std::vector<sinew::log_offset> offsets_in(const memory::log& log) {
    std::vector<sinew::log_offset> out;
    log.visit("t", 0, [&](sinew::position where, const auto&) { out.push_back(where.offset); });
    return out;
}

using offsets = std::vector<sinew::log_offset>;

}  // namespace

TEST_CASE("memory: source_message 1: a view stays at its address whatever the log does") {
    std::optional<memory::message> kept;
    const char* id = nullptr;
    {
        memory::log log({.topic = {.records_max = 3, .compacted = true}});
        log.append("t", 0, make_event("held", "k", std::string(1000, 'x')).view());
        auto member = log.join("t", "g");
        auto ear = poll(member);
        const auto* before = &ear.messages.at(0).view();
        id = before->id.data();
        kept.emplace(std::move(ear.messages.at(0)));
        REQUIRE(&kept->view() == before);

        log.append("t", 0, make_event("newer", "k").view());
        log.compact("t");
        fill(log, 10);
        log.drop_before("t", 0, 100);
        REQUIRE(log.size("t", 0) == 0);
    }
    REQUIRE(kept->view().id == "held");
    REQUIRE(kept->view().id.data() == id);
    REQUIRE(kept->view().text() == std::string(1000, 'x'));
}

TEST_CASE("memory: holes are never delivered, and offsets behind them rise") {
    memory::log log;
    fill(log, 1);
    log.produce_hole("t", 0, 3);
    fill(log, 1);
    log.produce_hole("t", 0);
    REQUIRE(log.end("t", 0) == 6);
    REQUIRE(offsets_in(log) == offsets{0, 4});
    auto member = log.join("t", "g");
    const auto ear = poll(member);
    REQUIRE(ear.messages.at(1).where().offset == 4);
    REQUIRE(member.commit(0, ear.epoch_of(0), 4, never) == commit_result::committed);
    fill(log, 1);
    REQUIRE(poll(member).messages.at(0).where().offset == 6);
}

TEST_CASE("memory: compaction keeps the last record of each key and leaves holes") {
    memory::log log({.topic = {.compacted = true}});
    log.append("t", 0, make_event("0", "a").view());
    log.append("t", 0, make_event("1", "b").view());
    log.append("t", 0, make_event("2", "a").view());
    log.append("t", 0, make_event("3", "").view());
    log.append("t", 0, make_event("4", "").view());
    log.append_broken("t", 0, sinew::as_bytes("raw"), "unreadable");
    log.append("t", 0, make_event("6", "a").view());
    auto member = log.join("t", "g");
    REQUIRE(poll(member, {.events = 1, .bytes = 1000}).ids() == texts{"0"});

    log.compact("t");

    REQUIRE(offsets_in(log) == offsets{1, 3, 4, 5, 6});
    REQUIRE(log.begin("t", 0) == 0);
    REQUIRE(poll(member).ids() == texts{"1", "3", "4", "", "6"});
    REQUIRE(member.skipped_by_retention() == 0);
}

TEST_CASE("memory: compaction: a tombstone is there for one round, and its key is gone after it") {
    memory::log log({.topic = {.compacted = true}});
    log.append("t", 0, make_event("0", "a").view());
    log.append("t", 0, make_event("1", "a", "").view());
    log.append("t", 0, make_event("2", "b").view());
    log.compact("t");
    REQUIRE(offsets_in(log) == offsets{1, 2});
    log.append("t", 0, make_event("3", "b", "").view());
    log.compact("t");
    REQUIRE(offsets_in(log) == offsets{3});
    log.compact("t");
    REQUIRE(offsets_in(log).empty());
    REQUIRE(log.end("t", 0) == 4);
}

TEST_CASE("memory: after compaction each offset still finds the first record that is left") {
    sinew::test::prop("the record at or after an offset",
                      [](const std::vector<bool>& is_record, const std::vector<bool>& again) {
                          memory::log log({.topic = {.compacted = true}});
                          log.create_topic("t", {.compacted = true});
                          offsets expected;
                          for (std::size_t i = 0; i < is_record.size(); ++i) {
                              if (!is_record[i]) {
                                  log.produce_hole("t", 0);
                                  continue;
                              }
                              const bool superseded = i < again.size() && again[i];
                              log.append("t", 0, make_event("e", superseded ? "k" : "").view());
                          }
                          log.append("t", 0, make_event("e", "k").view());
                          log.compact("t");
                          for (std::size_t i = 0; i <= is_record.size(); ++i) {
                              const bool kept = i == is_record.size() ||
                                                (is_record[i] && !(i < again.size() && again[i]));
                              if (kept) {
                                  expected.push_back(static_cast<sinew::log_offset>(i));
                              }
                          }
                          RC_ASSERT(offsets_in(log) == expected);
                          auto member = log.join("t", "g");
                          poll(member);
                          for (sinew::log_offset from = 0; from < log.end("t", 0); ++from) {
                              member.seek(0, from);
                              const auto got = poll(member, {.events = 1, .bytes = 1000});
                              const auto* wanted = &expected[0];
                              while (*wanted < from) {
                                  ++wanted;
                              }
                              RC_ASSERT(got.messages.at(0).where().offset == *wanted);
                          }
                      });
}

TEST_CASE("memory: retention by count drops the oldest") {
    memory::log log({.topic = {.records_max = 3}});
    auto producer = log.producer("t");
    for (int i = 0; i < 5; ++i) {
        REQUIRE(producer.publish(make_event(std::to_string(i)).view(), never).is_accepted());
    }
    REQUIRE(offsets_in(log) == offsets{2, 3, 4});
    REQUIRE(log.begin("t", 0) == 2);
    auto member = log.join("t", "g");
    REQUIRE(poll(member).ids() == texts{"2", "3", "4"});
}

TEST_CASE("memory: unread records that retention took are counted, never silently gone") {
    memory::log log;
    fill(log, 2);
    log.produce_hole("t", 0);
    fill(log, 4);
    auto member = log.join("t", "g");
    const auto ear = poll(member, {.events = 1, .bytes = 1000});
    REQUIRE(ear.ids() == texts{"0"});
    REQUIRE(member.commit(0, ear.epoch_of(0), 0, never) == commit_result::committed);

    log.drop_before("t", 0, 5);  // offsets 1, 3 and 4; 2 is a hole

    REQUIRE(member.skipped_by_retention() == 3);
    REQUIRE(log.skipped_by_retention("t", "g") == 3);
    const auto rest = poll(member);
    REQUIRE(rest.messages.at(0).where().offset == 5);
    REQUIRE(rest.messages.size() == 2);
}

TEST_CASE(
    "memory: what is in flight while retention takes it counts once it is known to be unfinished") {
    memory::log log;
    fill(log, 4);
    std::optional member(log.join("t", "g"));
    const auto ear = poll(*member);
    REQUIRE(ear.messages.size() == 4);
    log.drop_before("t", 0, 3);
    REQUIRE(log.skipped_by_retention("t", "g") == 0);

    REQUIRE(member->commit(0, ear.epoch_of(0), 0, never) == commit_result::committed);
    SECTION("finished after all") {
        REQUIRE(member->commit(0, ear.epoch_of(0), 3, never) == commit_result::committed);
        member.reset();
        REQUIRE(log.skipped_by_retention("t", "g") == 0);
    }
    SECTION("its holder died") {
        member.reset();
        REQUIRE(log.skipped_by_retention("t", "g") == 2);
        auto next = log.join("t", "g");
        REQUIRE(poll(next).ids() == texts{"3"});
    }
}

TEST_CASE("memory: what retention takes while nobody is there counts as well") {
    memory::log log;
    fill(log, 4);
    {
        auto member = log.join("t", "g");
        REQUIRE(poll(member).messages.size() == 4);
    }
    log.drop_before("t", 0, 2);
    REQUIRE(log.skipped_by_retention("t", "g") == 2);
    auto next = log.join("t", "g");
    REQUIRE(poll(next).ids() == texts{"2", "3"});
    auto other = log.join("t", "came later");
    REQUIRE(other.skipped_by_retention() == 0);
}
