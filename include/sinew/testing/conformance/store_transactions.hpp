// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The claims on transactions: what others see, serialisability, what a commit means, undoing.

#include <sinew/core/commit_result.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/store_environment.hpp>
#include <sinew/testing/conformance/store_histories.hpp>

#include <utility>

namespace sinew::testing::conformance::detail {

/// `transaction` 1: what others see.
template <class Suite>
void claim_isolation(Suite& run, const store_features& has) {
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim({"transaction 1", "effects are not seen by others before the commit",
                   "whether reads of another connection see uncommitted rows (isolation level)"},
                  [](check& c, auto& env) {
                      auto ours = env.open();
                      auto theirs = env.open();
                      write(c, env, ours, "a", "old");
                      auto tx = begin(env, ours);
                      env.put(tx, "a", "new");
                      value seen = "old";  // also if they are made to wait
                      static_cast<void>(attempt([&] {
                          auto other = theirs.begin(shortly(env));
                          seen = env.get(other, "a");
                      }));
                      c.equal(seen, value("old"), "what others read before the commit");
                  });
    several.claim({"transaction 1", "effects are seen by others after the commit, all of them",
                   "whether commit reaches the shared data, and whether reads are cached"},
                  [](check& c, auto& env) {
                      auto ours = env.open();
                      auto theirs = env.open();
                      auto tx = begin(env, ours);
                      env.put(tx, "a", "1");
                      env.put(tx, "b", "2");
                      commit(c, tx);
                      c.equal(read(env, theirs, "a"), value("1"), "the first effect");
                      c.equal(read(env, theirs, "b"), value("2"), "the second effect");
                  });
    run.claim({"transaction 1", "a transaction reads what it wrote itself",
               "whether reads go through the transaction's own connection"},
              [](check& c, auto& env) {
                  auto s = env.open();
                  auto tx = begin(env, s);
                  c.equal(env.get(tx, "a"), value(), "a key that was never written");
                  env.put(tx, "a", "1");
                  env.put(tx, "a", "2");
                  c.equal(env.get(tx, "a"), value("2"), "the transaction's own write");
              });
}

/// What the concurrent scenarios share: two transactions begin, as far as the store lets them.
template <class Env, class First, class Second>
[[nodiscard]] std::pair<bool, bool> race(Env& env, First first, Second second) {
    auto ours = env.open();
    auto theirs = env.open();
    auto one = begin(env, ours);
    static_cast<void>(env.get(one, "a"));
    bool second_done = false;
    static_cast<void>(attempt([&] {
        auto two = theirs.begin(shortly(env));
        second(two);
        second_done = two.commit() == commit_result::committed;
    }));
    bool first_done = false;
    static_cast<void>(attempt([&] {
        first(one);
        first_done = one.commit() == commit_result::committed;
    }));
    return {first_done, second_done};
}

/// `transaction` 2: serialisable.
template <class Suite>
void claim_serialisable(Suite& run, const store_features& has) {
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim(
        {"transaction 2", "of two transactions that count up the same value, none is lost",
         "the isolation level: read committed loses updates"},
        [](check& c, auto& env) {
            const auto count_up = [&](auto& tx) {
                const value had = env.get(tx, "a");
                env.put(tx, "a", had ? *had + "+1" : "1");
            };
            const auto [first, second] = race(env, count_up, count_up);
            auto s = env.open();
            const value expected = first && second   ? value("1+1")
                                   : first || second ? value("1")
                                                     : value();
            c.equal(read(env, s, "a"), expected, "the count of those that committed");
        });
    several.claim({"transaction 2",
                   "two transactions that each read what the other writes do not both "
                   "commit",
                   "the isolation level: snapshot isolation allows write skew"},
                  [](check& c, auto& env) {
                      const auto [first, second] = race(
                          env, [&](auto& tx) { env.put(tx, "b", "a was empty"); },
                          [&](auto& tx) {
                              static_cast<void>(env.get(tx, "b"));
                              env.put(tx, "a", "b was empty");
                          });
                      c.that(!(first && second), "at most one of the two to commit",
                             "both committed");
                  });
    several.claim({"transaction 2",
                   "random transactions on two connections have an order that explains "
                   "them",
                   "the isolation level, and what an aborted transaction leaves behind"},
                  [](check& c, auto& env) { check_serial_histories(c, env); });
}

/// `transaction` 3: what commit means.
template <class Suite>
void claim_commit(Suite& run) {
    using env_type = typename Suite::environment;
    run.claim({"transaction 3", "what was committed is there when the store is opened again",
               "whether commit reaches durable data"},
              [](check& c, auto& env) {
                  {
                      auto s = env.open();
                      write(c, env, s, "a", "1");
                  }
                  auto s = env.open();
                  c.equal(read(env, s, "a"), value("1"), "the committed value");
              });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"transaction 3", "what was committed is there after a crash",
         "whether commit answers before the effects are durable"},
        [](check& c, auto& env) {
            auto before = env.open();
            write(c, env, before, "a", "1");
            env.crash();
            auto s = env.open();
            c.equal(read(env, s, "a"), value("1"), "the committed value");
        });
    constexpr bool can_lose = requires(env_type& env) { env.lose_reply(); };
    run.always()
        .template needs<can_lose>("lose_reply()")
        .claim({"transaction 3", "a commit without an answer is unknown, and all or nothing",
                "what commit makes of a lost connection: neither committed nor aborted is true"},
               [](check& c, auto& env) {
                   {
                       auto s = env.open();
                       auto tx = begin(env, s);
                       env.put(tx, "a", "1");
                       env.put(tx, "b", "1");
                       env.lose_reply();
                       c.equal(tx.commit(), commit_result::unknown, "the answer of commit");
                   }
                   auto s = env.open();
                   const bool first = read(env, s, "a").has_value();
                   c.equal(read(env, s, "b").has_value(), first,
                           "the second effect, as the first, there");
                   c.equal(read(env, s, "a").has_value(), first,
                           "the first effect, at a second look, there");
               });
}

/// `transaction` 4: undoing all of it.
template <class Suite>
void claim_rollback(Suite& run) {
    using env_type = typename Suite::environment;
    const auto gone = [](check& c, auto& env, auto end) {
        auto s = env.open();
        write(c, env, s, "a", "old");
        {
            auto tx = begin(env, s);
            env.put(tx, "a", "new");
            env.put(tx, "b", "new");
            end(tx);
        }
        c.equal(read(env, s, "a"), value("old"), "the value that was overwritten");
        c.equal(read(env, s, "b"), value(), "the value that was added");
    };
    run.claim({"transaction 4", "a rolled back transaction leaves nothing", "rollback"},
              [gone](check& c, auto& env) { gone(c, env, [](auto& tx) { tx.rollback(); }); });
    run.claim({"transaction 4", "a transaction that is destroyed without a commit leaves nothing",
               "the destructor"},
              [gone](check& c, auto& env) { gone(c, env, [](auto&) {}); });
    run.claim({"transaction 4",
               "a transaction that was moved goes on, and what it was moved from "
               "undoes nothing",
               "the move constructor: what was moved from must not roll back"},
              [](check& c, auto& env) {
                  auto s = env.open();
                  {
                      auto from = begin(env, s);
                      env.put(from, "a", "1");
                      auto to = std::move(from);
                      env.put(to, "b", "2");
                      commit(c, to);
                  }
                  c.equal(read(env, s, "a"), value("1"), "what was written before the move");
                  c.equal(read(env, s, "b"), value("2"), "what was written after it");
              });
    run.claim({"transaction 4", "rolling back after a commit does nothing",
               "whether rollback looks if the transaction has ended"},
              [](check& c, auto& env) {
                  auto s = env.open();
                  {
                      auto tx = begin(env, s);
                      env.put(tx, "a", "1");
                      commit(c, tx);
                      tx.rollback();
                  }
                  c.equal(read(env, s, "a"), value("1"), "the committed value");
              });
    run.claim({"transaction 4", "a commit after a rollback brings nothing back",
               "whether commit looks if the transaction has ended"},
              [gone](check& c, auto& env) {
                  gone(c, env, [&c](auto& tx) {
                      tx.rollback();
                      c.that(tx.commit() != commit_result::committed,
                             "a commit after a rollback not to answer committed", "committed");
                  });
              });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"store, on crash", "what was not committed is gone after a crash",
         "whether a new process finds rows of a transaction that never committed"},
        [](check& c, auto& env) {
            auto before = env.open();
            auto tx = begin(env, before);
            env.put(tx, "a", "1");
            env.crash();
            auto s = env.open();
            c.equal(read(env, s, "a"), value(), "the value that was not committed");
        });
}

}  // namespace sinew::testing::conformance::detail
