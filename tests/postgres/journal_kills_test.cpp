// SPDX-License-Identifier: BSL-1.0
#include "support/test.hpp"

#include "postgres/parts.hpp"

#include <sinew/adapters/postgres.hpp>
#include <sinew/core/random.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

namespace postgres = sinew::postgres;
using namespace sinew;
using namespace std::chrono_literals;
using sinew::test::in;
using sinew::test::place;
using sinew::test::postgres_server;

namespace {

constexpr std::string_view order = "order";
constexpr std::size_t steps_each = 4;
constexpr shard_id seats = 2;

int kills_wanted() {
    const char* text = std::getenv("SINEW_KILLS");
    return text == nullptr ? 6 : std::atoi(text) / 2 + 1;
}

struct progress_of_all {
    std::atomic<int> started{0};
    std::atomic<int> written{0};
    std::atomic<int> unknown{0};
    std::atomic<int> stale{0};
    std::atomic<bool> no_more{false};
    std::atomic<bool> stop{false};
};

postgres::store connect(const place& here) {
    auto options = here.options();
    options.call_timeout = 1s;
    return postgres::store(here.conninfo, options);
}
postgres::journal book_of(const postgres::store& db) {
    return db.journal("orders", {.seats = seats});
}

/// Starts instances, each with a row of the service in the same transaction.
void start_orders(const place& here, progress_of_all& all) {
    const std::vector<step_entry> steps{{"0", {}}, {"1", {}}, {"2", {}}, {"3", {}}};
    std::optional<postgres::store> db;
    for (int i = 0; !all.no_more; ++i) {
        try {
            if (!db) {
                db.emplace(connect(here));
            }
            auto book = book_of(*db);
            auto tx = db->begin();
            const std::string id = std::to_string(i);
            tx.execute("INSERT INTO orders(id) VALUES ($1)", id);
            static_cast<void>(book.start(tx, {order, id, steps, ""}, machine_clock::now().wall));
            all.started += tx.commit() == commit_result::committed ? 1 : 0;
        } catch (const error&) {
            std::this_thread::sleep_for(1ms);
        }
    }
}

/// Writes until it has an answer; nothing if the claim has ended.
bool write_for_sure(postgres::journal& book, const journal_write& one, progress_of_all& all) {
    while (!all.stop) {
        try {
            const auto how = book.write({&one, 1}, machine_clock::now().wall).front().how;
            if (how != fenced_result::unknown) {
                all.stale += how == fenced_result::stale ? 1 : 0;
                return how == fenced_result::done;
            }
            ++all.unknown;
        } catch (const unavailable_error&) {
            std::this_thread::sleep_for(1ms);
        }
    }
    return false;
}

/// Takes an instance through its steps: the even ones have an effect in the same transaction.
void work_on(postgres::store& db, postgres::journal& book, journal_entry entry,
             progress_of_all& all) {
    for (std::size_t i = entry.history.size(); i < steps_each; ++i) {
        journal_write one;
        one.claim = claim_of(entry.what);
        one.known = i;
        one.records.push_back({.where = {std::to_string(i), step_phase::act}});
        one.end = i + 1 == steps_each ? claim_end::completed : claim_end::none;
        if (i % 2 == 0) {
            auto tx = db.begin();
            tx.execute("INSERT INTO effects(id, step) VALUES ($1, $2)", entry.what.id,
                       std::to_string(i));
            if (book.write(tx, one, machine_clock::now().wall).how != fenced_result::done ||
                tx.commit() != commit_result::committed) {
                return;  // whoever claims it next sees whether it was
            }
        } else if (!write_for_sure(book, one, all)) {
            return;
        }
        ++all.written;
    }
}

void run_orders(const place& here, progress_of_all& all, shard_id seat) {
    std::optional<postgres::store> db;
    std::optional<postgres::journal> book;
    std::optional<shard_lease> lease;
    const std::string name = "runner " + std::to_string(seat);
    while (!all.stop) {
        try {
            if (!book) {
                db.emplace(connect(here));
                book = book_of(*db);
            }
            if (!lease) {
                lease = book->take(book->holder(seat), name);
                continue;
            }
            auto some = book->claim(*lease, {&order, 1}, machine_clock::now().wall, 3);
            if (!some || some->empty()) {
                // An answer that was lost may have claimed: a new lease sets that free.
                lease.reset();
                std::this_thread::sleep_for(1ms);
                continue;
            }
            for (auto& one : *some) {
                work_on(*db, *book, std::move(one), all);
            }
        } catch (const error&) {
            std::this_thread::sleep_for(1ms);
        }
    }
}

}  // namespace

TEST_CASE("postgres: law 9: through kills of the server each step of each instance is done once") {
    postgres_server server;
    const place here(server);
    here.open().connection().execute_script(
        "CREATE TABLE orders(id text PRIMARY KEY); CREATE TABLE effects(id text, step text)");
    progress_of_all all;
    std::thread starter([&] { start_orders(here, all); });
    std::vector<std::thread> runners;
    for (shard_id seat = 0; seat < seats; ++seat) {
        runners.emplace_back([&, seat] { run_orders(here, all, seat); });
    }
    splitmix64 random(5);
    for (int kill = 0; kill < kills_wanted(); ++kill) {
        const int before = all.written;
        const auto end = in(20s);
        while (all.written < before + 20 && machine_clock::now().steady < end) {
            std::this_thread::sleep_for(1ms);
        }
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5'000));
        server.crash();
        server.start();
    }
    all.no_more = true;
    starter.join();  // what it commits last has to be run as well
    auto db = here.open();
    const auto book = book_of(db);
    const auto end = in(60s);
    while (book.counts().open != 0 && machine_clock::now().steady < end) {
        std::this_thread::sleep_for(10ms);
    }
    all.stop = true;
    for (auto& one : runners) {
        one.join();
    }
    INFO("started " << all.started << ", written " << all.written << ", unknown " << all.unknown
                    << ", stale " << all.stale);
    CHECK(book.counts() == journal_counts{});
    const auto count = [&](const char* sql) {
        return std::get<0>(*db.connection().query_one<std::int64_t>(sql));
    };
    const auto orders = count("SELECT count(*) FROM orders");
    CHECK(orders >= all.started);
    CHECK(orders >= 5 * kills_wanted());
    CHECK(count("SELECT count(*) FROM journal_instances") == orders);
    CHECK(count("SELECT count(*) FROM journal_states WHERE state = 2") == orders);
    CHECK(count("SELECT count(*) FROM journal_records") ==
          orders * static_cast<std::int64_t>(steps_each));
    // Each step in its place.
    CHECK(
        count("SELECT count(*) FROM journal_records WHERE encode(step, 'escape') <> place::text") ==
        0);
    CHECK(count("SELECT count(*) FROM effects") == 2 * orders);
    CHECK(count("SELECT count(*) FROM (SELECT DISTINCT id, step FROM effects) e") == 2 * orders);
}
