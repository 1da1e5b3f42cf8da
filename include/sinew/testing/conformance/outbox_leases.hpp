// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the outbox suite about who holds a shard, and about what people decide: claims of
/// `lease_keeper` and `outbox_desk`.

#include <sinew/core/outbox.hpp>
#include <sinew/core/shard_lease.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sinew::testing::conformance::detail {

/// `lease_keeper`.
template <class Suite>
void claim_leases(Suite& run) {
    using env_type = typename Suite::environment;
    run.claim({"lease_keeper 1", "the number of shards stays when the store is opened again",
               "where the number of shards is kept"},
              [](check& c, auto& env) {
                  const auto shards = [&] { return outbox_scene(c, env).box.shards(); };
                  const shard_id before = shards();
                  c.that(before >= 1 && before <= shards_max, "at least one shard", show(before));
                  c.equal(shards(), before, "the number of shards");
              });
    run.claim({"lease_keeper 2", "a shard is nobody's at first, and looking at it changes nothing",
               "holder"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  const auto first = at.box.holder(0, at.until());
                  c.equal(first.owner, std::string(), "the owner");
                  c.equal(first.shard, shard_id{0}, "the shard");
                  c.equal(at.box.holder(0, at.until()), first, "the lease at a second look");
                  const auto taken = at.take(0, "relay");
                  c.equal(at.box.holder(0, at.until()), taken, "the lease after it was taken");
              });
    run.claim({"lease_keeper 3", "of two that saw the same lease, one gets the shard",
               "take: compare-and-swap on epoch and beat, in one statement or transaction"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  outbox_scene other(c, env);
                  const auto seen = at.box.holder(0, at.until());
                  const auto first = at.box.take(seen, "one", at.until());
                  c.that(first.has_value(), "the first to get it", "nothing");
                  c.that(!other.box.take(seen, "two", at.until()).has_value(),
                         "the second to get nothing", "it got the shard, too");
                  c.equal(other.box.holder(0, at.until()), *first, "the lease");
              });
    run.claim({"lease_keeper 3", "a lease that was renewed since it was looked at is not taken",
               "take: the beat has to be compared, too"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  const auto held = at.take(0, "one");
                  const auto seen = at.box.holder(0, at.until());
                  at.done(at.box.renew(held, at.until()), "the answer of renew");
                  c.that(!at.box.take(seen, "two", at.until()).has_value(), "nothing to be given",
                         "a lease that is renewed");
                  at.done(at.box.renew(held, at.until()), "the answer of renew");
              });
    const auto rises = [](check& c, auto& env, auto between) {
        epoch_number last = 0;
        for (int i = 0; i < 4; ++i) {
            outbox_scene at(c, env);
            const auto taken = at.take(0, i % 2 == 0 ? "one" : "two");
            c.that(taken.epoch > last, "an epoch above " + show(last), show(taken));
            c.equal(taken.owner, std::string(i % 2 == 0 ? "one" : "two"), "the owner");
            last = taken.epoch;
            between(at, taken);
        }
    };
    run.claim(
        {"lease_keeper 4", "each holder has a higher epoch than the one before", "take: epoch + 1"},
        [rises](check& c, auto& env) { rises(c, env, [](auto&, const auto&) {}); });
    run.claim({"lease_keeper 4", "an epoch is higher also when nobody held the shard in between",
               "release: the row must stay, with its epoch"},
              [rises](check& c, auto& env) {
                  rises(c, env, [](auto& at, const shard_lease& taken) {
                      at.done(at.box.release(taken, at.until()), "the answer of release");
                  });
              });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"lease_keeper 4", "an epoch is higher also after a crash",
         "whether take answers before the epoch is durable"},
        [rises](check& c, auto& env) {
            rises(c, env, [&env](auto&, const auto&) { env.crash(); });
        });
    run.claim({"lease_keeper 5", "renewing raises the beat, and keeps epoch and owner", "renew"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  const auto held = at.take(0, "one");
                  for (int i = 0; i < 3; ++i) {
                      const auto before = at.box.holder(0, at.until());
                      at.done(at.box.renew(held, at.until()), "the answer of renew");
                      const auto after = at.box.holder(0, at.until());
                      c.that(after.beat > before.beat, "a beat above " + show(before.beat),
                             show(after.beat));
                      c.equal(after.epoch, held.epoch, "the epoch");
                      c.equal(after.owner, held.owner, "the owner");
                  }
              });
    run.claim(
        {"lease_keeper 5", "a lease that was taken away is not renewed",
         "renew: the epoch has to be in its condition"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            const auto old = at.take(0, "one");
            const auto held = at.take(0, "two");
            c.equal(at.box.renew(old, at.until()), fenced_result::stale, "the answer of renew");
            c.equal(at.box.release(old, at.until()), fenced_result::stale, "the answer of release");
            c.equal(at.box.holder(0, at.until()), held, "the lease");
        });
    run.claim(
        {"lease_keeper 6", "a shard that was released is nobody's, and releasing again is stale",
         "release: the owner goes, and with it the right to renew"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            const auto held = at.take(0, "one");
            at.done(at.box.release(held, at.until()), "the answer of release");
            c.equal(at.box.holder(0, at.until()).owner, std::string(), "the owner");
            c.equal(at.box.release(held, at.until()), fenced_result::stale,
                    "the answer of a second release");
            c.equal(at.box.renew(held, at.until()), fenced_result::stale,
                    "the answer of a renewal");
            c.equal(at.take(0, "two").owner, std::string("two"), "the next owner");
        });
}

/// `outbox_desk`.
template <class Suite>
void claim_desk(Suite& run) {
    run.claim({"outbox_desk 1", "parked entries are listed by number, page by page",
               "parked: ORDER BY and LIMIT, and all shards"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  for (int i = 0; i < 7; ++i) {
                      at.add(std::to_string(i), "key " + std::to_string(i));
                      at.park(std::to_string(i), following::pass);
                  }
                  at.add("waits", "k");
                  texts listed;
                  std::int64_t after = 0;
                  for (auto page = at.box.parked(after, 3, at.until()); !page.empty();
                       page = at.box.parked(after, 3, at.until())) {
                      c.that(page.size() <= 3, "at most three on a page", show(page.size()));
                      for (const auto& one : page) {
                          c.that(one.number > after, "numbers that rise", show(one.number));
                          c.that(one.state == outbox_state::parked, "parked entries",
                                 to_string(one.state));
                          after = one.number;
                          listed.push_back(one.what.id);
                      }
                  }
                  c.equal(listed, texts{"0", "1", "2", "3", "4", "5", "6"}, "all pages");
              });
    run.claim({"outbox_desk 2", "an unparked entry is due at once, in its place in the key",
               "unpark: sequence, attempts and last failure stay"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k")});
                  at.put_off("1", std::chrono::seconds(1));
                  at.now += std::chrono::seconds(1);
                  at.park("1", following::park);
                  const auto parked = at.parked_entry("1");
                  c.that(at.box.unpark(parked.number, parked.version, at.until()),
                         "unpark to answer true", "false");
                  c.equal(at.ids(), texts{"1", "2"}, "what is shown");
                  const auto entry = at.entry("1");
                  c.equal(entry.what.sequence, std::string("1"), "the sequence");
                  c.equal(entry.attempts, 2U, "the attempts");
                  c.equal(entry.last_failure, parked.last_failure, "the last failure");
                  c.equal(at.box.parked(0, 10, at.until()).size(), std::size_t{0},
                          "the number of parked entries");
              });
    run.claim({"outbox_desk 3", "a discarded entry is never shown again, and its key goes on",
               "discard: what waits behind it must be let go"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "k")});
                  at.park("1", following::park);
                  const auto parked = at.parked_entry("1");
                  c.that(at.box.discard(parked.number, parked.version, at.note("no"), at.until()),
                         "discard to answer true", "false");
                  c.equal(at.ids(), texts{"2"}, "what is shown");
                  c.equal(at.box.parked(0, 10, at.until()).size(), std::size_t{0},
                          "the number of parked entries");
                  c.that(!at.box.unpark(parked.number, parked.version + 1, at.until()),
                         "unpark of a discarded entry to answer false", "true");
              });
    run.claim(
        {"outbox_desk 2 and 3", "who decides on an entry that has changed since changes nothing",
         "unpark and discard: compare-and-swap on the version, in one statement"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            at.add("1", "k");
            at.park("1", following::park);
            const auto seen = at.parked_entry("1");
            c.that(at.box.unpark(seen.number, seen.version, at.until()), "unpark to answer true",
                   "false");
            c.that(!at.box.discard(seen.number, seen.version, at.note("no"), at.until()),
                   "discard of an entry that waits again to answer false", "true");
            at.park("1", following::park);
            const auto again = at.parked_entry("1");
            c.that(again.version > seen.version, "the version to rise", "it did not");
            c.that(!at.box.discard(seen.number, seen.version, at.note("no"), at.until()),
                   "discard under an old version to answer false", "true");
            c.that(!at.box.unpark(seen.number, seen.version, at.until()),
                   "unpark under an old version to answer false", "true");
            c.that(at.parked_entry("1") == again, "the entry as it was", "it was changed");
        });
}

}  // namespace sinew::testing::conformance::detail
