// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for stores and their transactions.
///
/// **Example.** See docs/guide/writing-an-adapter.md. In short:
/// ```cpp
/// struct my_environment : real_time {
///     my::database data;  // a fresh one
///     my::store open() { return my::store(data); }
///     void put(my::transaction& tx, std::string_view key, std::string_view value) { ... }
///     std::optional<std::string> get(my::transaction& tx, std::string_view key) { ... }
/// };
/// const auto table = store_claims("my::store", [] { return my_environment(); }, {.inbox = true});
/// ```

#include <sinew/core/commit_result.hpp>
#include <sinew/core/error.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/store_environment.hpp>
#include <sinew/testing/conformance/store_histories.hpp>
#include <sinew/testing/conformance/store_transactions.hpp>
#include <sinew/testing/conformance/store_values.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace sinew::testing::conformance {

namespace detail {

/// `store` 1 and 2.
template <class Suite>
void claim_begin(Suite& run, const store_features& has) {
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim(
        {"store 1", "begin comes back by its deadline while another writes",
         "whether the lock's waiting time is set from `until`, and which error it ends in"},
        [](check& c, auto& env) {
            auto ours = env.open();
            auto theirs = env.open();
            auto tx = begin(env, ours);
            env.put(tx, "a", "1");
            const steady_time until = shortly(env);
            try {
                auto other = theirs.begin(until);
            } catch (const unavailable_error&) {
            }
            c.that(now_of(env) < later(until, patience_of(env)),
                   "begin to come back by its deadline", "it came back much later");
            commit(c, tx);
        });
    run.claim({"store 2", "a second transaction of a store object is refused while one is open",
               "begin: two transactions on one connection are one"},
              [](check& c, auto& env) {
                  auto s = env.open();
                  auto tx = begin(env, s);
                  env.put(tx, "a", "1");
                  c.template throws<error>([&] { auto second = s.begin(shortly(env)); },
                                           "the second begin to throw an error");
                  commit(c, tx);
              });
    run.claim({"store 2", "after a transaction has ended the next one begins",
               "whether commit, rollback and the destructor all free the connection"},
              [](check& c, auto& env) {
                  auto s = env.open();
                  write(c, env, s, "a", "1");
                  begin(env, s).rollback();
                  {
                      auto dropped = begin(env, s);
                  }
                  write(c, env, s, "a", "2");
                  c.equal(read(env, s, "a"), value("2"), "the last value");
              });
}

/// `nestable` 1.
template <class Suite>
void claim_nested(Suite& run, const store_features& has) {
    using tx_type = transaction_of<typename Suite::environment>;
    const auto nested = run.template feature<nestable_transaction<tx_type>>("nested", has.nested);
    nested.claim({"nestable_transaction 1", "undoing a part leaves what stood before it",
                  "undo_nested: it must go back to the savepoint, not to the beginning"},
                 [](check& c, auto& env) {
                     auto s = env.open();
                     auto tx = begin(env, s);
                     env.put(tx, "before", "1");
                     tx.nest();
                     env.put(tx, "part", "1");
                     tx.undo_nested();
                     c.equal(env.get(tx, "before"), value("1"), "what stood before the part");
                     env.put(tx, "after", "1");
                     commit(c, tx);
                     c.equal(read(env, s, "before"), value("1"), "what stood before, committed");
                     c.equal(read(env, s, "after"), value("1"), "what came after, committed");
                 });
    nested.claim({"nestable_transaction 1", "undoing a part undoes all that it did",
                  "undo_nested: added, overwritten and twice overwritten values"},
                 [](check& c, auto& env) {
                     auto s = env.open();
                     write(c, env, s, "old", "1");
                     auto tx = begin(env, s);
                     env.put(tx, "mine", "1");
                     tx.nest();
                     env.put(tx, "old", "2");
                     env.put(tx, "mine", "2");
                     env.put(tx, "mine", "3");
                     env.put(tx, "new", "1");
                     tx.undo_nested();
                     commit(c, tx);
                     c.equal(read(env, s, "old"), value("1"), "a committed value, overwritten");
                     c.equal(read(env, s, "mine"), value("1"), "an own value, overwritten twice");
                     c.equal(read(env, s, "new"), value(), "a value that the part added");
                 });
    nested.claim({"nestable_transaction 1", "a part that is kept joins the whole",
                  "keep_nested: it neither commits nor undoes"},
                 [](check& c, auto& env) {
                     auto s = env.open();
                     auto first = begin(env, s);
                     first.nest();
                     env.put(first, "a", "1");
                     first.keep_nested();
                     commit(c, first);
                     auto second = begin(env, s);
                     second.nest();
                     env.put(second, "a", "2");
                     second.keep_nested();
                     second.rollback();
                     c.equal(read(env, s, "a"), value("1"),
                             "the value after a kept part was "
                             "committed and another rolled back");
                 });
    nested.claim({"nestable_transaction 1", "one part after another is kept or undone by itself",
                  "whether a savepoint is released when its part ends"},
                 [](check& c, auto& env) {
                     auto s = env.open();
                     auto tx = begin(env, s);
                     for (int i = 0; i < 6; ++i) {
                         tx.nest();
                         env.put(tx, std::to_string(i), "1");
                         i % 2 == 0 ? tx.keep_nested() : tx.undo_nested();
                     }
                     commit(c, tx);
                     for (int i = 0; i < 6; ++i) {
                         c.equal(read(env, s, std::to_string(i)), i % 2 == 0 ? value("1") : value(),
                                 "part " + std::to_string(i));
                     }
                 });
}

}  // namespace detail

/// Looks at every claim of `store` and its optional parts. `make` makes a fresh environment.
template <class Make>
    requires store_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table store_claims(std::string_view adapter, Make make,
                                        const store_features& has = {}) {
    suite<Make> run("store", adapter, std::move(make));
    detail::claim_isolation(run, has);
    detail::claim_serialisable(run, has);
    detail::claim_commit(run);
    detail::claim_rollback(run);
    detail::claim_begin(run, has);
    detail::claim_nested(run, has);
    detail::claim_inbox(run, has);
    detail::claim_progress(run, has);
    detail::claim_offsets(run, has);
    detail::claim_committed_progress(run, has);
    run.claim({"reference", "random histories end as in the in-memory reference",
               "the in-memory store, which is the reference"},
              [](check& c, auto& env) { detail::check_histories(c, env); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
