// SPDX-License-Identifier: BSL-1.0
//
// Quoted in docs/guide/prove-your-own-handler.md.

#include "guide.hpp"

#include <sinew/adapters/memory.hpp>
#include <sinew/adapters/sqlite.hpp>
#include <sinew/sinew.hpp>
#include <sinew/testing/simulate.hpp>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>

using guide::expect;
using namespace sinew::testing;
using namespace std::chrono_literals;
using sinew::event_view;
namespace memory = sinew::memory;
namespace sqlite = sinew::sqlite;

namespace {

/// A deposit into somebody's account.
sinew::event deposit(std::string who, std::string id, int amount) {
    return {.id = std::move(id),
            .source = "/bank",
            .type = "deposit",
            .data = std::to_string(amount),
            .partitionkey = std::move(who)};
}

long amount_of(const event_view& e) { return std::stol(std::string(e.text())); }

/// The lines between the marks by which the guide finds them.
std::string without_marks(std::string_view text) {
    text.remove_prefix(text.find("]\n") + 2);
    return std::string(text.substr(0, text.rfind("// [/")));
}

void prove_a_handler() {
    // [handler]
    const auto verdict = simulate(simulation{
        .events = {deposit("alice", "1", 10), deposit("alice", "2", 5), deposit("bob", "3", 7)},
        .open = [] { return memory::database(); },
        .connect = [](memory::database& data) { return memory::store(data); },
        .handle = [](const event_view& e,
                     memory::transaction& tx) { tx.add(e.partitionkey, amount_of(e)); },
        .state = [](memory::store& db) { return db.items(); },
    });
    std::cout << verdict.text();
    expect(verdict.holds());
    // [/handler]
    expect(verdict.schedules() > 3000);
}

void find_a_mistake() {
    // [mistake]
    const simulation careless{
        .events = {deposit("alice", "1", 10), deposit("alice", "2", 5), deposit("bob", "3", 7)},
        .open = [] { return memory::database(); },
        .connect = [](memory::database& data) { return memory::store(data); },
        .handle =
            [](memory::database& data, const event_view& e, memory::transaction&) {
                memory::store mine(data);  // a connection of its own, as from a pool:
                auto tx = mine.begin();    // not the transaction that `once` has opened
                tx.add(e.partitionkey, amount_of(e));
                static_cast<void>(tx.commit());
            },
        .state = [](memory::store& db) { return db.items(); },
    };
    const auto verdict = simulate(careless);
    expect(!verdict.holds());
    std::cout << verdict.story;
    // [/mistake]

    const char* const told = R"(
// [counterexample]
"as without faults" does not hold: alice: 20, expected 10
  with 1 of 3 events, and 1 fault in 19 choices
    choice 5 'end of the handler' = crash before
  the handler changes something outside of its transaction: alice: 10, was nothing
  again: simulate(..., {.tape = {0, 0, 0, 0, 0, 1}, .only = {"1"}})
  what happened:
1000 ms    producer    appends 1 of alice at 0
1000 ms    worker      starts
1000 ms    worker      is assigned 0 epoch 1
1000 ms    worker      gets 0 0
1000 ms    worker      handles 1 of alice
1000 ms    worker      changed, outside of its transaction: alice: 10, was nothing
1000 ms    worker      end of the handler meets: crash before
1000 ms    worker      dies: end of the handler
2000 ms    worker      starts
2000 ms    worker      is assigned 0 epoch 2
2000 ms    worker      gets 0 0
2000 ms    worker      handles 1 of alice
2000 ms    worker      changed, outside of its transaction: alice: 20, was 10
2000 ms    worker      applies 1 to alice
2000 ms    worker      store commit: committed
2000 ms    worker      offset commit of 0 through 0 committed
22000 ms   end         alice is 20
// [/counterexample]
)";
    expect(verdict.story == without_marks(told));

    // [repeat]
    // As the counterexample says. Give it a name and keep it, as a test of its own.
    expect(!simulate(careless, {.tape = {0, 0, 0, 0, 0, 1}, .only = {"1"}}).holds());
    // [/repeat]
}

// [outside]
/// What outlives the process: a database, and the mails that others have received.
struct shop {
    memory::database data;
    std::map<std::string, int> mails;
};

auto with_mail(auto send) {
    return simulation{
        .events = {deposit("alice", "1", 10)},
        .open = [] { return shop(); },
        .connect = [](shop& s) { return memory::store(s.data); },
        .handle =
            [send](shop& s, const event_view& e, memory::transaction& tx, outside& out) {
                tx.add(e.partitionkey, amount_of(e));
                out.call("send mail", [&] { send(s, e); });  // can be lost, refused, or done twice
                out.point("after the mail");                 // here, too, the process may die
            },
        .state = [](shop& s) { return s.mails; },
    };
}
// [/outside]

void call_other_systems() {
    // [mails]
    // Each attempt sends a mail.
    const auto twice = simulate(
        with_mail([](shop& s, const event_view& e) { ++s.mails[std::string(e.partitionkey)]; }));
    expect(twice.first()->law == law::as_without_faults);

    // The mail service is told the event's id, and knows a mail that it has sent already.
    const auto once = simulate(
        with_mail([](shop& s, const event_view& e) { s.mails.try_emplace(std::string(e.id), 1); }));
    expect(once.holds());
    // [/mails]
}

void speak_sql() {
    // [sql]
    const simulation with_sql{
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
                    "INSERT INTO balance VALUES (?, ?) "
                    "ON CONFLICT DO UPDATE SET sum = sum + excluded.sum",
                    e.partitionkey, amount_of(e));
            },
        .state =
            [](sqlite::store& db) {
                return db.connection().query<std::string, std::int64_t>(
                    "SELECT who, sum FROM balance");
            },
    };
    expect(simulate(with_sql, {.faults = 1}).holds());
    // [/sql]
}

void bring_the_pipeline() {
    auto first = deposit("alice", "1", 10);
    auto second = deposit("alice", "2", 0);
    first.sequence = "1";
    second.sequence = "2";
    // [pipeline]
    const simulation in_order{
        .events = {second, first},  // as they come
        .open = [] { return memory::database(); },
        .connect = [](memory::database& data) { return memory::store(data); },
        .handle =
            [](const event_view& e, memory::transaction& tx) {
                if (amount_of(e) <= 0) {
                    throw sinew::permanent_error("no_amount", "nothing was paid");
                }
                tx.add(e.partitionkey, amount_of(e));
            },
        .state = [](memory::store& db) { return db.items(); },
        .pipeline =
            [](auto& p) {
                return sinew::subscribe(p.source(), p.subscription()) |
                       sinew::in_sequence({.gap_timeout = 30s}) | sinew::dead_letter(p.letters()) |
                       sinew::retry({.max_attempts = 5}) | sinew::once(p.store) |
                       sinew::handle(p.handler());
            },
        .expect_dead = {"2"},
    };
    expect(simulate(in_order).holds());
    // [/pipeline]
}

}  // namespace

int main() {
    prove_a_handler();
    find_a_mistake();
    call_other_systems();
    speak_sql();
    bring_the_pipeline();
}
