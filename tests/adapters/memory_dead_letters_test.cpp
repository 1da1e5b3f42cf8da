// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory/store.hpp>

#include "support/test.hpp"

#include <optional>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace memory = sinew::memory;
using sinew::commit_result;
using sinew::dead_letter_entry;
using sinew::dead_letter_record;
using sinew::dead_letter_state;
using sinew::failure_class;
using sinew::failure_note;
using sinew::never;
using sinew::put_result;
using sinew::wall_time;

namespace {

constexpr wall_time day{};

failure_note note(std::string reason, int hour, std::uint32_t attempt = 1) {
    return {day + hour * 1h, failure_class::permanent, attempt, std::move(reason), "detail"};
}

dead_letter_record letter(std::string id, std::string key = "k", std::string consumer = "c") {
    dead_letter_record out{.consumer = std::move(consumer),
                           .topic = "t",
                           .where = {1, 7},
                           .original = {.id = std::move(id),
                                        .source = "/test",
                                        .type = "test.happened",
                                        .data = std::string("\0raw\xff", 5),
                                        .partitionkey = std::move(key),
                                        .headers = {{"h", "\xfe"}}},
                           .reason = {},
                           .attempts = 1};
    out.add(note("bad", 1));
    return out;
}

std::vector<std::string> ids(const std::vector<dead_letter_entry>& entries) {
    std::vector<std::string> out;
    for (const auto& one : entries) {
        out.push_back(one.letter.original.id);
    }
    return out;
}

using texts = std::vector<std::string>;

dead_letter_entry only(const memory::dead_letters& place) {
    const auto all = place.find({}, 0, 100);
    REQUIRE(all.size() == 1);
    return all[0];
}

}  // namespace

TEST_CASE("memory: dead_letter_place 1: what was stored is there, whole, also after a crash") {
    memory::database data;
    {
        memory::dead_letters place(data);
        REQUIRE(place.put(letter("1"), never) == put_result::stored);
    }
    const memory::dead_letters again(data);
    REQUIRE(only(again).letter == letter("1"));
    REQUIRE(only(again).state == dead_letter_state::waiting);
}

TEST_CASE("memory: dead_letter_place 2: an event is there once per consumer") {
    memory::dead_letters place;
    REQUIRE(place.put(letter("1")) == put_result::stored);
    REQUIRE(place.put(letter("1")) == put_result::stored);
    REQUIRE(only(place).letter == letter("1"));
    REQUIRE(only(place).version == 1);
    REQUIRE(place.put(letter("1", "k", "another consumer")) == put_result::stored);
    REQUIRE(place.put(letter("2")) == put_result::stored);
    REQUIRE(place.size() == 3);
}

TEST_CASE("memory: dead_letter_place 2: put again, its new notes join an entry that waits") {
    memory::dead_letters place;
    REQUIRE(place.put(letter("1")) == put_result::stored);
    auto again = letter("1");
    again.attempts = 2;
    again.add(note("worse", 2));
    REQUIRE(place.put(again) == put_result::stored);
    REQUIRE(place.put(again) == put_result::stored);

    const auto entry = only(place);
    REQUIRE(entry.version == 2);
    REQUIRE(entry.letter.history == std::vector{note("bad", 1), note("worse", 2)});
    REQUIRE(entry.letter.reason == "worse");
    REQUIRE(entry.letter.attempts == 3);
    REQUIRE(entry.letter.first_failure == day + 1h);
    REQUIRE(entry.letter.last_failure == day + 2h);
}

TEST_CASE(
    "memory: dead_letter_place 2: an entry that does not wait is not changed by putting again") {
    memory::dead_letters place;
    REQUIRE(place.put(letter("1")) == put_result::stored);
    const auto state = GENERATE(dead_letter_state::requested, dead_letter_state::replaying,
                                dead_letter_state::resolved, dead_letter_state::discarded);
    REQUIRE(place.move(1, 1, state, nullptr));
    auto again = letter("1");
    again.add(note("worse", 2));
    REQUIRE(place.put(again) == put_result::stored);
    REQUIRE(only(place).letter == letter("1"));
    REQUIRE(only(place).state == state);
    REQUIRE(only(place).version == 2);
}

TEST_CASE(
    "memory: dead_letter_place 2: an event without identity is told apart by topic and position") {
    memory::dead_letters place;
    auto broken = letter("");
    REQUIRE(place.put(broken) == put_result::stored);
    REQUIRE(place.put(broken) == put_result::stored);
    REQUIRE(place.size() == 1);
    broken.where.offset = 8;
    REQUIRE(place.put(broken) == put_result::stored);
    broken.where.partition = 2;
    REQUIRE(place.put(broken) == put_result::stored);
    broken.topic = "u";
    REQUIRE(place.put(broken) == put_result::stored);
    broken.consumer = "d";
    REQUIRE(place.put(broken) == put_result::stored);
    REQUIRE(place.size() == 5);
}

TEST_CASE("memory: dead_letter_place 3: the original is kept as it was put first") {
    memory::dead_letters place;
    REQUIRE(place.put(letter("1")) == put_result::stored);
    auto forged = letter("1");
    forged.original.data = "other";
    forged.original.headers.clear();
    forged.add(note("worse", 2));
    REQUIRE(place.put(forged) == put_result::stored);
    REQUIRE(only(place).letter.original == letter("1").original);
}

TEST_CASE(
    "memory: a long history keeps its first note and the latest ones, however often it is put") {
    memory::dead_letters place;
    for (int i = 1; i <= 30; ++i) {
        auto one = letter("1");
        one.history = {note("again", i)};
        one.history[0].detail.assign(5000, 'x');
        REQUIRE(place.put(one) == put_result::stored);
        REQUIRE(place.put(one) == put_result::stored);
    }
    const auto history = only(place).letter.history;
    REQUIRE(history.size() == dead_letter_record::history_max);
    REQUIRE(history.front().at == day + 1h);
    REQUIRE(history.back().at == day + 30h);
    REQUIRE(only(place).letter.attempts == 30);
}

TEST_CASE("memory: a full place refuses, and the consumer waits") {
    memory::dead_letters place({.capacity = 2});
    REQUIRE(place.put(letter("1")) == put_result::stored);
    REQUIRE(place.put(letter("2")) == put_result::stored);
    try {
        static_cast<void>(place.put(letter("3")));
        FAIL("it was taken");
    } catch (const sinew::unavailable_error& e) {
        REQUIRE(e.reason() == "dead_letters_full");
    }
    REQUIRE(place.put(letter("2")) == put_result::stored);  // it is there already
    REQUIRE(place.size() == 2);
    REQUIRE_FALSE(place.holds("c", "3"));

    REQUIRE(place.move(1, 1, dead_letter_state::resolved, nullptr));
    REQUIRE(place.purge(day + 1h, 10) == 0);
    REQUIRE(place.purge(day + 2h, 10) == 1);
    REQUIRE(place.size() == 1);
    REQUIRE(place.put(letter("3")) == put_result::stored);
    REQUIRE(ids(place.find({}, 0, 10)) == texts{"2", "3"});
}

TEST_CASE(
    "memory: dead_letter_store 1: find lists entries above a number, by number, as filtered") {
    memory::dead_letters place;
    for (int i = 1; i <= 5; ++i) {
        auto one = letter(std::to_string(i), i % 2 == 0 ? "even" : "odd");
        one.original.type = i == 5 ? "other" : "test.happened";
        one.kind = i == 4 ? failure_class::transient : failure_class::permanent;
        one.reason = i == 3 ? "third" : "bad";
        one.topic = i == 2 ? "u" : "t";
        REQUIRE(place.put(one) == put_result::stored);
    }
    REQUIRE(place.put(letter("6", "k", "d")) == put_result::stored);
    REQUIRE(place.move(2, 1, dead_letter_state::discarded, nullptr));

    REQUIRE(ids(place.find({}, 0, 100)) == texts{"1", "2", "3", "4", "5", "6"});
    REQUIRE(ids(place.find({}, 2, 2)) == texts{"3", "4"});
    REQUIRE(place.find({}, 6, 100).empty());
    REQUIRE(place.find({}, INT64_MAX, 100).empty());
    REQUIRE(place.find({}, 0, 0).empty());
    REQUIRE(ids(place.find({.consumer = "d"}, 0, 9)) == texts{"6"});
    REQUIRE(ids(place.find({.topic = "u"}, 0, 9)) == texts{"2"});
    REQUIRE(ids(place.find({.reason = "third"}, 0, 9)) == texts{"3"});
    REQUIRE(ids(place.find({.type = "other"}, 0, 9)) == texts{"5"});
    REQUIRE(ids(place.find({.key = "even"}, 0, 9)) == texts{"2", "4"});
    REQUIRE(ids(place.find({.kind = failure_class::transient}, 0, 9)) == texts{"4"});
    REQUIRE(ids(place.find({.state = dead_letter_state::discarded}, 0, 9)) == texts{"2"});
    REQUIRE(ids(place.find({.key = "even", .state = dead_letter_state::waiting}, 0, 9)) ==
            texts{"4"});
}

TEST_CASE("memory: dead_letter_store 2: a state changes only for who saw the latest version") {
    memory::dead_letters place;
    REQUIRE(place.put(letter("1")) == put_result::stored);
    REQUIRE_FALSE(place.move(1, 0, dead_letter_state::requested, nullptr));
    REQUIRE_FALSE(place.move(2, 1, dead_letter_state::requested, nullptr));
    REQUIRE(only(place).state == dead_letter_state::waiting);
    REQUIRE(place.move(1, 1, dead_letter_state::requested, nullptr));
    REQUIRE_FALSE(place.move(1, 1, dead_letter_state::discarded, nullptr));
    const auto why = note("given up", 5);
    REQUIRE(place.move(1, 2, dead_letter_state::discarded, &why));
    const auto entry = only(place);
    REQUIRE(entry.version == 3);
    REQUIRE(entry.state == dead_letter_state::discarded);
    REQUIRE(entry.letter.history.back() == why);
    REQUIRE(entry.letter.original == letter("1").original);
}

TEST_CASE(
    "memory: dead_letter_store 3: requested is the lowest one, and a replay that was cut off "
    "first") {
    memory::dead_letters place;
    for (int i = 1; i <= 4; ++i) {
        REQUIRE(place.put(letter(std::to_string(i), i == 3 ? "other" : "k")) == put_result::stored);
    }
    REQUIRE(place.put(letter("5", "k", "another consumer")) == put_result::stored);
    const auto next = [&] { return place.requested("c") ? place.requested("c")->number : 0; };
    REQUIRE(next() == 0);
    REQUIRE(place.move(5, 1, dead_letter_state::requested, nullptr));
    REQUIRE(next() == 0);
    REQUIRE(place.move(4, 1, dead_letter_state::requested, nullptr));
    REQUIRE(place.move(2, 1, dead_letter_state::requested, nullptr));
    REQUIRE(place.move(3, 1, dead_letter_state::requested, nullptr));
    REQUIRE(next() == 2);
    REQUIRE(place.move(3, 2, dead_letter_state::replaying, nullptr));
    REQUIRE(next() == 3);
    REQUIRE(place.requested("c")->state == dead_letter_state::replaying);
    REQUIRE(place.move(3, 3, dead_letter_state::resolved, nullptr));
    REQUIRE(next() == 2);
    REQUIRE(place.move(2, 2, dead_letter_state::waiting, nullptr));
    REQUIRE(next() == 4);
    REQUIRE(place.requested("another consumer")->number == 5);
    REQUIRE_FALSE(place.requested("nobody").has_value());
}

TEST_CASE(
    "memory: dead_letter_store 4: a key is held until its last entry is resolved or discarded") {
    memory::dead_letters place;
    REQUIRE_FALSE(place.holds("c", "k"));
    REQUIRE(place.put(letter("1")) == put_result::stored);
    REQUIRE(place.put(letter("2")) == put_result::stored);
    REQUIRE(place.holds("c", "k"));
    REQUIRE_FALSE(place.holds("c", "other"));
    REQUIRE_FALSE(place.holds("d", "k"));
    REQUIRE(place.move(1, 1, dead_letter_state::requested, nullptr));
    REQUIRE(place.move(1, 2, dead_letter_state::replaying, nullptr));
    REQUIRE(place.move(2, 1, dead_letter_state::discarded, nullptr));
    REQUIRE(place.holds("c", "k"));
    REQUIRE(place.move(1, 3, dead_letter_state::resolved, nullptr));
    REQUIRE_FALSE(place.holds("c", "k"));
    REQUIRE(place.move(1, 4, dead_letter_state::waiting, nullptr));
    REQUIRE(place.holds("c", "k"));
}

TEST_CASE("memory: dead_letter_store 5: counts are by reason, type and state, sorted so") {
    memory::dead_letters place;
    for (int i = 1; i <= 4; ++i) {
        auto one = letter(std::to_string(i));
        one.reason = i <= 2 ? "z" : "a";
        one.original.type = i == 4 ? "a.type" : "b.type";
        REQUIRE(place.put(one) == put_result::stored);
    }
    REQUIRE(place.move(1, 1, dead_letter_state::resolved, nullptr));
    using counts = std::vector<sinew::dead_letter_count>;
    REQUIRE(place.counts({}) == counts{{"a", "a.type", dead_letter_state::waiting, 1},
                                       {"a", "b.type", dead_letter_state::waiting, 1},
                                       {"z", "b.type", dead_letter_state::waiting, 1},
                                       {"z", "b.type", dead_letter_state::resolved, 1}});
    REQUIRE(place.counts({.reason = "a", .type = "a.type"}) ==
            counts{{"a", "a.type", dead_letter_state::waiting, 1}});
}

TEST_CASE(
    "memory: dead_letters_in_transaction 1: it shares a database with the stores on it alone") {
    memory::database data;
    memory::store store(data);
    memory::store other(data);
    memory::store apart;
    auto place = store.dead_letters();
    REQUIRE(place.shares(store));
    REQUIRE(place.shares(other));
    REQUIRE_FALSE(place.shares(apart));
    auto tx = apart.begin();
    REQUIRE_THROWS_AS(place.put(tx, letter("1")), sinew::usage_error);
    REQUIRE_THROWS_AS(place.holds(tx, "c", "k"), sinew::usage_error);
    REQUIRE_THROWS_AS(place.move(tx, 1, 1, dead_letter_state::resolved, nullptr),
                      sinew::usage_error);
}

TEST_CASE("memory: dead_letters_in_transaction 2: letter and effect are decided together") {
    memory::store store;
    auto place = store.dead_letters();
    {
        auto tx = store.begin();
        tx.put("effect", "1");
        place.put(tx, letter("1"));
        REQUIRE(place.holds(tx, "c", "k"));
        REQUIRE_FALSE(place.holds("c", "k"));
        REQUIRE(place.size() == 0);
    }
    REQUIRE(place.size() == 0);
    auto tx = store.begin();
    tx.put("effect", "1");
    place.put(tx, letter("1"));
    place.put(tx, letter("1"));
    tx.nest();
    place.put(tx, letter("2"));
    tx.undo_nested();
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(only(place).letter == letter("1"));

    tx = store.begin();
    REQUIRE(place.move(tx, 1, 1, dead_letter_state::resolved, nullptr));
    REQUIRE_FALSE(place.move(tx, 1, 1, dead_letter_state::resolved, nullptr));
    REQUIRE_FALSE(place.holds(tx, "c", "k"));
    REQUIRE(only(place).state == dead_letter_state::waiting);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(only(place).state == dead_letter_state::resolved);
}

TEST_CASE(
    "memory: dead_letters_in_transaction 2: who saw a key free does not commit behind its letter") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto place = one.dead_letters();
    auto tx = one.begin();
    REQUIRE_FALSE(place.holds(tx, "c", "k"));
    tx.put("effect", "1");
    SECTION("a letter of that key came") {
        REQUIRE(other.dead_letters().put(letter("1")) == put_result::stored);
        REQUIRE(tx.commit() == commit_result::aborted);
    }
    SECTION("a letter of another key came") {
        REQUIRE(other.dead_letters().put(letter("1", "other")) == put_result::stored);
        REQUIRE(tx.commit() == commit_result::committed);
    }
}

TEST_CASE(
    "memory: dead_letters_in_transaction 2: two that put the same event at once: it is there "
    "once") {
    memory::database data;
    memory::store one(data);
    memory::store other(data);
    auto place = one.dead_letters();
    auto a = one.begin();
    auto b = other.begin();
    place.put(a, letter("1"));
    place.put(b, letter("1"));
    REQUIRE(b.commit() == commit_result::committed);
    REQUIRE(a.commit() == commit_result::aborted);
    REQUIRE(only(place).number == 1);
}
