// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "core/any_event.hpp"
#include "postgres/parts.hpp"

#include <sinew/adapters/postgres/dead_letters.hpp>
#include <sinew/adapters/postgres/store.hpp>
#include <sinew/core/dead_letters.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using state = dead_letter_state;
using sinew::test::at;
using sinew::test::make_event;
using sinew::test::place;

static_assert(dead_letter_store<postgres::dead_letters>);
static_assert(dead_letters_in_transaction<postgres::dead_letters, postgres::store>);
static_assert(std::copyable<postgres::dead_letters>);

struct fixture {
    place here;
    postgres::store db = here.open();
    postgres::dead_letters letters = db.dead_letters();
};

dead_letter_record make_letter(std::string id, std::string key = "k",
                               std::string reason = "bad_price") {
    dead_letter_record letter{.consumer = "stock",
                              .topic = "orders",
                              .where = {1, 7},
                              .original = make_event(std::move(id), std::move(key)),
                              .reason = {},
                              .attempts = 3};
    letter.add({at(100), failure_class::permanent, 3, std::move(reason), "the price is negative"});
    return letter;
}

dead_letter_entry only(const postgres::dead_letters& letters) {
    auto all = letters.find({}, 0, 10);
    REQUIRE(all.size() == 1);
    return std::move(all[0]);
}

bool move_to(postgres::dead_letters& letters, std::int64_t number, state to) {
    for (const auto& one : letters.find({}, number - 1, 1)) {
        return letters.move(number, one.version, to, nullptr);
    }
    return false;
}

}  // namespace

TEST_CASE("postgres: a dead letter comes back bit for bit, from another process's connection too") {
    fixture f;
    test::prop("any event with any history", [&] {
        f.db.connection().execute("DELETE FROM dead_letters");
        dead_letter_record letter;
        letter.consumer = *rc::gen::arbitrary<std::string>();
        letter.topic = *rc::gen::arbitrary<std::string>();
        letter.where = {*rc::gen::arbitrary<partition_id>(), *rc::gen::arbitrary<log_offset>()};
        letter.original = *test::any_event();
        letter.attempts = *rc::gen::arbitrary<std::uint32_t>();
        for (const auto& text : *rc::gen::arbitrary<std::vector<std::string>>()) {
            letter.add({at(static_cast<std::int64_t>(text.size()) - 5),
                        static_cast<failure_class>(text.size() % 4), 7, text, text + text});
        }
        RC_ASSERT(f.letters.put(letter) == put_result::stored);
        postgres::store other = f.here.open();
        const auto found = other.dead_letters().find({}, 0, 2);
        RC_ASSERT(found.size() == std::size_t{1});
        RC_ASSERT(found[0].letter == letter);
        RC_ASSERT(found[0].state == state::waiting);
    });
}

TEST_CASE("postgres: an event is there once per consumer; put again, it adds what is new") {
    fixture f;
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    const auto before = only(f.letters);
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    REQUIRE(only(f.letters).letter == before.letter);
    REQUIRE(only(f.letters).version == before.version);

    auto again = make_letter("1", "other key", "worse_price");
    again.original.data = "other data";
    again.where = {2, 9};
    REQUIRE(f.letters.put(again) == put_result::stored);
    const auto after = only(f.letters);
    REQUIRE(after.version > before.version);
    REQUIRE(after.letter.original == before.letter.original);
    REQUIRE(after.letter.where == before.letter.where);
    REQUIRE(after.letter.history.size() == 2);
    REQUIRE(after.letter.reason == "worse_price");
    REQUIRE(after.letter.attempts == 6);

    auto elsewhere = make_letter("1");
    elsewhere.consumer = "billing";
    REQUIRE(f.letters.put(elsewhere) == put_result::stored);
    REQUIRE(f.letters.size() == 2);
}

TEST_CASE("postgres: an event without identity is told apart by its place") {
    fixture f;
    auto broken = make_letter("");
    REQUIRE(f.letters.put(broken) == put_result::stored);
    REQUIRE(f.letters.put(broken) == put_result::stored);
    REQUIRE(f.letters.size() == 1);
    broken.where.offset = 8;
    REQUIRE(f.letters.put(broken) == put_result::stored);
    broken.topic = "returns";
    REQUIRE(f.letters.put(broken) == put_result::stored);
    broken.original.id = "1";
    broken.original.source.clear();
    broken.where.partition = 2;
    REQUIRE(f.letters.put(broken) == put_result::stored);
    // One with identity at the same place is another event.
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    REQUIRE(f.letters.size() == 5);
}

TEST_CASE("postgres: putting again changes nothing in an entry that does not wait") {
    for (const state where :
         {state::requested, state::replaying, state::resolved, state::discarded}) {
        fixture f;
        REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
        REQUIRE(move_to(f.letters, 1, where));
        const auto before = only(f.letters);
        REQUIRE(f.letters.put(make_letter("1", "k", "another")) == put_result::stored);
        REQUIRE(only(f.letters).version == before.version);
        REQUIRE(only(f.letters).state == where);
        REQUIRE(only(f.letters).letter == before.letter);
    }
}

TEST_CASE("postgres: a long history keeps the first note and the latest") {
    fixture f;
    for (int i = 0; i < 30; ++i) {
        auto letter = make_letter("1");
        letter.history.clear();
        letter.add({at(i), failure_class::transient, 1, std::to_string(i), std::string(5000, 'x')});
        REQUIRE(f.letters.put(letter) == put_result::stored);
        REQUIRE(f.letters.put(letter) == put_result::stored);
    }
    const auto kept = only(f.letters).letter.history;
    REQUIRE(kept.size() == dead_letter_record::history_max);
    REQUIRE(kept.front().reason == "0");
    REQUIRE(kept.back().reason == "29");
    REQUIRE(kept.back().detail.size() == dead_letter_record::detail_max);
}

TEST_CASE("postgres: a move needs the version it saw, and its note joins the history") {
    fixture f;
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    const auto seen = only(f.letters);
    REQUIRE_FALSE(f.letters.move(seen.number, seen.version + 1, state::requested, nullptr));
    REQUIRE_FALSE(f.letters.move(seen.number + 1, seen.version, state::requested, nullptr));
    REQUIRE(f.letters.move(seen.number, seen.version, state::requested, nullptr));
    REQUIRE_FALSE(f.letters.move(seen.number, seen.version, state::discarded, nullptr));
    const failure_note note{at(200), failure_class::transient, 4, "again", "it failed again"};
    const auto now = only(f.letters);
    REQUIRE(f.letters.move(now.number, now.version, state::waiting, &note));
    const auto after = only(f.letters);
    REQUIRE(after.state == state::waiting);
    REQUIRE(after.version > now.version);
    REQUIRE(after.letter.history.back() == note);
    REQUIRE(after.letter.last_failure == at(200));
    REQUIRE(after.letter.first_failure == at(100));
}

TEST_CASE("postgres: find lists by number, above the one given, and by each field") {
    fixture f;
    for (int i = 1; i <= 6; ++i) {
        auto letter = make_letter(std::to_string(i), i % 2 == 0 ? "even" : "odd",
                                  i == 6 ? "late" : "bad_price");
        letter.topic = i == 5 ? "returns" : "orders";
        letter.kind = i == 3 ? failure_class::unknown : failure_class::permanent;
        letter.original.type = i == 4 ? "four" : "any";
        letter.consumer = i == 2 ? "billing" : "stock";
        REQUIRE(f.letters.put(letter) == put_result::stored);
    }
    REQUIRE(move_to(f.letters, 1, state::discarded));
    const auto numbers = [&](const dead_letter_filter& filter, std::int64_t after = 0,
                             std::size_t limit = 100) {
        std::vector<std::int64_t> out;
        for (const auto& one : f.letters.find(filter, after, limit)) {
            out.push_back(one.number);
        }
        return out;
    };
    using list = std::vector<std::int64_t>;
    REQUIRE(numbers({}) == list{1, 2, 3, 4, 5, 6});
    REQUIRE(numbers({}, 4) == list{5, 6});
    REQUIRE(numbers({}, 1, 2) == list{2, 3});
    REQUIRE(numbers({}, 0, 0).empty());
    REQUIRE(numbers({}, 0, SIZE_MAX).size() == 6);
    REQUIRE(numbers({.consumer = "billing"}) == list{2});
    REQUIRE(numbers({.topic = "returns"}) == list{5});
    REQUIRE(numbers({.reason = "late"}) == list{6});
    REQUIRE(numbers({.type = "four"}) == list{4});
    REQUIRE(numbers({.key = "even"}) == list{2, 4, 6});
    REQUIRE(numbers({.kind = failure_class::unknown}) == list{3});
    REQUIRE(numbers({.state = state::discarded}) == list{1});
    REQUIRE(numbers({.consumer = "stock", .key = "odd", .state = state::waiting}, 1, 1) == list{3});
}

TEST_CASE("postgres: requested is the oldest request, and a replay that was cut off comes first") {
    fixture f;
    for (int i = 1; i <= 4; ++i) {
        REQUIRE(f.letters.put(make_letter(std::to_string(i))) == put_result::stored);
    }
    REQUIRE_FALSE(f.letters.requested("stock"));
    REQUIRE(move_to(f.letters, 3, state::requested));
    REQUIRE(move_to(f.letters, 2, state::requested));
    REQUIRE_FALSE(f.letters.requested("billing"));
    REQUIRE(f.letters.requested("stock")->number == 2);
    REQUIRE(move_to(f.letters, 4, state::replaying));
    REQUIRE(f.letters.requested("stock")->number == 4);
    REQUIRE(move_to(f.letters, 4, state::resolved));
    REQUIRE(f.letters.requested("stock")->number == 2);
}

TEST_CASE("postgres: a key is held while one of its entries is neither resolved nor discarded") {
    fixture f;
    REQUIRE_FALSE(f.letters.holds("stock", "k"));
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    REQUIRE(f.letters.put(make_letter("2")) == put_result::stored);
    REQUIRE(f.letters.put(make_letter("3", "")) == put_result::stored);
    for (const state where : {state::requested, state::replaying, state::waiting}) {
        REQUIRE(move_to(f.letters, 1, where));
        REQUIRE(f.letters.holds("stock", "k"));
    }
    REQUIRE_FALSE(f.letters.holds("billing", "k"));
    REQUIRE_FALSE(f.letters.holds("stock", "other"));
    REQUIRE(f.letters.holds("stock", ""));
    REQUIRE(move_to(f.letters, 1, state::resolved));
    REQUIRE(f.letters.holds("stock", "k"));
    REQUIRE(move_to(f.letters, 2, state::discarded));
    REQUIRE_FALSE(f.letters.holds("stock", "k"));
}

TEST_CASE("postgres: counts are by reason, type and state, in that order") {
    fixture f;
    int id = 0;
    for (const char* reason : {"b", "a", "b", "\xff"}) {
        REQUIRE(f.letters.put(make_letter(std::to_string(++id), "k", reason)) ==
                put_result::stored);
    }
    auto untyped = make_letter("no type", "k", "a");
    untyped.original.type.clear();
    REQUIRE(f.letters.put(untyped) == put_result::stored);
    REQUIRE(move_to(f.letters, 1, state::discarded));
    using list = std::vector<dead_letter_count>;
    REQUIRE(f.letters.counts({}) == list{{"a", "", state::waiting, 1},
                                         {"a", "test.happened", state::waiting, 1},
                                         {"b", "test.happened", state::waiting, 1},
                                         {"b", "test.happened", state::discarded, 1},
                                         {"\xff", "test.happened", state::waiting, 1}});
    REQUIRE(f.letters.counts({.reason = "b", .state = state::waiting}) ==
            list{{"b", "test.happened", state::waiting, 1}});
}

TEST_CASE("postgres: in the store's transaction letter and effect are decided together") {
    fixture f;
    REQUIRE(f.letters.shares(f.db));
    {
        auto tx = f.db.begin();
        f.letters.put(tx, make_letter("1"));
        REQUIRE(f.letters.holds(tx, "stock", "k"));
        REQUIRE(f.letters.move(tx, 1, 1, state::requested, nullptr));
        tx.rollback();
    }
    REQUIRE(f.letters.size() == 0);
    {
        auto tx = f.db.begin();
        tx.nest();
        f.letters.put(tx, make_letter("1"));
        tx.undo_nested();
        f.letters.put(tx, make_letter("2"));
        REQUIRE(tx.remember("stock", {"/test", "2"}, at(1)));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    REQUIRE(only(f.letters).letter.original.id == "2");

    // Without the transaction a write would be part of it unasked, so it is refused.
    auto tx = f.db.begin();
    REQUIRE_THROWS_AS(f.letters.put(make_letter("3")), unavailable_error);
    REQUIRE_THROWS_AS(f.letters.move(2, 1, state::requested, nullptr), unavailable_error);
    tx.rollback();
    REQUIRE_THROWS_AS(f.letters.put(tx, make_letter("3")), usage_error);

    postgres::store other = f.here.open();
    REQUIRE_FALSE(f.letters.shares(other));
    auto foreign = other.begin();
    REQUIRE_THROWS_AS(f.letters.put(foreign, make_letter("3")), usage_error);
}

TEST_CASE("postgres: of two that put the same letter at once, both are told that it is there") {
    fixture f;
    postgres::store other = f.here.open();
    auto others = other.dead_letters();
    auto tx = other.begin();
    others.put(tx, make_letter("1", "k", "theirs"));
    // The other one holds the entry, and this one is not told that it is there.
    REQUIRE_THROWS_AS(f.letters.put(make_letter("1", "k", "ours")), postgres::busy_error);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(f.letters.put(make_letter("1", "k", "ours")) == put_result::stored);
    REQUIRE(only(f.letters).letter.history.size() == 2);
    REQUIRE_THROWS_AS(f.letters.put(make_letter("2"), steady_time::min()),
                      postgres::deadline_error);
}

TEST_CASE("postgres: a move that another came before is told so, and is not lost") {
    fixture f;
    REQUIRE(f.letters.put(make_letter("1")) == put_result::stored);
    postgres::store other = f.here.open();
    auto others = other.dead_letters();
    const auto seen = only(f.letters);
    auto tx = other.begin();
    REQUIRE(others.move(tx, seen.number, seen.version, state::requested, nullptr));
    auto mine = f.db.begin();
    REQUIRE_FALSE(f.letters.holds(mine, "stock", "another key"));
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE_THROWS_AS(f.letters.move(mine, seen.number, seen.version, state::discarded, nullptr),
                      postgres::serialization_error);
    mine.rollback();
    REQUIRE_FALSE(f.letters.move(seen.number, seen.version, state::discarded, nullptr));
}

TEST_CASE("postgres: letters of any length have their place") {
    fixture f;
    std::string noise;
    std::uint64_t bits = 42;
    for (int i = 0; i < 50'000; ++i) {
        bits = bits * 6364136223846793005U + 1442695040888963407U;
        noise.push_back(static_cast<char>(bits >> 56U));
    }
    for (const auto& id : {noise, noise + "x", noise.substr(0, 900)}) {
        auto letter = make_letter(id, id, id);
        REQUIRE(f.letters.put(letter) == put_result::stored);
        REQUIRE(f.letters.put(letter) == put_result::stored);
        REQUIRE(f.letters.holds("stock", id));
        REQUIRE(f.letters.find({.key = id}, 0, 9).size() == 1);
    }
    REQUIRE(f.letters.size() == 3);
    REQUIRE_FALSE(f.letters.holds("stock", noise.substr(0, 901)));
}

TEST_CASE("postgres: purging forgets what is settled and old, and numbers are not used again") {
    fixture f;
    for (int i = 1; i <= 4; ++i) {
        REQUIRE(f.letters.put(make_letter(std::to_string(i))) == put_result::stored);
    }
    for (int i = 2; i <= 4; ++i) {
        REQUIRE(move_to(f.letters, i, state::resolved));
    }
    REQUIRE(f.letters.purge(at(100), 10) == 0);
    REQUIRE(f.letters.purge(at(101), 2) == 2);
    REQUIRE(f.letters.purge(at(101), 2) == 1);
    REQUIRE(only(f.letters).number == 1);
    REQUIRE(f.letters.put(make_letter("4")) == put_result::stored);
    REQUIRE(f.letters.find({}, 1, 9).at(0).number == 5);
}
