// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "adapters/sqlite_support.hpp"

#include <sinew/adapters/sqlite.hpp>
#include <sinew/sinew.hpp>

#include <unistd.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::process;
using sinew::test::temp_folder;

constexpr int events = 400;
constexpr int keys = 7;

void publish_all(const std::string& file) {
    sqlite::log log(file, {.topic = {4}, .synchronous = sqlite::synchronous::normal});
    auto orders = log.producer("orders");
    std::vector<event> batch;
    for (int i = 0; i < events; ++i) {
        batch.push_back(make_event(std::to_string(i), "key " + std::to_string(i % keys)));
    }
    for (int i = 0; i < 50; ++i) {
        batch.push_back(batch[static_cast<std::size_t>(i * 3)]);  // producers repeat themselves
    }
    REQUIRE(orders.publish_all(batch, in(60s)).is_accepted());
}

/// Writes each event down, and dies in the middle of the `dies_at`-th one.
auto make_consumer(sqlite::log& log, sqlite::store& db, int dies_at = -1) {
    return subscribe(log, {.topic = "orders", .group = "stock"}) |
           dead_letter(db.dead_letters(), {.deaths_max = 1000}) | retry() | once(db) |
           handle([dies_at, seen = 0](const event_view& e, sqlite::transaction& tx) mutable {
               tx.execute("INSERT INTO effects(id, key) VALUES (?, ?)", e.id, e.partitionkey);
               if (++seen == dies_at) {
                   ::raise(SIGKILL);
               }
           });
}

/// Whether each event's effect is there once, and those of a key are in its order.
void check_effects(sqlite::store& db) {
    REQUIRE(db.connection().query_one<int, int>(
                "SELECT count(*), count(DISTINCT id) FROM effects") == std::tuple(events, events));
    REQUIRE(db.connection().query_one<int>(
                "SELECT count(*) FROM effects a JOIN effects b ON a.key = b.key AND a.n < b.n "
                "WHERE CAST(a.id AS INTEGER) > CAST(b.id AS INTEGER)") == std::tuple(0));
    REQUIRE(db.dead_letters().size() == 0);
}

constexpr const char* effects_table =
    "CREATE TABLE effects(n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, key TEXT)";

}  // namespace

TEST_CASE("sqlite: a consumer that is killed again and again applies each event once, in order") {
    const bool one_file = GENERATE(true, false);
    CAPTURE(one_file);
    temp_folder folder;
    const std::string store_file = folder.file(one_file ? "log.db" : "store.db");
    publish_all(folder.file("log.db"));
    sqlite::store db(store_file, {.synchronous = sqlite::synchronous::normal});
    db.connection().execute_script(effects_table);
    int deaths = 0;
    for (bool done = false; !done && deaths < 200; ++deaths) {
        process consumer([&](process&) {
            sqlite::log mine(folder.file("log.db"),
                             {.member = "stock-1", .synchronous = sqlite::synchronous::normal});
            sqlite::store its(store_file, {.synchronous = sqlite::synchronous::normal});
            auto work = make_consumer(mine, its, 5 + 37 * (deaths + 1));
            return drain(work, in(60s));
        });
        done = consumer.wait();
    }
    REQUIRE(deaths > 2);
    REQUIRE(deaths < 200);
    check_effects(db);
}

TEST_CASE("sqlite: consumers of two processes share the work, and each event is applied once") {
    temp_folder folder;
    publish_all(folder.file());
    sqlite::store db(folder.file(), {.synchronous = sqlite::synchronous::normal});
    db.connection().execute_script(effects_table);
    const auto work = [&](process&) {
        sqlite::log mine(folder.file(), {.synchronous = sqlite::synchronous::normal});
        sqlite::store its(folder.file(), {.synchronous = sqlite::synchronous::normal});
        auto consumer = make_consumer(mine, its);
        const auto applied = [&] {
            return std::get<0>(*its.connection().query_one<int>("SELECT count(*) FROM effects"));
        };
        const auto end = in(60s);
        while (applied() < events && machine_clock::now().steady < end) {
            const moment now = machine_clock::now();
            consumer.step(now, later(now.steady, 5ms));
        }
        while (!consumer.shut_down(machine_clock::now(), end)) {
        }
        return applied() == events;
    };
    process a(work);
    process b(work);
    REQUIRE(a.wait());
    REQUIRE(b.wait());
    check_effects(db);
}
