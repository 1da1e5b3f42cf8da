// SPDX-License-Identifier: BSL-1.0
#pragma once
/// @file
/// The claims on commits, revocations and epochs: what a member may do, and when no more.

#include <sinew/core/commit_result.hpp>
#include <sinew/core/position.hpp>
#include <sinew/core/source.hpp>
#include <sinew/testing/conformance/claims.hpp>
#include <sinew/testing/conformance/environment.hpp>
#include <sinew/testing/conformance/source_environment.hpp>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sinew::testing::conformance::detail {

/// That a new member of the group begins with that event: nothing was committed beyond it.
template <class Env>
void starts_with(const check& c, Env& env, const std::string& id) {
    hearing h(env);
    c.that(poll_until(env, h, [&] { return !h.ids(0).empty(); }),
           "a new member to be delivered " + show(id), "nothing came");
    c.equal(h.ids(0)[0], id, "the first event of a new member");
}

/// `source` 5: commits.
template <class Suite>
void claim_commits(Suite& run, const source_features& has) {
    using env_type = typename Suite::environment;
    run.claim(
        {"source 5", "a commit under the epoch of the assignment answers committed", "commit"},
        [](check& c, auto& env) {
            append(env, 0, "1");
            hearing h(env);
            collect(c, env, h, 1);
            c.equal(commit_through(env, h, "1"), commit_result::committed, "the answer");
            c.equal(commit_through(env, h, "1"), commit_result::committed,
                    "the answer to the same commit again");
        });
    const auto offsets = run.template feature<true>("offsets", has.offsets);
    offsets.claim({"source 5", "a commit after the release changes nothing and answers aborted",
                   "commit: it has to look at the epoch, and in the broker, not only here"},
                  [](check& c, auto& env) {
                      for (const auto* id : {"1", "2"}) {
                          append(env, 0, id);
                      }
                      {
                          hearing h(env);
                          collect(c, env, h, 2);
                          h.release(0);
                          c.equal(commit_through(env, h, "2"), commit_result::aborted,
                                  "the answer");
                      }
                      starts_with(c, env, "1");
                  });
    offsets.claim({"source 5", "a commit under an epoch that never was changes nothing",
                   "commit: the epoch that it is given, not the one that it has"},
                  [](check& c, auto& env) {
                      for (const auto* id : {"1", "2"}) {
                          append(env, 0, id);
                      }
                      {
                          hearing h(env);
                          collect(c, env, h, 2);
                          for (const epoch_number wrong : {h.held[0] + 1, h.held[0] - 1}) {
                              c.equal(h.self.commit(0, wrong, h.offset_of("2"), soon(env)),
                                      commit_result::aborted, "the answer");
                          }
                      }
                      starts_with(c, env, "1");
                  });
    constexpr bool can_abandon =
        requires(env_type& env, member_of<env_type>& m) { env.abandon(m); };
    const auto dead = run.template feature<true>("groups", has.groups)
                          .declared(has.offsets, "offsets")
                          .template needs<can_abandon>("abandon(member)");
    dead.claim({"source, on crash",
                "the partitions of a member that died go to another, under a "
                "higher epoch",
                "the group's session time-out, and who looks after it"},
               [](check& c, auto& env) {
                   append(env, 0, "1");
                   hearing first(env);
                   settle(c, env, first);
                   collect(c, env, first, 1);
                   const epoch_number epoch = first.held[0];
                   env.abandon(first.self);
                   hearing second(env);
                   settle(c, env, second);
                   c.that(second.held[0] > epoch, "an epoch above " + show(epoch),
                          show(second.held[0]));
                   collect(c, env, second, 1);
                   c.equal(second.ids(), std::vector<std::string>{"1"}, "the messages");
               });
    dead.claim({"source 5", "a member that was taken for dead commits nothing any more",
                "commit: whether the broker, not only the member, looks at the epoch"},
               [](check& c, auto& env) {
                   for (const auto* id : {"1", "2"}) {
                       append(env, 0, id);
                   }
                   {
                       hearing zombie(env);
                       collect(c, env, zombie, 2);
                       env.abandon(zombie.self);
                       hearing second(env);
                       settle(c, env, second);
                       c.equal(commit_through(env, zombie, "2"), commit_result::aborted,
                               "the answer");
                       collect(c, env, second, 2);
                       c.equal(commit_through(env, second, "1"), commit_result::committed,
                               "the answer to the new holder");
                       c.equal(commit_through(env, zombie, "2"), commit_result::aborted,
                               "the answer at a second try");
                   }
                   starts_with(c, env, "2");
               });
    dead.claim(
        {"source 7", "a member that was taken for dead is told of its loss when it polls again",
         "the news after a long silence: lost, and then perhaps a new assignment"},
        [](check& c, auto& env) {
            hearing zombie(env);
            settle(c, env, zombie);
            env.abandon(zombie.self);
            hearing second(env);
            settle(c, env, second);
            using kind = typename decltype(zombie)::kind;
            c.that(poll_until(env, zombie, [&] { return zombie.heard(kind::lost, 0); }),
                   "lost to be told", "it was not");
        });
}

/// `source` 6: revocations.
template <class Suite>
void claim_revocations(Suite& run, const source_features& has) {
    using env_type = typename Suite::environment;
    const auto groups = run.template feature<true>("groups", has.groups);
    const auto shared = [](const check& c, const auto& env) {
        if (partitions_of(env) < 2) {
            c.not_claimed("the topic has one partition");
        }
    };
    groups.claim({"source 6", "after revoked a partition delivers nothing more",
                  "what the client has fetched before the revocation"},
                 [shared](check& c, auto& env) {
                     shared(c, env);
                     hearing first(env);
                     settle(c, env, first);
                     hearing second(env);
                     const partition_id p = ask_back(c, env, first, second);
                     append(env, p, "late");
                     stay_quiet(c, env, first, "the partition was revoked");
                 });
    groups.claim({"source 6", "a revoked partition stays ours until it is released",
                  "whether the group waits for the release, and takes commits meanwhile"},
                 [shared](check& c, auto& env) {
                     shared(c, env);
                     for (partition_id p = 0; p < partitions_of(env); ++p) {
                         append(env, p, std::to_string(p));
                     }
                     hearing first(env);
                     settle(c, env, first);
                     collect(c, env, first, partitions_of(env));
                     hearing second(env);
                     const partition_id p = ask_back(c, env, first, second);
                     for (int i = 0; i < 5; ++i) {
                         second.poll(later(now_of(env), patience_of(env) / 400));
                     }
                     c.that(!second.held.contains(p), "nobody else to have the revoked partition",
                            "it was assigned to another member");
                     c.equal(commit_through(env, first, std::to_string(p)),
                             commit_result::committed, "the answer of a commit");
                 });
    groups.claim(
        {"source 6", "a partition that was released goes to the member that it is for",
         "whether release reaches the group, and wakes the other member"},
        [shared](check& c, auto& env) {
            shared(c, env);
            hearing first(env);
            settle(c, env, first);
            hearing second(env);
            static_cast<void>(ask_back(c, env, first, second));
            std::map<partition_id, epoch_number> before = first.held;
            for (const auto& one : std::vector(first.revocations)) {
                first.release(one.partition);
            }
            const bool shared_out = eventually(
                env,
                [&](steady_time until) {
                    first.poll(until, {});
                    second.poll(until, {});
                },
                [&] {
                    return !second.held.empty() &&
                           first.held.size() + second.held.size() == partitions_of(env);
                });
            c.that(shared_out, "each partition to have a holder, and the second member one",
                   "the first has " + show(first.held.size()) + ", the second " +
                       show(second.held.size()));
            for (const auto& [p, epoch] : second.held) {
                c.that(epoch > before[p], "an epoch above " + show(before[p]), show(epoch));
            }
        });
    groups.template needs<has_pass<env_type>>("pass(duration)")
        .claim({"source 6", "a partition that is not released in time is lost",
                "the end of the revocation: who takes the partition away, and tells"},
               [shared](check& c, auto& env) {
                   shared(c, env);
                   append(env, 0, "0");
                   append(env, 1, "1");
                   hearing first(env);
                   settle(c, env, first);
                   collect(c, env, first, 2);
                   hearing second(env);
                   const partition_id p = ask_back(c, env, first, second);
                   const steady_time end = first.revocations.front().until;
                   if (end == never) {
                       c.not_claimed("the revocation has no end");
                   }
                   pass_alive(env, first, end - now_of(env) + std::chrono::milliseconds(1));
                   using kind = typename decltype(first)::kind;
                   c.that(eventually(
                              env,
                              [&](steady_time until) {
                                  first.poll(until, {});
                                  second.poll(until, {});
                              },
                              [&] { return first.heard(kind::lost, p); }),
                          "lost to be told", "it was not");
                   c.equal(commit_through(env, first, std::to_string(p)), commit_result::aborted,
                           "the answer of a commit after it");
               });
}

/// `source` 7 and 1: epochs, and the order of what is told.
template <class Suite>
void claim_epochs(Suite& run, const source_features& has) {
    run.template feature<true>("offsets", has.offsets)
        .claim({"source 7", "each assignment of a partition has a higher epoch than the last",
                "where the epoch is kept: it has to outlive every member"},
               [](check& c, auto& env) {
                   epoch_number last = 0;
                   for (int i = 0; i < 4; ++i) {
                       hearing h(env);
                       settle(c, env, h);
                       c.that(i == 0 || h.held[0] > last, "an epoch above " + show(last),
                              show(h.held[0]));
                       last = h.held[0];
                       if (i % 2 == 0) {
                           h.release(0);
                       }
                   }
               });
    run.template feature<true>("groups", has.groups)
        .claim({"source 1",
                "assignments, revocations and losses are told in an order that makes sense",
                "the news of a member over several rebalances"},
               [](check& c, auto& env) {
                   hearing first(env);
                   settle(c, env, first);
                   for (int round = 0; round < 3; ++round) {
                       std::optional<hearing<std::remove_reference_t<decltype(env)>>> second;
                       second.emplace(env);
                       for (int i = 0; i < 30; ++i) {
                           first.poll(later(now_of(env), patience_of(env) / 400));
                           second->poll(later(now_of(env), patience_of(env) / 400));
                           for (const auto& one : std::exchange(first.revocations, {})) {
                               if (first.held.contains(one.partition)) {
                                   first.release(one.partition);
                               }
                           }
                       }
                       second.reset();
                       settle(c, env, first);
                   }
                   using kind = typename decltype(first)::kind;
                   std::map<partition_id, epoch_number> last;
                   std::map<partition_id, kind> state;
                   for (const auto& one : first.story) {
                       const auto before = state.find(one.partition);
                       const bool is_new = before == state.end();
                       if (one.what == kind::assigned) {
                           c.that(one.epoch > last[one.partition], "rising epochs",
                                  show(one.epoch) + " after " + show(last[one.partition]));
                       } else {
                           c.that(!is_new && one.epoch == last[one.partition],
                                  "news of an epoch after its assignment", "it came before");
                           c.that(before->second != kind::lost,
                                  "nothing of an epoch after its loss", "something came");
                       }
                       last[one.partition] = one.epoch;
                       state[one.partition] = one.what;
                   }
               });
}

}  // namespace sinew::testing::conformance::detail
