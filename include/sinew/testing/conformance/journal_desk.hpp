// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the journal suite about what people see and decide: claims of `journal_desk`.

#include <sinew/core/journal.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sinew::testing::conformance::detail {

template <class Suite>
void claim_journal_desk(Suite& run) {
    using namespace std::chrono_literals;
    run.claim({"journal_desk 2", "stuck lists what has not moved and not ended, page by page",
               "stuck: since is that of the last record or change of state"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  for (const auto* id : {"1", "2", "3", "4", "5", "6"}) {
                      static_cast<void>(at.start(id));
                  }
                  const auto then = at.now;
                  at.now += 1h;
                  at.write_done(at.with_record(at.claim_one("2"), "reserve"));
                  at.stand_up();
                  at.write_done(at.plain(at.claim_one("3"), claim_end::completed));
                  at.stand_up();
                  at.write_done(at.plain(at.claim_one("4"), claim_end::parked));
                  const auto listed = [&](wall_time older_than) {
                      texts out;
                      std::int64_t after = INT64_MIN;
                      for (auto page = at.book.stuck(older_than, after, 2, at.until());
                           !page.empty(); page = at.book.stuck(older_than, after, 2, at.until())) {
                          c.that(page.size() <= 2, "at most two on a page", show(page.size()));
                          for (const auto& one : page) {
                              c.that(one.number > after, "numbers that rise", show(one.number));
                              after = one.number;
                              out.push_back(one.id);
                          }
                      }
                      return out;
                  };
                  c.equal(listed(then), texts(), "what has not moved for longer");
                  c.equal(listed(then + 1s), texts{"1", "5", "6"}, "what has not moved since");
                  c.equal(listed(at.now + 1s), texts{"1", "2", "4", "5", "6"}, "all");
              });
    run.claim({"journal_desk 3", "who decides on what has changed since changes nothing",
               "decide: compare-and-swap on the epoch"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  at.write_done(at.plain(at.claim_one("1"), claim_end::parked));
                  const auto seen = at.look("1").what;
                  const auto decide = [&](const process_instance& one, instance_state becomes) {
                      return at.book.decide(one.number, one.epoch,
                                            {.becomes = becomes, .why = at.note("why")}, at.now,
                                            at.until());
                  };
                  c.that(decide(seen, instance_state::open), "the first to decide", "false");
                  c.that(!decide(seen, instance_state::abandoned), "the second not to", "true");
                  c.equal(at.look("1").what.state, instance_state::open, "the state");
                  const auto open = at.look("1").what;
                  c.that(open.epoch > seen.epoch, "the epoch to rise", "it did not");
                  c.that(decide(open, instance_state::abandoned), "an open one to be abandoned",
                         "false");
                  const auto ended = at.look("1").what;
                  c.equal(ended.state, instance_state::abandoned, "the state");
                  c.equal(ended.why, std::optional(at.note("why")), "the reason");
                  c.that(!decide(ended, instance_state::open), "an ended one to stay", "true");
                  c.equal(at.ids(), texts(), "what can be claimed");
              });
    run.claim(
        {"journal_desk 3", "who decides by a history to which something was added changes nothing",
         "decide: a record changes no epoch, so the number of records is compared as well"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            static_cast<void>(at.start("1"));
            const auto entry = at.claim_one("1");
            const auto decide = [&](std::size_t known) {
                return at.book.decide(entry.what.number, entry.what.epoch,
                                      {.becomes = instance_state::parked,
                                       .known = known,
                                       .records = {at.record("charge", record_kind::skipped)},
                                       .why = at.note("why")},
                                      at.now, at.until());
            };
            at.write_done(at.with_record(entry, "reserve"));
            c.that(!decide(0), "who did not see the record not to decide", "true");
            c.that(!decide(2), "who saw more than there is not to decide", "true");
            c.equal(at.look("1").what.epoch, entry.what.epoch, "the epoch");
            c.equal(at.look("1").history, std::vector{at.record("reserve")}, "the history");
            c.that(decide(1), "who saw it to decide", "false");
            c.equal(at.look("1").what.state, instance_state::parked, "the state");
            c.equal(at.look("1").history.size(), std::size_t{2}, "the records");
        });
    run.claim(
        {"journal_desk 3", "who holds an instance on which people decide finds its claim ended",
         "decide: the epoch rises also where somebody holds it"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            static_cast<void>(at.start("1"));
            const auto entry = at.claim_one("1");
            c.that(at.book.decide(entry.what.number, entry.what.epoch,
                                  {.records = {at.record("reserve", record_kind::skipped)},
                                   .why = at.note("done by hand")},
                                  at.now, at.until()),
                   "decide to answer true", "false");
            c.equal(at.write(at.with_record(entry, "reserve")).how, fenced_result::stale,
                    "the answer of write");
            const auto next = at.claim_one("1");
            c.equal(next.history, std::vector{at.record("reserve", record_kind::skipped)},
                    "the history");
        });
    run.claim({"journal_desk 4", "what is opened again is due at once, and keeps its doubt",
               "decide: attempts begin anew, the wait is over"},
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
                  auto expected = progress;
                  expected.attempts = expected.waits = expected.starts = 0;
                  const auto open = [&] {
                      const auto seen = at.look("1").what;
                      c.that(at.book.decide(seen.number, seen.epoch, {}, at.now, at.until()),
                             "decide to answer true", "false");
                      const auto entry = at.claim_one("1");
                      c.equal(entry.what.progress, std::optional(expected), "the progress");
                      c.that(!entry.what.why, "no reason any more", "one");
                      return entry;
                  };
                  auto parked = at.plain(at.claim_one("1"), claim_end::parked);
                  parked.progress = progress;
                  parked.why = at.note("exhausted");
                  at.write_done(parked);
                  const auto entry = open();
                  auto wait = at.waiting(entry, 1h, "charge");
                  wait.progress = progress;
                  at.write_done(wait);
                  c.equal(at.ids(), texts(), "what can be claimed");
                  c.equal(open().what.wait, wait.wait, "what it waited for");
              });
    run.claim({"journal_desk 1 and 5", "what was not committed is neither found nor counted",
               "find, counts"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  c.equal(at.book.counts(at.until()), journal_counts{}, "the counts at first");
                  c.that(!at.book.find(order_type, "1", at.until()), "nothing to be found",
                         "an instance");
                  static_cast<void>(at.start("1"));
                  static_cast<void>(at.start("2"));
                  at.write_done(at.plain(at.claim_one("2"), claim_end::parked));
                  static_cast<void>(at.reply("3", "charge"));
                  c.equal(at.book.counts(at.until()), journal_counts{1, 1, 1}, "the counts");
                  c.that(!at.book.find("another", "1", at.until()),
                         "nothing to be found of another type", "an instance");
              });
}

}  // namespace sinew::testing::conformance::detail
