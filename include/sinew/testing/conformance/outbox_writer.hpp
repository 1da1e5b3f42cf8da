// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the outbox suite about adding: claims of `outbox_writer`.

#include <sinew/core/error.hpp>
#include <sinew/core/outbox.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// `outbox_writer` 1 and 2: part of the transaction.
template <class Suite>
void claim_in_transaction(Suite& run, const outbox_features& has) {
    using env_type = typename Suite::environment;
    run.claim({"outbox_writer 1", "an outbox takes the transactions of its store",
               "shares: it compares what both are connected to"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  c.that(at.box.shares(at.s), "shares to be true for its own store", "false");
              });
    run.claim({"outbox_writer 2", "an event is shown after its transaction committed",
               "add: whether the row is written on the connection of the transaction"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add("1", "k");
                  c.equal(at.ids(), texts{"1"}, "what is shown");
              });
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim({"outbox_writer 2", "an event is not shown before its transaction committed",
                   "add: whether the row is written on the connection of the transaction"},
                  [](check& c, auto& env) {
                      outbox_scene ours(c, env);
                      outbox_scene theirs(c, env);
                      static_cast<void>(theirs.leases());
                      auto tx = begin(env, ours.s);
                      ours.box.add(tx, plain_event("1", "k").view(), ours.now);
                      texts seen;  // also if they are made to wait
                      static_cast<void>(attempt([&] { seen = theirs.ids(); }));
                      c.equal(seen, texts(), "what others see before the commit");
                      commit(c, tx);
                      c.equal(theirs.ids(), texts{"1"}, "what others see after it");
                  });
    const auto leaves_no_trace = [](check& c, auto& env, auto end) {
        outbox_scene at(c, env);
        at.add("1", "k");
        {
            auto tx = begin(env, at.s);
            at.box.add(tx, plain_event("gone", "k").view(), at.now);
            at.box.add(tx, plain_event("gone too", "l").view(), at.now);
            end(tx);
        }
        c.equal(at.add("2", "k"), std::uint64_t{2}, "the number of the key's next event");
        c.equal(at.add("3", "l"), std::uint64_t{1}, "the number of a key's first event");
        c.equal(at.ids().size(), std::size_t{3}, "the number of entries");
    };
    run.claim(
        {"outbox_writer 2 and 3", "a rolled back event leaves no trace, and no hole",
         "whether the counter of the key is part of the transaction (a database sequence is not)"},
        [leaves_no_trace](check& c, auto& env) {
            leaves_no_trace(c, env, [](auto& tx) { tx.rollback(); });
        });
    run.claim({"outbox_writer 2 and 3", "an event whose transaction is destroyed leaves no trace",
               "what a transaction does that ends without a commit"},
              [leaves_no_trace](check& c, auto& env) { leaves_no_trace(c, env, [](auto&) {}); });
    run.template feature<nestable_transaction<transaction_of<env_type>>>("nested", has.nested)
        .claim(
            {"outbox_writer 2", "a part that is undone takes its events along, and their numbers",
             "whether the counter goes back to the savepoint, too"},
            [](check& c, auto& env) {
                outbox_scene at(c, env);
                auto tx = begin(env, at.s);
                at.box.add(tx, plain_event("1", "k").view(), at.now);
                tx.nest();
                at.box.add(tx, plain_event("gone", "k").view(), at.now);
                tx.undo_nested();
                c.equal(at.box.add(tx, plain_event("2", "k").view(), at.now), std::uint64_t{2},
                        "the number after the part that was undone");
                commit(c, tx);
                c.equal(at.ids(), texts{"1", "2"}, "what is shown");
            });
}

/// `outbox_writer` 3: numbers.
template <class Suite>
void claim_numbers(Suite& run, const outbox_features& has) {
    using env_type = typename Suite::environment;
    run.claim({"outbox_writer 3", "events of a key are numbered 1, 2, 3 in the order of the calls",
               "the counter of the key: where it starts, and several events in one transaction"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("x", "l"), plain_event("2", "k")});
                  at.add({plain_event("3", "k"), plain_event("4", "k")});
                  c.equal(at.ids("k"), texts{"1", "2", "3", "4"}, "the key's events");
                  for (const auto& one : at.claim()) {
                      if (one.what.partitionkey == "k") {
                          c.equal(one.what.sequence, one.what.id, "the sequence of an event");
                      }
                  }
              });
    run.claim(
        {"outbox_writer 3", "keys are told apart byte by byte",
         "the key's column: its type and collation, trimming, NUL bytes"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            for (const auto& key : hostile_texts()) {
                c.equal(at.add("1", key), std::uint64_t{1}, "the first number of " + show(key));
            }
            for (const auto& key : hostile_texts()) {
                c.equal(at.add("2", key), std::uint64_t{2}, "the second number of " + show(key));
                c.equal(at.ids(key), texts{"1", "2"}, "the events of " + show(key));
            }
        });
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim({"outbox_writer 3",
                   "two writers on one key are numbered in the order of their "
                   "commits",
                   "whether the counter is locked, or its change found out, until the commit"},
                  [](check& c, auto& env) {
                      outbox_scene ours(c, env);
                      outbox_scene theirs(c, env);
                      texts committed;
                      static_cast<void>(attempt([&] {
                          auto first = begin(env, ours.s);
                          ours.box.add(first, plain_event("first", "k").view(), ours.now);
                          static_cast<void>(attempt([&] {
                              auto second = theirs.s.begin(shortly(env));
                              theirs.box.add(second, plain_event("second", "k").view(), ours.now);
                              if (second.commit() == commit_result::committed) {
                                  committed.push_back("second");
                              }
                          }));
                          if (first.commit() == commit_result::committed) {
                              committed.push_back("first");
                          }
                      }));
                      c.equal(ours.add("last", "k"), std::uint64_t{committed.size() + 1},
                              "the number after those that committed");
                      committed.push_back("last");
                      c.equal(ours.ids(), committed, "the events, in the order of the commits");
                      std::uint64_t expected = 0;
                      for (const auto& one : ours.claim()) {
                          c.equal(one.what.sequence, std::to_string(++expected),
                                  "the sequence of " + one.what.id);
                      }
                  });
    const auto goes_on = [](check& c, auto& env, auto between) {
        {
            outbox_scene before(c, env);
            before.add("1", "k");
            between(before);
        }
        outbox_scene at(c, env);
        c.equal(at.add("2", "k"), std::uint64_t{2}, "the number of the key's next event");
    };
    run.claim({"outbox_writer 3", "numbers go on when the store is opened again",
               "where the counter is kept"},
              [goes_on](check& c, auto& env) { goes_on(c, env, [](auto&) {}); });
    run.claim(
        {"outbox_writer 3", "numbers go on when all entries of the key were forgotten",
         "whether the number is counted from the entries: max(sequence) + 1 begins anew"},
        [goes_on](check& c, auto& env) {
            goes_on(c, env, [&c](auto& before) {
                before.publish("1");
                c.equal(before.box.purge(before.now + std::chrono::seconds(1), 10, before.until()),
                        std::size_t{1}, "the number of entries forgotten");
            });
        });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"outbox_writer 3", "numbers go on after a crash", "where the counter is kept"},
        [goes_on](check& c, auto& env) { goes_on(c, env, [&env](auto&) { env.crash(); }); });
}

/// `outbox_writer` 4 to 6: what is added.
template <class Suite>
void claim_events(Suite& run) {
    run.claim({"outbox_writer 4", "the number replaces the sequence that an event brought",
               "add: which sequence is stored"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  event e = plain_event("1", "k");
                  e.sequence = "4711";
                  c.equal(at.add({e}), std::uint64_t{1}, "the answer of add");
                  c.equal(at.entry("1").what.sequence, std::string("1"), "the sequence");
              });
    run.claim({"outbox_writer 4", "an event without a key gets no number and keeps what it brought",
               "add: an empty key is no key"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  event e = plain_event("1");
                  e.sequence = "4711";
                  c.equal(at.add({e}), std::uint64_t{0}, "the answer of add");
                  c.equal(at.add("2"), std::uint64_t{0}, "the answer of a second add");
                  c.equal(at.entry("1").what.sequence, std::string("4711"), "the sequence");
                  c.equal(at.entry("2").what.sequence, std::string(),
                          "a sequence that was not there");
              });
    run.claim(
        {"outbox_writer 5", "an event comes back bit for bit, whatever its bytes",
         "headers (order, names that come twice, empty values), NUL bytes, long values"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            for (auto& sent : hostile_events()) {
                const auto number = at.add({sent});
                const auto entry = at.entry(sent.id);
                if (number != 0) {
                    sent.sequence = std::to_string(number);
                }
                const std::string wrong = difference(sent, entry.what);
                c.that(wrong.empty(), "the event " + show(sent.id) + " as it was added", wrong);
                c.that(entry.added == at.now, "the time at which it was added", "another one");
                c.equal(entry.attempts, 0U, "the attempts");
            }
        });
    run.claim({"outbox_writer 6", "an event with a defect is refused, and the transaction goes on",
               "add: find_defect has to be asked before anything is written"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  auto tx = begin(env, at.s);
                  for (auto field : {&event::id, &event::source, &event::type}) {
                      event e = plain_event("1", "k");
                      (e.*field).clear();
                      try {
                          at.box.add(tx, e.view(), at.now);
                      } catch (const permanent_error& refused) {
                          c.equal(refused.reason(), find_defect(e.view())->reason, "the reason");
                          continue;
                      }
                      c.fail("an event without id, source or type to be refused", "it was taken");
                  }
                  c.equal(at.box.add(tx, plain_event("2", "k").view(), at.now), std::uint64_t{1},
                          "the number of the next event");
                  commit(c, tx);
                  c.equal(at.ids(), texts{"2"}, "what is shown");
              });
}

}  // namespace sinew::testing::conformance::detail
