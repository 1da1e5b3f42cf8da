// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the outbox suite about what is claimed: claims of `outbox_queue` up to 4.

#include <sinew/core/outbox.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// `outbox_queue` 1: what is shown.
template <class Suite>
void claim_shown(Suite& run, const outbox_features& has) {
    const auto several = run.template feature<true>("connections", has.connections);
    several.claim({"outbox_queue 1",
                   "an entry that commits late is shown, though later ones were "
                   "published before",
                   "whether the relay's query has a cursor (number > ?, added > ?): it must not"},
                  [](check& c, auto& env) {
                      outbox_scene ours(c, env);
                      outbox_scene theirs(c, env);
                      auto late = begin(env, theirs.s);
                      theirs.box.add(late, plain_event("late", "k").view(), theirs.now);
                      if (!attempt([&] { ours.add("early", "l"); })) {
                          c.not_claimed("it has one writer at a time, so nothing commits late");
                      }
                      ours.publish("early");
                      ours.now += std::chrono::hours(1);
                      c.equal(ours.ids(), texts(), "what is shown before the late commit");
                      commit(c, late);
                      c.equal(ours.ids(), texts{"late"}, "what is shown after it");
                  });
    run.claim({"outbox_queue 1", "what was claimed and not marked is shown again",
               "claim: it must change nothing"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k")});
                  const auto first = at.claim();
                  const auto second = at.claim();
                  c.equal(ids_of(second), ids_of(first), "the second claim");
                  c.that(first == second, "the entries of the second claim to equal the first's",
                         "they differ");
              });
    run.claim({"outbox_queue 1", "each event is shown in the shard of its key, and in no other",
               "whether the shard is computed by shard_of"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  std::vector<event> events;
                  for (int i = 0; i < 40; ++i) {
                      const std::string id = std::to_string(i);
                      events.push_back(plain_event(id, i % 4 == 0 ? std::string() : "k" + id));
                  }
                  at.add(events);
                  std::size_t shown = 0;
                  for (const auto& lease : at.leases()) {
                      const auto some = at.box.claim(lease, at.now, all_entries, at.until());
                      for (const auto& one : *some) {
                          c.equal(lease.shard, shard_of(one.what.view(), at.box.shards()),
                                  "the shard of " + one.what.id);
                      }
                      shown += some->size();
                  }
                  c.equal(shown, events.size(), "the number of entries shown");
              });
}

/// `outbox_queue` 2 and 3: order, and what is held back.
template <class Suite>
void claim_order(Suite& run) {
    run.claim({"outbox_queue 2", "the entries of a key are shown in order, none left out",
               "the order of the query: sequences are numbers, and '10' < '9' as text"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  texts expected;
                  for (int i = 1; i <= 12; ++i) {
                      expected.push_back(std::to_string(i));
                      at.add(expected.back(), "k");
                      at.add("other " + expected.back(), "l");
                  }
                  c.equal(at.ids("k"), expected, "the key's entries");
              });
    run.claim({"outbox_queue 2", "what follows an entry that was put off waits behind it",
               "claim: only the entry that was put off is left out, and its key is not"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k"), plain_event("3", "k")});
                  at.publish("1");
                  at.put_off("2", std::chrono::seconds(10));
                  c.equal(at.ids(), texts(), "what is shown while the key is held back");
                  at.add("4", "k");
                  c.equal(at.ids(), texts(), "what is shown after another was added");
                  at.now += std::chrono::seconds(10);
                  c.equal(at.ids(), texts{"2", "3", "4"}, "what is shown when it is due");
              });
    run.claim(
        {"outbox_queue 2", "an entry that was put off further back ends what is shown before it",
         "claim: it stops at the first that is not due, wherever that stands"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            at.add({plain_event("1", "k"), plain_event("2", "k"), plain_event("3", "k")});
            at.put_off("2", std::chrono::seconds(10));
            c.equal(at.ids(), texts{"1"}, "what is shown");
        });
    run.claim({"outbox_queue 2", "with park, what follows a parked entry waits behind it",
               "claim: entries that are added after it was parked, too"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k")});
                  at.park("1", following::park);
                  at.add("3", "k");
                  c.equal(at.ids(), texts(), "what is shown");
              });
    run.claim({"outbox_queue 2", "with pass, what follows a parked entry goes on",
               "claim: a parked entry holds its key back unless it says so"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k")});
                  at.park("1", following::pass);
                  at.add("3", "k");
                  c.equal(at.ids(), texts{"2", "3"}, "what is shown");
              });
    run.claim({"outbox_queue 3", "a key that is held back holds back no other",
               "claim: whether it leaves out the key, or stops"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  for (int i = 0; i < 20; ++i) {
                      at.add({plain_event("a" + std::to_string(i), "key " + std::to_string(i)),
                              plain_event("b" + std::to_string(i), "key " + std::to_string(i))});
                  }
                  at.put_off("a0", std::chrono::seconds(10));
                  at.park("a1", following::park);
                  c.equal(at.ids().size(), std::size_t{36}, "the number of entries shown");
              });
    run.claim({"outbox_queue 3", "an entry without a key holds back nothing",
               "claim: no key is not one common key"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  for (int i = 0; i < 20; ++i) {
                      at.add("a" + std::to_string(i));
                  }
                  at.put_off("a0", std::chrono::seconds(10));
                  at.park("a1", following::park);
                  c.equal(at.ids().size(), std::size_t{18}, "the number of entries shown");
              });
}

/// `outbox_queue` 4: limits.
template <class Suite>
void claim_limited(Suite& run) {
    run.claim(
        {"outbox_queue 4", "a claim ends at its limits", "claim: LIMIT, and the sum of the bytes"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            for (int i = 0; i < 5; ++i) {
                at.add({plain_event(std::to_string(i), "k", std::string(1000, 'x'))});
            }
            const auto lease = at.lease_of(at.entry("0"));
            const auto claim = [&](std::size_t entries, std::size_t bytes) {
                return ids_of(*at.box.claim(lease, at.now, {entries, bytes}, at.until()));
            };
            c.equal(claim(3, 1'000'000), texts{"0", "1", "2"}, "three entries at most");
            c.equal(claim(0, 1'000'000), texts(), "no entries");
            c.equal(claim(100, 1500), texts{"0", "1"}, "until 1,500 bytes were shown");
            c.equal(claim(100, 1), texts{"0"}, "one entry beyond the bytes");
            c.equal(claim(100, 0), texts(), "no bytes");
        });
    run.claim({"outbox_queue 4", "what was added first is shown first",
               "the order of the query among keys"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  // All in one shard, whatever their number.
                  texts expected;
                  for (int i = 0; expected.size() < 6; ++i) {
                      const std::string key = "key " + std::to_string(i);
                      if (shard_of(key, at.box.shards()) == 0) {
                          expected.insert(
                              expected.begin() + static_cast<std::ptrdiff_t>(expected.size() / 2),
                              key);
                      }
                  }
                  for (const auto& key : expected) {
                      at.add(key, key);
                  }
                  c.equal(at.ids(), expected, "what is shown");
                  c.equal(ids_of(*at.box.claim(at.leases()[0], at.now, {2, 1'000'000}, at.until())),
                          texts{expected[0], expected[1]}, "what is shown of it, two at most");
              });
    run.claim({"outbox_queue 4", "many entries that are held back do not use up the limit",
               "claim: the limit has to count what is shown, not what is looked at"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  for (int i = 0; i < 30; ++i) {
                      at.add("flood " + std::to_string(i), "k");
                  }
                  const shard_id shard = shard_of("k", at.box.shards());
                  std::string other = "other";
                  while (shard_of(other, at.box.shards()) != shard) {
                      other += '+';
                  }
                  at.add("1", other);
                  at.put_off("flood 0", std::chrono::seconds(10));
                  c.equal(
                      ids_of(*at.box.claim(at.leases()[shard], at.now, {5, 1'000'000}, at.until())),
                      texts{"1"}, "what is shown");
              });
}

}  // namespace sinew::testing::conformance::detail
