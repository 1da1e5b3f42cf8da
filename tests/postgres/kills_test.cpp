// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/postgres.hpp>
#include <sinew/sinew.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

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
    std::uint64_t sent = 0;
    const auto end = in(std::chrono::hours(1));
    while (machine_clock::now().steady < end) {
        // Never far ahead: while there is no server, nothing is taken on, and all has to be done in
        // the end.
        const auto& now = work.counts();
        if (!state.stop && now.in_flight < 50 && sent < now.received + now.ignored + 50) {
            for (int i = 0; i < 10; ++i, ++published) {
                const auto e = make_event(std::to_string(published),
                                          "key " + std::to_string(published % keys));
                const int copies = published % 3 == 0 ? 2 : 1;  // producers repeat themselves
                for (int copy = 0; copy < copies; ++copy, ++sent) {
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

namespace {

constexpr outbox_options two_shards{.shards = 2};

/// What came out of the relays, in order, and what their threads tell each other.
struct the_wire {
    struct sent {
        std::string id;
        std::string key;
        std::uint64_t sequence = 0;
    };

    void publish(const outbox_entry& one) {
        const std::lock_guard lock(guard);
        all.push_back(
            {one.what.id, one.what.partitionkey, parse_sequence(one.what.sequence).value_or(0)});
    }

    std::mutex guard;
    std::vector<sent> all;
    std::atomic<int> commits{0};
    std::atomic<int> unknown{0};
    std::atomic<int> stale{0};
    std::atomic<bool> no_more_orders{false};
    std::atomic<bool> stop{false};
};

postgres::store_options impatient(const place& here) {
    auto options = here.options();
    options.call_timeout = 1s;
    return options;
}

/// Takes orders: each is a row and some events, in one transaction.
void take_orders(const place& here, the_wire& out, int writer) {
    splitmix64 random(static_cast<std::uint64_t>(writer));
    std::optional<postgres::store> db;
    std::optional<postgres::outbox> box;
    for (int i = 0; !out.no_more_orders; ++i) {
        const std::string order = std::to_string(writer) + "." + std::to_string(i);
        try {
            if (!box) {
                db.emplace(here.conninfo, impatient(here));
                box = db->outbox("orders", two_shards);
            }
            auto tx = db->begin(in(1s));
            const auto events = 1 + random() % 3;
            tx.execute("INSERT INTO orders(id, events) VALUES ($1, $2)", order,
                       static_cast<std::int64_t>(events));
            for (std::uint64_t n = 0; n < events; ++n) {
                const std::string key = random() % 8 == 0 ? "" : "k" + std::to_string(random() % 5);
                box->add(tx, make_event(order + "/" + std::to_string(n), key).view(), {});
            }
            const auto how = tx.commit();
            out.commits += how == commit_result::committed ? 1 : 0;
            out.unknown += how == commit_result::unknown ? 1 : 0;
        } catch (const error&) {
            std::this_thread::sleep_for(1ms);
        }
    }
}

/// One pass over the shards that this relay holds or may take; whether anything was there.
bool relay_once(postgres::outbox& box, lease_watch& watch,
                std::vector<std::optional<shard_lease>>& held, the_wire& out) {
    bool any = false;
    for (shard_id shard = 0; shard < box.shards(); ++shard) {
        auto& lease = held[shard];
        if (!lease) {
            const auto seen = box.holder(shard, in(1s));
            if (watch.may_take(seen, machine_clock::now().steady)) {
                lease = box.take(seen, watch.owner(), in(1s));
            }
        }
        const auto some = lease ? box.claim(*lease, machine_clock::now().wall,
                                            {.entries = 10, .bytes = 1'000'000}, in(1s))
                                : std::nullopt;
        if (!some) {
            lease.reset();
            continue;
        }
        std::vector<std::int64_t> numbers;
        for (const auto& one : *some) {
            out.publish(one);
            numbers.push_back(one.number);
        }
        any = any || !some->empty();
        auto how = box.mark_published(*lease, numbers, machine_clock::now().wall, in(1s));
        if (how == fenced_result::done) {
            how = box.renew(*lease, in(1s));
        }
        if (how == fenced_result::stale) {
            ++out.stale;
            lease.reset();
        }
    }
    return any;
}

void relay_all(const place& here, the_wire& out, int which) {
    std::optional<postgres::store> db;
    std::optional<postgres::outbox> box;
    lease_watch watch("relay " + std::to_string(which), 150ms, two_shards.shards);
    std::vector<std::optional<shard_lease>> held(two_shards.shards);
    while (!out.stop) {
        try {
            if (!box) {
                db.emplace(here.conninfo, impatient(here));
                box = db->outbox("orders", two_shards);
            }
            if (!relay_once(*box, watch, held, out)) {
                static_cast<void>(box->wait_for_added(in(20ms)));
            }
        } catch (const error&) {
            std::this_thread::sleep_for(1ms);
        }
    }
}

/// Kills the server again and again while orders are taken, then lets the relays finish.
void kill_while_orders_are_taken(postgres_server& server, const place& here, the_wire& out) {
    std::vector<std::thread> services;
    std::vector<std::thread> relays;
    for (int i = 0; i < 2; ++i) {
        services.emplace_back([&here, &out, i] { take_orders(here, out, i); });
        relays.emplace_back([&here, &out, i] { relay_all(here, out, i); });
    }
    splitmix64 random(11);
    for (int kill = 0; kill < wanted_kills(); ++kill) {
        const int before = out.commits;
        const auto end = in(20s);
        while (out.commits < before + 20 && machine_clock::now().steady < end) {
            std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
        server.crash();
        server.start();
    }
    out.no_more_orders = true;
    for (auto& one : services) {
        one.join();  // what they commit last has to be published as well
    }
    auto db = here.open();
    const auto box = db.outbox("orders", two_shards);
    const auto end = in(60s);
    while (box.lag().waiting != 0 && machine_clock::now().steady < end) {
        std::this_thread::sleep_for(10ms);
    }
    out.stop = true;
    for (auto& one : relays) {
        one.join();
    }
    CHECK(box.lag().waiting == 0);
}

}  // namespace

TEST_CASE("postgres: law 8: through kills of the server, published is what committed, in order") {
    postgres_server server;
    const place here(server);
    here.open().connection().execute_script(
        "CREATE TABLE orders(id text PRIMARY KEY, events bigint NOT NULL)");
    the_wire out;
    kill_while_orders_are_taken(server, here, out);
    INFO("commits " << out.commits << ", unknown " << out.unknown << ", published "
                    << out.all.size() << ", stale " << out.stale);
    auto db = here.open();
    std::set<std::string> expected;
    for (const auto& [order, events] :
         db.connection().query<std::string, std::int64_t>("SELECT id, events FROM orders")) {
        for (std::int64_t n = 0; n < events; ++n) {
            expected.insert(order + "/" + std::to_string(n));
        }
    }
    std::set<std::string> published;
    std::map<std::string, std::uint64_t> last;
    int out_of_order = 0;
    for (const auto& one : out.all) {
        if (published.insert(one.id).second && !one.key.empty()) {
            out_of_order += one.sequence == ++last[one.key] ? 0 : 1;
        }
    }
    CHECK((published == expected));  // too long to be printed
    CHECK(out_of_order == 0);        // 1, 2, 3, ... of each key, without a hole
    for (const auto& [key, count] :
         db.connection().query<std::string, std::uint64_t>("SELECT key, last FROM outbox_keys")) {
        CHECK(last[key] == count);
    }
    CHECK(expected.size() >= static_cast<std::size_t>(20 * wanted_kills()));
    CHECK(out.all.size() >= published.size());
}
