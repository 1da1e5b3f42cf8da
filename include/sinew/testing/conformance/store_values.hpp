// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The claims on what a transaction keeps for a consumer: inbox, progress per key, applied offsets.

#include <sinew/core/applied_offsets.hpp>
#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/key_progress.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/store.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/store_environment.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// Whether the inbox has an event that is new, told by a transaction that is rolled back.
template <class Env>
[[nodiscard]] bool is_new(Env& env, store_of<Env>& s, std::string_view consumer,
                          event_identity who) {
    auto tx = begin(env, s);
    return tx.remember(consumer, who, wall_of(env));
}

/// `inbox_transaction` 1.
template <class Part>
void claim_remember(const Part& inbox) {
    inbox.claim(
        {"inbox_transaction 1", "an event is new once",
         "remember: in the same transaction, in a later one, and when opened again"},
        [](check& c, auto& env) {
            {
                auto s = env.open();
                auto tx = begin(env, s);
                c.equal(tx.remember("c", {"/s", "1"}, wall_of(env)), true, "the first answer");
                c.equal(tx.remember("c", {"/s", "1"}, wall_of(env)), false,
                        "the answer in the same transaction");
                commit(c, tx);
                c.equal(is_new(env, s, "c", {"/s", "1"}), false,
                        "the answer in a later transaction");
            }
            auto s = env.open();
            c.equal(is_new(env, s, "c", {"/s", "1"}), false, "the answer when opened again");
        });
    inbox.claim({"inbox_transaction 1", "an event that was rolled back was never there",
                 "whether the inbox is written in the transaction, not beside it"},
                [](check& c, auto& env) {
                    auto s = env.open();
                    auto tx = begin(env, s);
                    c.equal(tx.remember("c", {"/s", "1"}, wall_of(env)), true, "the first answer");
                    tx.rollback();
                    c.equal(is_new(env, s, "c", {"/s", "1"}), true,
                            "the answer after the rollback");
                });
    inbox.claim(
        {"inbox_transaction 1", "a duplicate changes nothing and the transaction goes on",
         "a unique violation must not abort the transaction (ON CONFLICT DO NOTHING)"},
        [](check& c, auto& env) {
            auto s = env.open();
            auto first = begin(env, s);
            c.equal(first.remember("c", {"/s", "1"}, wall_of(env)), true, "the first answer");
            commit(c, first);
            auto tx = begin(env, s);
            env.put(tx, "a", "1");
            c.equal(tx.remember("c", {"/s", "1"}, wall_of(env)), false, "the second answer");
            env.put(tx, "b", "1");
            c.equal(tx.remember("c", {"/s", "2"}, wall_of(env)), true,
                    "the answer for another event");
            commit(c, tx);
            c.equal(read(env, s, "a"), value("1"), "what was written before the duplicate");
            c.equal(read(env, s, "b"), value("1"), "what was written after it");
        });
}

template <class Suite>
void claim_inbox(Suite& run, const store_features& has) {
    using tx_type = transaction_of<typename Suite::environment>;
    const auto inbox = run.template feature<inbox_transaction<tx_type>>("inbox", has.inbox);
    claim_remember(inbox);
    inbox.declared(has.connections, "connections")
        .claim({"inbox_transaction 1", "of two transactions that find an event new, one commits",
                "whether the second waits, is refused, or is told false after the first"},
               [](check& c, auto& env) {
                   auto ours = env.open();
                   auto theirs = env.open();
                   auto one = begin(env, ours);
                   c.equal(one.remember("c", {"/s", "1"}, wall_of(env)), true, "the first answer");
                   bool both_new = false;
                   static_cast<void>(attempt([&] {
                       auto two = theirs.begin(shortly(env));
                       both_new = two.remember("c", {"/s", "1"}, wall_of(env)) &&
                                  two.commit() == commit_result::committed;
                   }));
                   const bool first = one.commit() == commit_result::committed;
                   c.that(!(first && both_new), "one of the two to commit", "both committed");
                   c.that(first || both_new, "one of the two to commit", "none did");
               });
    inbox.claim({"inbox_transaction 2", "identities are told apart byte by byte",
                 "the type and collation of the columns: bytes, not text"},
                [](check& c, auto& env) {
                    auto s = env.open();
                    auto tx = begin(env, s);
                    const auto ids = hostile_texts();
                    for (const auto& text : ids) {
                        c.equal(tx.remember("c", {"/s", text}, wall_of(env)), true,
                                "the answer for the id " + show(text));
                        c.equal(tx.remember("c", {text, "1"}, wall_of(env)), true,
                                "the answer for the source " + show(text));
                    }
                    commit(c, tx);
                    for (const auto& text : ids) {
                        c.equal(is_new(env, s, "c", {"/s", text}), false,
                                "the later answer for the id " + show(text));
                    }
                });
    inbox.claim(
        {"inbox_transaction 2", "source and id are two parts", "how source and id become one key"},
        [](check& c, auto& env) {
            auto s = env.open();
            auto tx = begin(env, s);
            using pair = std::pair<std::string, std::string>;
            for (const auto& [source, id] :
                 {pair("ab", "c"), pair("a", "bc"), pair("a/", "b"), pair("a", "/b"),
                  pair(std::string("a\0", 2), "b"), pair("a", std::string("\0b", 2))}) {
                c.equal(tx.remember("c", {source, id}, wall_of(env)), true,
                        "the answer for " + show(source) + " and " + show(id));
            }
        });
    inbox.claim({"inbox_transaction 2", "identities of 4,000 bytes are told apart",
                 "whether keys are cut, and the longest key of an index"},
                [](check& c, auto& env) {
                    auto s = env.open();
                    auto tx = begin(env, s);
                    const std::string base(4'000, 'i');
                    c.equal(tx.remember("c", {"/s", base + "1"}, wall_of(env)), true, "the first");
                    c.equal(tx.remember("c", {"/s", base + "2"}, wall_of(env)), true, "the second");
                    c.equal(tx.remember("c", {"/s", base + "1"}, wall_of(env)), false,
                            "the first again");
                });
    inbox.claim({"inbox_transaction 2", "each consumer has an inbox of its own",
                 "whether the consumer is part of the key"},
                [](check& c, auto& env) {
                    auto s = env.open();
                    auto tx = begin(env, s);
                    for (const auto* consumer : {"c", "C", "c2", "o'brien"}) {
                        c.equal(tx.remember(consumer, {"/s", "1"}, wall_of(env)), true,
                                "the answer for consumer " + show(consumer));
                    }
                });
    inbox.template needs<nestable_transaction<tx_type>>("nested part")
        .declared(has.nested, "nested")
        .claim(
            {"nestable_transaction 1", "what an undone part remembered was never there",
             "whether the inbox is written within the savepoint"},
            [](check& c, auto& env) {
                auto s = env.open();
                auto tx = begin(env, s);
                c.equal(tx.remember("c", {"/s", "before"}, wall_of(env)), true, "the first answer");
                tx.nest();
                c.equal(tx.remember("c", {"/s", "part"}, wall_of(env)), true, "the part's answer");
                tx.undo_nested();
                commit(c, tx);
                c.equal(is_new(env, s, "c", {"/s", "part"}), true, "the event of the part, new");
                c.equal(is_new(env, s, "c", {"/s", "before"}), false, "the event before it, new");
            });
}

/// Progress of every shape that it can take.
[[nodiscard]] inline std::vector<key_progress> all_progress() {
    std::vector<sequence_gap> many;
    for (std::uint64_t i = 0; i < key_progress::gaps_max; ++i) {
        many.push_back({10 * i + 2, 10 * i + 5});
    }
    return {key_progress(1),
            key_progress(42),
            key_progress(UINT64_MAX),
            key_progress(std::uint64_t{1} << 63U),
            key_progress(1'000, many, false),
            key_progress(1'000, many, true),
            key_progress(UINT64_MAX, {{1, 1}, {std::uint64_t{1} << 63U, UINT64_MAX - 2}}, false)};
}

template <class Suite>
void claim_progress(Suite& run, const store_features& has) {
    using tx_type = transaction_of<typename Suite::environment>;
    const auto progress =
        run.template feature<progress_transaction<tx_type>>("progress", has.progress);
    progress.claim({"progress_transaction 1", "a key's progress is what was written last",
                    "the encoding: gaps, merged gaps, numbers above 2^63"},
                   [](check& c, auto& env) {
                       auto s = env.open();
                       c.equal(begin(env, s).progress("c", "k"), key_progress(),
                               "a key never seen");
                       for (const auto& one : all_progress()) {
                           auto tx = begin(env, s);
                           tx.set_progress("c", "k", one);
                           c.equal(tx.progress("c", "k"), one, "the progress just written");
                           commit(c, tx);
                           c.equal(begin(env, s).progress("c", "k"), one, "the committed progress");
                       }
                   });
    progress.claim(
        {"progress_transaction 1", "each consumer and each key has a progress of its own",
         "the type and collation of the key's column; the empty key is a key, too"},
        [](check& c, auto& env) {
            auto s = env.open();
            auto keys = hostile_texts();
            keys.emplace_back();
            auto tx = begin(env, s);
            for (std::size_t i = 0; i < keys.size(); ++i) {
                tx.set_progress("c", keys[i], key_progress(2 * i + 1));
                tx.set_progress("d", keys[i], key_progress(2 * i + 2));
            }
            commit(c, tx);
            auto later = begin(env, s);
            for (std::size_t i = 0; i < keys.size(); ++i) {
                c.equal(later.progress("c", keys[i]), key_progress(2 * i + 1),
                        "the progress of key " + show(keys[i]));
                c.equal(later.progress("d", keys[i]), key_progress(2 * i + 2),
                        "the other consumer's progress of key " + show(keys[i]));
            }
        });
    progress.claim({"progress_transaction 1", "progress that was rolled back was never written",
                    "whether progress is written in the transaction"},
                   [](check& c, auto& env) {
                       auto s = env.open();
                       auto first = begin(env, s);
                       first.set_progress("c", "k", key_progress(2));
                       commit(c, first);
                       auto second = begin(env, s);
                       second.set_progress("c", "k", key_progress(3));
                       second.rollback();
                       c.equal(begin(env, s).progress("c", "k"), key_progress(2), "the progress");
                   });
    progress.template needs<nestable_transaction<tx_type>>("nested part")
        .declared(has.nested, "nested")
        .claim({"nestable_transaction 1", "progress that an undone part wrote was never written",
                "whether progress is written within the savepoint"},
               [](check& c, auto& env) {
                   auto s = env.open();
                   auto tx = begin(env, s);
                   tx.set_progress("c", "k", key_progress(2));
                   tx.nest();
                   tx.set_progress("c", "k", key_progress(3));
                   tx.undo_nested();
                   c.equal(tx.progress("c", "k"), key_progress(2), "the progress");
               });
}

/// Applied offsets of every shape that they can take.
[[nodiscard]] inline std::vector<applied_offsets> all_offsets() {
    std::vector<offset_range> many;
    for (log_offset i = 0; i < 1'000; ++i) {
        many.push_back({3 * i + 1, 3 * i + 1});
    }
    return {applied_offsets(0, {}), applied_offsets(-1, {{5, 5}}), applied_offsets(-1, many),
            applied_offsets(INT64_MAX, {}), applied_offsets(7, {{INT64_MAX - 5, INT64_MAX - 1}})};
}

template <class Suite>
void claim_offsets(Suite& run, const store_features& has) {
    using tx_type = transaction_of<typename Suite::environment>;
    const auto offsets = run.template feature<offsets_transaction<tx_type>>("offsets", has.offsets);
    offsets.claim({"offsets_transaction 1", "a partition's offsets are what was written last",
                   "the encoding: many ranges, offsets at the end of their scale"},
                  [](check& c, auto& env) {
                      auto s = env.open();
                      c.equal(begin(env, s).offsets("c", "t", 0), applied_offsets(),
                              "a partition never seen");
                      for (const auto& one : all_offsets()) {
                          auto tx = begin(env, s);
                          tx.set_offsets("c", "t", 0, one);
                          c.equal(tx.offsets("c", "t", 0), one, "the offsets just written");
                          commit(c, tx);
                          c.equal(begin(env, s).offsets("c", "t", 0), one, "the committed offsets");
                      }
                  });
    offsets.claim(
        {"offsets_transaction 1", "each consumer, topic and partition has offsets of its own",
         "the key of the table, and the type of the partition: 0 to 2^32 - 1"},
        [](check& c, auto& env) {
            auto s = env.open();
            auto tx = begin(env, s);
            log_offset at = 0;
            const auto each = [&](auto f) {
                at = 0;
                for (const auto* consumer : {"c", "d"}) {
                    for (const auto* topic : {"t", "u"}) {
                        for (const partition_id p : {0U, 1U, UINT32_MAX}) {
                            f(consumer, topic, p, applied_offsets(at++, {}));
                        }
                    }
                }
            };
            each([&](auto* consumer, auto* topic, partition_id p, const auto& one) {
                tx.set_offsets(consumer, topic, p, one);
            });
            each([&](auto* consumer, auto* topic, partition_id p, const auto& one) {
                c.equal(tx.offsets(consumer, topic, p), one,
                        "the offsets of " + show(consumer) + ", " + show(topic) + ", " + show(p));
            });
        });
    offsets.claim({"offsets_transaction 1", "offsets that were rolled back were never written",
                   "whether offsets are written in the transaction"},
                  [](check& c, auto& env) {
                      auto s = env.open();
                      auto tx = begin(env, s);
                      tx.set_offsets("c", "t", 0, applied_offsets(3, {}));
                      tx.rollback();
                      c.equal(begin(env, s).offsets("c", "t", 0), applied_offsets(), "the offsets");
                  });
}

/// `consumer_store` 1: progress beside a transaction.
template <class Suite>
void claim_committed_progress(Suite& run, const store_features& has) {
    using store_type = store_of<typename Suite::environment>;
    const auto consumer =
        run.template feature<consumer_store<store_type>>("consumer", has.consumer);
    consumer.claim({"consumer_store 1", "progress beside a transaction is the committed one",
                    "whether the store reads on the connection of its open transaction"},
                   [](check& c, auto& env) {
                       auto s = env.open();
                       c.equal(s.progress("c", "k", soon(env)), key_progress(), "a key never seen");
                       auto first = begin(env, s);
                       first.set_progress("c", "k", key_progress(2));
                       commit(c, first);
                       auto tx = begin(env, s);
                       tx.set_progress("c", "k", key_progress(3));
                       c.equal(s.progress("c", "k", soon(env)), key_progress(2),
                               "the progress while a transaction is open");
                       commit(c, tx);
                       c.equal(s.progress("c", "k", soon(env)), key_progress(3),
                               "the progress after the commit");
                   });
    consumer.declared(has.connections, "connections")
        .claim({"consumer_store 1", "progress sees what another store has committed",
                "whether progress is cached, or read in an old snapshot"},
               [](check& c, auto& env) {
                   auto ours = env.open();
                   auto theirs = env.open();
                   for (std::uint64_t next = 2; next < 6; ++next) {
                       auto tx = begin(env, theirs);
                       tx.set_progress("c", "k", key_progress(next));
                       commit(c, tx);
                       c.equal(ours.progress("c", "k", soon(env)), key_progress(next),
                               "the progress that the other store committed");
                   }
               });
    consumer.declared(has.connections, "connections")
        .claim({"consumer_store 1", "reading progress neither waits for a writer nor holds one up",
                "whether progress takes a lock, or leaves a read transaction open"},
               [](check& c, auto& env) {
                   auto ours = env.open();
                   auto theirs = env.open();
                   auto tx = begin(env, theirs);
                   tx.set_progress("c", "k", key_progress(2));
                   c.equal(ours.progress("c", "k", soon(env)), key_progress(),
                           "the progress while another writes it");
                   commit(c, tx);
                   c.equal(ours.progress("c", "k", soon(env)), key_progress(2),
                           "the progress after the other's commit");
               });
}

}  // namespace sinew::testing::conformance::detail
