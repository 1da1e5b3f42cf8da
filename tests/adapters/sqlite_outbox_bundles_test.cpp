// SPDX-License-Identifier: BSL-1.0
#include "sqlite_support.hpp"

#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace sqlite = sinew::sqlite;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::make_event;
using sinew::test::temp_folder;

static_assert(multi_shard_outbox<sqlite::outbox>);
static_assert(multi_shard_outbox<memory::outbox>);

namespace {

using texts = std::vector<std::string>;

constexpr wall_time day(std::chrono::hours(24) * 20'000);
constexpr claim_limits everything{.entries = 100'000, .bytes = 1'000'000'000};
const sqlite::store_options quick{.synchronous = sqlite::synchronous::normal};

texts ids_of(const std::vector<outbox_entry>& entries) {
    texts out;
    for (const auto& one : entries) {
        out.push_back(one.what.id);
    }
    return out;
}

/// A service that adds several events at a time, and a relay with the lease of the only shard.
struct bundled {
    explicit bundled(bool keeps = false)
        : store(folder.file(), quick),
          box(store.outbox("orders", {.shards = 1, .keep_published = keeps})),
          lease(box.take(box.holder(0), "relay").value()) {}

    temp_folder folder{};
    sqlite::store store;
    sqlite::outbox box;
    shard_lease lease;

    void add(const std::vector<event>& events) {
        std::vector<event_view> views;
        for (const auto& one : events) {
            views.push_back(one.view());
        }
        auto tx = store.begin();
        static_cast<void>(box.add(tx, std::span<const event_view>(views), day));
        REQUIRE(tx.commit() == commit_result::committed);
    }
    /// So many events of one key.
    void add(int count, const std::string& key = "k") {
        std::vector<event> events;
        for (int i = 1; i <= count; ++i) {
            events.push_back(make_event(std::to_string(i), key));
        }
        add(events);
    }
    std::vector<outbox_entry> claim(claim_limits limits = everything) {
        return box.claim(lease, day, limits).value();
    }
    texts ids() { return ids_of(claim()); }
    int rows(const std::string& table) {
        return std::get<0>(
            *store.connection().query_one<int>("SELECT count(*) FROM sinew_" + table));
    }
    failure_note note() const { return {day, failure_class::transient, 1, "refused", "detail"}; }
};

texts ids_between(int first, int last) {
    texts out;
    for (int i = first; i <= last; ++i) {
        out.push_back(std::to_string(i));
    }
    return out;
}

std::vector<std::int64_t> numbers_of(std::span<const outbox_entry> entries) {
    std::vector<std::int64_t> out;
    for (const auto& one : entries) {
        out.push_back(one.number);
    }
    return out;
}

}  // namespace

TEST_CASE("sqlite: what is added together lies together, and goes together") {
    bundled f;
    f.add(10);
    REQUIRE(f.rows("outbox_bundles") == 1);
    REQUIRE(f.rows("outbox_waiting") == 0);
    const auto entries = f.claim();
    REQUIRE(ids_of(entries) == ids_between(1, 10));
    REQUIRE(entries[9].what.sequence == "10");
    REQUIRE(f.box.lag() == outbox_lag{.waiting = 10, .parked = 0, .oldest = day});
    REQUIRE(f.box.mark_published(f.lease, numbers_of(entries), day) == fenced_result::done);
    REQUIRE(f.rows("outbox_bundles") == 0);
    REQUIRE(f.rows("outbox_waiting") == 0);
    REQUIRE(f.box.lag() == outbox_lag{});
}

TEST_CASE("sqlite: published entries of a bundle are kept one by one, with all that is in them") {
    bundled f(true);
    f.add(3);
    const auto entries = f.claim();
    REQUIRE(f.box.mark_published(f.lease, numbers_of(entries), day + 1h) == fenced_result::done);
    REQUIRE(f.rows("outbox_settled WHERE state = 2 AND version = 2 AND added < settled AND "
                   "CAST(id AS TEXT) = CAST(sequence AS TEXT)") == 3);
    REQUIRE(f.box.purge(day + 2h, 10) == 3);
}

TEST_CASE("sqlite: a part of a bundle is marked, put off or parked without the rest") {
    bundled f;
    f.add(10);
    const auto entries = f.claim();
    SECTION("marked, in any order, also twice") {
        const std::vector<std::int64_t> some{
            entries[4].number, entries[2].number, entries[4].number, 0, -7, INT64_MAX};
        REQUIRE(f.box.mark_published(f.lease, some, day) == fenced_result::done);
        REQUIRE(f.ids() == texts{"1", "2", "4", "6", "7", "8", "9", "10"});
    }
    SECTION("a number that is given as often as a bundle is long marks one entry") {
        const std::vector<std::int64_t> same(10, entries[0].number);
        REQUIRE(f.box.mark_published(f.lease, same, day) == fenced_result::done);
        REQUIRE(f.ids() == ids_between(2, 10));
    }
    SECTION("put off") {
        REQUIRE(f.box.put_off(f.lease, entries[6].number, f.note(), 1h) == fenced_result::done);
        REQUIRE(f.ids() == ids_between(1, 6));
        REQUIRE(ids_of(f.box.claim(f.lease, day + 2h, everything).value()) == ids_between(1, 10));
    }
    SECTION("parked, and the key goes on") {
        REQUIRE(f.box.park(f.lease, entries[0].number, f.note(), following::pass) ==
                fenced_result::done);
        REQUIRE(f.ids() == ids_between(2, 10));
        REQUIRE(f.box.lag().parked == 1);
    }
    SECTION("parked, and the key stays behind it, with what is added then") {
        REQUIRE(f.box.park(f.lease, entries[3].number, f.note(), following::park) ==
                fenced_result::done);
        f.add({make_event("11", "k"), make_event("other", "l"), make_event("12", "k")});
        REQUIRE(f.ids() == texts{"1", "2", "3", "other"});
        const auto parked = f.box.parked(0, 10).at(0);
        REQUIRE(f.box.unpark(parked.number, parked.version));
        REQUIRE(f.ids() ==
                texts{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "other", "12"});
    }
}

TEST_CASE("sqlite: a claim shows a bundle whole, or in part where nothing else is shown") {
    bundled f;
    f.add(10);
    f.add({make_event("a", "l"), make_event("b", "l"), make_event("c", "l")});
    REQUIRE(ids_of(f.claim({.entries = 12, .bytes = 1'000'000})) == ids_between(1, 10));
    REQUIRE(f.claim({.entries = 13, .bytes = 1'000'000}).size() == 13);
    REQUIRE(ids_of(f.claim({.entries = 4, .bytes = 1'000'000})) == ids_between(1, 4));
    REQUIRE(ids_of(f.claim({.entries = 4, .bytes = 1})) == ids_between(1, 1));
    REQUIRE(f.claim({.entries = 0, .bytes = 1}).empty());
}

TEST_CASE("sqlite: large events, and those that stand alone, have rows of their own") {
    bundled f;
    auto large = make_event("large", "k");
    large.data = std::string(100'000, 'x');
    f.add({make_event("1", "k"), make_event("2", "k"), large, make_event("3", "k")});
    REQUIRE(f.rows("outbox_bundles") == 1);
    REQUIRE(f.rows("outbox_waiting") == 2);
    const auto entries = f.claim();
    REQUIRE(ids_of(entries) == texts{"1", "2", "large", "3"});
    REQUIRE(entries[2].what.data == large.data);
}

TEST_CASE("sqlite: claims move bundles that wait behind a parked entry out of their way") {
    bundled f;
    std::vector<event> events;
    for (int i = 0; i < 6'000; ++i) {
        events.push_back(make_event(std::to_string(i), "k"));
    }
    f.add(events);
    f.add({make_event("x", "other"), make_event("y", "other")});
    const auto first = f.claim({.entries = 1, .bytes = 1}).at(0);
    REQUIRE(f.box.park(f.lease, first.number, f.note(), following::park) == fenced_result::done);
    for (int i = 0; i < 20; ++i) {
        REQUIRE(f.ids() == texts{"x", "y"});
    }
    REQUIRE(f.rows("outbox_bundles") == 0);
    REQUIRE(f.rows("outbox_waiting WHERE place > 0") == 2);
    const auto parked = f.box.parked(0, 10).at(0);
    REQUIRE(f.box.unpark(parked.number, parked.version));
    texts seen;
    for (auto some = f.claim(); !some.empty(); some = f.claim()) {
        for (const auto& one : some) {
            if (one.what.partitionkey == "k") {
                seen.push_back(one.what.id);
            }
        }
        REQUIRE(f.box.mark_published(f.lease, numbers_of(some), day) == fenced_result::done);
    }
    REQUIRE(seen == ids_between(0, 5'999));
}

TEST_CASE("sqlite: a bundle of any bytes reads back the same, and a damaged one is refused") {
    bundled f;
    event odd = make_event(std::string("i\0d", 3), "k\xff");
    odd.data = std::string(200, '\0');
    odd.headers = {{"name", std::string("v\0", 2)}, {"", ""}};
    odd.traceparent = "t";
    f.add({odd, odd});
    auto expected = odd;
    expected.sequence = "2";
    REQUIRE(f.claim().at(1).what == expected);
    f.store.connection().execute(
        "UPDATE sinew_outbox_bundles SET events = substr(events, 1, length(events) - 1)");
    REQUIRE_THROWS_AS(f.claim(), sqlite::corrupt_error);
    f.store.connection().execute("UPDATE sinew_outbox_bundles SET entries = -1");
    REQUIRE_THROWS_AS(f.claim(), sqlite::corrupt_error);
}

TEST_CASE("sqlite: an outbox of the version before is brought to this one, with what waits in it") {
    bundled f;
    f.add({make_event("1", "k")});
    f.store.connection().execute_script(
        "DROP TABLE sinew_outbox_bundles; ALTER TABLE sinew_outbox_shards RENAME TO "
        "sinew_outbox_leases; UPDATE sinew_meta SET version = 1 WHERE name = 'outbox'");
    sqlite::store again(f.folder.file(), quick);
    auto box = again.outbox("orders", {.shards = 1, .keep_published = false});
    f.add({make_event("2", "k"), make_event("3", "k")});
    REQUIRE(ids_of(box.claim(f.lease, day, everything).value()) == texts{"1", "2", "3"});
    REQUIRE(std::get<0>(*again.connection().query_one<int>(
                "SELECT version FROM sinew_meta WHERE name = 'outbox'")) == 2);
}

TEST_CASE("sqlite: one transaction marks several shards, and a stale lease keeps back none") {
    temp_folder folder;
    sqlite::store store(folder.file(), quick);
    auto box = store.outbox("orders", {.shards = 4});
    std::vector<shard_lease> leases;
    for (shard_id shard = 0; shard < 4; ++shard) {
        leases.push_back(box.take(box.holder(shard), "relay").value());
    }
    std::vector<event> events;
    std::vector<event_view> views;
    for (int i = 0; i < 200; ++i) {
        events.push_back(make_event(std::to_string(i), "k" + std::to_string(i % 31)));
    }
    for (const auto& one : events) {
        views.push_back(one.view());
    }
    auto tx = store.begin();
    static_cast<void>(box.add(tx, std::span<const event_view>(views), day));
    REQUIRE(tx.commit() == commit_result::committed);
    const auto shown = box.claim(std::span<const shard_lease>(leases), day, everything);
    REQUIRE(shown.size() == 4);
    static_cast<void>(box.take(leases[2], "another").value());
    std::vector<std::vector<std::int64_t>> numbers;
    std::vector<shard_marks> marks;
    for (const auto& one : shown) {
        numbers.push_back(numbers_of(*one));
    }
    for (std::size_t i = 0; i < 4; ++i) {
        marks.push_back({leases[i], numbers[i]});
    }
    using answers = std::vector<fenced_result>;
    REQUIRE(box.mark_published(std::span<const shard_marks>(marks), day) ==
            answers{fenced_result::done, fenced_result::done, fenced_result::stale,
                    fenced_result::done});
    REQUIRE(box.lag().waiting == numbers[2].size());
    const auto after = box.claim(std::span<const shard_lease>(leases), day, everything);
    REQUIRE(!after[2].has_value());
    REQUIRE(after[3]->empty());
}

TEST_CASE("sqlite: an outbox with bundles shows what one in memory shows") {
    sinew::test::prop(
        "whatever is added, marked, put off, parked and decided",
        [](std::vector<std::uint8_t> tape) {
            bundled f;
            memory::database data;
            memory::store reference(data);
            auto expected = reference.outbox("orders", {.shards = 1, .keep_published = false});
            const auto their_lease = expected.take(expected.holder(0), "relay").value();
            std::map<std::string, std::int64_t> ours;
            std::map<std::string, std::int64_t> theirs;
            int id = 0;
            wall_time now = day;
            const auto add = [&](int count, std::uint8_t keys) {
                std::vector<event> events;
                auto tx = reference.begin(never);
                for (int i = 0; i < count; ++i) {
                    const int key = (i * 7 + keys) % (1 + keys % 4);
                    events.push_back(
                        make_event(std::to_string(++id), key == 0 ? "" : std::to_string(key)));
                    expected.add(tx, events.back().view(), day);
                }
                RC_ASSERT(tx.commit() == commit_result::committed);
                f.add(events);
            };
            for (std::size_t i = 0; i + 1 < tape.size(); i += 2) {
                const auto mine = f.box.claim(f.lease, now, everything).value();
                const auto other = expected.claim(their_lease, now, everything).value();
                RC_ASSERT(ids_of(mine) == ids_of(other));
                for (const auto& one : mine) {
                    ours[one.what.id] = one.number;
                }
                for (const auto& one : other) {
                    theirs[one.what.id] = one.number;
                }
                const std::uint8_t with = tape[i + 1];
                const std::size_t at = mine.empty() ? 0 : with % mine.size();
                const failure_note note{now, failure_class::transient, 1, "refused", ""};
                switch (tape[i] % 6) {
                    case 0: add(1 + with % 90, with); break;
                    case 1: {  // publishes what a limited claim shows
                        const auto some =
                            f.box.claim(f.lease, now, {1U + with % 100U, 10'000U * (with % 9U) + 1})
                                .value();
                        RC_ASSERT(some.empty() == mine.empty());
                        RC_ASSERT((some.size() <= 1U + with % 100U && some.size() <= mine.size()));
                        std::vector<std::int64_t> numbers;
                        for (std::size_t j = 0; j < some.size(); ++j) {
                            RC_ASSERT(some[j] == mine[j]);
                            numbers.push_back(theirs.at(some[j].what.id));
                        }
                        RC_ASSERT(f.box.mark_published(f.lease, numbers_of(some), now) ==
                                  fenced_result::done);
                        RC_ASSERT(expected.mark_published(their_lease, numbers, now) ==
                                  fenced_result::done);
                        break;
                    }
                    case 2:
                        if (!mine.empty()) {
                            const auto& what = mine[at].what.id;
                            RC_ASSERT(f.box.put_off(f.lease, ours.at(what), note, 1h) ==
                                      fenced_result::done);
                            RC_ASSERT(expected.put_off(their_lease, theirs.at(what), note, 1h) ==
                                      fenced_result::done);
                        }
                        break;
                    case 3:
                        if (!mine.empty()) {
                            const auto follow = with % 2 == 0 ? following::park : following::pass;
                            const auto& what = mine[at].what.id;
                            RC_ASSERT(f.box.park(f.lease, ours.at(what), note, follow) ==
                                      fenced_result::done);
                            RC_ASSERT(expected.park(their_lease, theirs.at(what), note, follow) ==
                                      fenced_result::done);
                        }
                        break;
                    case 4: now += std::chrono::minutes(with); break;
                    default: {
                        const auto a = f.box.parked(0, 1000);
                        const auto b = expected.parked(0, 1000);
                        RC_ASSERT(a.size() == b.size());
                        if (!a.empty()) {
                            const auto& one = a[with % a.size()];
                            const auto& same = *std::find_if(
                                b.begin(), b.end(),
                                [&](const auto& x) { return x.what.id == one.what.id; });
                            const bool unparks = with % 3 != 0;
                            RC_ASSERT((unparks ? f.box.unpark(one.number, one.version)
                                               : f.box.discard(one.number, one.version, note)));
                            RC_ASSERT((unparks
                                           ? expected.unpark(same.number, same.version)
                                           : expected.discard(same.number, same.version, note)));
                        }
                    }
                }
                RC_ASSERT(f.box.lag() == expected.lag());
            }
        });
}
