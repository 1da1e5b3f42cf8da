// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The conformance suite for sources: members of a group that read a partitioned log.
///
/// What its environment has stands in source_environment.hpp.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/event.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/hostile.hpp>
#include <sinew/testing/conformance/source_environment.hpp>
#include <sinew/testing/conformance/source_groups.hpp>
#include <sinew/testing/conformance/source_histories.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sinew::testing::conformance {

namespace detail {

/// `source_message` 1 to 3.
template <class Suite>
void claim_messages(Suite& run, const source_features& has) {
    using env_type = typename Suite::environment;
    run.claim({"source_message 1", "a message's view stays valid, at the same address",
               "views into a buffer of the client that is used again"},
              [](check& c, auto& env) {
                  env.append(0, plain_event("1", "k", std::string(500, 'a')).view());
                  hearing h(env);
                  collect(c, env, h, 1);
                  const auto first = std::move(h.got[0]);
                  h.got.clear();
                  const event_view before = first.view();
                  for (int i = 2; i < 40; ++i) {
                      env.append(0, plain_event(show(i), "k", std::string(500, 'b')).view());
                  }
                  collect(c, env, h, 38);
                  h.got.clear();
                  c.equal(first.view().data.data() == before.data.data(), true,
                          "the data's address, the same");
                  c.equal(before.text() == std::string(500, 'a') && before.id == "1", true,
                          "the bytes, the same");
              });
    run.claim(
        {"source_message 2", "a message says where it stands and under which epoch it was read",
         "where() and epoch()"},
        [](check& c, auto& env) {
            const std::size_t count = partitions_of(env);
            for (partition_id p = 0; p < count; ++p) {
                append(env, p, std::to_string(p));
            }
            hearing h(env);
            collect(c, env, h, count);
            for (const auto& m : h.got) {
                c.equal(std::to_string(m.where().partition), std::string(m.view().id),
                        "the partition of event " + show(std::string(m.view().id)));
                c.equal(m.epoch(), h.held[m.where().partition], "its epoch");
            }
        });
    run.template feature<true>("any_bytes", has.any_bytes)
        .claim({"source_message 3", "an event comes as it was stored, whatever its bytes",
                "the mapping of attributes, headers and data"},
               [](check& c, auto& env) {
                   const auto sent = hostile_events();
                   for (const auto& one : sent) {
                       env.append(0, one.view());
                   }
                   hearing h(env);
                   collect(c, env, h, sent.size());
                   for (std::size_t i = 0; i < sent.size(); ++i) {
                       const std::string wrong = difference(sent[i], to_event(h.got[i].view()));
                       c.that(wrong.empty(), "the event " + show(sent[i].id) + " as it was", wrong);
                       c.that(!h.got[i].broken(), "a valid event not to be broken", "it is");
                   }
               });
    constexpr bool can_break = requires(env_type& env) { env.append_broken(0, bytes_view()); };
    run.always()
        .template needs<can_break>("append_broken(partition, bytes)")
        .claim(
            {"source_message 3", "a record that is no event comes as a broken one, with its bytes",
             "a record that cannot be decoded must be delivered, not skipped and not thrown at"},
            [](check& c, auto& env) {
                const std::string raw("\0{not an event\xff", 15);
                append(env, 0, "1");
                env.append_broken(0, as_bytes(raw));
                append(env, 0, "3");
                hearing h(env);
                collect(c, env, h, 3);
                c.that(h.got[1].broken().has_value(), "broken() to say why", "it says nothing");
                c.equal(std::string(h.got[1].view().text()), raw, "the data");
                c.that(!h.got[2].broken(), "the next record to be a good one", "it is broken");
            });
}

/// `source` 1 and 2: what is delivered, and from where on.
template <class Suite>
void claim_delivery(Suite& run, const source_features& has) {
    run.claim({"source 1", "a partition's messages come after its assignment, under its epoch",
               "the order of the listener's calls within a poll"},
              [](check& c, auto& env) {
                  for (partition_id p = 0; p < partitions_of(env); ++p) {
                      append(env, p, std::to_string(p));
                  }
                  hearing h(env);
                  collect(c, env, h, partitions_of(env));
                  using kind = typename decltype(h)::kind;
                  std::map<partition_id, epoch_number> held;
                  for (const auto& one : h.story) {
                      if (one.what == kind::assigned) {
                          held[one.partition] = one.epoch;
                      } else if (one.what == kind::message) {
                          c.that(held.contains(one.partition),
                                 "partition " + show(one.partition) +
                                     " to be assigned before its first message",
                                 "a message came first");
                          c.equal(one.epoch, held[one.partition], "the epoch of the message");
                      }
                  }
              });
    run.claim({"source 1", "every record is delivered once, in rising offset",
               "the cursor: what a poll leaves over, and several partitions in turn"},
              [](check& c, auto& env) {
                  const std::size_t partitions = partitions_of(env);
                  std::vector<std::vector<std::string>> sent(partitions);
                  const auto publish = [&](int from, int to) {
                      for (int i = from; i < to; ++i) {
                          const auto p = static_cast<std::size_t>(i) % partitions;
                          append(env, static_cast<partition_id>(p), std::to_string(i));
                          sent[p].push_back(std::to_string(i));
                      }
                  };
                  publish(0, 30);
                  hearing h(env);
                  collect(c, env, h, 30);
                  publish(30, 60);
                  collect(c, env, h, 60);
                  stay_quiet(c, env, h, "everything was delivered");
                  for (partition_id p = 0; p < partitions; ++p) {
                      c.equal(h.ids(p), sent[p], "the messages of partition " + show(p));
                      log_offset last = -1;
                      for (const auto& m : h.got) {
                          if (m.where().partition == p) {
                              c.that(m.where().offset > last, "rising offsets",
                                     show(m.where().offset) + " after " + show(last));
                              last = m.where().offset;
                          }
                      }
                  }
              });
    run.claim({"source 2", "a group that has committed nothing starts at the beginning",
               "the client library's own default, which may be the end"},
              [](check& c, auto& env) {
                  append(env, 0, "1");
                  append(env, 0, "2");
                  hearing h(env);
                  collect(c, env, h, 2);
                  c.equal(h.ids(), std::vector<std::string>{"1", "2"}, "the messages");
              });
    const auto offsets = run.template feature<true>("offsets", has.offsets);
    offsets.claim({"source 2", "a partition starts after the last committed offset of its group",
                   "whether the broker keeps the last finished offset, or the one after it"},
                  [](check& c, auto& env) {
                      for (const auto* id : {"1", "2", "3"}) {
                          append(env, 0, id);
                      }
                      {
                          hearing h(env);
                          collect(c, env, h, 3);
                          c.equal(commit_through(env, h, "2"), commit_result::committed,
                                  "the answer");
                      }
                      hearing h(env);
                      collect(c, env, h, 1);
                      stay_quiet(c, env, h, "the rest was committed");
                      c.equal(h.ids(), std::vector<std::string>{"3"}, "the messages");
                  });
    offsets.claim({"source 2", "what was delivered and not committed is delivered again",
                   "automatic commits of the client library"},
                  [](check& c, auto& env) {
                      append(env, 0, "1");
                      append(env, 0, "2");
                      {
                          hearing h(env);
                          collect(c, env, h, 2);
                      }
                      hearing h(env);
                      collect(c, env, h, 2);
                      c.equal(h.ids(), std::vector<std::string>{"1", "2"}, "the messages");
                  });
}

/// `source` 3 and 4: deadlines and limits.
template <class Suite>
void claim_polls(Suite& run) {
    using env_type = typename Suite::environment;
    run.claim({"source 3", "a poll comes back by its deadline, with nothing to deliver",
               "the client library's own waiting time"},
              [](check& c, auto& env) {
                  hearing h(env);
                  settle(c, env, h);
                  for (const steady_time until : {no_waiting, shortly(env)}) {
                      const steady_time before = now_of(env);
                      h.poll(until);
                      c.that(now_of(env) < later(before, patience_of(env)),
                             "poll to come back by its deadline", "it came back much later");
                  }
              });
    run.claim({"source 4", "a poll delivers at most as many messages as it may, and loses none",
               "what becomes of what the client has fetched beyond the limit"},
              [](check& c, auto& env) {
                  for (int i = 0; i < 7; ++i) {
                      append(env, 0, std::to_string(i));
                  }
                  hearing h(env);
                  const bool all = eventually(
                      env,
                      [&](steady_time until) {
                          const std::size_t before = h.got.size();
                          h.poll(until, {.events = 2, .bytes = SIZE_MAX});
                          c.that(h.got.size() - before <= 2, "at most 2 messages in a poll",
                                 show(h.got.size() - before));
                      },
                      [&] { return h.got.size() >= 7; });
                  c.that(all, "7 messages in the end", show(h.got.size()));
                  c.equal(h.ids(), std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"},
                          "the messages");
              });
    run.claim({"source 4", "a poll for no events delivers none, and none is lost by it",
               "a limit of 0 that is taken for no limit"},
              [](check& c, auto& env) {
                  append(env, 0, "1");
                  hearing h(env);
                  for (int i = 0; i < 10; ++i) {
                      h.poll(later(now_of(env), patience_of(env) / 400), {});
                  }
                  c.equal(h.got.size(), std::size_t{0}, "the number of messages");
                  collect(c, env, h, 1);
              });
    constexpr bool has_session = has_pass<env_type> && requires(env_type& env) { env.session(); };
    run.always()
        .template needs<has_session>("session() and pass(duration)")
        .claim({"source 4", "polls for no events keep the membership",
                "whether a poll that delivers nothing still tells the group that the member lives"},
               [](check& c, auto& env) {
                   append(env, 0, "1");
                   hearing h(env);
                   settle(c, env, h);
                   collect(c, env, h, 1);
                   const auto before = h.held;
                   pass_alive(env, h, 4 * env.session());
                   hearing other(env);
                   other.poll(soon(env), {});
                   h.poll(no_waiting, {});
                   using kind = typename decltype(h)::kind;
                   c.that(!h.heard(kind::lost, 0), "the member to keep its partitions",
                          "it lost one");
                   c.equal(commit_through(env, h, "1"), commit_result::committed,
                           "the answer of a commit");
               });
}

/// `source` 8: pausing.
template <class Suite>
void claim_pauses(Suite& run) {
    run.claim({"source 8", "a paused partition delivers nothing, and resumes where it stood",
               "what the client has fetched before the pause: neither lost nor delivered twice"},
              [](check& c, auto& env) {
                  append(env, 0, "1");
                  hearing h(env);
                  collect(c, env, h, 1);
                  h.self.pause(0);
                  append(env, 0, "2");
                  append(env, 0, "3");
                  stay_quiet(c, env, h, "the partition is paused");
                  c.equal(commit_through(env, h, "1"), commit_result::committed,
                          "the answer of a commit, while it is paused");
                  h.self.resume(0);
                  collect(c, env, h, 3);
                  stay_quiet(c, env, h, "everything was delivered");
                  c.equal(h.ids(), std::vector<std::string>{"1", "2", "3"}, "the messages");
              });
    run.claim({"source 8", "pausing twice, or resuming what is not paused, does nothing",
               "pauses that are counted"},
              [](check& c, auto& env) {
                  hearing h(env);
                  settle(c, env, h);
                  h.self.pause(0);
                  h.self.pause(0);
                  append(env, 0, "1");
                  stay_quiet(c, env, h, "the partition is paused");
                  h.self.resume(0);
                  collect(c, env, h, 1);
                  h.self.resume(0);
                  append(env, 0, "2");
                  collect(c, env, h, 2);
                  h.self.pause(0);
                  append(env, 0, "3");
                  stay_quiet(c, env, h, "the partition is paused again");
              });
    run.claim({"source 8", "pausing one partition leaves the others alone",
               "whether the pause is the member's or the partition's"},
              [](check& c, auto& env) {
                  if (partitions_of(env) < 2) {
                      c.not_claimed("the topic has one partition");
                  }
                  hearing h(env);
                  settle(c, env, h);
                  h.self.pause(0);
                  append(env, 0, "paused");
                  append(env, 1, "1");
                  append(env, 1, "2");
                  collect(c, env, h, 2);
                  c.equal(h.ids(), std::vector<std::string>{"1", "2"}, "the messages");
              });
}

}  // namespace detail

/// Looks at every claim of `source`. `make` makes a fresh environment.
template <class Make>
    requires source_environment<decltype(std::declval<Make&>()())>
[[nodiscard]] claims_table source_claims(std::string_view adapter, Make make,
                                         const source_features& has = {}) {
    suite<Make> run("source", adapter, make);
    detail::claim_messages(run, has);
    detail::claim_delivery(run, has);
    detail::claim_polls(run);
    detail::claim_commits(run, has);
    detail::claim_revocations(run, has);
    detail::claim_epochs(run, has);
    detail::claim_pauses(run);
    run.template feature<true>("offsets", has.offsets)
        .claim({"reference", "random histories end as in the in-memory reference",
                "the in-memory log, which is the reference"},
               [make](check& c, auto&) { detail::check_source_histories(c, make); });
    return run.finish();
}

}  // namespace sinew::testing::conformance
