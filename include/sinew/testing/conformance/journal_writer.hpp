// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The part of the journal suite about what services write: claims of `journal_writer`.

#include <sinew/core/journal.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/journal_environment.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// `journal_writer` 1 to 3 and 9: starting.
template <class Suite>
void claim_started(Suite& run) {
    run.claim({"journal_writer 1", "a start that is rolled back was never there",
               "start: it has to write with the caller's transaction"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  c.that(at.book.shares(at.s), "shares to be true of its own store", "false");
                  const std::vector<step_entry> steps{{"a", step_kind::retriable}};
                  auto tx = begin(env, at.s);
                  c.equal(at.book.start(tx, {order_type, "1", steps, "x"}, at.now),
                          start_result::started, "the answer of start");
                  tx.rollback();
                  c.equal(at.ids(), texts(), "what can be claimed");
                  c.that(!at.book.find(order_type, "1", at.until()), "nothing to be found",
                         "an instance");
                  c.equal(at.start("1"), start_result::started, "the answer of the next start");
              });
    run.claim({"journal_writer 2", "an instance can be claimed once its start has committed",
               "start, claim"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  c.equal(at.start("1"), start_result::started, "the answer of start");
                  c.equal(at.ids(), texts{"1"}, "what can be claimed");
                  const auto found = at.look("1");
                  c.equal(found.what.state, instance_state::open, "the state");
                  c.equal(found.what.type, std::string(order_type), "the type");
                  c.that(found.what.started == at.now && found.what.since == at.now,
                         "the time of the start", "another");
              });
    run.claim(
        {"journal_writer 2", "starting again changes nothing, and says whether it is the same",
         "start: the id is unique within its type, also after the end"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            static_cast<void>(at.start("1", "x"));
            const auto before = at.look("1");
            c.equal(at.start("1", "x"), start_result::was_there, "the same again");
            c.equal(at.start("1", "y"), start_result::differs, "another input");
            c.that(at.look("1") == before, "the instance as it was", "it was changed");
            c.equal(at.start("1", "y", "another type"), start_result::started,
                    "the id in another type");
            at.write_done(at.plain(at.claim_one("1"), claim_end::completed));
            c.equal(at.start("1", "x"), start_result::was_there, "after the end");
            c.equal(at.ids(), texts(), "what can be claimed");
        });
    run.claim({"journal_writer 3", "names, steps and input are kept bit for bit",
               "columns: bytes, not text; no trimming, no case folding"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  std::vector<step_entry> steps;
                  for (const auto& text : hostile_texts()) {
                      if (text.size() <= at.book.options().name_bytes_max) {
                          steps.push_back({text, static_cast<step_kind>(steps.size() % 3)});
                      }
                  }
                  for (const auto& one : steps) {
                      auto tx = begin(env, at.s);
                      c.equal(at.book.start(tx, {one.name, one.name, steps, one.name}, at.now),
                              start_result::started, "the answer of start");
                      commit(c, tx);
                  }
                  for (const auto& one : steps) {
                      const auto found = at.book.find(one.name, one.name, at.until());
                      c.that(found.has_value(), show(one.name) + " to be found", "nothing");
                      c.equal(found->what.id, one.name, "the id");
                      c.equal(found->what.input, one.name, "the input");
                      c.equal(found->what.steps, steps, "the steps");
                      c.equal(at.claim(10, one.name).size(), std::size_t{1},
                              "what can be claimed of one type");
                  }
              });
    run.claim(
        {"journal_writer 9", "what is out of bounds is refused, and the transaction goes on",
         "check_startable, check_reply: before anything is written"},
        [](check& c, auto& env) {
            journal_scene at(c, env);
            const auto& limits = at.book.options();
            const std::string long_name(limits.name_bytes_max + 1, 'n');
            const std::string much(limits.input_bytes_max + 1, 'x');
            const std::string long_reply(limits.result_bytes_max + 1, 'x');
            const std::vector<step_entry> steps{{"a", step_kind::retriable}};
            const std::vector<step_entry> twice{{"a", step_kind::retriable},
                                                {"a", step_kind::retriable}};
            auto tx = begin(env, at.s);
            const auto refused = [&](const new_instance& one, std::string_view what) {
                c.throws<error>([&] { static_cast<void>(at.book.start(tx, one, at.now)); }, what);
            };
            refused({"t", long_name, steps, ""}, "an id that is too long to be refused");
            refused({"t", "", steps, ""}, "an empty id to be refused");
            refused({"t", "1", twice, ""}, "two steps of one name to be refused");
            refused({"t", "1", {}, ""}, "an instance without steps to be refused");
            refused({"t", "1", steps, much}, "an input that is too large to be refused");
            c.throws<permanent_error>(
                [&] {
                    static_cast<void>(at.book.reply(tx, at.reply_of("1", "a", long_reply), at.now));
                },
                "a reply that is too large to be refused");
            c.equal(at.book.start(tx, {order_type, "1", steps, "ok"}, at.now),
                    start_result::started, "the answer of the next start");
            commit(c, tx);
            c.equal(at.ids(), texts{"1"}, "what can be claimed");
        });
}

/// `journal_writer` 4 to 7: replies.
template <class Suite>
void claim_replies(Suite& run, const journal_features& has) {
    run.claim({"journal_writer 4", "a reply that comes before its instance waits for it",
               "reply: it must not need an instance"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  c.equal(at.reply("1", "charge", "early"), reply_result::early, "the answer");
                  c.equal(at.book.counts(at.until()).early_replies, std::uint64_t{1},
                          "the number of early replies");
                  static_cast<void>(at.start("1"));
                  const auto first = at.claim_one("1");
                  c.that(!first.reply, "no reply to be shown to who waits for none", "one");
                  at.write_done(at.waiting(first, std::chrono::hours(1), "charge"));
                  c.equal(at.claim_one("1").reply, value("early"), "the reply");
                  c.equal(at.book.counts(at.until()).early_replies, std::uint64_t{0},
                          "the number of early replies");
              });
    run.claim({"journal_writer 4", "of several replies to a step the first stays",
               "reply: unique by instance, step and phase"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  c.equal(at.reply("1", "charge", "first"), reply_result::early, "the first");
                  c.equal(at.reply("1", "charge", "second"), reply_result::duplicate, "the second");
                  c.equal(at.reply("1", "ship", "other"), reply_result::early, "another step's");
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), std::chrono::hours(1), "charge"));
                  c.equal(at.reply("1", "charge", "third"), reply_result::duplicate, "the third");
                  c.equal(at.claim_one("1").reply, value("first"), "the reply");
              });
    run.claim({"journal_writer 4", "a reply that is rolled back was never there",
               "reply: it has to write with the caller's transaction"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), std::chrono::hours(1), "charge"));
                  auto tx = begin(env, at.s);
                  c.equal(at.book.reply(tx, at.reply_of("1", "charge"), at.now),
                          reply_result::awaited, "the answer");
                  tx.rollback();
                  c.equal(at.ids(), texts(), "what can be claimed");
                  c.equal(at.reply("1", "charge"), reply_result::awaited, "the next answer");
              });
    run.claim({"journal_writer 5", "a reply to a step that has a record, or after the end, is late",
               "reply: looks at the records, and at the state"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  auto entry = at.claim_one("1");
                  auto both = at.with_record(entry, "reserve");
                  both.records.push_back(at.record("charge", record_kind::failed));
                  at.write_done(both);
                  c.equal(at.reply("1", "reserve"), reply_result::late, "to a step that is done");
                  c.equal(at.reply("1", "charge"), reply_result::late, "to one that failed");
                  auto again = at.plain(entry);
                  again.known = 2;
                  again.records.push_back(at.record("charge", record_kind::retried));
                  at.write_done(again);
                  c.equal(at.reply("1", "charge"), reply_result::early, "to one that is retried");
                  again.known = 3;
                  again.records.clear();
                  again.end = claim_end::compensated;
                  at.write_done(again);
                  c.equal(at.reply("1", "ship"), reply_result::late, "to one that has ended");
                  c.equal(at.book.counts(at.until()).early_replies, std::uint64_t{0},
                          "the number of early replies");
              });
    run.claim({"journal_writer 6", "an instance whose reply comes while it waits can be claimed",
               "reply: the instance has to become due"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  static_cast<void>(at.start("2"));
                  for (const auto& one : at.claim()) {
                      at.write_done(at.waiting(one, std::chrono::hours(1), "charge"));
                  }
                  c.equal(at.ids(), texts(), "what can be claimed before the reply");
                  c.equal(at.reply("2", "ship"), reply_result::early, "a reply to another step");
                  c.equal(at.ids(), texts(), "what can be claimed after that");
                  c.equal(at.reply("2", "charge", "here"), reply_result::awaited, "the reply");
                  c.equal(at.claim_one("2").reply, value("here"), "what is shown");
              });
    run.template feature<true>("connections", has.connections)
        .claim({"journal_writer 6", "a reply and the wait for it, at the same time, meet",
                "reply and write: one of the two has to see the other, or must not commit"},
               [](check& c, auto& env) {
                   for (const bool reply_commits_first : {true, false}) {
                       journal_scene ours(c, env);
                       journal_scene theirs(c, env);
                       const std::string id = reply_commits_first ? "1" : "2";
                       static_cast<void>(ours.start(id));
                       const auto wait =
                           ours.waiting(ours.claim_one(id), std::chrono::hours(1), "charge");
                       auto mine = begin(env, ours.s);
                       ours.done(ours.book.write(mine, wait, ours.now).how, "the answer of write");
                       const auto bring = [&](auto& tx) {
                           static_cast<void>(theirs.book.reply(
                               tx, theirs.reply_of(id, "charge", "here"), theirs.now));
                       };
                       std::optional<commit_result> written;
                       bool is_brought = false;
                       static_cast<void>(attempt([&] {
                           auto tx = theirs.s.begin(shortly(env));
                           bring(tx);
                           if (!reply_commits_first) {
                               written = mine.commit();
                           }
                           is_brought = tx.commit() == commit_result::committed;
                       }));
                       written = written ? written : mine.commit();
                       if (!is_brought) {
                           auto tx = begin(env, theirs.s);
                           bring(tx);
                           commit(c, tx);
                       }
                       if (written != commit_result::committed) {
                           ours.write_done(wait);
                       }
                       c.equal(ours.claim_one(id).reply, value("here"), "the reply");
                       ours.stand_up();
                   }
               });
    run.claim({"journal_writer 7", "replies that nobody waits for are kept up to a number",
               "reply: counts the early ones"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  const auto most = at.book.options().early_replies_max;
                  if (most > early_replies_shown) {
                      c.not_claimed("early_replies_max is " + show(most) + ", which is too many");
                  }
                  for (std::size_t i = 0; i < most; ++i) {
                      c.equal(at.reply("x" + show(i), "charge"), reply_result::early,
                              "reply " + show(i));
                  }
                  c.equal(at.reply("one more", "charge"), reply_result::refused, "one more");
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), std::chrono::hours(1), "charge"));
                  c.equal(at.reply("1", "charge"), reply_result::awaited, "an awaited one");
                  c.equal(at.book.counts(at.until()).early_replies, std::uint64_t{most},
                          "the number of early replies");
              });
}

/// `journal_writer` 8: cancelling.
template <class Suite>
void claim_cancelled(Suite& run) {
    run.claim({"journal_writer 8", "a cancelled instance is due once, with the first reason",
               "cancel: it ends the wait, but only once"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), std::chrono::hours(1)));
                  c.that(at.cancel("1", "first"), "cancel to answer true", "false");
                  c.that(at.cancel("1", "second"), "cancel to answer true again", "false");
                  const auto entry = at.claim_one("1");
                  c.equal(entry.what.cancelled, std::optional(at.note("first")), "the note");
                  const auto came = at.write(at.waiting(entry, std::chrono::hours(1)));
                  c.equal(came, write_result{fenced_result::done, true}, "the answer of write");
                  c.equal(at.ids(), texts(), "what can be claimed after it was put off again");
              });
    run.claim({"journal_writer 8", "who holds an instance is told that it was cancelled",
               "cancel: it must not end the claim; write: it says so"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto entry = at.claim_one("1");
                  c.that(at.cancel("1"), "cancel to answer true", "false");
                  c.equal(at.write(at.with_record(entry, "reserve")),
                          write_result{fenced_result::done, true}, "the answer of write");
                  auto last = at.plain(entry, claim_end::compensated);
                  last.known = 1;
                  at.write_done(last);
                  c.that(!at.cancel("1"), "cancel after the end to answer false", "true");
                  c.that(!at.cancel("unknown"), "cancel of what is not known to answer false",
                         "true");
              });
    run.claim({"journal_writer 8",
               "an instance that was cancelled while it was held is due when it is put off",
               "cancel: what it wakes stays awake until the next claim"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  const auto entry = at.claim_one("1");
                  c.that(at.cancel("1"), "cancel to answer true", "false");
                  at.write_done(at.waiting(entry, std::chrono::hours(1)));
                  c.equal(at.ids(), texts{"1"}, "what can be claimed");
              });
    run.claim({"journal_queue 2", "a cancellation outlives the runner that claimed it first",
               "claim, and what makes free what was claimed: due, until a record or a claim's end"},
              [](check& c, auto& env) {
                  journal_scene at(c, env);
                  static_cast<void>(at.start("1"));
                  at.write_done(at.waiting(at.claim_one("1"), std::chrono::hours(1)));
                  c.that(at.cancel("1"), "cancel to answer true", "false");
                  for (int i = 0; i < 2; ++i) {
                      static_cast<void>(at.claim_one("1"));
                      at.stand_up();
                  }
                  const auto entry = at.claim_one("1");
                  c.equal(entry.what.cancelled, std::optional(at.note("cancelled")), "the note");
                  at.write_done(at.waiting(entry, std::chrono::hours(1)));
                  c.equal(at.ids(), texts(), "what can be claimed after it was put off");
              });
}

}  // namespace sinew::testing::conformance::detail
