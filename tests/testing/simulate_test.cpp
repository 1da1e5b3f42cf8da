// SPDX-License-Identifier: BSL-1.0
#include <sinew/testing/simulate.hpp>

#include "support/test.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace sinew;
using namespace sinew::testing;
using Catch::Matchers::Contains;

event deposit(std::string who, std::string id, int amount) {
    return {.id = std::move(id),
            .source = "/bank",
            .type = "deposit",
            .data = std::to_string(amount),
            .partitionkey = std::move(who)};
}

long amount_of(const event_view& e) { return std::stol(std::string(e.text())); }

std::vector<event> three() {
    return {deposit("alice", "1", 10), deposit("alice", "2", 5), deposit("bob", "3", 7)};
}

/// A database, and what else outlives a process.
struct bank {
    memory::database data{};
    std::map<std::string, long> balances{};  // in no database
    std::map<std::string, int> mails{};
};

const auto open_bank = [] { return bank(); };
const auto connect_bank = [](bank& b) { return memory::store(b.data); };
const auto items = [](memory::store& db) { return db.items(); };

/// A simulation of a handler in the bank; what counts is the database.
template <class Handle>
auto in_bank(Handle handle, std::vector<event> events = three()) {
    return simulation{.events = std::move(events),
                      .open = open_bank,
                      .connect = connect_bank,
                      .handle = std::move(handle),
                      .state = items};
}

/// The law that broke first, and with how many faults; the story has to hold the text.
void found(const simulation_verdict& verdict, std::string_view law, unsigned faults,
           const std::string& text) {
    INFO(verdict.text());
    REQUIRE(!verdict.holds());
    REQUIRE(verdict.first() != nullptr);
    CHECK(verdict.first()->law == law);
    CHECK(verdict.first()->faults == faults);
    CHECK_THAT(verdict.story, Contains(text));
}

void holds(const simulation_verdict& verdict, std::uint64_t schedules_min = 1000) {
    INFO(verdict.text());
    CHECK(verdict.holds());
    CHECK(verdict.runs.complete);
    CHECK(verdict.schedules() > schedules_min);
    CHECK(verdict.story.empty());
}

/// An adapter with a bug of its own: its inbox does not remember.
struct forgetful_transaction : memory::transaction {
    explicit forgetful_transaction(memory::transaction tx) : memory::transaction(std::move(tx)) {}
    bool remember(std::string_view, event_identity, wall_time) { return true; }
};

struct forgetful_store : memory::store {
    using transaction_type = forgetful_transaction;
    explicit forgetful_store(const memory::database& data) : memory::store(data) {}
    forgetful_transaction begin(steady_time until) {
        return forgetful_transaction(memory::store::begin(until));
    }
};

}  // namespace

TEST_CASE("a handler that keeps to its transaction holds under every two faults") {
    const auto begin = std::chrono::steady_clock::now();
    const auto verdict = simulate(in_bank([](const event_view& e, memory::transaction& tx) {
        tx.add(e.partitionkey, amount_of(e));
    }));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    holds(verdict);
    CHECK(verdict.random_tapes == 100);
    for (const auto f :
         {fault::refused, fault::failed, fault::crash_before, fault::crash_after,
          fault::request_lost, fault::reply_lost, fault::zombie, fault::duplicated}) {
        CAPTURE(std::string(to_string(f)));
        CHECK(verdict.runs.happened[static_cast<std::size_t>(f)] > 0);
    }
    CHECK_THAT(verdict.text(), Contains("holds: ") && Contains("with up to 2 faults") &&
                                   Contains("as without faults"));
    std::cout << "simulate, memory: " << verdict.schedules() << " schedules, "
              << static_cast<std::uint64_t>(static_cast<double>(verdict.schedules()) / took.count())
              << " a second\n";
}

TEST_CASE("a handler that speaks SQL holds, with one store for all lives") {
    const auto verdict = simulate(
        simulation{
            .events = {deposit("alice", "1", 10), deposit("alice", "2", 5)},
            .open =
                [] {
                    sqlite::store db(":memory:");
                    db.connection().execute_script(
                        "CREATE TABLE balance(who TEXT PRIMARY KEY, sum INTEGER NOT NULL)");
                    return db;
                },
            .handle =
                [](const event_view& e, sqlite::transaction& tx) {
                    tx.execute(
                        "INSERT INTO balance VALUES (?, ?) ON CONFLICT DO UPDATE SET "
                        "sum = sum + excluded.sum",
                        e.partitionkey, amount_of(e));
                },
            .state =
                [](sqlite::store& db) {
                    return db.connection().query<std::string, std::int64_t>(
                        "SELECT who, sum FROM balance");
                },
        },
        {.random_tapes = 20});
    holds(verdict);
    // They share the store, so none stands still in the middle of a transaction.
    CHECK(verdict.runs.offered[static_cast<std::size_t>(fault::zombie)] == 0);
}

TEST_CASE("a handler that speaks SQL holds, with a connection for each life") {
    const sqlite::store_options quick{.busy_timeout = duration::zero()};
    const auto verdict = simulate(
        simulation{
            .events = {deposit("alice", "1", 10), deposit("bob", "2", 5)},
            .open =
                [=] {
                    sqlite::store db("file:simulated_bank?mode=memory&cache=shared", quick);
                    db.connection().execute_script(
                        "CREATE TABLE balance(who TEXT PRIMARY KEY, sum INTEGER NOT NULL)");
                    return db;
                },
            .connect =
                [=](sqlite::store&) {
                    return sqlite::store("file:simulated_bank?mode=memory&cache=shared", quick);
                },
            .handle =
                [](const event_view& e, sqlite::transaction& tx) {
                    tx.execute(
                        "INSERT INTO balance VALUES (?, ?) ON CONFLICT DO UPDATE SET "
                        "sum = sum + excluded.sum",
                        e.partitionkey, amount_of(e));
                },
            .state =
                [](sqlite::store& db) {
                    return db.connection().query<std::string, std::int64_t>(
                        "SELECT who, sum FROM balance");
                },
        },
        {.faults = 1, .random_tapes = 50});
    holds(verdict, 50);
    CHECK(verdict.runs.happened[static_cast<std::size_t>(fault::zombie)] > 0);
}

TEST_CASE("a mail that is sent again under the same name is no second mail") {
    holds(simulate(simulation{
        .events = {deposit("alice", "1", 10), deposit("bob", "2", 7)},
        .open = open_bank,
        .connect = connect_bank,
        .handle =
            [](bank& b, const event_view& e, memory::transaction& tx, outside& out) {
                out.call("mail", [&] { b.mails[std::string(e.id)] = 1; });
                out.point("after the mail");
                tx.add(e.partitionkey, amount_of(e));
            },
        .state = [](bank& b) { return b.mails; },
    }));
}

TEST_CASE("a pipeline of the user's own is what is simulated") {
    auto first = deposit("alice", "1", 10);
    auto second = deposit("alice", "2", 5);
    first.sequence = "1";
    second.sequence = "2";
    const simulation shuffled{
        .events = {second, first},
        .open = open_bank,
        .connect = connect_bank,
        .handle =
            [](const event_view& e, memory::transaction& tx) {
                // The order shows.
                const auto had = tx.get(e.partitionkey);
                tx.put(e.partitionkey, (had ? *had + " " : "") + std::string(e.text()));
            },
        .state = items,
        .pipeline =
            [](auto& p) {
                return subscribe(p.source(), p.subscription()) | in_sequence() |
                       dead_letter(p.letters(), {.replay_interval = std::chrono::hours(1)}) |
                       retry() | once(p.store) | handle(p.handler());
            },
    };
    holds(simulate(shuffled));

    const simulation unordered{.events = shuffled.events,
                               .open = open_bank,
                               .connect = connect_bank,
                               .handle = shuffled.handle,
                               .state = items};
    holds(simulate(unordered));  // in the order in which they came
}

TEST_CASE("handlers without a transaction can be idempotent by nature, or not") {
    const auto pipeline = [](auto& p) {
        return subscribe(p.source(), p.subscription()) |
               dead_letter(p.letters(), {.replay_interval = std::chrono::hours(1)}) |
               retry({.max_attempts = 50}) | idempotent_by_nature() | handle(p.handler());
    };
    const auto balances = [](bank& b) { return b.balances; };
    holds(simulate(simulation{
              .events = {deposit("alice", "1", 10), deposit("bob", "3", 7)},
              .open = open_bank,
              .connect = connect_bank,
              .handle =
                  [](bank& b, const event_view& e) {
                      b.balances[std::string(e.partitionkey)] = amount_of(e);
                  },
              .state = balances,
              .pipeline = pipeline,
          }),
          300);
    found(simulate(simulation{
              .events = three(),
              .open = open_bank,
              .connect = connect_bank,
              .handle =
                  [](bank& b, const event_view& e) {
                      b.balances[std::string(e.partitionkey)] += amount_of(e);
                  },
              .state = balances,
              .pipeline = pipeline,
          }),
          law::as_without_faults, 1, "expected");
}

TEST_CASE("an event that belongs into the dead letters may end there, and no other") {
    const auto careful = [](const event_view& e, memory::transaction& tx) {
        if (e.text() == "0") {
            throw permanent_error("no_amount", "nothing was paid");
        }
        tx.add(e.partitionkey, amount_of(e));
    };
    const std::vector<event> events{deposit("alice", "1", 10), deposit("alice", "2", 0)};
    const simulation named{.events = events,
                           .open = open_bank,
                           .connect = connect_bank,
                           .handle = careful,
                           .state = items,
                           .expect_dead = {"2"}};
    holds(simulate(named));
    REQUIRE_THROWS_WITH(simulate(in_bank(careful, events)), Contains("event 2 without any fault") &&
                                                                Contains("no_amount") &&
                                                                Contains(".expect_dead"));
}

TEST_CASE("an event whose attempts were used up by faults alone is not the handler's fault") {
    const simulation hasty{
        .events = {deposit("alice", "1", 10)},
        .open = open_bank,
        .connect = connect_bank,
        .handle = [](const event_view& e,
                     memory::transaction& tx) { tx.add(e.partitionkey, amount_of(e)); },
        .state = items,
        .pipeline = standard_pipeline{.retry = {.max_attempts = 1}},
    };
    holds(simulate(hasty), 200);

    // Nor is one that was there each time a fault killed the process.
    const simulation suspicious{
        .events = hasty.events,
        .open = open_bank,
        .connect = connect_bank,
        .handle = hasty.handle,
        .state = items,
        .pipeline = standard_pipeline{.letters = {.replay_interval = std::chrono::hours(1),
                                                  .deaths_max = 1}},
    };
    holds(simulate(suspicious), 200);
}

TEST_CASE("events without a key have no order to keep, and keys may have partitions of their own") {
    std::vector<event> keyless{deposit("", "1", 10), deposit("", "2", 5)};
    holds(simulate(
              in_bank([](const event_view& e, memory::transaction& tx) { tx.put(e.id, e.text()); },
                      std::move(keyless))),
          500);
    holds(simulate(in_bank([](const event_view& e, memory::transaction& tx) {
                       tx.add(e.partitionkey, amount_of(e));
                   }),
                   {.faults = 1, .partitions = 2}),
          50);
}

// What is wrong with a handler, and how it shows.

TEST_CASE("a handler that writes outside of its transaction is found") {
    const auto verdict = simulate(simulation{
        .events = three(),
        .open = open_bank,
        .connect = connect_bank,
        .handle =
            [](bank& b, const event_view& e, memory::transaction&) {
                b.balances[std::string(e.partitionkey)] += amount_of(e);
            },
        .state = [](bank& b) { return b.balances; },
    });
    found(verdict, law::as_without_faults, 1, "expected");
    // One event is enough to show it, and the history names what was done.
    CHECK_THAT(verdict.story, Contains("with 1 of 3 events, and 1 fault in") &&
                                  Contains("changes something outside of its transaction") &&
                                  Contains(".only = {"));
    CHECK(verdict.runs.choices_most < 100);
}

TEST_CASE("a handler that writes through a connection of its own is found") {
    found(simulate(in_bank([](bank& b, const event_view& e, memory::transaction&) {
              memory::store other(b.data);
              auto mine = other.begin();
              mine.add(e.partitionkey, amount_of(e));
              static_cast<void>(mine.commit());
          })),
          law::as_without_faults, 1, "changed, outside of its transaction:");
}

TEST_CASE("a handler that sends before the commit is found") {
    found(simulate(simulation{
              .events = three(),
              .open = open_bank,
              .connect = connect_bank,
              .handle =
                  [](bank& b, const event_view& e, memory::transaction& tx, outside& out) {
                      tx.add(e.partitionkey, amount_of(e));
                      out.call("mail", [&] { ++b.mails[std::string(e.partitionkey)]; });
                  },
              .state = [](bank& b) { return b.mails; },
          }),
          law::as_without_faults, 1, "does: mail");
}

TEST_CASE("a handler that remembers in its process what it did, and skips, is found") {
    found(simulate(in_bank([seen = std::set<std::string>()](const event_view& e,
                                                            memory::transaction& tx) mutable {
              if (seen.insert(std::string(e.id)).second) {
                  tx.add(e.partitionkey, amount_of(e));
              }
          })),
          law::as_without_faults, 1, "nothing, expected");
}

TEST_CASE("a handler that keeps its balances in its process is found") {
    found(simulate(in_bank([cache = std::map<std::string, long>()](
                               const event_view& e, memory::transaction& tx) mutable {
              const std::string who(e.partitionkey);
              cache.try_emplace(who, std::stol(tx.get(who).value_or("0")));
              cache[who] += amount_of(e);
              tx.put(who, std::to_string(cache[who]));
          })),
          law::as_without_faults, 1, "expected");
}

TEST_CASE("a handler that swallows the failure of its write is found") {
    found(simulate(in_bank([](const event_view& e, memory::transaction& tx, outside& out) {
              try {
                  out.call("update balance", [&] { tx.add(e.partitionkey, amount_of(e)); });
              } catch (const std::exception&) {
                  // somebody will look into the log
              }
          })),
          law::as_without_faults, 1, "nothing, expected");
}

TEST_CASE("a handler that depends on the order across keys is found") {
    const auto verdict = simulate(in_bank([](const event_view& e, memory::transaction& tx) {
        tx.add(e.partitionkey, amount_of(e));
        if (e.partitionkey == "bob") {
            tx.put("alice when bob came", tx.get("alice").value_or("nothing"));
        }
    }));
    found(verdict, law::as_without_faults, 1, "alice when bob came: nothing, expected 10");
}

TEST_CASE("a handler that fails on its second attempt is found") {
    found(simulate(in_bank([tries = std::map<std::string, int>()](const event_view& e,
                                                                  memory::transaction& tx) mutable {
              if (++tries[std::string(e.id)] > 1) {
                  throw permanent_error("seen_before", "this was here before");
              }
              tx.add(e.partitionkey, amount_of(e));
          })),
          law::only_hopeless, 1, "seen_before");
}

TEST_CASE("a handler that gives up what only was down is found") {
    found(simulate(in_bank([](const event_view& e, memory::transaction& tx, outside& out) {
              try {
                  out.call("ask the rate", [] {});
              } catch (const std::exception&) {
                  throw permanent_error("no_rate", "there is no rate");
              }
              tx.add(e.partitionkey, amount_of(e));
          })),
          law::only_hopeless, 1, "no_rate");
}

TEST_CASE("a handler that goes on after its own death is found") {
    found(simulate(in_bank([](const event_view& e, memory::transaction& tx, outside& out) {
              try {
                  out.call("mail", [] {});
              } catch (...) {
              }
              tx.add(e.partitionkey, amount_of(e));
          })),
          law::death_is_final, 1, "Catch std::exception");
}

TEST_CASE("a handler that is not repeatable is told from one that is wrong") {
    int calls = 0;  // as a clock, or a random number
    found(simulate(in_bank([&calls](const event_view& e, memory::transaction& tx) {
              tx.put(e.partitionkey, std::to_string(++calls));
          })),
          law::repeatable, 0, "two runs without faults");
    // Only where something goes wrong, so that two runs without faults are the same.
    found(simulate(in_bank([&calls](const event_view& e, memory::transaction& tx, outside& out) {
              try {
                  out.call("mail", [] {});
              } catch (const std::exception&) {
                  tx.put("failures", std::to_string(++calls));
              }
              tx.add(e.partitionkey, amount_of(e));
          })),
          law::repeatable, 0, "in two ways");
}

TEST_CASE("a handler that skips what a static variable remembers is not repeatable") {
    std::set<std::string> seen;  // what is static outlives each run
    found(simulate(in_bank([&seen](const event_view& e, memory::transaction& tx) {
              if (seen.insert(std::string(e.id)).second) {
                  tx.add(e.partitionkey, amount_of(e));
              }
          })),
          law::repeatable, 0, "static variable");
}

TEST_CASE("a store that forgets what it has committed is found") {
    found(simulate(simulation{
              .events = three(),
              .open = [] { return memory::database(); },
              .connect = [](memory::database& data) { return forgetful_store(data); },
              .handle = [](const event_view& e,
                           memory::transaction& tx) { tx.add(e.partitionkey, amount_of(e)); },
              .state = [](forgetful_store& db) { return db.items(); },
          }),
          law::nothing_twice, 1, "was applied 2 times");
}

TEST_CASE("a counterexample is repeated by its tape and its events") {
    const auto careless = simulation{
        .events = three(),
        .open = open_bank,
        .connect = connect_bank,
        .handle =
            [](bank& b, const event_view& e, memory::transaction&) {
                b.balances[std::string(e.partitionkey)] += amount_of(e);
            },
        .state = [](bank& b) { return b.balances; },
    };
    const auto verdict = simulate(careless);
    REQUIRE(verdict.first() != nullptr);
    const auto again = simulate(careless, {.tape = verdict.first()->tape, .only = {"1"}});
    CHECK(again.schedules() == 1);
    CHECK(!again.holds());
    CHECK(again.story == verdict.story);
    CHECK(simulate(careless, {.faults = 0, .random_tapes = 0}).holds());

    // All that fail are counted if it is not to stop at the first.
    const auto all =
        simulate(careless, {.faults = 1, .random_tapes = 0, .stop_at_first_failure = false});
    CHECK(all.runs.failures > 5);
    CHECK(all.schedules() > all.runs.failures);
}

TEST_CASE("a schedule limit is told") {
    const auto verdict = simulate(in_bank([](const event_view&, memory::transaction&) {}),
                                  {.random_tapes = 0, .schedules_max = 10});
    CHECK(verdict.holds());
    CHECK(!verdict.runs.complete);
    CHECK_THAT(verdict.text(), Contains("schedules_max ended it early"));
}

TEST_CASE("a simulation that could not be judged is refused") {
    const auto good = [](const event_view& e, memory::transaction& tx) {
        tx.add(e.partitionkey, amount_of(e));
    };
    CHECK_THROWS_WITH(simulate(in_bank(good, {})), Contains(".events is empty"));
    CHECK_THROWS_WITH(simulate(in_bank(good, {deposit("alice", "", 1)})),
                      Contains("event 1") && Contains("no id"));
    CHECK_THROWS_WITH(simulate(in_bank(good, {deposit("alice", "1", 1), deposit("bob", "1", 1)})),
                      Contains("two different events have the id 1"));
    CHECK_THROWS_WITH(simulate(in_bank(good), {.schedules_max = 0}), Contains("schedules_max"));
    CHECK_THROWS_WITH(simulate(in_bank(good), {.partitions = 0}), Contains("partitions"));
    CHECK_THROWS_WITH(simulate(in_bank(good), {.only = {"9"}}), Contains("names 9"));

    simulation broken_state{
        .events = three(),
        .open = open_bank,
        .connect = connect_bank,
        .handle = good,
        .state = [](memory::store&) -> key_states { throw std::runtime_error("no such table"); }};
    CHECK_THROWS_WITH(simulate(broken_state), Contains(".state threw: no such table"));

    simulation wrong_dead{.events = three(),
                          .open = open_bank,
                          .connect = connect_bank,
                          .handle = good,
                          .state = items,
                          .expect_dead = {"2"}};
    CHECK_THROWS_WITH(simulate(wrong_dead), Contains("the handler takes it"));
    wrong_dead.expect_dead = {"9"};
    CHECK_THROWS_WITH(simulate(wrong_dead), Contains(".expect_dead names 9"));
}

TEST_CASE("the difference of two states is told key by key") {
    using testing::detail::difference;
    CHECK(difference({{"alice", "20"}, {"bob", "7"}}, {{"alice", "15"}, {"bob", "7"}}) ==
          "alice: 20, expected 15");
    CHECK(difference({{"alice", "20"}}, {{"bob", "7"}}) ==
          "alice: 20, expected nothing; bob: nothing, expected 7");
    CHECK(testing::detail::key_states_of(std::vector<std::pair<std::string, int>>{
              {"b", 2}, {"a", 1}, {"b", 1}}) == key_states{{"a", "1"}, {"b", "1, 2"}});
}
