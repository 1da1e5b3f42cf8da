// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the journal suite about who gets an instance, and when: claims of `journal_queue` 1
/// to 3, and of `lease_keeper` for the seats.

#include <sinew/core/journal.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// `journal_queue` 1 to 3.
template <class Suite>
void claim_given(Suite& run) {
    using namespace std::chrono_literals;
    run.claim({"journal_queue 1", "an instance is given to one runner until the claim ends",
               "claim: notes the seat and its epoch"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto entry = at.claim_one("1");
                  c.equal(at.ids(), texts(), "what can be claimed meanwhile");
                  at.write_done(at.with_record(entry, "reserve"));
                  c.equal(at.ids(), texts(), "what can be claimed after a step");
                  auto last = at.plain(entry, claim_end::released);
                  last.known = 1;
                  at.write_done(last);
                  c.equal(at.ids(), texts{"1"}, "what can be claimed after the claim ended");
              });
    run.claim({"journal_queue 1", "only instances of the types that were asked for are given",
               "claim: the condition on the type"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  static_cast<void>(at.start("2", "input", "another"));
                  static_cast<void>(at.start("3", "input", "a third"));
                  const std::vector<std::string_view> types{"another", order_type};
                  const auto some = at.book.claim(at.lease(), types, at.now, 10, at.until());
                  c.that(some.has_value(), "an answer", "nothing");
                  c.equal(some->size(), std::size_t{2}, "the number of instances of two types");
                  c.equal(ids_of(at.claim(10, "a third")), texts{"3"}, "those of the third");
                  const auto none = at.book.claim(at.lease(), {}, at.now, 10, at.until());
                  c.that(none && none->empty(), "no instance of no type", "some");
              });
    run.claim({"journal_queue 1", "no more are given than were asked for, those due longest first",
               "claim: ORDER BY and LIMIT"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  for (const auto* id : {"1", "2", "3", "4"}) {
                      static_cast<void>(at.start(id));
                      at.now += 1s;
                  }
                  const auto first = at.claim(2);
                  c.equal(ids_of(first), texts{"1", "2"}, "the first two");
                  at.write_done(at.waiting(first[0], 10s));
                  at.write_done(at.waiting(first[1], 5s));
                  at.now += 10s;
                  c.equal(ids_of(at.claim(3)), texts{"3", "4", "2"}, "the next three");
                  c.equal(ids_of(at.claim(3)), texts{"1"}, "the last");
              });
    run.claim({"journal_queue 1", "under a lease that has ended nothing is given",
               "claim: the epoch of the seat, and that somebody has it"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto old = at.lease();
                  const auto none = [&](std::string_view what) {
                      c.that(!at.book.claim(old, {&order_type, 1}, at.now, 10, at.until()),
                             "no answer " + std::string(what), "instances, or none");
                  };
                  at.stand_up();
                  none("after it was released");
                  static_cast<void>(at.lease());
                  none("after another took the seat");
                  c.equal(at.ids(), texts{"1"}, "what the other is given");
              });
    run.claim({"journal_queue 1", "what a runner held is given to others once its lease has ended",
               "claim: a claim is good while seat and epoch are those of a lease that is held"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  if (at.book.shards() < 2) {
                      c.not_claimed("it has a single seat");
                  }
                  static_cast<void>(at.start("1"));
                  static_cast<void>(at.start("2"));
                  const auto other = at.take(1, "other");
                  const auto held = at.book.claim(other, {&order_type, 1}, at.now, 10, at.until());
                  c.that(held && held->size() == 2, "two instances", "another number");
                  c.equal(at.ids(), texts(), "what is left for another seat");
                  at.done(at.book.renew(other, at.until()), "the answer of renew");
                  c.equal(at.ids(), texts(), "what is left after a beat");
                  // Taken for dead: its seat is taken, and released.
                  const auto swept = at.take(1, "runner");
                  at.done(at.book.release(swept, at.until()), "the answer of release");
                  c.equal(at.claim().size(), std::size_t{2}, "what can be claimed after that");
              });
    run.claim({"journal_queue 2", "an instance that waits is given when its time is over",
               "claim: due unless from <= now < due"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto wait = at.waiting(at.claim_one("1"), 10s);
                  at.write_done(wait);
                  at.now += 9s;
                  c.equal(at.ids(), texts(), "what is given before");
                  at.now += 1s;
                  c.equal(at.claim_one("1").what.wait, wait.wait, "the wait that is shown");
              });
    run.claim({"journal_queue 2", "a clock that is set back by a day does not make a wait longer",
               "claim: due unless from <= now < due"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), 10s, "charge"));
                  at.now -= 24h;
                  const auto entry = at.claim_one("1");
                  c.that(entry.what.wait && !entry.what.wait->is_over(at.now),
                         "a wait that is not over", "one that is, or none");
              });
    run.claim({"journal_queue 2", "who takes an instance over sees what it waited for",
               "claim: the wait stays until a record or the claim's end"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto wait = at.waiting(at.claim_one("1"), 10s, "charge");
                  at.write_done(wait);
                  c.equal(at.reply("1", "charge", "here"), reply_result::awaited, "the answer");
                  for (int i = 0; i < 2; ++i) {
                      const auto entry = at.claim_one("1");
                      c.equal(entry.what.wait, wait.wait, "the wait");
                      c.equal(entry.reply, value("here"), "the reply");
                      at.stand_up();
                  }
                  const auto entry = at.claim_one("1");
                  at.write_done(at.with_record(entry, "charge"));
                  c.that(!at.look("1").what.wait, "no wait after a record", "one");
              });
    run.claim({"journal_queue 3", "each claim has a higher epoch, and counts what ended in silence",
               "claim: epoch + 1, unsettled + 1"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  epoch_number last = 0;
                  const auto next = [&](std::uint32_t unsettled, std::string_view when) {
                      auto entry = at.claim_one("1");
                      c.that(entry.what.epoch > last, "an epoch above " + show(last),
                             show(entry.what.epoch));
                      c.equal(entry.unsettled, unsettled,
                              "the number of silent claims " + std::string(when));
                      last = entry.what.epoch;
                      return entry;
                  };
                  static_cast<void>(next(1, "at first"));
                  at.stand_up();
                  static_cast<void>(next(2, "after one"));
                  at.stand_up();
                  auto entry = next(3, "after two");
                  at.write_done(at.with_record(entry, "reserve"));
                  at.stand_up();
                  entry = next(1, "after a record");
                  at.write_done(at.waiting(entry, 0s));
                  static_cast<void>(next(1, "after it was released"));
                  at.stand_up();
                  entry = next(2, "after one more");
                  auto noted = at.plain(entry);
                  noted.progress = step_progress{.where = {"charge", step_phase::act}, .starts = 1};
                  at.write_done(noted);
                  at.stand_up();
                  entry = next(3, "after one that only noted its start");
                  c.equal(entry.what.progress, noted.progress, "what it noted");
              });
}

/// `lease_keeper`: the seats.
template <class Suite>
void claim_seats(Suite& run) {
    using env_type = typename Suite::environment;
    run.claim({"lease_keeper 1 and 2", "the seats are nobody's at first, and their number stays",
               "holder, and where the number of seats is kept"},
              [](check& c, auto& env) {
                  const auto seats = [&] { return journal_scene(c, env).book.shards(); };
                  const shard_id before = seats();
                  c.that(before >= 1 && before <= shards_max, "at least one seat", show(before));
                  c.equal(seats(), before, "the number of seats");
                  journal_scene at(c, env);
                  const auto first = at.book.holder(0, at.until());
                  c.equal(first.owner, std::string(), "the owner");
                  c.equal(at.book.holder(0, at.until()), first, "the lease at a second look");
              });
    run.claim({"lease_keeper 3", "of two that saw the same lease, one gets the seat",
               "take: compare-and-swap on epoch and beat"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  journal_scene other(c, env);
                  auto seen = at.book.holder(0, at.until());
                  const auto first = at.book.take(seen, "one", at.until());
                  c.that(first.has_value(), "the first to get it", "nothing");
                  c.that(!other.book.take(seen, "two", at.until()), "the second to get nothing",
                         "it got the seat, too");
                  seen = at.book.holder(0, at.until());
                  at.done(at.book.renew(*first, at.until()), "the answer of renew");
                  c.that(!other.book.take(seen, "two", at.until()),
                         "who saw it before a beat to get nothing", "it got the seat");
              });
    const auto rises = [](check& c, auto& env, auto between) {
        epoch_number last = 0;
        for (int i = 0; i < 4; ++i) {
            journal_scene at(c, env);
            const auto taken = at.take(0, i % 2 == 0 ? "one" : "two");
            c.that(taken.epoch > last, "an epoch above " + show(last), show(taken));
            last = taken.epoch;
            if (i % 2 == 1) {
                at.done(at.book.release(taken, at.until()), "the answer of release");
            }
            between();
        }
    };
    run.claim({"lease_keeper 4", "each who sits has a higher epoch than the one before",
               "take: epoch + 1; release keeps the epoch"},
              [rises](check& c, auto& env) { rises(c, env, [] {}); });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"lease_keeper 4", "an epoch is higher also after a crash",
         "whether take answers before the epoch is durable"},
        [rises](check& c, auto& env) { rises(c, env, [&env] { env.crash(); }); });
    run.claim({"lease_keeper 5 and 6", "a lease that has ended is neither renewed nor released",
               "renew, release: the epoch has to be in their condition"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  const auto old = at.take(0, "one");
                  const auto held = at.take(0, "two");
                  c.equal(at.book.renew(old, at.until()), fenced_result::stale, "renew");
                  c.equal(at.book.release(old, at.until()), fenced_result::stale, "release");
                  c.equal(at.book.holder(0, at.until()), held, "the lease");
                  at.done(at.book.renew(held, at.until()), "the answer of renew");
                  c.that(at.book.holder(0, at.until()).beat > held.beat, "the beat to rise",
                         "it did not");
                  at.done(at.book.release(held, at.until()), "the answer of release");
                  c.equal(at.book.release(held, at.until()), fenced_result::stale,
                          "a second release");
                  c.equal(at.book.renew(held, at.until()), fenced_result::stale, "a renewal");
              });
}

}  // namespace sinew::testing::conformance::detail
