// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the journal suite about what runners write: claims of `journal_queue` from 4 on.

#include <sinew/core/journal.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// `journal_queue` 4, 6, 7: what is kept.
template <class Suite>
void claim_written(Suite& run) {
    using namespace std::chrono_literals;
    using env_type = typename Suite::environment;
    const auto is_kept = [](check& c, auto& env, auto between) {
        std::vector<step_record> expected;
        {
            journal_scene at(c, env);
            static_cast<void>(at.start("1"));
            const auto entry = at.claim_one("1");
            auto first = at.with_record(entry, "reserve");
            first.records.front().result = hostile_events().front().data;
            at.write_done(first);
            auto second = at.with_record(entry, "charge", claim_end::none, record_kind::failed);
            second.known = 1;
            second.records.front().why = at.note("no money");
            second.records.push_back(at.record("reserve"));
            second.records.back().where.phase = step_phase::undo;
            at.write_done(second);
            expected = {first.records[0], second.records[0], second.records[1]};
            c.equal(at.look("1").history, expected, "the history");
            between();
        }
        journal_scene at(c, env);
        c.equal(at.look("1").history, expected, "the history when the store is opened again");
        at.stand_up();
        c.equal(at.claim_one("1").history, expected, "the history for who claims it next");
    };
    run.claim({"journal_queue 4", "records are kept whole and in order",
               "write: every field of a record, and its place"},
              [is_kept](check& c, auto& env) { is_kept(c, env, [] {}); });
    run.always().template needs<has_crash<env_type>>("crash()").claim(
        {"journal_queue 4", "records are kept whole and in order after a crash",
         "write: whether it answers before they are durable"},
        [is_kept](check& c, auto& env) { is_kept(c, env, [&env] { env.crash(); }); });
    run.claim({"journal_queue 4", "a write ends the claim as it says",
               "write: state, reason, and who may claim it"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  const auto ends = [&](const char* id, claim_end end, instance_state state) {
                      static_cast<void>(at.start(id));
                      auto one = at.with_record(at.claim_one(id), "reserve", end);
                      one.why = at.note("why");
                      at.now += 1s;
                      at.write_done(one);
                      const auto found = at.look(id);
                      c.equal(found.what.state, state, "the state");
                      c.that(found.what.since == at.now, "the time of the write", "another");
                      c.equal(found.history.size(), std::size_t{1}, "the number of records");
                      if (state == instance_state::parked) {
                          c.equal(found.what.why, one.why, "the reason");
                      }
                  };
                  ends("1", claim_end::parked, instance_state::parked);
                  ends("2", claim_end::completed, instance_state::completed);
                  ends("3", claim_end::compensated, instance_state::compensated);
                  at.now += 1000h;
                  c.equal(at.ids(), texts(), "what can be claimed, much later");
                  c.equal(at.book.counts(at.until()), journal_counts{0, 1, 0}, "the counts");
              });
    run.claim({"journal_queue 6", "a write that was done already appends nothing twice",
               "write: the record's place is what makes it unique"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto entry = at.claim_one("1");
                  const auto one = at.with_record(entry, "reserve");
                  at.write_done(one);
                  at.write_done(one);
                  c.equal(at.look("1").history.size(), std::size_t{1}, "the number of records");
                  auto last = at.with_record(entry, "charge", claim_end::completed);
                  last.known = 1;
                  at.write_done(last);
                  c.equal(at.write(last).how, fenced_result::stale, "the second end");
                  c.equal(at.look("1").history.size(), std::size_t{2}, "the number of records");
              });
    constexpr bool can_lose = requires(env_type& env) { env.lose_reply(); };
    run.always()
        .template needs<can_lose>("lose_reply()")
        .claim(
            {"journal_queue 6", "a write whose answer was lost is unknown, and can be made again",
             "write: neither done nor stale is true of a lost answer"},
            [](check& c, auto& env) {
                journal_scene at(c, env);
                static_cast<void>(at.start("1"));
                const auto one = at.with_record(at.claim_one("1"), "reserve");
                env.lose_reply();
                c.equal(at.write(one).how, fenced_result::unknown, "the answer");
                at.write_done(one);
                c.equal(at.look("1").history.size(), std::size_t{1}, "the number of records");
            });
    run.claim(
        {"journal_queue 7", "progress stays until a record, and a record takes its reply away",
         "write: progress belongs to what has no record yet"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            static_cast<void>(at.start("1"));
            const step_progress progress{.where = {"charge", step_phase::act},
                                         .attempts = 3,
                                         .waits = 2,
                                         .starts = 1,
                                         .in_doubt = true,
                                         .begun = at.now,
                                         .last_failure = at.note("timed out")};
            auto wait = at.waiting(at.claim_one("1"), 1h, "charge");
            wait.progress = progress;
            at.write_done(wait);
            c.equal(at.look("1").what.progress, std::optional(progress), "the progress");
            c.equal(at.reply("1", "charge"), reply_result::awaited, "the reply");
            const auto entry = at.claim_one("1");
            at.write_done(at.plain(entry));
            c.equal(at.look("1").what.progress, std::optional(progress),
                    "the progress after a write without one");
            at.write_done(at.with_record(entry, "charge"));
            c.that(!at.look("1").what.progress, "no progress after a record", "some");
            auto again = at.plain(entry);
            again.known = 1;
            again.records.push_back(at.record("charge", record_kind::retried));
            again.end = claim_end::released;
            again.wait = wait.wait;
            at.write_done(again);
            c.equal(at.ids(), texts(), "what can be claimed: its reply was taken");
        });
}

/// `journal_queue` 5, 8, 9, 10: fencing, batches, transactions.
template <class Suite>
void claim_fenced_writes(Suite& run) {
    using namespace std::chrono_literals;
    run.claim({"journal_queue 5", "of two runners on one instance, the former one changes nothing",
               "write: the epoch of the claim in its condition"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto old = at.claim_one("1");
                  at.stand_up();
                  const auto entry = at.claim_one("1");
                  at.write_done(at.with_record(entry, "reserve"));
                  const auto before = at.look("1");
                  for (const auto end : {claim_end::none, claim_end::released, claim_end::parked,
                                         claim_end::completed, claim_end::compensated}) {
                      c.equal(at.write(at.with_record(old, "reserve", end)).how,
                              fenced_result::stale, "the answer to the former one");
                      auto tx = begin(env, at.s);
                      c.equal(at.book.write(tx, at.with_record(old, "reserve", end), at.now).how,
                              fenced_result::stale, "the answer within a transaction");
                      tx.rollback();
                  }
                  c.that(at.look("1") == before, "the instance as it was", "it was changed");
              });
    run.claim(
        {"journal_queue 5", "a claim that has ended is stale, and one that nobody took is not",
         "write: the claim counts, not the lease of the seat"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            for (const auto end : {claim_end::released, claim_end::parked, claim_end::completed,
                                   claim_end::compensated}) {
                const std::string id = show(static_cast<int>(end));
                static_cast<void>(at.start(id));
                const auto entry = at.claim_one(id);
                auto wait = at.plain(entry, end);
                wait.wait = instance_wait{put_off_by(at.now, 1h), std::nullopt};
                at.write_done(wait);
                c.equal(at.write(at.with_record(entry, "reserve")).how, fenced_result::stale,
                        "a write after the end");
            }
            static_cast<void>(at.start("held"));
            const auto entry = at.claim_one("held");
            at.stand_up();
            at.write_done(at.with_record(entry, "reserve"));
            c.equal(at.look("held").history.size(), std::size_t{1}, "the number of records");
            auto unknown = at.plain(entry);
            unknown.claim.number += 1'000'000;
            c.equal(at.write(unknown).how, fenced_result::stale,
                    "a write of an instance that is not there");
        });
    run.claim(
        {"journal_queue 8", "a batch is answered one by one, and a stale write spoils no other",
         "write: all in one transaction, each under its own condition"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            std::vector<journal_write> batch;
            for (const auto* id : {"1", "2", "3"}) {
                static_cast<void>(at.start(id));
                batch.push_back(at.with_record(at.claim_one(id), "reserve"));
            }
            at.write_done(at.plain(at.look("2"), claim_end::parked));
            const auto came = at.book.write(batch, at.now, at.until());
            c.equal(came.size(), std::size_t{3}, "the number of answers");
            c.equal(came[0].how, fenced_result::done, "the first answer");
            c.equal(came[1].how, fenced_result::stale, "the second");
            c.equal(came[2].how, fenced_result::done, "the third");
            c.equal(at.look("1").history.size(), std::size_t{1}, "records of the first");
            c.equal(at.look("2").history.size(), std::size_t{0}, "records of the second");
            c.equal(at.look("3").history.size(), std::size_t{1}, "records of the third");
            c.equal(at.book.write({}, at.now, at.until()).size(), std::size_t{0},
                    "the number of answers to nothing");
        });
    run.claim({"journal_queue 9", "a write that is rolled back was never there",
               "write: it has to write with the caller's transaction"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto entry = at.claim_one("1");
                  const auto before = at.look("1");
                  const auto one = at.with_record(entry, "reserve", claim_end::parked);
                  {
                      auto tx = begin(env, at.s);
                      at.done(at.book.write(tx, one, at.now).how, "the answer");
                      tx.rollback();
                  }
                  c.that(at.look("1") == before, "the instance as it was", "it was changed");
                  auto tx = begin(env, at.s);
                  at.done(at.book.write(tx, one, at.now).how, "the answer the second time");
                  commit(c, tx);
                  c.equal(at.look("1").what.state, instance_state::parked, "the state");
              });
    run.claim({"journal_queue 10", "a result that is too large is refused, and nothing is done",
               "check_writable: before anything of the batch is written"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  std::vector<journal_write> batch;
                  for (const auto* id : {"1", "2"}) {
                      static_cast<void>(at.start(id));
                      batch.push_back(at.with_record(at.claim_one(id), "reserve"));
                  }
                  batch[1].records[0].result.assign(at.book.options().result_bytes_max + 1, 'x');
                  c.throws<permanent_error>(
                      [&] { static_cast<void>(at.book.write(batch, at.now, at.until())); },
                      "a permanent error");
                  c.equal(at.look("1").history.size(), std::size_t{0}, "records of the other");
                  batch[1].records[0].result.pop_back();
                  at.write_done(batch[1]);
              });
}

/// `journal_queue` 9, with a second connection.
template <class Suite>
void claim_together(Suite& run, const journal_features& has) {
    using namespace std::chrono_literals;
    run.template feature<true>("connections", has.connections)
        .claim(
            {"journal_queue 9", "of an effect and what ends its claim, at the same time, one wins",
             "write in a transaction: it has to hold the instance, or not to commit"},
            [](check& c, auto& env) {
                journal_scene ours(c, env);
                journal_scene theirs(c, env);
                static_cast<void>(ours.start("1"));
                const auto entry = ours.claim_one("1");
                auto mine = begin(env, ours.s);
                ours.done(ours.book.write(mine, ours.with_record(entry, "reserve"), ours.now).how,
                          "the answer of write");
                // Who decides at the same time, without having seen the record.
                bool is_taken = false;
                static_cast<void>(attempt([&] {
                    is_taken =
                        theirs.book.decide(entry.what.number, entry.what.epoch,
                                           {.why = theirs.note("mine")}, theirs.now, shortly(env));
                }));
                const bool is_done = mine.commit() == commit_result::committed;
                const auto found = theirs.look("1");
                c.that(is_done != is_taken, "one of the two to win",
                       is_done ? "both did" : "none did");
                c.equal(found.history.size(), std::size_t{is_done ? 1U : 0U},
                        "the number of records");
            });
}

/// `journal_queue` 11 and 12.
template <class Suite>
void claim_purged(Suite& run) {
    using namespace std::chrono_literals;
    run.claim({"journal_queue 11", "ended instances are purged by age, in bites, and no others",
               "purge: the condition on the state, and the limit"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  for (const auto* id : {"open", "parked", "1", "2", "3"}) {
                      static_cast<void>(at.start(id));
                  }
                  at.write_done(at.plain(at.claim_one("parked"), claim_end::parked));
                  at.stand_up();
                  for (auto& one : at.claim()) {
                      if (one.what.id != "open") {
                          at.write_done(at.with_record(one, "reserve", claim_end::completed));
                      }
                  }
                  const auto end = at.now;
                  at.now += 1h;
                  c.equal(at.book.purge(end, 10, at.until()), std::size_t{0},
                          "how many were purged that are not older");
                  const auto later = end + 1s;
                  c.equal(at.book.purge(later, 2, at.until()), std::size_t{2}, "the first bite");
                  c.equal(at.book.purge(later, 2, at.until()), std::size_t{1}, "the second bite");
                  c.equal(at.book.purge(at.now, 2, at.until()), std::size_t{0}, "the third");
                  c.that(!at.book.find(order_type, "1", at.until()), "nothing to be found",
                         "an instance");
                  c.equal(at.look("open").what.state, instance_state::open, "the open one");
                  c.equal(at.look("parked").what.state, instance_state::parked, "the parked one");
                  c.equal(at.start("1"), start_result::started, "the id, when it is purged");
                  c.equal(at.look("1").history.size(), std::size_t{0}, "its records");
              });
    run.claim({"journal_queue 12", "replies that nobody waits for are purged by age, in bites",
               "purge_replies: never one that is waited for"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  for (const auto* id : {"a", "b", "c", "1"}) {
                      static_cast<void>(at.reply(id, "charge"));
                  }
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), 1h, "charge"));
                  const auto came = at.now;
                  at.now += 1s;
                  static_cast<void>(at.reply("younger", "charge"));
                  c.equal(at.book.purge_replies(came, 10, at.until()), std::size_t{0},
                          "how many were purged that are not older");
                  c.equal(at.book.purge_replies(at.now, 2, at.until()), std::size_t{2},
                          "the first bite");
                  c.equal(at.book.purge_replies(at.now, 2, at.until()), std::size_t{1},
                          "the second bite");
                  c.equal(at.book.counts(at.until()).early_replies, std::uint64_t{1},
                          "how many are left");
                  c.equal(at.claim_one("1").reply, value("reply"), "the one that is waited for");
              });
}

}  // namespace sinew::testing::conformance::detail
