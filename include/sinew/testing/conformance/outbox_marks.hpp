// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the outbox suite about what becomes of entries: marking, putting off, parking, under
/// a lease or not, and purging. Claims of `outbox_queue` from 5 on.

#include <sinew/core/outbox.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/outbox_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace sinew::testing::conformance::detail {

/// `outbox_queue` 5 to 7: what becomes of entries.
template <class Suite>
void claim_marked(Suite& run) {
    using env_type = typename Suite::environment;
    const auto not_again = [](check& c, auto& env, auto between) {
        {
            outbox_scene at(c, env);
            at.add({plain_event("1", "k"), plain_event("2", "k"), plain_event("3", "l")});
            at.publish("1");
            at.publish("3");
            c.equal(at.ids(), texts{"2"}, "what is shown");
            between();
        }
        outbox_scene at(c, env);
        c.equal(at.ids(), texts{"2"}, "what is shown when the store is opened again");
    };
    run.claim({"outbox_queue 5", "what was marked as published is not shown again",
               "mark_published: whether it reaches durable data"},
              [not_again](check& c, auto& env) { not_again(c, env, [] {}); });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"outbox_queue 5", "what was marked as published is not shown after a crash",
         "mark_published: whether it answers before the mark is durable"},
        [not_again](check& c, auto& env) { not_again(c, env, [&env] { env.crash(); }); });
    constexpr bool can_lose = requires(env_type& env) { env.lose_reply(); };
    run.always()
        .template needs<can_lose>("lose_reply()")
        .claim({"outbox_queue 5", "a mark whose answer was lost is unknown, and can be made again",
                "mark_published: neither done nor stale is true of a lost answer"},
               [](check& c, auto& env) {
                   outbox_scene at(c, env);
                   at.add("1", "k");
                   const auto entry = at.entry("1");
                   env.lose_reply();
                   c.equal(at.box.mark_published(at.lease_of(entry), {&entry.number, 1}, at.now,
                                                 at.until()),
                           fenced_result::unknown, "the answer");
                   at.done(at.box.mark_published(at.lease_of(entry), {&entry.number, 1}, at.now,
                                                 at.until()),
                           "the answer the second time");
                   c.equal(at.ids(), texts(), "what is shown");
               });
    run.claim(
        {"outbox_queue 6", "an entry that was put off keeps its attempts and its last failure",
         "put_off: the count is the store's, and a note's detail is kept within bounds"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            at.add("1", "k");
            const auto note = at.note("put off");
            at.put_off("1", std::chrono::seconds(1));
            at.now += std::chrono::seconds(1);
            const auto once = at.entry("1");
            c.equal(once.attempts, 1U, "the attempts");
            c.equal(once.last_failure, std::optional(note), "the last failure");
            failure_note large = at.note("again");
            large.detail = std::string(dead_letter_record::detail_max * 4, 'x');
            at.done(at.box.put_off(at.lease_of(once), once.number, large,
                                   std::chrono::nanoseconds(0), at.until()),
                    "the answer of put_off");
            const auto twice = at.entry("1");
            c.equal(twice.attempts, 2U, "the attempts after a second time");
            c.equal(twice.last_failure->detail.size(), dead_letter_record::detail_max,
                    "the bytes kept of a long detail");
            c.that(twice.version > once.version, "the version to rise", "it did not");
        });
    run.claim({"outbox_queue 6", "a broker that is down is not counted against the entry",
               "put_off: the kinds that count are transient and permanent"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add("1", "k");
                  for (const auto kind : {failure_class::unavailable, failure_class::unknown}) {
                      const auto entry = at.entry("1");
                      failure_note note = at.note("no broker");
                      note.kind = kind;
                      at.done(at.box.put_off(at.lease_of(entry), entry.number, note,
                                             std::chrono::seconds(1), at.until()),
                              "the answer of put_off");
                      c.equal(at.ids(), texts(), "what is shown before it is due");
                      at.now += std::chrono::seconds(1);
                      c.equal(at.entry("1").attempts, 0U, "the attempts");
                      c.equal(at.entry("1").last_failure, std::optional(note), "the last failure");
                  }
              });
    run.claim({"outbox_queue 6", "a clock that is set back does not make a wait longer",
               "the condition: due unless from <= now < due"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add("1", "k");
                  at.put_off("1", std::chrono::seconds(10));
                  at.now += std::chrono::seconds(9);
                  c.equal(at.ids(), texts(), "what is shown before it is due");
                  at.now -= std::chrono::hours(1);
                  c.equal(at.ids(), texts{"1"}, "what is shown by a clock that was set back");
              });
    run.claim({"outbox_queue 7",
               "a parked entry is not shown, and keeps its attempts and its reason", "park"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add("1", "k");
                  at.park("1", following::park);
                  at.now += std::chrono::hours(1000);
                  c.equal(at.ids(), texts(), "what is shown, much later");
                  const auto entry = at.parked_entry("1");
                  c.equal(entry.attempts, 1U, "the attempts");
                  c.equal(entry.last_failure->reason, std::string("parked"), "the reason");
                  c.that(entry.following == following::park, "what follows to stay behind it",
                         "it passes");
              });
}

/// `outbox_queue` 8 and 9: fencing.
template <class Suite>
void claim_fenced(Suite& run) {
    const auto nothing_under = [](check& c, auto& env, auto end) {
        outbox_scene at(c, env);
        at.add("1", "k");
        const auto entry = at.entry("1");
        const auto old = at.lease_of(entry);
        end(at, old);
        const auto stale = fenced_result::stale;
        c.that(!at.box.claim(old, at.now, all_entries, at.until()).has_value(),
               "a claim under a lease that has ended to answer nothing", "it showed entries");
        c.equal(at.box.mark_published(old, {&entry.number, 1}, at.now, at.until()), stale,
                "the answer of mark_published");
        c.equal(
            at.box.put_off(old, entry.number, at.note("late"), std::chrono::hours(1), at.until()),
            stale, "the answer of put_off");
        c.equal(at.box.park(old, entry.number, at.note("late"), following::park, at.until()), stale,
                "the answer of park");
        outbox_scene after(c, env);
        c.that(after.entry("1") == entry, "the entry as it was", "it was changed");
    };
    run.claim(
        {"outbox_queue 8", "a relay whose shard was taken by another reads and changes nothing",
         "whether each write has the epoch in its condition, in the same transaction"},
        [nothing_under](check& c, auto& env) {
            nothing_under(c, env, [](auto& at, const shard_lease& old) {
                static_cast<void>(at.take(old.shard, "other"));
            });
        });
    run.claim({"outbox_queue 8", "a relay that released its shard reads and changes nothing",
               "whether release ends the epoch, also while nobody has taken the shard"},
              [nothing_under](check& c, auto& env) {
                  nothing_under(c, env, [](auto& at, const shard_lease& old) {
                      at.done(at.box.release(old, at.until()), "the answer of release");
                  });
              });
    run.claim(
        {"outbox_queue 9", "writing twice changes nothing the second time",
         "whether each write has the state in its condition"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            at.add({plain_event("1", "k"), plain_event("2", "l")});
            const auto one = at.entry("1");
            const auto two = at.entry("2");
            at.publish("1");
            at.park("2", following::pass);
            const auto parked = at.parked_entry("2");
            for (const auto& entry : {one, two}) {
                const auto& lease = at.lease_of(entry);
                at.done(at.box.mark_published(lease, {&entry.number, 1}, at.now, at.until()),
                        "the answer of mark_published");
                at.done(at.box.put_off(lease, entry.number, at.note("late"), std::chrono::hours(0),
                                       at.until()),
                        "the answer of put_off");
                at.done(
                    at.box.park(lease, entry.number, at.note("late"), following::park, at.until()),
                    "the answer of park");
            }
            c.equal(at.ids(), texts(), "what is shown");
            c.that(at.parked_entry("2") == parked, "the parked entry as it was", "it was changed");
            c.equal(at.box.parked(0, 10, at.until()).size(), std::size_t{1},
                    "the number of parked entries");
        });
    run.claim(
        {"outbox_queue 9", "an entry of another shard, or that there is not, is not changed",
         "whether each write has the shard in its condition: the lease covers no other"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            if (at.box.shards() < 2) {
                c.not_claimed("the environment's outbox has one shard");
            }
            at.add("1", "k");
            const auto entry = at.entry("1");
            const auto& other = at.leases()[(shard_of("k", at.box.shards()) + 1) % at.box.shards()];
            const std::int64_t numbers[] = {entry.number, entry.number + 1000, -1};
            at.done(at.box.mark_published(other, numbers, at.now, at.until()),
                    "the answer of mark_published");
            for (const auto number : numbers) {
                at.done(
                    at.box.put_off(other, number, at.note("x"), std::chrono::hours(1), at.until()),
                    "the answer of put_off");
                at.done(at.box.park(other, number, at.note("x"), following::park, at.until()),
                        "the answer of park");
            }
            c.that(at.entry("1") == entry, "the entry as it was", "it was changed");
        });
}

/// `outbox_queue` 10 and 11: lag and purge.
template <class Suite>
void claim_kept(Suite& run) {
    run.claim(
        {"outbox_queue 10", "the lag counts what waits and what is parked, and knows the oldest",
         "lag: all shards, put off and held back included"},
        [](check& c, auto& env) {
            outbox_scene at(c, env);
            c.equal(at.box.lag(at.until()), outbox_lag{}, "the lag of nothing");
            const wall_time first = at.now;
            for (int i = 0; i < 12; ++i) {
                at.add(std::to_string(i), "key " + std::to_string(i / 2));
                at.now += std::chrono::seconds(1);
            }
            at.publish("0");
            at.put_off("1", std::chrono::hours(10));
            at.park("2", following::park);
            at.park("4", following::pass);
            c.equal(
                at.box.lag(at.until()),
                outbox_lag{.waiting = 9, .parked = 2, .oldest = first + std::chrono::seconds(1)},
                "the lag");
        });
    run.claim({"outbox_queue 11", "purge forgets what was settled before a time, at most so many",
               "purge: the time at which an entry was marked, and LIMIT"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  for (const auto* id : {"1", "2", "3", "young"}) {
                      at.add(id, id);
                  }
                  const wall_time old = at.now;
                  at.publish("1");
                  at.publish("2");
                  at.park("3", following::pass);
                  const auto parked = at.parked_entry("3");
                  c.that(at.box.discard(parked.number, parked.version, at.note("no"), at.until()),
                         "discard to answer true", "false");
                  at.now += std::chrono::seconds(10);
                  at.publish("young");
                  const auto purge = [&](wall_time older_than, std::size_t limit) {
                      return at.box.purge(older_than, limit, at.until());
                  };
                  c.equal(purge(old, 10), std::size_t{0}, "what is not older than the time");
                  c.equal(purge(at.now, 2), std::size_t{2}, "the first bite of two");
                  c.equal(purge(at.now, 2), std::size_t{1}, "the second bite of two");
                  c.equal(purge(at.now, 2), std::size_t{0}, "a third bite");
              });
    run.claim({"outbox_queue 11", "purge never forgets what waits or is parked",
               "purge: the state has to be in its condition"},
              [](check& c, auto& env) {
                  outbox_scene at(c, env);
                  at.add({plain_event("1", "k"), plain_event("2", "l"), plain_event("3", "m")});
                  at.put_off("1", std::chrono::seconds(1));
                  at.park("2", following::pass);
                  at.now += std::chrono::hours(100'000);
                  c.equal(at.box.purge(at.now, 100, at.until()), std::size_t{0},
                          "the number of entries forgotten");
                  c.equal(at.ids().size(), std::size_t{2}, "the number of entries shown");
                  c.equal(at.parked_entry("2").what.id, std::string("2"), "the parked entry");
              });
}

}  // namespace sinew::testing::conformance::detail
