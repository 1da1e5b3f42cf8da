// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include <sinew/publish/relay_batch.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace sinew;
using namespace std::chrono_literals;

namespace {

constexpr wall_time noon(12h);
const relay_rules rules{.max_attempts = 3, .backoff = {200ms, 30s}, .seed = 7};

outbox_entry entry_of(std::int64_t number, std::string key, std::uint32_t attempts = 0) {
    outbox_entry out{.number = number, .what = {}};
    out.what = {.id = std::to_string(number), .source = "/orders", .type = "order.placed"};
    out.what.partitionkey = std::move(key);
    out.attempts = attempts;
    return out;
}

relay_batch batch_of(const std::vector<std::string>& keys) {
    std::vector<outbox_entry> entries;
    for (const auto& key : keys) {
        entries.push_back(entry_of(static_cast<std::int64_t>(entries.size()) + 1, key));
    }
    return relay_batch(std::move(entries));
}

failure why(failure_class kind, std::optional<duration> retry_after = std::nullopt) {
    return {kind, "broken", "in two", retry_after};
}
publish_result refused(failure_class kind) { return publish_result::refused(why(kind)); }
publish_result no_answer() { return publish_result::unknown(why(failure_class::unknown)); }

using indices = std::vector<std::size_t>;

}  // namespace

TEST_CASE("an accepted entry is marked") {
    const auto what = decide(rules, entry_of(1, "a"), publish_result::accepted(), noon);
    CHECK(what.fate == entry_fate::mark);
    CHECK(what.sink == sink_sign::up);
}

TEST_CASE("a permanent refusal parks, with a note that counts") {
    const auto what = decide(rules, entry_of(1, "a", 1), refused(failure_class::permanent), noon);
    CHECK(what.fate == entry_fate::park);
    CHECK(what.sink == sink_sign::up);
    CHECK(what.note == failure_note{noon, failure_class::permanent, 2, "broken", "in two"});
    CHECK(counts_as_attempt(what.note.kind));
}

TEST_CASE("a transient refusal puts off, and the last one parks") {
    for (const auto kind : {failure_class::transient, failure_class::unknown}) {
        const auto first = decide(rules, entry_of(1, "a"), refused(kind), noon);
        CHECK(first.fate == entry_fate::put_off);
        CHECK(first.sink == sink_sign::up);
        CHECK(first.delay >= backoff_floor);
        CHECK(first.delay <= 30s);
        CHECK(first.note.kind == failure_class::transient);
        CHECK(first.note.attempt == 1);
        CHECK(decide(rules, entry_of(1, "a", 1), refused(kind), noon).fate == entry_fate::put_off);
        const auto last = decide(rules, entry_of(1, "a", 2), refused(kind), noon);
        CHECK(last.fate == entry_fate::park);
        CHECK(last.note.attempt == 3);
    }
}

TEST_CASE("an entry that was unparked with its attempts used up has one more") {
    const auto what = decide(rules, entry_of(1, "a", 9), refused(failure_class::transient), noon);
    CHECK(what.fate == entry_fate::park);
    CHECK(what.note.attempt == 10);
    const auto most =
        decide(rules, entry_of(1, "a", UINT32_MAX), refused(failure_class::transient), noon);
    CHECK(most.note.attempt == UINT32_MAX);
}

TEST_CASE("a publish without an answer is put off, and never counts, whatever class it names") {
    for (const auto kind : {failure_class::unknown, failure_class::permanent,
                            failure_class::transient, failure_class::unavailable}) {
        const auto what =
            decide(rules, entry_of(1, "a", 2), publish_result::unknown(why(kind)), noon);
        CHECK(what.fate == entry_fate::put_off);
        CHECK(what.sink == sink_sign::silent);
        CHECK(what.note.kind == failure_class::unknown);
        CHECK(what.note.attempt == 2);
        CHECK_FALSE(counts_as_attempt(what.note.kind));
    }
}

TEST_CASE("a sink that is unavailable changes nothing in the entry") {
    const auto what = decide(rules, entry_of(1, "a"), refused(failure_class::unavailable), noon);
    CHECK(what.fate == entry_fate::leave);
    CHECK(what.sink == sink_sign::down);
}

TEST_CASE("an entry that never gets an answer waits for twice as long each time, up to the cap") {
    auto entry = entry_of(1, "a");
    duration last{};
    for (int i = 0; i < 30; ++i) {
        const auto what = decide(rules, entry, no_answer(), noon);
        CHECK(what.delay >= (2 * last < 30s ? 2 * last : 30s));
        CHECK(what.delay <= 30s);
        last = what.delay;
        entry.waits = put_off_by(noon, last);
        last = std::chrono::floor<std::chrono::microseconds>(last);
    }
    CHECK(last == 30s);
}

TEST_CASE("a refusal that asks to be left alone for longer is, within bounds") {
    const auto delay_after = [](duration asked) {
        const auto answer = publish_result::refused(why(failure_class::transient, asked));
        return decide(rules, entry_of(1, "a"), answer, noon).delay;
    };
    CHECK(delay_after(20min) == 20min);
    CHECK(delay_after(100h) == rules.retry_after_max);
    CHECK(delay_after(-1s) >= backoff_floor);
}

TEST_CASE("entries do not come back together") {
    std::vector<duration> delays;
    for (std::int64_t number = 1; number <= 8; ++number) {
        const auto answer = refused(failure_class::transient);
        delays.push_back(decide(rules, entry_of(number, "a"), answer, noon).delay);
    }
    for (std::size_t i = 1; i < delays.size(); ++i) {
        CHECK(delays[i] != delays[0]);
    }
}

TEST_CASE("an empty batch is over") {
    relay_batch none;
    CHECK(none.is_over());
    CHECK(none.pick(5).empty());
}

TEST_CASE("entries are picked in their order, each once") {
    auto batch = batch_of({"a", "b", "a"});
    CHECK(batch.pick(2) == indices{0, 1});
    CHECK_FALSE(batch.is_over());
    CHECK(batch.pick(2) == indices{2});
    CHECK(batch.is_over());
}

TEST_CASE("behind an entry that was not accepted its key is closed, and no other") {
    for (const auto& answer : {refused(failure_class::permanent), refused(failure_class::transient),
                               refused(failure_class::unavailable), no_answer()}) {
        auto batch = batch_of({"a", "b", "a", "b", "a"});
        static_cast<void>(batch.pick(1));
        static_cast<void>(batch.answer(rules, 0, answer, noon));
        CHECK(batch.pick(9) == indices{1, 3});
        CHECK(batch.is_over());
    }
}

TEST_CASE("an entry without a key closes nothing") {
    auto batch = batch_of({"", "", "a"});
    static_cast<void>(batch.pick(1));
    static_cast<void>(batch.answer(rules, 0, refused(failure_class::permanent), noon));
    CHECK(batch.pick(9) == indices{1, 2});
}

TEST_CASE("what was published together with one that failed before it is left as it is") {
    for (const auto& answer : {refused(failure_class::permanent), refused(failure_class::transient),
                               refused(failure_class::unavailable), no_answer()}) {
        auto batch = batch_of({"a", "a", "b"});
        static_cast<void>(batch.pick(3));
        const auto first = batch.answer(rules, 0, refused(failure_class::transient), noon);
        const auto behind = batch.answer(rules, 1, answer, noon);
        const auto other = batch.answer(rules, 2, refused(failure_class::permanent), noon);
        CHECK(first.fate == entry_fate::put_off);
        CHECK(behind.fate == entry_fate::leave);
        CHECK(behind.sink == sink_sign::none);
        CHECK(other.fate == entry_fate::park);
    }
}

TEST_CASE("what the sink has is marked, also if it broke the order") {
    auto batch = batch_of({"a", "a"});
    static_cast<void>(batch.pick(2));
    static_cast<void>(batch.answer(rules, 0, no_answer(), noon));
    CHECK(batch.answer(rules, 1, publish_result::accepted(), noon).fate == entry_fate::mark);
}

TEST_CASE("a batch that is ended shows no more") {
    auto batch = batch_of({"a", "b"});
    batch.end();
    CHECK(batch.is_over());
    CHECK(batch.pick(9).empty());
    CHECK(batch[1].number == 2);
}

TEST_CASE("of one key, what was accepted is always a prefix, whatever the sink answers") {
    sinew::test::prop("accepted entries of a key stand before those that were not", [] {
        const auto keys = *rc::gen::container<std::vector<std::string>>(
            rc::gen::element<std::string>("", "a", "b", "c"));
        const auto script = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
        const auto limit = *rc::gen::inRange<std::size_t>(1, 5);
        auto batch = batch_of(keys);
        std::vector<std::string> failed;
        std::vector<int> seen(keys.size());
        std::size_t step = 0;
        while (!batch.is_over()) {
            for (const auto index : batch.pick(limit)) {
                const bool closed =
                    std::find(failed.begin(), failed.end(), keys[index]) != failed.end();
                const int choice = step < script.size() ? script[step] : 0;
                ++step;
                ++seen[index];
                RC_ASSERT((!closed || limit > 1));
                const bool accepts = choice < 2 && !closed;
                const auto what = batch.answer(
                    rules, index,
                    accepts      ? publish_result::accepted()
                    : choice < 5 ? refused(static_cast<failure_class>(choice == 0 ? 0 : choice - 1))
                                 : no_answer(),
                    noon);
                RC_ASSERT((what.fate == entry_fate::mark) == accepts);
                RC_ASSERT((!closed || what.fate == entry_fate::leave));
                if (!accepts && !keys[index].empty()) {
                    failed.push_back(keys[index]);
                }
            }
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
            RC_ASSERT(seen[i] <= 1);
            const bool skipped = std::find(failed.begin(), failed.end(), keys[i]) != failed.end();
            RC_ASSERT((seen[i] == 1 || skipped));
        }
    });
}
