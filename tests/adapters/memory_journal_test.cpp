// SPDX-License-Identifier: BSL-1.0
#include <sinew/adapters/memory.hpp>
#include <sinew/core/journal.hpp>
#include <sinew/process/start_process.hpp>

#include "support/test.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memory = sinew::memory;
using namespace sinew;
using namespace std::chrono_literals;

static_assert(journal<memory::journal, memory::store>);

namespace {

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr std::string_view type = "order";
const std::vector<step_entry> steps{{"reserve", step_kind::compensable},
                                    {"charge", step_kind::compensable},
                                    {"ship", step_kind::pivot}};

/// Two runners, each with a connection of its own, and a service.
struct shop {
    memory::database data;
    memory::store service{data};
    memory::store first_store{data};
    memory::store second_store{data};
    memory::journal book = service.journal("processes");
    shard_lease first = book.take(book.holder(0), "first").value();
    shard_lease second = book.take(book.holder(1), "second").value();
    wall_time now = day;

    void begin(std::string_view id) {
        REQUIRE(start_process(service, book, {type, id, steps, "input"}, now, never) ==
                start_result::started);
    }
    std::vector<journal_entry> claim(const shard_lease& lease) {
        return book.claim(lease, {&type, 1}, now, 100).value();
    }
    static journal_write done(const journal_entry& entry, std::string step) {
        journal_write out{.claim = claim_of(entry.what), .known = entry.history.size()};
        out.records.push_back({.where = {std::move(step), step_phase::act}, .result = "ok"});
        return out;
    }
};

}  // namespace

TEST_CASE("memory: a journal is opened with the number of seats that it was made with") {
    const memory::database data;
    const memory::journal made(data, "processes", {.seats = 4});
    REQUIRE(made.shards() == 4);
    REQUIRE_THROWS_WITH(memory::journal(data, "processes", {.seats = 5}),
                        "journal: it was made with 4 seats, and is opened with 5");
    REQUIRE_NOTHROW(memory::journal(data, "others", {.seats = 5}));
    REQUIRE_THROWS_AS(memory::journal(data, "none", {.seats = 0}), usage_error);
}

TEST_CASE("memory: journals of other names hold other instances") {
    shop at;
    at.begin("1");
    auto other = at.service.journal("others");
    REQUIRE_FALSE(other.find(type, "1"));
    REQUIRE(other.counts() == journal_counts{});
    const auto lease = other.take(other.holder(0), "first").value();
    REQUIRE(other.claim(lease, {&type, 1}, at.now, 10)->empty());
}

TEST_CASE("memory: a transaction of another database is refused") {
    shop at;
    memory::store stranger;
    auto tx = stranger.begin();
    REQUIRE_FALSE(at.book.shares(stranger));
    REQUIRE_THROWS_AS(at.book.start(tx, {type, "1", steps, ""}, at.now), usage_error);
    REQUIRE_THROWS_AS(at.book.write(tx, journal_write{}, at.now), usage_error);
}

TEST_CASE("memory: a seat that is not there, and a runner without a name, are refused") {
    shop at;
    REQUIRE_THROWS_AS(at.book.holder(at.book.shards()), usage_error);
    REQUIRE_THROWS_AS(at.book.take(at.book.holder(2), ""), usage_error);
    REQUIRE_THROWS_AS(at.book.decide(1, 1, {.becomes = instance_state::completed}, at.now),
                      usage_error);
}

TEST_CASE("memory: a write that knows more than there is is refused") {
    shop at;
    at.begin("1");
    const auto entry = at.claim(at.first).at(0);
    auto one = shop::done(entry, "reserve");
    one.known = 1;
    REQUIRE_THROWS_AS(at.book.write({&one, 1}, at.now), usage_error);
    REQUIRE(at.data.open_transactions() == 0);
}

TEST_CASE("memory: a step's effect and its record are there together or not at all") {
    shop at;
    at.begin("1");
    const auto entry = at.claim(at.first).at(0);
    {
        auto tx = at.first_store.begin();
        tx.put("stock", "9");
        REQUIRE(at.book.write(tx, shop::done(entry, "reserve"), at.now).how == fenced_result::done);
    }
    REQUIRE_FALSE(at.service.get("stock"));
    REQUIRE(at.book.find(type, "1")->history.empty());
    auto tx = at.first_store.begin();
    tx.put("stock", "9");
    REQUIRE(at.book.write(tx, shop::done(entry, "reserve"), at.now).how == fenced_result::done);
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.service.get("stock") == "9");
    REQUIRE(at.book.find(type, "1")->history.size() == 1);
}

TEST_CASE("memory: a runner that was taken for dead commits no effect") {
    shop at;
    at.begin("1");
    const auto entry = at.claim(at.first).at(0);
    auto tx = at.first_store.begin();
    tx.put("stock", "9");
    REQUIRE(at.book.write(tx, shop::done(entry, "reserve"), at.now).how == fenced_result::done);

    // Before the commit another sweeps its seat, and goes on with the instance.
    const auto swept = at.book.take(at.book.holder(0), "second").value();
    REQUIRE(at.book.release(swept) == fenced_result::done);
    const auto again = at.claim(at.second).at(0);
    REQUIRE(again.unsettled == 2);
    auto theirs = at.second_store.begin();
    theirs.put("stock", "9 by the second");
    REQUIRE(at.book.write(theirs, shop::done(again, "reserve"), at.now).how == fenced_result::done);
    REQUIRE(theirs.commit() == commit_result::committed);

    REQUIRE(tx.commit() == commit_result::aborted);
    REQUIRE(at.service.get("stock") == "9 by the second");
    auto late = at.first_store.begin();
    REQUIRE(at.book.write(late, shop::done(entry, "reserve"), at.now).how == fenced_result::stale);
}

TEST_CASE("memory: steps of several instances share a transaction, and one of them can be undone") {
    shop at;
    at.begin("1");
    at.begin("2");
    const auto entries = at.claim(at.first);
    auto tx = at.first_store.begin();
    const auto before = at.data.commits();
    for (const auto& entry : entries) {
        tx.nest();
        tx.put(entry.what.id, "reserved");
        REQUIRE(at.book.write(tx, shop::done(entry, "reserve"), at.now).how == fenced_result::done);
        if (entry.what.id == "1") {
            tx.undo_nested();
        } else {
            tx.keep_nested();
        }
    }
    REQUIRE(tx.commit() == commit_result::committed);
    REQUIRE(at.data.commits() == before + 1);
    REQUIRE_FALSE(at.service.get("1"));
    REQUIRE(at.book.find(type, "1")->history.empty());
    REQUIRE(at.service.get("2") == "reserved");
    REQUIRE(at.book.find(type, "2")->history.size() == 1);
}

TEST_CASE("memory: writes of many instances are one commit") {
    shop at;
    std::vector<journal_write> writes;
    for (int i = 0; i < 64; ++i) {
        at.begin(std::to_string(i));
    }
    for (const auto& entry : at.claim(at.first)) {
        writes.push_back(shop::done(entry, "reserve"));
    }
    const auto before = at.data.commits();
    REQUIRE(at.book.write(writes, at.now).size() == 64);
    REQUIRE(at.data.commits() == before + 1);
}

TEST_CASE("memory: one beat keeps all that a runner holds, and a sweep frees all of it") {
    shop at;
    for (int i = 0; i < 20; ++i) {
        at.begin(std::to_string(i));
    }
    REQUIRE(at.claim(at.first).size() == 20);
    lease_watch watch("second", 30s, at.book.shards());
    steady_time clock(1h);
    REQUIRE_FALSE(watch.may_take(at.book.holder(0), clock));
    REQUIRE(at.book.renew(at.first) == fenced_result::done);
    clock += 30s;
    REQUIRE_FALSE(watch.may_take(at.book.holder(0), clock));
    REQUIRE(at.claim(at.second).empty());
    clock += 30s;
    REQUIRE(watch.may_take(at.book.holder(0), clock));
    const auto swept = at.book.take(at.book.holder(0), "second").value();
    REQUIRE(at.book.release(swept) == fenced_result::done);
    REQUIRE(at.claim(at.second).size() == 20);
    REQUIRE_FALSE(at.book.claim(at.first, {&type, 1}, at.now, 10));
}

TEST_CASE("memory: a start that is not committed for sure is not taken for one") {
    shop at;
    auto slow = at.service.begin();
    REQUIRE(at.book.start(slow, {type, "1", steps, "input"}, at.now) == start_result::started);
    REQUIRE(start_process(at.first_store, at.book, {type, "1", steps, "input"}, at.now, never) ==
            start_result::started);
    REQUIRE(slow.commit() == commit_result::aborted);
    REQUIRE(at.claim(at.first).size() == 1);
}

TEST_CASE("memory: a history reads as a list of what happened") {
    shop at;
    at.begin("1");
    auto entry = at.claim(at.first).at(0);
    auto one = shop::done(entry, "reserve");
    one.records[0].why = failure_note{.detail = std::string(5000, 'd')};
    REQUIRE(at.book.write({&one, 1}, at.now).front().how == fenced_result::done);
    auto two = shop::done(entry, "charge");
    two.known = 1;
    two.records[0].kind = record_kind::failed;
    two.records.push_back({.where = {"reserve", step_phase::undo}});
    two.end = claim_end::compensated;
    REQUIRE(at.book.write({&two, 1}, at.now).front().how == fenced_result::done);
    const auto found = at.book.find(type, "1").value();
    REQUIRE(found.what.state == instance_state::compensated);
    REQUIRE(found.history.size() == 3);
    REQUIRE(found.history[0].why->detail.size() == dead_letter_record::detail_max);
    REQUIRE(found.history[2].where == step_address{"reserve", step_phase::undo});
}
