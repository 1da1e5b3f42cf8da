// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/core/dead_letters.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace sinew;

namespace {

failure_note note(std::uint32_t attempt, std::string detail = "it broke") {
    return {.at = wall_time(std::chrono::microseconds(attempt)),
            .kind = failure_class::transient,
            .attempt = attempt,
            .reason = "reason_" + std::to_string(attempt),
            .detail = std::move(detail)};
}

}  // namespace

TEST_CASE("a dead letter remembers when it failed first and last, and why last") {
    dead_letter_record letter;
    letter.add(note(1));
    letter.add(note(2));
    auto last = note(3);
    last.kind = failure_class::permanent;
    letter.add(last);
    CHECK(letter.first_failure == note(1).at);
    CHECK(letter.last_failure == last.at);
    CHECK(letter.reason == "reason_3");
    CHECK(letter.kind == failure_class::permanent);
    CHECK(letter.history == std::vector<failure_note>{note(1), note(2), last});
}

TEST_CASE("a long history keeps the first note and the latest ones") {
    dead_letter_record letter;
    for (std::uint32_t i = 1; i <= 100; ++i) {
        letter.add(note(i));
        CHECK(letter.history.size() <= dead_letter_record::history_max);
        CHECK(letter.history.front() == note(1));
        CHECK(letter.history.back() == note(i));
    }
    REQUIRE(letter.history.size() == dead_letter_record::history_max);
    for (std::size_t i = 1; i < dead_letter_record::history_max; ++i) {
        CHECK(letter.history[i].attempt == 100 - dead_letter_record::history_max + 1 + i);
    }
    CHECK(letter.first_failure == note(1).at);
}

TEST_CASE("a history that was stored longer than it may be is cut by the next note") {
    dead_letter_record letter;
    for (std::uint32_t i = 1; i <= 50; ++i) {
        letter.history.push_back(note(i));
    }
    letter.add(note(51));
    CHECK(letter.history.size() == dead_letter_record::history_max);
    CHECK(letter.history.front() == note(1));
    CHECK(letter.history.back() == note(51));
}

TEST_CASE("a letter that is put again adds the notes that are new, and its attempts") {
    dead_letter_record letter;
    letter.add(note(1));
    letter.add(note(2));
    letter.attempts = 2;
    dead_letter_record again;
    again.add(note(2));
    again.add(note(3));
    again.attempts = 2;
    CHECK(letter.add_what_is_new(again));
    CHECK(letter.history == std::vector{note(1), note(2), note(3)});
    CHECK(letter.attempts == 4);

    const dead_letter_record before = letter;
    CHECK_FALSE(letter.add_what_is_new(again));
    CHECK(letter == before);
}

TEST_CASE("a letter that is put again adds nothing, however long its history and its details are") {
    dead_letter_record put;
    for (std::uint32_t i = 1; i <= 50; ++i) {
        put.history.push_back(note(i));
        put.history.back().detail.assign(2 * dead_letter_record::detail_max, 'x');
    }
    dead_letter_record kept;
    kept.history = put.bounded_history();
    REQUIRE(kept.history.size() == dead_letter_record::history_max);
    CHECK(kept.history.front().detail.size() == dead_letter_record::detail_max);
    const dead_letter_record before = kept;
    CHECK_FALSE(kept.add_what_is_new(put));
    CHECK(kept == before);
}

TEST_CASE("a long detail is cut, and never within a character") {
    dead_letter_record letter;
    letter.add(note(1, std::string(5000, 'x')));
    CHECK(letter.history.back().detail == std::string(dead_letter_record::detail_max, 'x'));
    letter.add(note(2, std::string(dead_letter_record::detail_max, 'x')));
    CHECK(letter.history.back().detail.size() == dead_letter_record::detail_max);
    for (const std::string character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\x80"}) {
        for (std::size_t before = 0; before < 4; ++before) {
            std::string detail(before, 'x');
            while (detail.size() < 2000) {
                detail += character;
            }
            letter.add(note(3, detail));
            const auto& kept = letter.history.back().detail;
            CHECK(is_utf8(kept));
            CHECK(detail.starts_with(kept));
            CHECK(kept.size() <= dead_letter_record::detail_max);
            CHECK(kept.size() + character.size() > dead_letter_record::detail_max);
        }
    }
}

TEST_CASE("a detail that is no UTF-8 is cut as well") {
    dead_letter_record letter;
    letter.add(note(1, std::string(5000, '\x80')));
    CHECK(letter.history.back().detail.size() >= dead_letter_record::detail_max - 3);
    CHECK(letter.history.back().detail.size() <= dead_letter_record::detail_max);
}

TEST_CASE("the original is never touched") {
    dead_letter_record letter{
        .original = {.id = "17", .source = "/shop", .type = "t", .data = "\xff"}};
    const event before = letter.original;
    for (std::uint32_t i = 1; i <= 30; ++i) {
        letter.add(note(i));
    }
    CHECK(letter.original == before);
}

TEST_CASE("a state has a name") {
    STATIC_REQUIRE(to_string(dead_letter_state::waiting) == "waiting");
    STATIC_REQUIRE(to_string(dead_letter_state::requested) == "requested");
    STATIC_REQUIRE(to_string(dead_letter_state::replaying) == "replaying");
    STATIC_REQUIRE(to_string(dead_letter_state::resolved) == "resolved");
    STATIC_REQUIRE(to_string(dead_letter_state::discarded) == "discarded");
    STATIC_REQUIRE(to_string(static_cast<dead_letter_state>(99)) == "invalid");
}
