// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/postgres.hpp>
#include <sinew/sinew.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <tuple>

using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::make_event;
using sinew::test::place;
using sinew::test::postgres_server;

namespace {

int wanted_kills() {
    const char* text = std::getenv("SINEW_KILLS");
    return text == nullptr ? 10 : std::atoi(text);
}

/// What the consumer's thread and the one that kills the server tell each other.
struct shared_state {
    std::atomic<int> applied{0};
    std::atomic<bool> stop{false};
    std::atomic<bool> drained{false};
};

constexpr int keys = 7;

/// Publishes for as long as the server is killed, and works until all of it is done.
void consume(memory::log& log, const place& here, shared_state& state, int& published) {
    postgres::store_options options = here.options();
    options.call_timeout = 1s;
    postgres::store db(here.conninfo, options);
    auto work =
        subscribe(log, {.topic = "orders", .group = "stock"}) | dead_letter(db.dead_letters()) |
        retry({.max_attempts = 1'000'000, .base = 2ms, .cap = 20ms, .budget_floor = 1e6}) |
        once(db, {.batch_max = 5}) | handle([&](const event_view& e, postgres::transaction& tx) {
            tx.execute("INSERT INTO effects(id, key) VALUES ($1, $2)", e.id, e.partitionkey);
            tx.execute("UPDATE sums SET n = n + 1 WHERE key = $1", e.partitionkey);
            ++state.applied;
        });
    auto orders = log.producer("orders");
    const auto end = in(std::chrono::minutes(20));
    while (machine_clock::now().steady < end) {
        if (!state.stop && work.counts().in_flight < 50) {
            for (int i = 0; i < 10; ++i, ++published) {
                const auto e = make_event(std::to_string(published),
                                          "key " + std::to_string(published % keys));
                static_cast<void>(orders.publish(e.view(), never));
                if (published % 3 == 0) {  // producers repeat themselves
                    static_cast<void>(orders.publish(e.view(), never));
                }
            }
        }
        work.step(machine_clock::now());
        if (state.stop) {
            state.drained = drain(work, in(60s));
            return;
        }
    }
}

}  // namespace

TEST_CASE("postgres: through a server that is killed again and again, each event is applied once") {
    postgres_server server;
    const place here(server);
    {
        auto db = here.open();
        db.connection().execute_script(
            "CREATE TABLE effects(n bigint GENERATED ALWAYS AS IDENTITY, id text, key text);"
            "CREATE TABLE sums(key text PRIMARY KEY, n bigint NOT NULL);"
            "INSERT INTO sums SELECT 'key ' || k, 0 FROM generate_series(0, 6) k");
    }
    memory::log log;
    log.create_topic("orders", {.partitions = 3});
    shared_state state;
    int published = 0;
    std::string wrong;
    std::thread consumer([&] {
        try {
            consume(log, here, state, published);
        } catch (const std::exception& e) {
            wrong = e.what();
        }
    });
    // The server belongs to this thread: it ends with the thread that started it.
    splitmix64 random(7);
    for (int kill = 0; kill < wanted_kills(); ++kill) {
        const int before = state.applied;
        const auto end = in(20s);
        while (state.applied < before + 20 && machine_clock::now().steady < end) {
            std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
        server.crash();
        server.start();
    }
    state.stop = true;
    consumer.join();
    INFO("published " << published << ", handler calls " << state.applied);
    REQUIRE(wrong == "");
    REQUIRE(state.drained);
    REQUIRE(published > 20 * wanted_kills());

    auto db = here.open();
    CHECK(db.connection().query_one<std::int64_t, std::int64_t>(
              "SELECT count(*), count(DISTINCT id) FROM effects") ==
          std::tuple(published, published));
    CHECK(db.connection().query_one<std::int64_t>("SELECT sum(n) FROM sums") ==
          std::tuple(published));
    CHECK(db.connection().query_one<std::int64_t>(
              "SELECT count(*) FROM sums s WHERE n <> (SELECT count(*) FROM effects e WHERE e.key "
              "= s.key)") == std::tuple(0));
    // Those of a key in their order.
    CHECK(db.connection().query_one<std::int64_t>(
              "SELECT count(*) FROM (SELECT id::bigint - lag(id::bigint) OVER (PARTITION BY key "
              "ORDER BY n) AS step FROM effects) s WHERE step < 0") == std::tuple(0));
    CHECK(db.dead_letters().size() == 0);
    // Some events ran more often than they were applied: the kills hit transactions.
    CHECK(state.applied > published);
}
